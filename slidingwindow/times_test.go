package slidingwindow_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-3506548a/ratelimit"
)

// After a time far ahead a Counter is shut until a window before that.
func TestATimeFarAheadOfACounter(t *testing.T) {
	far := t0.Add(24 * time.Hour)
	l, c := counterAt(t, t0, ratelimit.PerSecond(10), 10)
	require.True(t, l.TakeAt(far, 1).OK)
	require.Equal(t, 24*time.Hour-time.Second, l.Take(1).RetryAfter)
	require.False(t, l.TakeAt(time.Time{}, 1).OK)
	l.RefundAt(far, 1, 0)
	require.NoError(t, l.SetRate(ratelimit.PerSecond(20)))
	require.Equal(t, 24*time.Hour-time.Second, l.Take(1).RetryAfter)
	c.Set(far)
	require.True(t, l.Allow())
}

// After a time far ahead a Log grants what is left, once, until a window after that: late events
// count at the newest time, and so do those of which nobody set the time.
func TestATimeFarAheadOfALog(t *testing.T) {
	far := t0.Add(24 * time.Hour)
	l, c := logAt(t, t0, ratelimit.PerSecond(10))
	require.True(t, l.TakeAt(far, 1).OK)
	require.True(t, l.Take(8).OK)
	require.True(t, l.TakeAt(time.Time{}, 1).OK)
	require.Equal(t, 24*time.Hour+time.Second, l.Take(1).RetryAfter)
	c.Set(far.Add(time.Second - 1))
	require.False(t, l.Allow())
	c.Set(far.Add(time.Second))
	require.True(t, l.Take(10).OK)
}

// More events pass at once.
func TestMoreEventsPassAtOnce(t *testing.T) {
	log, _ := logAt(t, t0, ratelimit.PerSecond(10))
	counter, _ := counterAt(t, t0, ratelimit.PerSecond(10), 10)
	for _, l := range []interface {
		ratelimit.Limiter
		SetRate(ratelimit.Rate) error
	}{log, counter} {
		require.True(t, l.Take(10).OK)
		require.NoError(t, l.SetRate(ratelimit.PerSecond(100)))
		require.True(t, l.Take(90).OK)
		require.False(t, l.Allow())
	}
}
