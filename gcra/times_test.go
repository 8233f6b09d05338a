package gcra_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-3506548a/ratelimit"
)

// A time far ahead shuts the limiter until (burst-2)*T before it, and neither a refund nor a change
// of rate opens it again.
func TestATimeFarAhead(t *testing.T) {
	far := t0.Add(24 * time.Hour)
	for _, burst := range []int{1, 2, 10} {
		l, c := newAt(t, t0, ratelimit.PerSecond(10), burst)
		require.True(t, l.TakeAt(far, 1).OK)
		open := far.Add(-time.Duration(burst-2) * 100 * ms)
		require.Equal(t, open.Sub(t0), l.Take(1).RetryAfter, "burst %d", burst)
		require.False(t, l.TakeAt(open.Add(-1), 1).OK)

		l.RefundAt(far, 1, 0)
		require.Equal(t, open.Sub(t0)-100*ms, l.Take(1).RetryAfter, "but for the event itself")
		require.NoError(t, l.SetRate(ratelimit.PerSecond(1000), burst))
		require.Greater(t, l.Take(1).RetryAfter, 23*time.Hour)
		c.Set(far)
		require.True(t, l.Allow())
	}
}

// The guard that the documentation shows.
func TestATimeFarAheadThatIsGuardedAgainst(t *testing.T) {
	l, _ := newAt(t, t0, ratelimit.PerSecond(10), 2)
	at := t0.Add(24 * time.Hour)
	if now := l.Clock().Now(); at.After(now.Add(time.Minute)) {
		at = now
	}
	require.True(t, l.TakeAt(at, 1).OK)
	require.True(t, l.Allow())
	require.False(t, l.Allow())
}

// A time that nobody set is refused after others, and does them no harm.
func TestAForgottenTime(t *testing.T) {
	const century = 100 * 365 * 24 * time.Hour
	l, c := newAt(t, t0, ratelimit.PerSecond(10), 3)
	for range 3 {
		require.True(t, l.TakeAt(time.Time{}, 1).OK)
	}
	require.False(t, l.TakeAt(time.Time{}, 1).OK, "time stands still")
	c.Set(t0.Add(time.Hour))
	require.False(t, l.TakeAt(time.Time{}, 1).OK)
	require.Equal(t, 3, l.Peek(0).Remaining)
	require.True(t, l.Allow())
	d := l.TakeAt(time.Time{}, 1)
	require.False(t, d.OK)
	require.Greater(t, d.RetryAfter, century)
	require.Less(t, d.RetryAfter, ratelimit.Never)
	require.Equal(t, 2, l.Peek(0).Remaining)
}

// The difference of a greater burst passes at once.
func TestAGreaterBurstPassesAtOnce(t *testing.T) {
	l, c := newAt(t, t0, ratelimit.PerSecond(10), 10)
	require.True(t, l.Take(10).OK)
	require.NoError(t, l.SetRate(l.Rate(), 100))
	require.Equal(t, 90, l.Peek(0).Remaining)
	require.True(t, l.Take(90).OK)
	require.Equal(t, 100*ms, l.Take(1).RetryAfter)
	require.NoError(t, l.SetRate(l.Rate(), 10))
	require.Equal(t, 9100*ms, l.Take(1).RetryAfter, "what is owed is owed")
	c.Set(t0.Add(9100 * ms))
	require.True(t, l.Allow())
}
