package httplimit_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/gcra"
	"github.com/seed-3506548a/ratelimit/httplimit"
)

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
	bubble(t, "of a reset after Retry-After", func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
		defer cancel()
		start := time.Now()
		var told *httplimit.RefusedError
		transport := &httplimit.Transport{
			Base:  script(step{429, []string{"Retry-After: 5", "X-RateLimit-Remaining: 0", "X-RateLimit-Reset: 60"}}),
			On429: func(e *httplimit.RefusedError) { told = e },
		}
		resp, err := transport.RoundTrip(newRequest(ctx, t, http.MethodGet, "/", nil))
		closing(t, resp, err)
		require.Equal(t, start.Add(time.Minute), told.Next)
		require.ErrorIs(t, told.Err, context.DeadlineExceeded)
		require.Zero(t, time.Since(start))
	})
	for _, c := range []struct {
		left    string
		limiter ratelimit.Limiter
		want    time.Duration
	}{
		{"0", nil, time.Minute},
		{"1", nil, time.Minute}, // as what is left is spread over the window
		{"1", ratelimit.Unlimited(), 5 * time.Second},
		{"9", nil, 5 * time.Second},
	} {
		bubble(t, "as told, with "+c.left+" left", func(t *testing.T) {
			start := time.Now()
			var told *httplimit.RefusedError
			transport := &httplimit.Transport{
				Base:    script(step{429, []string{"Retry-After: 5", "X-RateLimit-Limit: 10", "X-RateLimit-Remaining: " + c.left, "X-RateLimit-Reset: 60"}}),
				On429:   func(e *httplimit.RefusedError) { told = e },
				Limiter: c.limiter,
			}
			resp, err := transport.RoundTrip(newRequest(t.Context(), t, http.MethodGet, "/", nil))
			closing(t, resp, err)
			require.Equal(t, start.Add(c.want), told.Next)
			require.Equal(t, c.want, time.Since(start))
		})
	}
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
		require.ErrorContains(t, why(t, resp).Err, "cannot be had again: the request has no GetBody")
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
				time.Sleep(time.Duration(i)) // in the bubble's time
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
	bubble(t, "in line behind another that waits for the Limiter", func(t *testing.T) {
		limiter := ratelimit.Must(gcra.New(ratelimit.PerMinute(1), 1))
		require.True(t, limiter.Allow())
		transport := &httplimit.Transport{Base: script(), Limiter: limiter, Patience: time.Minute}
		start := time.Now()
		var all sync.WaitGroup
		all.Go(func() {
			resp, err := transport.RoundTrip(newRequest(t.Context(), t, http.MethodGet, "/", nil))
			closing(t, resp, err)
			require.Equal(t, time.Minute, time.Since(start))
		})
		time.Sleep(time.Second) // in the bubble's time
		for deadline, at := range map[time.Duration]time.Duration{59*time.Second - 1: 0, 59 * time.Second: 59 * time.Second} {
			all.Go(func() {
				ctx, cancel := context.WithTimeout(t.Context(), deadline)
				defer cancel()
				_, err := transport.RoundTrip(newRequest(ctx, t, http.MethodGet, "/", nil))
				require.ErrorIs(t, err, context.DeadlineExceeded)
				require.Equal(t, time.Second+at, time.Since(start))
				if refused := new(httplimit.RefusedError); at == 0 && errors.As(err, &refused) {
					require.Equal(t, start.Add(time.Minute), refused.Next)
					require.Zero(t, refused.Tries)
				} else {
					require.NotZero(t, at)
				}
			})
		}
		all.Wait()
		require.Equal(t, 0, limiter.PeekAt(time.Now(), 1).Remaining)
		require.Equal(t, time.Minute, limiter.PeekAt(time.Now(), 1).RetryAfter, "who gives up is not charged")
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
		time.Sleep(5 * time.Second) // in the bubble's time
		resp, err = transport.RoundTrip(newRequest(t.Context(), t, http.MethodGet, "/b", nil))
		closing(t, resp, err)
		all.Wait()
	})
}
