package httplimit_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-3506548a/ratelimit/httplimit"
)

// bubble runs f where time.Now begins at receivedAt and moves on when all wait. It fails if a
// goroutine is left.
func bubble(t *testing.T, name string, f func(t *testing.T)) {
	t.Helper()
	t.Run(name, func(t *testing.T) { virtually(t, f) })
}

func virtually(t *testing.T, f func(t *testing.T)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(time.Until(receivedAt)) // since 2000, when a Unix time had nine digits
		f(t)
	})
}

// step is an answer of a server: a status, and header fields as "Name: value".
type step struct {
	status int
	fields []string
}

// script answers by the steps, one after the other, and then by 200.
func script(steps ...step) *api {
	next := 0
	return &api{answer: func(*http.Request, time.Time) (int, http.Header, string) {
		if next == len(steps) {
			return http.StatusOK, nil, "fine"
		}
		next++
		return steps[next-1].status, fields(steps[next-1].fields...), "refused"
	}}
}

func fields(lines ...string) http.Header {
	h := http.Header{}
	for _, line := range lines {
		name, value, _ := strings.Cut(line, ": ")
		h.Add(name, value)
	}
	return h
}

func newRequest(ctx context.Context, t testing.TB, method, path string, body io.Reader) *http.Request {
	t.Helper()
	r, err := http.NewRequestWithContext(ctx, method, "https://api.example.com"+path, body)
	require.NoError(t, err)
	return r
}

// closing requires the response and closes it. It returns its body.
func closing(t testing.TB, resp *http.Response, err error) (status int, body string) {
	t.Helper()
	require.NoError(t, err)
	text, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	return resp.StatusCode, string(text)
}

// TestOnePause refuses one of 100 requests: until the pause is over nobody sends, then one does,
// and the others when that is answered.
func TestOnePause(t *testing.T) {
	virtually(t, func(t *testing.T) {
		pausedAt := 50
		server := &api{latency: time.Second}
		server.answer = func(*http.Request, time.Time) (int, http.Header, string) {
			if server.served == pausedAt {
				return http.StatusTooManyRequests, fields("Retry-After: 60"), ""
			}
			return http.StatusOK, nil, ""
		}
		start := time.Now()
		transport := &httplimit.Transport{Base: server}
		var all sync.WaitGroup
		for i := range 100 {
			all.Go(func() {
				time.Sleep(time.Duration(i) * 10 * time.Millisecond) // all are sent or wait when the refusal comes
				resp, err := transport.RoundTrip(newRequest(t.Context(), t, http.MethodGet, "/", nil))
				status, _ := closing(t, resp, err)
				require.Equal(t, http.StatusOK, status)
			})
		}
		all.Wait()
		require.Equal(t, 1, server.refused)
		require.Equal(t, 101, server.served)
		var after []time.Duration
		for _, at := range server.arrivals {
			if d := at.Sub(start); d > 10*time.Second {
				after = append(after, d)
			}
		}
		refusedAt := server.arrivals[pausedAt].Add(server.latency / 2).Sub(start)
		probe := refusedAt + time.Minute + server.latency/2
		require.Equal(t, probe, after[0])
		for _, other := range after[1:] {
			require.Equal(t, probe+server.latency, other)
		}
		server.requireClosed(t)
	})
}

// TestProbesAreOne refuses everything for ten minutes: of 100 goroutines one request is sent in
// each pause.
func TestProbesAreOne(t *testing.T) {
	virtually(t, func(t *testing.T) {
		start := time.Now()
		server := &api{latency: 100 * time.Millisecond}
		server.answer = func(_ *http.Request, now time.Time) (int, http.Header, string) {
			if now.Sub(start) < 10*time.Minute {
				return http.StatusTooManyRequests, fields("Retry-After: 30"), ""
			}
			return http.StatusOK, nil, ""
		}
		run(t, &httplimit.Transport{Base: server, Tries: 100}, job{100, 100, http.MethodGet, "/"})
		require.Equal(t, 20, server.refused)
		require.Equal(t, 120, server.served)
		server.requireClosed(t)
	})
}

func TestWaits(t *testing.T) {
	for _, one := range []struct {
		name  string
		steps []step
		want  time.Duration // from the first request to the last
	}{
		{"seconds", []step{{429, []string{"Retry-After: 7"}}}, 7 * time.Second},
		{"milliseconds", []step{{429, []string{"Retry-After-Ms: 1500"}}}, 1500 * time.Millisecond},
		{"a date, by a clock that is an hour ahead", []step{{429, []string{
			"Date: Mon, 02 Mar 2026 09:00:00 GMT", "Retry-After: Mon, 02 Mar 2026 09:00:20 GMT",
		}}}, 20 * time.Second},
		{"a reset, by a clock that is an hour behind", []step{{429, []string{
			"Date: Mon, 02 Mar 2026 07:00:00 GMT", "X-RateLimit-Remaining: 0", "X-RateLimit-Reset: 1772434840",
		}}}, 40 * time.Second},
		{"unavailable", []step{{503, []string{"Retry-After: 5"}}}, 5 * time.Second},
		{"forbidden, with nothing remaining", []step{{403, []string{"X-RateLimit-Remaining: 0", "X-RateLimit-Reset: 1772438430"}}}, 30 * time.Second},
		{"forbidden, GitHub's secondary limit", []step{{403, []string{"Retry-After: 60", "X-RateLimit-Remaining: 4000", "X-RateLimit-Reset: 1772442000"}}}, time.Minute},
		{"twice", []step{{429, []string{"Retry-After: 7"}}, {429, []string{"Retry-After: 9"}}}, 16 * time.Second},
		{"from a cache", []step{{429, []string{
			"Age: 30", "Date: Mon, 02 Mar 2026 07:59:30 GMT", "Retry-After: Mon, 02 Mar 2026 08:00:10 GMT",
			"X-RateLimit-Remaining: 0", "X-RateLimit-Reset: 1772438490",
		}}}, 10 * time.Second},
	} {
		bubble(t, one.name, func(t *testing.T) {
			server := script(one.steps...)
			start := time.Now()
			resp, err := (&httplimit.Transport{Base: server}).RoundTrip(newRequest(t.Context(), t, http.MethodGet, "/", nil))
			status, body := closing(t, resp, err)
			require.Equal(t, http.StatusOK, status)
			require.Equal(t, "fine", body)
			require.Equal(t, one.want, time.Since(start))
			require.Equal(t, len(one.steps)+1, server.served)
			server.requireClosed(t)
		})
	}
}

func TestNotRefused(t *testing.T) {
	for _, one := range []step{
		{403, nil}, {403, []string{"X-RateLimit-Remaining: 5"}}, {403, []string{"X-RateLimit-Limit: 5"}}, {503, nil},
		{503, []string{"X-RateLimit-Remaining: 0"}}, {503, []string{"Retry-After: 0"}}, {403, []string{"Retry-After: 0"}}, {402, []string{"Retry-After: 5"}}, {500, []string{"Retry-After: 5"}}, {404, nil}, {301, nil},
	} {
		bubble(t, fmt.Sprint(one), func(t *testing.T) {
			server := script(one)
			resp, err := (&httplimit.Transport{Base: server}).RoundTrip(newRequest(t.Context(), t, http.MethodGet, "/", nil))
			status, _ := closing(t, resp, err)
			require.Equal(t, one.status, status)
			_, refused := httplimit.AsRefused(resp)
			require.False(t, refused)
			require.Equal(t, 1, server.served)
		})
	}
}

// TestBackoff says nothing about how long to wait: each wait is a part of 1 s, 2 s, 4 s and so on.
func TestBackoff(t *testing.T) {
	virtually(t, func(t *testing.T) {
		refusals := make([]step, 9)
		for i := range refusals {
			refusals[i].status = http.StatusTooManyRequests
		}
		server := script(refusals...)
		var waits []time.Duration
		transport := &httplimit.Transport{Base: server, Tries: 10, OnWait: func(_ *http.Request, d time.Duration) { waits = append(waits, d) }}
		resp, err := transport.RoundTrip(newRequest(t.Context(), t, http.MethodGet, "/", nil))
		status, _ := closing(t, resp, err)
		require.Equal(t, http.StatusOK, status)
		require.Len(t, waits, 9)
		require.Greater(t, slices.Max(waits), time.Second) // all of 9 within the first second: 1 in 10^9
		for i, longest := range []time.Duration{1, 2, 4, 8, 16, 32, 60, 60, 60} {
			require.LessOrEqual(t, waits[i], longest*time.Second)
			require.Positive(t, waits[i])
		}
	})
}

// TestNothingRemains is told so by granted requests, so that nothing is refused.
func TestNothingRemains(t *testing.T) {
	virtually(t, func(t *testing.T) {
		start := time.Now()
		server := &api{}
		server.answer = func(_ *http.Request, now time.Time) (int, http.Header, string) {
			elapsed := now.Sub(start)
			if int(elapsed/time.Minute) < server.served { // one a minute
				return http.StatusTooManyRequests, nil, ""
			}
			return http.StatusOK, fields("RateLimit: limit=1, remaining=0, reset=" + wholeSeconds(time.Minute-elapsed%time.Minute)), ""
		}
		took := run(t, &httplimit.Transport{Base: server}, job{10, 3, http.MethodGet, "/"})
		require.Equal(t, 9*time.Minute, took)
		require.Zero(t, server.refused)
	})
}

// TestTheLastTenthIsSpread sends 90 requests of 100 as fast as it can, and the other 10 during the
// rest of the minute.
func TestTheLastTenthIsSpread(t *testing.T) {
	virtually(t, func(t *testing.T) {
		start := time.Now()
		server := &api{}
		server.answer = func(_ *http.Request, now time.Time) (int, http.Header, string) {
			return http.StatusOK, fields("RateLimit-Limit: 100", "RateLimit-Remaining: "+strconv.Itoa(99-server.served),
				"RateLimit-Reset: "+wholeSeconds(time.Minute-now.Sub(start))), ""
		}
		run(t, &httplimit.Transport{Base: server}, job{100, 1, http.MethodGet, "/"})
		require.Zero(t, server.arrivals[89].Sub(start))
		for i := 90; i < 100; i++ {
			require.InDelta(t, float64(i-89)*6, server.arrivals[i].Sub(start).Seconds(), 1.1)
		}
	})
}
