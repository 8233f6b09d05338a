package slidingwindow_test

import (
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-3506548a/ratelimit"
)

// A Log owes at most a whole window.
func TestLogCharge(t *testing.T) {
	l, c := logAt(t, t0, ratelimit.PerSecond(3))
	require.True(t, l.Take(2).OK)
	require.Equal(t, ratelimit.Decision{Limit: 3, RetryAfter: 1000 * ms, ResetAfter: 1000 * ms}, l.ChargeAt(t0, 2))
	require.Equal(t, ratelimit.Decision{Limit: 3, RetryAfter: 1000 * ms, ResetAfter: 1000 * ms}, l.ChargeAt(t0, math.MaxInt))
	at := t0.Add(600 * ms)
	require.Equal(t, ratelimit.Decision{Limit: 3, RetryAfter: 400 * ms, ResetAfter: 1000 * ms}, l.ChargeAt(at, 1))
	require.Equal(t, ratelimit.Decision{Limit: 3, RetryAfter: 1000 * ms, ResetAfter: 1000 * ms}, l.ChargeAt(at, 5), "another window, and not two")
	require.Equal(t, ratelimit.Decision{Limit: 3, RetryAfter: 1600 * ms, ResetAfter: 1600 * ms}, l.ChargeAt(t0, 5), "as late as the newest")
	l.RefundAt(at, 1, 0)
	c.Set(t0.Add(1000 * ms))
	require.True(t, l.Allow())
	require.False(t, l.Allow())
}

// A Counter counts as many as the greatest limit has that it could be made with.
func TestCounterCharge(t *testing.T) {
	l, c := counterAt(t, t0, ratelimit.PerSecond(3), 4)
	full := ratelimit.Decision{Limit: 3, RetryAfter: 1250 * ms, ResetAfter: 1250 * ms}
	require.Equal(t, ratelimit.Decision{OK: true, Limit: 3, Remaining: 1, ResetAfter: 1250 * ms}, l.ChargeAt(t0, 2))
	require.Equal(t, full, l.ChargeAt(t0, 1000))
	l.RefundAt(t0, 3, 0)
	require.Equal(t, full, l.Peek(1))
	require.Equal(t, full, l.ChargeAt(t0, math.MaxInt))
	require.NoError(t, l.SetRate(ratelimit.PerSecond(1<<28-1)))
	require.False(t, l.Allow(), "2^28-1 are counted")
	c.Set(t0.Add(1250 * ms))
	require.True(t, l.Take(1<<28-1).OK)
}

// A time of the grant that was read a moment too late gives back the last events.
func TestRefundWithHeldTooShort(t *testing.T) {
	log, c := logAt(t, t0, ratelimit.PerSecond(3))
	counter, d := counterAt(t, t0, ratelimit.PerSecond(3), 4)
	for _, l := range []ratelimit.Limiter{log, counter} {
		require.True(t, l.TakeAt(t0, 2).OK)
		now := t0.Add(300 * ms)
		c.Set(now)
		d.Set(now)
		l.RefundAt(now, 2, 0) // a bucket later, for the Counter
		require.Equal(t, 3, l.PeekAt(now, 0).Remaining)
		l.RefundAt(now, 1, time.Hour)
		require.Equal(t, 3, l.PeekAt(now, 0).Remaining)
	}
}
