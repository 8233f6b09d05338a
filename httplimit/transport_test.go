package httplimit_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	mock "github.com/benbjohnson/clock"
	"github.com/stretchr/testify/require"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/gcra"
	"github.com/seed-3506548a/ratelimit/httplimit"
	"github.com/seed-3506548a/ratelimit/penalty"
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
		{403, nil}, {403, []string{"X-RateLimit-Remaining: 5"}}, {503, nil}, {500, []string{"Retry-After: 5"}}, {404, nil}, {301, nil},
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

func TestDeadlines(t *testing.T) {
	refusing := func() *api {
		return script(step{429, []string{"Retry-After: 60"}}, step{429, []string{"Retry-After: 60"}})
	}
	bubble(t, "known before the first try", func(t *testing.T) {
		server := refusing()
		transport := &httplimit.Transport{Base: server, Tries: 1}
		resp, err := transport.RoundTrip(newRequest(t.Context(), t, http.MethodGet, "/", nil))
		status, _ := closing(t, resp, err)
		require.Equal(t, http.StatusTooManyRequests, status)

		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
		defer cancel()
		start := time.Now()
		body := &trackedBody{Reader: strings.NewReader("letter")}
		_, err = transport.RoundTrip(newRequest(ctx, t, http.MethodPost, "/letters?key=secret", body))
		var refused *httplimit.RefusedError
		require.ErrorAs(t, err, &refused)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.Equal(t, start.Add(time.Minute), refused.Next)
		require.Zero(t, refused.Tries)
		require.Zero(t, refused.Status)
		require.Zero(t, time.Since(start))
		require.True(t, body.closed)
		require.Equal(t, "httplimit: POST https://api.example.com/letters: not sent, next at 2026-03-02T08:01:00Z: to be sent in 1m0s: context deadline exceeded", err.Error())
		require.Equal(t, 1, server.served)
	})
	bubble(t, "known after the first try", func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
		defer cancel()
		start := time.Now()
		var told *httplimit.RefusedError
		transport := &httplimit.Transport{Base: refusing(), On429: func(e *httplimit.RefusedError) { told = e }}
		resp, err := transport.RoundTrip(newRequest(ctx, t, http.MethodGet, "/", nil))
		e := why(t, resp)
		require.Same(t, told, e)
		require.ErrorIs(t, e, context.DeadlineExceeded)
		require.NotErrorIs(t, e, httplimit.ErrPatience)
		require.Equal(t, "httplimit: GET https://api.example.com/: refused with 429, next at 2026-03-02T08:01:00Z: to be sent in 1m0s: context deadline exceeded", e.Error())
		status, body := closing(t, resp, err)
		require.Equal(t, http.StatusTooManyRequests, status)
		require.Equal(t, "refused", body)
		require.Zero(t, time.Since(start))
	})
	bubble(t, "known while it waits to be sent again", func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
		defer cancel()
		limiter := ratelimit.Must(gcra.New(ratelimit.PerMinute(1), 1))
		start := time.Now()
		var told *httplimit.RefusedError
		transport := &httplimit.Transport{
			Base: script(step{429, []string{"Retry-After: 10"}}), Limiter: limiter,
			On429: func(e *httplimit.RefusedError) { told = e },
		}
		resp, err := transport.RoundTrip(newRequest(ctx, t, http.MethodGet, "/", nil))
		e := why(t, resp)
		require.ErrorIs(t, e, context.DeadlineExceeded)
		require.Equal(t, start.Add(time.Minute), e.Next)
		require.Equal(t, 429, e.Status)
		require.Equal(t, 1, e.Tries)
		require.NoError(t, told.Err, "what On429 was given never changes")
		require.Equal(t, start.Add(10*time.Second), told.Next)
		status, body := closing(t, resp, err)
		require.Equal(t, http.StatusTooManyRequests, status)
		require.Equal(t, "refused", body)
	})
	bubble(t, "patience", func(t *testing.T) {
		server := refusing()
		resp, err := (&httplimit.Transport{Base: server, Patience: time.Minute - 1}).RoundTrip(newRequest(t.Context(), t, http.MethodGet, "/", nil))
		require.ErrorIs(t, why(t, resp), httplimit.ErrPatience)
		require.NotErrorIs(t, why(t, resp), context.DeadlineExceeded)
		status, _ := closing(t, resp, err)
		require.Equal(t, http.StatusTooManyRequests, status)
		require.Equal(t, 1, server.served)
	})
	bubble(t, "tries", func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
		defer cancel()
		resp, err := (&httplimit.Transport{Base: refusing(), Tries: 1}).RoundTrip(newRequest(ctx, t, http.MethodGet, "/", nil))
		require.NoError(t, why(t, resp).Err)
		closing(t, resp, err)
	})
	bubble(t, "a body that cannot be had again", func(t *testing.T) {
		r := newRequest(t.Context(), t, http.MethodPost, "/letters", io.NopCloser(strings.NewReader("letter")))
		resp, err := (&httplimit.Transport{Base: refusing()}).RoundTrip(r)
		require.ErrorContains(t, why(t, resp).Err, "cannot be had again")
		closing(t, resp, err)
	})
	bubble(t, "patience in line", func(t *testing.T) {
		server := &api{latency: 10 * time.Second, answer: script(step{429, []string{"Retry-After: 1"}}).answer}
		transport := &httplimit.Transport{Base: server, Tries: 1, Patience: 8 * time.Second}
		resp, err := transport.RoundTrip(newRequest(t.Context(), t, http.MethodGet, "/", nil))
		closing(t, resp, err)
		start := time.Now()
		var all sync.WaitGroup
		for i := range 3 { // the first one is the probe, whose answer takes too long for the others
			all.Go(func() {
				time.Sleep(time.Duration(i))
				got, err := transport.RoundTrip(newRequest(t.Context(), t, http.MethodGet, "/", nil))
				if i == 0 {
					closing(t, got, err)
					return
				}
				require.ErrorAs(t, err, new(*httplimit.RefusedError))
				require.NotErrorIs(t, err, context.DeadlineExceeded)
				require.Equal(t, 8*time.Second+time.Duration(i), time.Since(start))
			})
		}
		all.Wait()
	})
	bubble(t, "an hour at most", func(t *testing.T) {
		resp, err := (&httplimit.Transport{Base: script(step{429, []string{"Retry-After: 3601"}})}).RoundTrip(newRequest(t.Context(), t, http.MethodGet, "/", nil))
		status, _ := closing(t, resp, err)
		require.Equal(t, http.StatusTooManyRequests, status)
	})
	bubble(t, "cancelled while it waits", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		start := time.Now()
		time.AfterFunc(20*time.Second, cancel)
		server := refusing()
		_, err := (&httplimit.Transport{Base: server}).RoundTrip(newRequest(ctx, t, http.MethodGet, "/", nil))
		require.Equal(t, context.Canceled, err)
		require.Equal(t, 20*time.Second, time.Since(start))
		require.Equal(t, 1, server.served)
		server.requireClosed(t)
	})
	bubble(t, "cancelled before", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		server := script()
		_, err := (&httplimit.Transport{Base: server}).RoundTrip(newRequest(ctx, t, http.MethodGet, "/", nil))
		require.Equal(t, context.Canceled, err)
		require.Zero(t, server.served)
	})
	bubble(t, "a pause that gets longer while others wait", func(t *testing.T) {
		server := script(step{429, []string{"Retry-After: 10"}}, step{429, []string{"Retry-After: 100"}})
		transport := &httplimit.Transport{Base: server, Tries: 2}
		start := time.Now()
		var all sync.WaitGroup
		all.Go(func() {
			resp, err := transport.RoundTrip(newRequest(t.Context(), t, http.MethodGet, "/", nil))
			status, _ := closing(t, resp, err)
			require.Equal(t, http.StatusTooManyRequests, status)
		})
		synctest.Wait()
		all.Go(func() { // the first in line has no deadline
			resp, err := transport.RoundTrip(newRequest(t.Context(), t, http.MethodGet, "/", nil))
			status, _ := closing(t, resp, err)
			require.Equal(t, http.StatusOK, status)
			require.Equal(t, 110*time.Second, time.Since(start))
		})
		synctest.Wait()
		for range 3 {
			all.Go(func() {
				ctx, cancel := context.WithTimeout(t.Context(), 50*time.Second)
				defer cancel()
				_, err := transport.RoundTrip(newRequest(ctx, t, http.MethodGet, "/", nil))
				require.ErrorIs(t, err, context.DeadlineExceeded)
				require.ErrorAs(t, err, new(*httplimit.RefusedError))
				require.Equal(t, 10*time.Second, time.Since(start))
			})
		}
		all.Wait()
		require.Equal(t, 3, server.served)
	})
	bubble(t, "a global pause while others wait in another scope", func(t *testing.T) {
		server := &api{answer: func(r *http.Request, _ time.Time) (int, http.Header, string) {
			if r.URL.Path == "/b" {
				return http.StatusTooManyRequests, fields("Retry-After: 100", "X-RateLimit-Global: true"), ""
			}
			return http.StatusTooManyRequests, fields("Retry-After: 10"), ""
		}}
		transport := &httplimit.Transport{Base: server, Tries: 1, Scope: func(r *http.Request) string { return r.URL.Path }}
		start := time.Now()
		resp, err := transport.RoundTrip(newRequest(t.Context(), t, http.MethodGet, "/a", nil))
		closing(t, resp, err)
		var all sync.WaitGroup
		all.Go(func() {
			ctx, cancel := context.WithTimeout(t.Context(), 50*time.Second)
			defer cancel()
			_, late := transport.RoundTrip(newRequest(ctx, t, http.MethodGet, "/a", nil))
			require.ErrorAs(t, late, new(*httplimit.RefusedError))
			require.Equal(t, 5*time.Second, time.Since(start))
		})
		time.Sleep(5 * time.Second)
		resp, err = transport.RoundTrip(newRequest(t.Context(), t, http.MethodGet, "/b", nil))
		closing(t, resp, err)
		all.Wait()
	})
}

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

type trackedBody struct {
	io.Reader
	closed bool
}

func (b *trackedBody) Close() error {
	b.closed = true
	return nil
}

func TestBodies(t *testing.T) {
	refusal := step{429, []string{"Retry-After: 1"}}
	bubble(t, "sent again", func(t *testing.T) {
		var got []string
		server := &api{}
		answers := script(refusal).answer
		server.answer = answers
		base := roundTripper(func(r *http.Request) (*http.Response, error) {
			text, err := io.ReadAll(r.Body)
			require.NoError(t, err)
			got = append(got, string(text))
			return server.RoundTrip(r)
		})
		r := newRequest(t.Context(), t, http.MethodPost, "/", strings.NewReader("letter"))
		before := *r
		resp, err := (&httplimit.Transport{Base: base}).RoundTrip(r)
		status, _ := closing(t, resp, err)
		require.Equal(t, http.StatusOK, status)
		require.Equal(t, []string{"letter", "letter"}, got)
		require.Equal(t, before.Body, r.Body)
		require.Equal(t, before.Header, r.Header)
		require.Equal(t, before.URL, r.URL)
	})
	bubble(t, "not without GetBody", func(t *testing.T) {
		server := script(refusal)
		r := newRequest(t.Context(), t, http.MethodPost, "/", io.NopCloser(strings.NewReader("letter")))
		require.Nil(t, r.GetBody)
		resp, err := (&httplimit.Transport{Base: server}).RoundTrip(r)
		status, body := closing(t, resp, err)
		require.Equal(t, http.StatusTooManyRequests, status)
		require.Equal(t, "refused", body)
		require.Equal(t, 1, server.served)
	})
	bubble(t, "not if GetBody fails", func(t *testing.T) {
		r := newRequest(t.Context(), t, http.MethodPost, "/", strings.NewReader("letter"))
		r.GetBody = func() (io.ReadCloser, error) { return nil, errors.New("gone") }
		resp, err := (&httplimit.Transport{Base: script(refusal)}).RoundTrip(r)
		status, _ := closing(t, resp, err)
		require.Equal(t, http.StatusTooManyRequests, status)
	})
	for _, size := range []int{0, 10, 4 << 10, 64<<10 - 1, 64 << 10, 64<<10 + 1, 1 << 20} {
		bubble(t, fmt.Sprintf("drained, %d", size), func(t *testing.T) {
			var read, closedAfter int
			body := &funcBody{read: func(p []byte) (int, error) {
				n := min(len(p), size-read)
				if read += n; n == 0 {
					return 0, io.EOF
				}
				return n, nil
			}, close: func() { closedAfter = read }}
			tries := 0
			start := time.Now()
			base := roundTripper(func(r *http.Request) (*http.Response, error) {
				if tries++; tries == 2 {
					require.Equal(t, time.Second, time.Since(start))
					require.Equal(t, min(size, 64<<10), closedAfter)
					return &http.Response{StatusCode: http.StatusOK, Body: http.NoBody, Request: r}, nil
				}
				return &http.Response{StatusCode: http.StatusTooManyRequests, Header: fields("Retry-After: 1"), Body: body, Request: r}, nil
			})
			var e *httplimit.RefusedError
			transport := &httplimit.Transport{Base: base, On429: func(r *httplimit.RefusedError) { e = r }}
			resp, err := transport.RoundTrip(newRequest(t.Context(), t, http.MethodGet, "/", nil))
			closing(t, resp, err)
			require.Len(t, e.Body, min(size, 4<<10))
		})
		bubble(t, fmt.Sprintf("given up, %d", size), func(t *testing.T) {
			content := bytes.Repeat([]byte("x"), size)
			base := roundTripper(func(r *http.Request) (*http.Response, error) {
				return &http.Response{StatusCode: http.StatusTooManyRequests, Body: io.NopCloser(bytes.NewReader(content)), Request: r}, nil
			})
			resp, err := (&httplimit.Transport{Base: base, Tries: 1}).RoundTrip(newRequest(t.Context(), t, http.MethodGet, "/", nil))
			_, body := closing(t, resp, err)
			require.Equal(t, string(content), body)
		})
	}
	bubble(t, "the last response, though only its beginning was read", func(t *testing.T) {
		limiter := &failing{Limiter: ratelimit.Unlimited()}
		transport := &httplimit.Transport{Limiter: limiter, Base: roundTripper(func(r *http.Request) (*http.Response, error) {
			limiter.fails.Store(true)
			body := io.NopCloser(strings.NewReader(strings.Repeat("x", 100_000)))
			return &http.Response{StatusCode: http.StatusTooManyRequests, Header: fields("Retry-After: 1"), Body: body, Request: r}, nil
		})}
		resp, err := transport.RoundTrip(newRequest(t.Context(), t, http.MethodGet, "/", nil))
		require.NoError(t, err)
		text, err := io.ReadAll(resp.Body)
		require.Equal(t, io.ErrUnexpectedEOF, err)
		require.Len(t, text, 64<<10)
		require.NoError(t, resp.Body.Close())
	})
	bubble(t, "the last response, though it was read", func(t *testing.T) {
		server := script(step{429, []string{"Retry-After: 10"}})
		limiter := &failing{Limiter: ratelimit.Unlimited()}
		transport := &httplimit.Transport{Base: server, Limiter: limiter}
		transport.On429 = func(*httplimit.RefusedError) { limiter.fails.Store(true) }
		resp, err := transport.RoundTrip(newRequest(t.Context(), t, http.MethodGet, "/", nil))
		status, body := closing(t, resp, err)
		require.Equal(t, http.StatusTooManyRequests, status)
		require.Equal(t, "refused", body)
		server.requireClosed(t)
	})
}

type funcBody struct {
	read  func([]byte) (int, error)
	close func()
}

func (b *funcBody) Read(p []byte) (int, error) { return b.read(p) }

func (b *funcBody) Close() error {
	b.close()
	return nil
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// failing refuses all for ever when it fails.
type failing struct {
	ratelimit.Limiter
	fails atomic.Bool
}

func (l *failing) TakeAt(t time.Time, n int) ratelimit.Decision {
	if l.fails.Load() {
		return ratelimit.Decision{RetryAfter: ratelimit.Never}
	}
	return l.Limiter.TakeAt(t, n)
}

func TestLimiter(t *testing.T) {
	bubble(t, "paces", func(t *testing.T) {
		server := script()
		var waits []time.Duration
		transport := &httplimit.Transport{
			Base: server, Limiter: ratelimit.Must(gcra.New(ratelimit.PerSecond(1), 2)),
			OnWait: func(_ *http.Request, d time.Duration) { waits = append(waits, d) },
		}
		took := run(t, transport, job{5, 1, http.MethodGet, "/"})
		require.Equal(t, 3*time.Second, took)
		require.Equal(t, []time.Duration{time.Second, time.Second, time.Second}, waits)
	})
	bubble(t, "each try", func(t *testing.T) {
		transport := &httplimit.Transport{
			Base:    script(step{429, []string{"Retry-After: 1"}}),
			Limiter: ratelimit.Must(gcra.New(ratelimit.PerMinute(1), 1)),
		}
		require.Equal(t, time.Minute, run(t, transport, job{1, 1, http.MethodGet, "/"}))
	})
	bubble(t, "gives back what the pause keeps from being sent", func(t *testing.T) {
		limiter := ratelimit.Must(gcra.New(ratelimit.PerHour(1), 10))
		server := &api{latency: 10 * time.Second}
		server.answer = func(*http.Request, time.Time) (int, http.Header, string) {
			if server.served == 1 {
				return http.StatusTooManyRequests, fields("Retry-After: 100"), ""
			}
			return http.StatusOK, nil, ""
		}
		run(t, &httplimit.Transport{Base: server, Limiter: limiter}, job{5, 5, http.MethodGet, "/"})
		require.Equal(t, 10-server.served, limiter.Take(1).Remaining+1)
	})
	bubble(t, "gives back what it waited for when a pause began", func(t *testing.T) {
		limiter := ratelimit.Must(gcra.New(ratelimit.PerMinute(1), 2))
		server := &api{latency: 30 * time.Second}
		server.answer = func(*http.Request, time.Time) (int, http.Header, string) {
			if server.served == 1 {
				return http.StatusTooManyRequests, fields("Retry-After: 600"), ""
			}
			return http.StatusOK, nil, ""
		}
		transport := &httplimit.Transport{Base: server, Limiter: limiter, Tries: 1}
		var all sync.WaitGroup
		for i := range 3 { // the third waits for the Limiter until the pause
			time.Sleep(time.Duration(i) * 10 * time.Second)
			all.Go(func() {
				resp, err := transport.RoundTrip(newRequest(t.Context(), t, http.MethodGet, "/", nil))
				closing(t, resp, err)
			})
		}
		time.Sleep(2 * time.Minute)
		server.mutex.Lock()
		require.Equal(t, 2, server.served)
		server.mutex.Unlock()
		require.True(t, limiter.PeekAt(time.Now(), 2).OK)
		all.Wait()
	})
	bubble(t, "gives back what comes after the context's end", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		inner := ratelimit.Must(gcra.New(ratelimit.PerMinute(1), 2))
		transport := &httplimit.Transport{Base: script(), Limiter: &cancelling{inner, cancel}}
		_, err := transport.RoundTrip(newRequest(ctx, t, http.MethodGet, "/", nil))
		require.Equal(t, context.Canceled, err)
		require.True(t, inner.PeekAt(time.Now(), 2).OK)
	})
	bubble(t, "too long", func(t *testing.T) {
		limiter := ratelimit.Must(gcra.New(ratelimit.PerMinute(1), 1))
		require.True(t, limiter.Allow())
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		server := script()
		start := time.Now()
		_, err := (&httplimit.Transport{Base: server, Limiter: limiter}).RoundTrip(newRequest(ctx, t, http.MethodGet, "/", nil))
		var refused *httplimit.RefusedError
		require.ErrorAs(t, err, &refused)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.Equal(t, start.Add(time.Minute), refused.Next)
		require.Zero(t, server.served)
	})
	bubble(t, "longer than patience, which ends before the deadline", func(t *testing.T) {
		limiter := ratelimit.Must(gcra.New(ratelimit.PerMinute(1), 1))
		require.True(t, limiter.Allow())
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
		defer cancel()
		start := time.Now()
		_, err := (&httplimit.Transport{Base: script(), Limiter: limiter, Patience: time.Second}).RoundTrip(newRequest(ctx, t, http.MethodGet, "/", nil))
		var refused *httplimit.RefusedError
		require.ErrorAs(t, err, &refused)
		require.NotErrorIs(t, err, context.DeadlineExceeded)
		require.ErrorIs(t, err, httplimit.ErrPatience)
		require.Equal(t, start.Add(time.Minute), refused.Next)
	})
	bubble(t, "never", func(t *testing.T) {
		limiter := ratelimit.Must(gcra.New(ratelimit.PerMinute(0), 1))
		_, err := (&httplimit.Transport{Base: script(), Limiter: limiter}).RoundTrip(newRequest(t.Context(), t, http.MethodGet, "/", nil))
		var refused *httplimit.RefusedError
		require.ErrorAs(t, err, &refused)
		require.ErrorIs(t, err, ratelimit.ErrNever)
		require.Zero(t, refused.Next)
	})
	bubble(t, "a penalty cannot be waited for", func(t *testing.T) {
		limiter := ratelimit.Must(penalty.New(ratelimit.Must(gcra.New(ratelimit.PerMinute(1), 1)), time.Minute))
		_, err := (&httplimit.Transport{Base: script(), Limiter: limiter}).RoundTrip(newRequest(t.Context(), t, http.MethodGet, "/", nil))
		require.ErrorAs(t, err, new(*ratelimit.ArgumentError))
	})
	bubble(t, "cancelled", func(t *testing.T) {
		limiter := ratelimit.Must(gcra.New(ratelimit.PerMinute(1), 1))
		require.True(t, limiter.Allow())
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		_, err := (&httplimit.Transport{Base: script(), Limiter: limiter}).RoundTrip(newRequest(ctx, t, http.MethodGet, "/", nil))
		require.ErrorIs(t, err, context.Canceled)
		require.NotErrorAs(t, err, new(*httplimit.RefusedError))
	})
}

// cancelling ends a context when it is asked.
type cancelling struct {
	ratelimit.Limiter
	cancel func()
}

func (l *cancelling) TakeAt(t time.Time, n int) ratelimit.Decision {
	l.cancel()
	return l.Limiter.TakeAt(t, n)
}

func TestTransportClock(t *testing.T) {
	clock := mock.NewMock()
	server := script(step{429, []string{"Retry-After: 60"}})
	waits := make(chan time.Duration, 1)
	transport := &httplimit.Transport{Base: server, Clock: clock, OnWait: func(_ *http.Request, d time.Duration) { waits <- d }}
	r := newRequest(t.Context(), t, http.MethodGet, "/", nil)
	done := make(chan error)
	go func() {
		resp, err := transport.RoundTrip(r)
		if err == nil {
			err = resp.Body.Close()
		}
		done <- err
	}()
	require.Equal(t, time.Minute, <-waits)
	for {
		select {
		case err := <-done:
			require.NoError(t, err)
			require.GreaterOrEqual(t, clock.Now().Sub(time.Unix(0, 0)), time.Minute)
			return
		default:
			clock.Add(time.Second)
		}
	}
}

func TestPartitions(t *testing.T) {
	bubble(t, "a bucket", func(t *testing.T) {
		server := &api{answer: func(r *http.Request, _ time.Time) (int, http.Header, string) {
			if strings.HasPrefix(r.URL.Path, "/search") {
				return http.StatusOK, fields("X-RateLimit-Resource: search", "X-RateLimit-Remaining: 0", "X-RateLimit-Reset: 60"), ""
			}
			return http.StatusOK, fields("X-RateLimit-Resource: core", "X-RateLimit-Remaining: 4000", "X-RateLimit-Reset: 3600"), ""
		}}
		transport := &httplimit.Transport{Base: server}
		start := time.Now()
		for _, one := range []struct {
			path string
			at   time.Duration
		}{
			{"/repos/a/b", 0}, {"/search/code", 0}, {"/repos/a/c", 0}, {"/repos/x", 0}, {"/user", 0}, // not known, so not waited for
			{"/search/code", time.Minute}, {"/search/issues", 2 * time.Minute}, {"/repos/a/b", 2 * time.Minute},
		} {
			resp, err := transport.RoundTrip(newRequest(t.Context(), t, http.MethodGet, one.path, nil))
			closing(t, resp, err)
			require.Equal(t, one.at, time.Since(start), one.path)
		}
	})
	bubble(t, "refused", func(t *testing.T) {
		for _, one := range []struct {
			global string
			other  time.Duration // when a request of another bucket is sent
		}{{"false", 0}, {"true", time.Minute}} {
			server := &api{answer: func(r *http.Request, _ time.Time) (int, http.Header, string) {
				if r.Header.Get("Refuse") != "" {
					return http.StatusTooManyRequests, fields("X-RateLimit-Bucket: a", "X-RateLimit-Global: "+one.global, "Retry-After: 60"), ""
				}
				return http.StatusOK, fields("X-RateLimit-Bucket: " + r.URL.Path[1:]), ""
			}}
			byPath := func(r *http.Request) string { return r.URL.Path }
			for _, scope := range []func(*http.Request) string{nil, byPath} {
				transport := &httplimit.Transport{Base: server, Scope: scope, Tries: 1}
				start := time.Now()
				for _, target := range []string{"/a", "/b", "/a refused", "/b"} {
					path, refuse, _ := strings.Cut(target, " ")
					r := newRequest(t.Context(), t, http.MethodGet, path, nil)
					r.Header.Set("Refuse", refuse)
					resp, err := transport.RoundTrip(r)
					closing(t, resp, err)
				}
				require.Equal(t, one.other, time.Since(start))
				resp, err := transport.RoundTrip(newRequest(t.Context(), t, http.MethodGet, "/a", nil))
				closing(t, resp, err)
				require.Equal(t, time.Minute, time.Since(start))
			}
		}
	})
	bubble(t, "not known yet", func(t *testing.T) {
		server := &api{latency: 100 * time.Millisecond}
		server.answer = func(r *http.Request, _ time.Time) (int, http.Header, string) {
			return http.StatusOK, fields("X-RateLimit-Bucket: "+r.URL.Path[1:], "X-RateLimit-Remaining: 0", "X-RateLimit-Reset: 60"), ""
		}
		transport := &httplimit.Transport{Base: server}
		start := time.Now()
		run(t, transport, job{1, 1, http.MethodGet, "/a"})
		run(t, transport, job{3, 3, http.MethodGet, "/b"}) // the first finds out
		require.Greater(t, server.arrivals[2].Sub(start), time.Minute)
	})
	bubble(t, "other hosts go on", func(t *testing.T) {
		transport := &httplimit.Transport{Base: script(step{429, []string{"Retry-After: 60", "X-RateLimit-Global: true"}}), Tries: 1}
		start := time.Now()
		for _, host := range []string{"a.example.com", "b.example.com"} {
			r := newRequest(t.Context(), t, http.MethodGet, "/", nil)
			r.URL.Host = host
			resp, err := transport.RoundTrip(r)
			closing(t, resp, err)
		}
		require.Zero(t, time.Since(start))
	})
}

// TestScopesAreForgotten uses a scope for each of many users.
func TestScopesAreForgotten(t *testing.T) {
	virtually(t, func(t *testing.T) {
		transport := &httplimit.Transport{
			Base:  script(step{429, []string{"Retry-After: 3600"}}),
			Scope: func(r *http.Request) string { return r.Header.Get("X-User") }, Tries: 1,
		}
		start := time.Now()
		for i := range 5000 {
			r := newRequest(t.Context(), t, http.MethodGet, "/"+strconv.Itoa(i), nil)
			r.Header.Set("X-User", strconv.Itoa(i))
			resp, err := transport.RoundTrip(r)
			closing(t, resp, err)
		}
		require.Zero(t, time.Since(start))
		r := newRequest(t.Context(), t, http.MethodGet, "/", nil)
		r.Header.Set("X-User", "0")
		resp, err := transport.RoundTrip(r)
		closing(t, resp, err)
		require.Equal(t, time.Hour, time.Since(start)) // that one is not
	})
}

// TestPartitionsAreBounded names a bucket for each request, which is exhausted for a day.
func TestPartitionsAreBounded(t *testing.T) {
	virtually(t, func(t *testing.T) {
		server := &api{}
		server.answer = func(*http.Request, time.Time) (int, http.Header, string) {
			return http.StatusOK, fields("X-RateLimit-Bucket: "+strconv.Itoa(server.served), "X-RateLimit-Remaining: 0", "X-RateLimit-Reset: 86400"), ""
		}
		transport := &httplimit.Transport{Base: server}
		get := func(i int) {
			resp, err := transport.RoundTrip(newRequest(t.Context(), t, http.MethodGet, "/"+strconv.Itoa(i), nil))
			closing(t, resp, err)
		}
		get(0)
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		for i := range 20_000 {
			get(i + 1)
		}
		runtime.GC()
		runtime.ReadMemStats(&after)
		require.Less(t, int64(after.HeapAlloc)-int64(before.HeapAlloc), int64(4<<20))
	})
}

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
				defer func() { _ = recover() }()
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

func TestRequestWithoutURL(t *testing.T) {
	body := &trackedBody{Reader: strings.NewReader("x")}
	_, err := new(httplimit.Transport).RoundTrip(&http.Request{Body: body})
	require.Error(t, err)
	require.True(t, body.closed)
}
