package httplimit_test

import (
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-3506548a/ratelimit/httplimit"
)

func TestHooks(t *testing.T) {
	virtually(t, func(t *testing.T) {
		server := script(step{429, []string{"Retry-After: 60", "X-RateLimit-Remaining: 0"}}, step{429, []string{"Retry-After: 30"}})
		var refusals []*httplimit.RefusedError
		var waits []time.Duration
		transport := &httplimit.Transport{
			Base: server, Tries: 2,
			On429:  func(e *httplimit.RefusedError) { refusals = append(refusals, e) },
			OnWait: func(_ *http.Request, d time.Duration) { waits = append(waits, d) },
		}
		r := newRequest(t.Context(), t, http.MethodGet, "/shows?key=secret", nil)
		r.Header.Set("Authorization", "Bearer secret")
		start := time.Now()
		client := &http.Client{Transport: transport, Timeout: time.Hour} // which wraps the body
		resp, err := client.Do(r)
		require.NoError(t, err)
		e, ok := httplimit.AsRefused(resp)
		require.True(t, ok)
		status, _ := closing(t, resp, err)
		require.Equal(t, http.StatusTooManyRequests, status)
		require.Len(t, refusals, 2)
		require.Same(t, refusals[1], e)
		require.Equal(t, 1, refusals[0].Tries)
		require.Equal(t, 2, e.Tries)
		require.Equal(t, start.Add(time.Minute), refusals[0].Next)
		require.Equal(t, start.Add(90*time.Second), e.Next)
		require.Equal(t, "refused", string(e.Body))
		require.Equal(t, []httplimit.Reading{{Limit: -1, Remaining: -1, RetryAfter: 30 * time.Second}}, e.Readings)
		require.Equal(t, []time.Duration{time.Minute}, waits)
		require.True(t, e.Authenticated())
		require.Equal(t, "httplimit: GET https://api.example.com/shows: refused with 429 after 2 tries, next at 2026-03-02T08:01:30Z", e.Error())
		early := *e
		early.Next = early.Next.Add(-time.Second + 1)
		require.Equal(t, e.Error(), early.Error(), "no second that is too early")
		require.NotContains(t, e.LogValue().String(), "secret")
		require.Contains(t, e.LogValue().String(), "retry_after=30")
	})
}

// why returns what is known about a response that refuses.
func why(t *testing.T, resp *http.Response) *httplimit.RefusedError {
	t.Helper()
	e, ok := httplimit.AsRefused(resp)
	require.True(t, ok)
	return e
}

func TestAsRefused(t *testing.T) {
	r := newRequest(t.Context(), t, http.MethodGet, "/", nil)
	e, ok := httplimit.AsRefused(&http.Response{StatusCode: 429, Header: fields("Retry-After: 5"), Request: r})
	require.True(t, ok)
	require.Equal(t, 5*time.Second, e.Readings[0].RetryAfter)
	for _, resp := range []*http.Response{nil, {StatusCode: 200, Request: r}, {StatusCode: 200}, {StatusCode: 403, Request: r}, {StatusCode: 503, Request: r}} {
		_, ok := httplimit.AsRefused(resp)
		require.False(t, ok)
	}
}

// What is known of a refusal is not said of the response to the same request when it is sent again
// by hand.
func TestAsRefusedOfARequestThatIsSentByHand(t *testing.T) {
	bubble(t, "granted then", func(t *testing.T) {
		transport := &httplimit.Transport{Base: script(step{429, []string{"Retry-After: 5"}}, step{404, nil}, step{429, nil}), Tries: 1}
		r := newRequest(t.Context(), t, http.MethodGet, "/", nil)
		for _, want := range []int{429, 404, 429, 200} {
			resp, err := transport.RoundTrip(r)
			status, _ := closing(t, resp, err)
			require.Equal(t, want, status)
			e, ok := httplimit.AsRefused(resp)
			require.Equal(t, want == 429, ok, "%v", e)
			r = resp.Request
		}
	})
}

// A recorder's response has no Request.
func TestAsRefusedWithoutRequest(t *testing.T) {
	e, ok := httplimit.AsRefused(&http.Response{StatusCode: 429, Header: fields("Retry-After: 5")})
	require.True(t, ok)
	require.Nil(t, e.Request)
	require.EqualError(t, e, "httplimit: refused with 429")
	require.Empty(t, e.Endpoint())
	require.False(t, e.Authenticated())
	var log strings.Builder
	slog.New(slog.NewTextHandler(&log, nil)).Info("refused", "request", e)
	require.Contains(t, log.String(), "request.status=429")
	require.NotContains(t, log.String(), "request.method")
}

func TestRetry(t *testing.T) {
	bubble(t, "more", func(t *testing.T) {
		transport := &httplimit.Transport{Base: script(step{500, nil}), Retry: func(_ *http.Request, resp *http.Response) bool {
			return resp.StatusCode >= 500
		}}
		resp, err := transport.RoundTrip(newRequest(t.Context(), t, http.MethodGet, "/", nil))
		status, _ := closing(t, resp, err)
		require.Equal(t, http.StatusOK, status)
	})
	bubble(t, "nothing, but others wait", func(t *testing.T) {
		transport := &httplimit.Transport{
			Base:  script(step{429, []string{"Retry-After: 60"}}),
			Retry: func(*http.Request, *http.Response) bool { return false },
		}
		start := time.Now()
		for _, want := range []struct {
			status int
			after  time.Duration
		}{{429, 0}, {200, time.Minute}} {
			resp, err := transport.RoundTrip(newRequest(t.Context(), t, http.MethodGet, "/", nil))
			status, _ := closing(t, resp, err)
			require.Equal(t, want.status, status)
			require.Equal(t, want.after, time.Since(start))
		}
	})
}

// TestFailures loses the probe in each way in which that can happen. The next request is the probe
// then.
func TestFailures(t *testing.T) {
	for _, one := range []struct {
		name string
		fail func() (*http.Response, error)
	}{
		{"an error", func() (*http.Response, error) { return nil, io.ErrUnexpectedEOF }},
		{"nothing", func() (*http.Response, error) { return nil, nil }}, //nolint:nilnil // as a broken RoundTripper does
		{"a panic", func() (*http.Response, error) { panic("broken") }},
	} {
		bubble(t, one.name, func(t *testing.T) {
			tries := 0
			server := script(step{429, []string{"Retry-After: 10"}})
			transport := &httplimit.Transport{Tries: 1, Base: roundTripper(func(r *http.Request) (*http.Response, error) {
				if tries++; tries == 2 {
					return one.fail()
				}
				return server.RoundTrip(r)
			})}
			resp, err := transport.RoundTrip(newRequest(t.Context(), t, http.MethodGet, "/", nil))
			closing(t, resp, err)
			start := time.Now()
			func() {
				defer func() {
					broken := recover()
					require.Equal(t, one.name == "a panic", broken != nil, broken)
				}()
				none, _ := transport.RoundTrip(newRequest(t.Context(), t, http.MethodGet, "/", nil))
				require.Nil(t, none)
			}()
			resp, err = transport.RoundTrip(newRequest(t.Context(), t, http.MethodGet, "/", nil))
			status, _ := closing(t, resp, err)
			require.Equal(t, http.StatusOK, status)
			require.Equal(t, 10*time.Second, time.Since(start))
		})
	}
}

// A response that comes with an error is none, so what it says is not looked at.
func TestResponseWithAnError(t *testing.T) {
	virtually(t, func(t *testing.T) {
		tries, start := 0, time.Now()
		transport := &httplimit.Transport{Base: roundTripper(func(r *http.Request) (*http.Response, error) {
			if tries++; tries == 1 {
				return &http.Response{StatusCode: 429, Header: fields("Retry-After: 60"), Body: http.NoBody, Request: r}, io.ErrUnexpectedEOF
			}
			return &http.Response{StatusCode: 200, Body: http.NoBody, Request: r}, nil
		})}
		resp, err := transport.RoundTrip(newRequest(t.Context(), t, http.MethodGet, "/", nil))
		require.Equal(t, io.ErrUnexpectedEOF, err)
		require.NotNil(t, resp)
		require.NoError(t, resp.Body.Close())
		resp, err = transport.RoundTrip(newRequest(t.Context(), t, http.MethodGet, "/", nil))
		closing(t, resp, err)
		require.Zero(t, time.Since(start))
	})
}

// When the probe is lost, the next request is the probe: others still wait.
func TestLostProbesOpenNothing(t *testing.T) {
	virtually(t, func(t *testing.T) {
		server := &api{latency: time.Second / 10}
		server.answer = func(*http.Request, time.Time) (int, http.Header, string) {
			if server.served == 0 {
				return 429, fields("Retry-After: 10"), ""
			}
			return 200, nil, ""
		}
		var sent atomic.Int32
		transport := &httplimit.Transport{Tries: 1, Base: roundTripper(func(r *http.Request) (*http.Response, error) {
			if n := sent.Add(1); n == 2 || n == 3 {
				return nil, io.ErrUnexpectedEOF
			}
			return server.RoundTrip(r)
		})}
		var all sync.WaitGroup
		for range 7 {
			all.Go(func() {
				resp, err := transport.RoundTrip(newRequest(t.Context(), t, http.MethodGet, "/", nil))
				if err != nil {
					require.Equal(t, io.ErrUnexpectedEOF, err)
					return
				}
				closing(t, resp, err)
			})
			time.Sleep(time.Nanosecond) // in the bubble's time: the first is sent first
		}
		all.Wait()
		require.Len(t, server.arrivals, 5)
		probe := server.arrivals[1]
		for _, at := range server.arrivals[2:] {
			require.Equal(t, probe.Add(server.latency), at)
		}
	})
}

func TestRequestWithoutURL(t *testing.T) {
	body := &trackedBody{Reader: strings.NewReader("x")}
	_, err := new(httplimit.Transport).RoundTrip(&http.Request{Body: body})
	require.Error(t, err)
	require.True(t, body.closed)
}
