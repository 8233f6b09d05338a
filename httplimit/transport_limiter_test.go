package httplimit_test

import (
	"context"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	mock "github.com/benbjohnson/clock"
	"github.com/stretchr/testify/require"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/gcra"
	"github.com/seed-3506548a/ratelimit/httplimit"
	"github.com/seed-3506548a/ratelimit/penalty"
)

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
			time.Sleep(time.Duration(i) * 10 * time.Second) // in the bubble's time
			all.Go(func() {
				resp, err := transport.RoundTrip(newRequest(t.Context(), t, http.MethodGet, "/", nil))
				closing(t, resp, err)
			})
		}
		time.Sleep(31 * time.Second)
		require.True(t, limiter.PeekAt(time.Now(), 1).OK, "it was given back a second ago")
		require.False(t, limiter.PeekAt(time.Now(), 2).OK, "once")
		time.Sleep(90 * time.Second)
		server.mutex.Lock()
		require.Equal(t, 2, server.served)
		server.mutex.Unlock()
		require.True(t, limiter.PeekAt(time.Now(), 2).OK)
		all.Wait()
		require.Equal(t, 3, server.served)
		require.False(t, limiter.PeekAt(time.Now(), 2).OK, "the third has taken it again")
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
		require.ErrorContains(t, err, "the wait would be longer than the Transport's Patience of ")
		require.NotContains(t, err.Error(), "deadline")
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
