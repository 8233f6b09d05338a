package httplimit_test

import (
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-3506548a/ratelimit/httplimit"
)

// TestOverlaps answers requests that were under way when a pause began.
func TestOverlaps(t *testing.T) {
	// Each request takes so long, is answered with this, and is made at that time.
	type request struct{ at, takes, retryAfter time.Duration }
	for _, one := range []struct {
		name     string
		requests []request
		sent     []time.Duration // when each is sent
		next     time.Duration   // of the last refusal
	}{
		{"a shorter pause does not end a longer one", []request{
			{0, 0, 0}, {0, 1, 60}, {0, 2, 5}, {3, 0, 0},
		}, []time.Duration{0, 0, 0, 61}, 61},
		{"a granted probe does not end a pause that began meanwhile", []request{
			{0, 0, 0}, {0, 0, 0}, {0, 0, 0}, {0, 1, 10}, {0, 12, 60}, {2, 2, 0}, {3, 0, 0},
		}, []time.Duration{0, 0, 0, 0, 0, 11, 72}, 72},
	} {
		bubble(t, one.name, func(t *testing.T) {
			start := time.Now()
			sent := make([]time.Duration, len(one.requests))
			base := roundTripper(func(r *http.Request) (*http.Response, error) {
				i, err := strconv.Atoi(r.URL.Path[1:])
				require.NoError(t, err)
				sent[i] = time.Since(start) / time.Second
				time.Sleep(one.requests[i].takes * time.Second)
				resp := &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Body: http.NoBody, Request: r}
				if wait := one.requests[i].retryAfter; wait > 0 {
					resp.StatusCode = http.StatusTooManyRequests
					resp.Header.Set("Retry-After", strconv.Itoa(int(wait)))
				}
				return resp, nil
			})
			var next atomic.Value
			transport := &httplimit.Transport{Base: base, Tries: 1, On429: func(e *httplimit.RefusedError) { next.Store(e.Next) }}
			var all sync.WaitGroup
			for i, r := range one.requests {
				time.Sleep(time.Until(start.Add(r.at * time.Second)))
				all.Go(func() {
					resp, err := transport.RoundTrip(newRequest(t.Context(), t, http.MethodGet, "/"+strconv.Itoa(i), nil))
					closing(t, resp, err)
				})
				synctest.Wait()
			}
			all.Wait()
			require.Equal(t, one.sent, sent)
			require.Equal(t, start.Add(one.next*time.Second), next.Load())
		})
	}
}

// TestARefusedRequestIsFirst sends the request again that was refused, and not one that came later.
func TestARefusedRequestIsFirst(t *testing.T) {
	virtually(t, func(t *testing.T) {
		var order []string
		refusal := step{429, []string{"Retry-After: 10"}}
		server := script(step{200, nil}, refusal, refusal)
		base := roundTripper(func(r *http.Request) (*http.Response, error) {
			order = append(order, r.URL.Path)
			time.Sleep(time.Second)
			return server.RoundTrip(r)
		})
		transport := &httplimit.Transport{Base: base}
		var all sync.WaitGroup
		for _, path := range []string{"/known", "/refused", "/b", "/c"} {
			all.Go(func() {
				resp, err := transport.RoundTrip(newRequest(t.Context(), t, http.MethodGet, path, nil))
				closing(t, resp, err)
			})
			time.Sleep(3 * time.Second)
		}
		all.Wait()
		require.Equal(t, []string{"/known", "/refused", "/refused", "/refused", "/b", "/c"}, order)
	})
}

// TestTheFirstAnswer is slow: others wait for a second to hear from it what the limits are.
func TestTheFirstAnswer(t *testing.T) {
	virtually(t, func(t *testing.T) {
		start := time.Now()
		server := &api{latency: time.Minute, answer: script().answer}
		run(t, &httplimit.Transport{Base: server}, job{10, 10, http.MethodGet, "/"})
		require.Equal(t, 30*time.Second, server.arrivals[0].Sub(start))
		for _, at := range server.arrivals[1:] {
			require.Equal(t, 31*time.Second, at.Sub(start))
		}
	})
}

// TestARefusalBeforeTheFirstAnswer pauses all but one, although the first request is still under
// way.
func TestARefusalBeforeTheFirstAnswer(t *testing.T) {
	virtually(t, func(t *testing.T) {
		start := time.Now()
		server := &api{latency: 2 * time.Second}
		server.answer = func(_ *http.Request, now time.Time) (int, http.Header, string) {
			if now.Sub(start) > time.Second && now.Sub(start) < 3*time.Second {
				return http.StatusTooManyRequests, fields("Retry-After: 10"), ""
			}
			return http.StatusOK, nil, ""
		}
		base := roundTripper(func(r *http.Request) (*http.Response, error) {
			if time.Since(start) == 0 {
				time.Sleep(time.Minute) // the first one
			}
			return server.RoundTrip(r)
		})
		transport := &httplimit.Transport{Base: base, Tries: 1}
		var all sync.WaitGroup
		for i := range 10 {
			all.Go(func() {
				time.Sleep(time.Duration(i) * time.Millisecond)
				if i > 1 {
					time.Sleep(4 * time.Second) // in the pause
				}
				resp, err := transport.RoundTrip(newRequest(t.Context(), t, http.MethodGet, "/", nil))
				closing(t, resp, err)
			})
		}
		all.Wait()
		require.Equal(t, 1, server.refused)
		probe := 13*time.Second + server.latency/2
		require.Equal(t, probe, server.arrivals[1].Sub(start))
		for _, at := range server.arrivals[2:9] {
			require.Equal(t, probe+server.latency, at.Sub(start))
		}
	})
}
