package httplimit_test

import (
	"context"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/gcra"
	"github.com/seed-3506548a/ratelimit/httplimit"
)

// fetch sends a request and closes its response, if there is one.
func fetch(ctx context.Context, t *testing.T, transport *httplimit.Transport, path string) (int, error) {
	t.Helper()
	resp, err := transport.RoundTrip(newRequest(ctx, t, http.MethodGet, path, nil))
	if err != nil {
		return 0, err
	}
	status, _ := closing(t, resp, err)
	return status, nil
}

// Who gives up leaves the line, at its head or not: the others go on when the pause is over.
func TestWhoGivesUpLeavesTheLine(t *testing.T) {
	virtually(t, func(t *testing.T) {
		transport := &httplimit.Transport{Base: script(step{429, []string{"Retry-After: 60"}}), Tries: 1}
		status, err := fetch(t.Context(), t, transport, "/")
		require.NoError(t, err)
		require.Equal(t, 429, status)
		start := time.Now()
		short, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err = fetch(short, t, transport, "/")
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.Zero(t, time.Since(start))

		var all sync.WaitGroup
		for i := range 4 {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			if i%2 == 0 {
				time.AfterFunc(time.Duration(10-i)*time.Second, cancel)
			}
			all.Go(func() {
				time.Sleep(time.Duration(i)) // in the bubble's time: one after the other
				status, err := fetch(ctx, t, transport, "/")
				if i%2 == 0 {
					require.Equal(t, context.Canceled, err)
					require.Equal(t, time.Duration(10-i)*time.Second, time.Since(start))
					return
				}
				require.NoError(t, err)
				require.Equal(t, 200, status)
				require.Equal(t, time.Minute, time.Since(start))
			})
		}
		all.Wait()
	})
}

// What was refused is sent again before those that came later.
func TestSentAgainFirst(t *testing.T) {
	virtually(t, func(t *testing.T) {
		var paths []string
		server := &api{latency: time.Second / 10}
		server.answer = func(r *http.Request, _ time.Time) (int, http.Header, string) {
			if paths = append(paths, r.URL.Path); len(paths) <= 2 {
				return 429, fields("Retry-After: 10"), ""
			}
			return 200, nil, ""
		}
		transport := &httplimit.Transport{Base: server}
		var all sync.WaitGroup
		for i, path := range []string{"/a", "/b", "/c"} {
			all.Go(func() {
				time.Sleep(time.Duration(i)) // in the bubble's time: the others wait for the answer to the first
				status, err := fetch(t.Context(), t, transport, path)
				require.NoError(t, err)
				require.Equal(t, 200, status)
			})
		}
		all.Wait()
		require.Equal(t, []string{"/a", "/a", "/a"}, paths[:3])
		require.ElementsMatch(t, []string{"/b", "/c"}, paths[3:])
	})
}

// A pause that becomes longer is told of once. What a Limiter has granted before a pause is given
// back once, and taken again for what is sent after it.
func TestPauseThatBecomesLonger(t *testing.T) {
	virtually(t, func(t *testing.T) {
		server := &api{}
		server.answer = func(r *http.Request, _ time.Time) (int, http.Header, string) {
			if retry := r.Header.Get("Retry"); retry != "" {
				return 429, fields("Retry-After: " + retry), ""
			}
			return 200, nil, ""
		}
		waits := map[string][]time.Duration{}
		var mutex sync.Mutex
		limiter := ratelimit.Must(gcra.New(ratelimit.PerHour(1), 10))
		transport := &httplimit.Transport{
			Tries: 1, Limiter: limiter,
			OnWait: func(r *http.Request, d time.Duration) {
				mutex.Lock()
				defer mutex.Unlock()
				waits[r.URL.Path] = append(waits[r.URL.Path], d)
			},
			Base: roundTripper(func(r *http.Request) (*http.Response, error) {
				if takes, err := time.ParseDuration(r.Header.Get("Takes")); err == nil {
					time.Sleep(takes) // in the bubble's time
				}
				return server.RoundTrip(r)
			}),
		}
		status, err := fetch(t.Context(), t, transport, "/")
		require.NoError(t, err)
		require.Equal(t, 200, status)
		start := time.Now()
		var all sync.WaitGroup
		for _, refused := range [][2]string{{"1s", "10"}, {"3s", "20"}, {"4s", "30"}} {
			all.Go(func() {
				r := newRequest(t.Context(), t, http.MethodGet, "/refused", nil)
				r.Header.Set("Takes", refused[0])
				r.Header.Set("Retry", refused[1])
				resp, err := transport.RoundTrip(r)
				status, _ := closing(t, resp, err)
				require.Equal(t, 429, status)
			})
		}
		time.Sleep(2 * time.Second) // in the bubble's time
		for _, path := range []string{"/b", "/c"} {
			all.Go(func() {
				status, err := fetch(t.Context(), t, transport, path)
				require.NoError(t, err)
				require.Equal(t, 200, status)
				require.GreaterOrEqual(t, time.Since(start), 34*time.Second)
			})
		}
		all.Wait()
		delete(waits, "/refused") // of those, one may have been in line behind another, for a moment
		require.Equal(t, map[string][]time.Duration{"/b": {9 * time.Second}, "/c": {9 * time.Second}}, waits)
		require.Equal(t, 10-server.served, limiter.PeekAt(time.Now(), 1).Remaining+1)
	})
}

// Only the first in line waits for the Limiter, and says so; the others wait for it.
func TestOnlyTheFirstWaitsForTheLimiter(t *testing.T) {
	virtually(t, func(t *testing.T) {
		limiter := ratelimit.Must(gcra.New(ratelimit.PerMinute(1), 1))
		require.True(t, limiter.Allow())
		var waits []time.Duration
		var mutex sync.Mutex
		transport := &httplimit.Transport{Base: script(), Limiter: limiter, OnWait: func(_ *http.Request, d time.Duration) {
			mutex.Lock()
			defer mutex.Unlock()
			waits = append(waits, d)
		}}
		var all sync.WaitGroup
		for range 3 {
			all.Go(func() {
				_, err := fetch(t.Context(), t, transport, "/")
				require.NoError(t, err)
			})
		}
		time.Sleep(time.Second) // in the bubble's time
		mutex.Lock()
		require.ElementsMatch(t, []time.Duration{time.Minute, 0, 0}, waits)
		mutex.Unlock()
		all.Wait()
	})
}

// A wait for the Limiter is told of, however short it is.
func TestShortestWaitForTheLimiter(t *testing.T) {
	virtually(t, func(t *testing.T) {
		limiter := ratelimit.Must(gcra.New(ratelimit.PerMinute(1), 1))
		require.True(t, limiter.Allow())
		time.Sleep(time.Minute - 1) // in the bubble's time
		var waits []time.Duration
		transport := &httplimit.Transport{Base: script(), Limiter: limiter, OnWait: func(_ *http.Request, d time.Duration) { waits = append(waits, d) }}
		start := time.Now()
		_, err := fetch(t.Context(), t, transport, "/")
		require.NoError(t, err)
		require.Equal(t, time.Duration(1), time.Since(start))
		require.Equal(t, []time.Duration{1}, waits)
	})
}
