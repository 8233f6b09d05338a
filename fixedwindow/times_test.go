package fixedwindow_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-3506548a/ratelimit"
)

// A time far ahead opens the window of that time, and neither a refund nor a change of rate opens
// one before.
func TestATimeFarAhead(t *testing.T) {
	far := t0.Add(24*time.Hour + 500*ms)
	for name, construct := range kinds {
		open := far
		if name != "NewAnchored" {
			open = t0.Add(24 * time.Hour)
		}
		l, c := newAt(t, construct, t0, ratelimit.PerSecond(10))
		require.True(t, l.TakeAt(far, 1).OK, name)
		require.Equal(t, open.Sub(t0), l.Take(1).RetryAfter, name)
		l.RefundAt(far, 1, 0)
		require.Equal(t, open.Sub(t0), l.Take(1).RetryAfter, name)
		require.NoError(t, l.SetRate(ratelimit.PerSecond(20)))
		require.Equal(t, open.Sub(t0), l.Take(1).RetryAfter, name)
		c.Set(far)
		require.True(t, l.Allow(), name)
	}
}

// More events pass at once.
func TestMoreEventsPassAtOnce(t *testing.T) {
	for name, construct := range kinds {
		l, _ := newAt(t, construct, t0, ratelimit.PerSecond(10))
		require.True(t, l.Take(10).OK, name)
		require.NoError(t, l.SetRate(ratelimit.PerSecond(100)))
		require.True(t, l.Take(90).OK, name)
		require.False(t, l.Allow(), name)
	}
}
