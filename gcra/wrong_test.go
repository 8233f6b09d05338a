package gcra_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-3506548a/ratelimit"
)

// What the package documentation says of wrong times.
func TestWrongTimes(t *testing.T) {
	l, c := newAt(t, t0, ratelimit.PerSecond(10), 3)
	require.True(t, l.TakeAt(t0.Add(24*time.Hour), 1).OK)
	require.False(t, l.Allow())
	require.Equal(t, 24*time.Hour-100*ms, l.Peek(1).RetryAfter, "less what the burst allows")
	c.Set(t0.Add(25 * time.Hour))
	require.True(t, l.Allow())
	require.False(t, l.TakeAt(time.Time{}, 1).OK, "a forgotten time")
	require.True(t, l.TakeAt(c.Now().Add(time.Hour), 3).OK)
	require.False(t, l.TakeAt(t0, 1).OK)

	old, _ := newAt(t, t0, ratelimit.PerSecond(10), 3)
	require.True(t, old.TakeAt(t0.Add(-time.Hour), 3).OK)
	require.Equal(t, 3, old.Peek(0).Remaining, "has drained by now")
}

// A greater burst lets the difference pass at once.
func TestAGreaterBurst(t *testing.T) {
	l, _ := newAt(t, t0, ratelimit.PerSecond(1), 10)
	require.True(t, l.Take(10).OK)
	require.NoError(t, l.SetRate(ratelimit.PerSecond(1), 100))
	require.True(t, l.Take(90).OK)
	require.False(t, l.Allow())
}

// 50 GB a day, counted in kilobytes.
func TestManyBytes(t *testing.T) {
	l, _ := newAt(t, t0, ratelimit.PerDay(50_000_000), 1_000_000)
	require.True(t, l.Take(1_000_000).OK)
	require.Equal(t, 24*time.Hour/50_000_000, l.Peek(1).RetryAfter)
}
