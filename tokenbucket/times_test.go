package tokenbucket_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-3506548a/ratelimit"
)

// A time far ahead shuts both kinds of buckets until a little before it.
func TestATimeFarAhead(t *testing.T) {
	far := t0.Add(24 * time.Hour)
	for name, open := range map[string]time.Time{ // when the first token after it may be taken, of 10 that come back 10 a second
		"New":         far.Add(-800 * ms),
		"NewInterval": far,
	} {
		l, c := newAt(t, kinds[name], t0, ratelimit.PerSecond(10), 10)
		require.True(t, l.TakeAt(far, 1).OK, name)
		require.Equal(t, open.Sub(t0), l.Take(1).RetryAfter, name)
		l.RefundAt(far, 1, 0)
		require.NoError(t, l.SetRate(ratelimit.PerSecond(11), 10))
		require.Greater(t, l.Take(1).RetryAfter, 23*time.Hour, name)
		c.Set(far)
		require.True(t, l.Allow(), name)
	}
}

// The difference of a greater capacity is there at once.
func TestAGreaterCapacityIsThereAtOnce(t *testing.T) {
	for name, construct := range kinds {
		l, _ := newAt(t, construct, t0, ratelimit.PerSecond(10), 10)
		require.True(t, l.Take(10).OK, name)
		require.NoError(t, l.SetRate(l.Rate(), 100))
		require.Equal(t, 90, l.Tokens(), name)
		require.True(t, l.Take(90).OK, name)
		require.False(t, l.Allow(), name)
	}
}
