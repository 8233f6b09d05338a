package httplimit_test

import (
	"context"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/gcra"
	"github.com/seed-3506548a/ratelimit/httplimit"
)

// A request that is always refused is sent three times, or as often as Tries says.
func TestTries(t *testing.T) {
	for tries, want := range map[int]int{-1: 3, 0: 3, 1: 1, 2: 2, 7: 7} {
		bubble(t, fmt.Sprint(tries), func(t *testing.T) {
			server := &api{answer: func(*http.Request, time.Time) (int, http.Header, string) {
				return 429, fields("Retry-After: 1"), "refused"
			}}
			told := 0
			transport := &httplimit.Transport{Base: server, Tries: tries, On429: func(e *httplimit.RefusedError) {
				told++
				require.Equal(t, told, e.Tries)
			}}
			resp, err := transport.RoundTrip(newRequest(t.Context(), t, http.MethodGet, "/", nil))
			require.NoError(t, why(t, resp).Err, "that tries are used up is no error")
			status, body := closing(t, resp, err)
			require.Equal(t, 429, status)
			require.Equal(t, "refused", body)
			require.Equal(t, want, server.served)
			require.Equal(t, want, told)
		})
	}
}

// A wait that is as long as patience is waited for, and not a longer one: of what is sent again, of
// what comes later, and of a Limiter. Without Patience that is an hour.
func TestPatienceHasBounds(t *testing.T) {
	for _, c := range []struct {
		patience, deadline time.Duration // 0: none
		wait               string
		want               error
	}{
		{time.Minute, 0, "60", nil},
		{time.Minute - 1, 0, "60", httplimit.ErrPatience},
		{1, 0, "0.001", httplimit.ErrPatience},
		{time.Millisecond, 0, "0.001", nil},
		{0, 0, "3600", nil},
		{0, 0, "3600.001", httplimit.ErrPatience},
		{-1, 0, "3600", nil},
		{-1, 0, "3600.001", httplimit.ErrPatience},
		{0, time.Minute + 1, "60", nil},
		{0, time.Minute - 1, "60", context.DeadlineExceeded},
		{time.Second, time.Minute + 1, "60", httplimit.ErrPatience},
		{time.Second, time.Minute, "60", httplimit.ErrPatience},
		{time.Hour, time.Minute - 1, "60", context.DeadlineExceeded},
		{2 * time.Hour, 0, "7200", nil},
	} {
		bubble(t, fmt.Sprintf("%+v", c), func(t *testing.T) {
			wait, err := time.ParseDuration(c.wait + "s")
			require.NoError(t, err)
			within := func() (context.Context, context.CancelFunc) {
				if c.deadline == 0 {
					return t.Context(), func() {}
				}
				return context.WithTimeout(t.Context(), c.deadline)
			}
			ctx, cancel := within()
			defer cancel()
			start := time.Now()
			server := script(step{429, []string{"Retry-After: " + c.wait}})
			transport := &httplimit.Transport{Base: server, Patience: c.patience}
			resp, err := transport.RoundTrip(newRequest(ctx, t, http.MethodGet, "/", nil))
			status, _ := closing(t, resp, err)
			if c.want == nil {
				require.Equal(t, 200, status)
				require.Equal(t, wait, time.Since(start))
			} else {
				require.Equal(t, 429, status)
				require.Zero(t, time.Since(start))
				e := why(t, resp)
				require.ErrorIs(t, e.Err, c.want)
				require.ErrorContains(t, e.Err, "to be sent in "+wait.String()+": ")
				require.Equal(t, start.Add(wait), e.Next)
			}

			ctx, cancel = within()
			defer cancel()
			start = time.Now()
			transport = &httplimit.Transport{Base: script(step{429, []string{"Retry-After: " + c.wait}}), Patience: c.patience, Tries: 1}
			resp, err = transport.RoundTrip(newRequest(t.Context(), t, http.MethodGet, "/", nil))
			closing(t, resp, err)
			resp, err = transport.RoundTrip(newRequest(ctx, t, http.MethodGet, "/", nil))
			if c.want == nil {
				closing(t, resp, err)
				require.Equal(t, wait, time.Since(start))
			} else {
				var refused *httplimit.RefusedError
				require.ErrorAs(t, err, &refused)
				require.ErrorIs(t, err, c.want)
				require.Zero(t, refused.Tries)
				require.Equal(t, start.Add(wait), refused.Next)
				require.Zero(t, time.Since(start))
			}

			ctx, cancel = within()
			defer cancel()
			start = time.Now()
			limiter := ratelimit.Must(gcra.New(ratelimit.Per(1, wait), 1))
			require.True(t, limiter.Allow())
			var waits []time.Duration
			transport = &httplimit.Transport{Base: script(), Patience: c.patience, Limiter: limiter, OnWait: func(_ *http.Request, d time.Duration) { waits = append(waits, d) }}
			resp, err = transport.RoundTrip(newRequest(ctx, t, http.MethodGet, "/", nil))
			require.Equal(t, []time.Duration{wait}, waits)
			if c.want == nil {
				closing(t, resp, err)
				require.Equal(t, wait, time.Since(start))
			} else {
				require.ErrorIs(t, err, c.want)
				require.Zero(t, time.Since(start))
			}
		})
	}
}

// OnWait is called once for each try that waits, with how long that is, and for no other.
func TestOnWaitIsCalledOnce(t *testing.T) {
	virtually(t, func(t *testing.T) {
		var waits []time.Duration
		transport := &httplimit.Transport{
			Base:    script(step{200, []string{"X-RateLimit-Remaining: 1", "X-RateLimit-Reset: 10"}}, step{200, []string{"X-RateLimit-Remaining: 0", "X-RateLimit-Reset: 10"}}),
			Limiter: ratelimit.Must(gcra.New(ratelimit.PerSecond(1), 5)),
			OnWait:  func(_ *http.Request, d time.Duration) { waits = append(waits, d) },
		}
		for range 2 {
			resp, err := transport.RoundTrip(newRequest(t.Context(), t, http.MethodGet, "/", nil))
			closing(t, resp, err)
		}
		require.Empty(t, waits)
		resp, err := transport.RoundTrip(newRequest(t.Context(), t, http.MethodGet, "/", nil))
		closing(t, resp, err)
		require.Equal(t, []time.Duration{10 * time.Second}, waits)
	})
}
