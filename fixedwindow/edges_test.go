package fixedwindow_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/fixedwindow"
	"github.com/seed-3506548a/ratelimit/limittest"
)

func tenASecond(t *testing.T) (*fixedwindow.Limiter, *limittest.Clock) {
	clock := limittest.NewClock(t0)
	l, err := fixedwindow.NewAnchored(ratelimit.PerSecond(10), ratelimit.WithClock(clock))
	require.NoError(t, err)
	return l, clock
}

const quarter = 1 << 57 // of what the word counts, with a capacity of 10

// The last times that a fresh frame does not hold.
func TestJustBeforeTheFrame(t *testing.T) {
	l, _ := tenASecond(t)
	at := t0.Add(-quarter - 1)
	for n := range 11 {
		require.Equal(t, n < 10, l.TakeAt(at, 1).OK)
	}
}

// In the frame of a new limiter, two quarters of it after the window.
func TestAllowLongAfterTheWindow(t *testing.T) {
	l, clock := tenASecond(t)
	require.True(t, l.TakeAt(t0.Add(-quarter/2), 10).OK)
	clock.Set(t0.Add(quarter*3/2 + 1))
	require.True(t, l.Allow())
}

// In the first length of the frame of a new limiter, before the window.
func TestAllowBeforeTheWindow(t *testing.T) {
	l, clock := tenASecond(t)
	require.True(t, l.TakeAt(t0.Add(-quarter+time.Second/2), 1).OK)
	clock.Set(t0.Add(-quarter + time.Second/4))
	require.False(t, l.Peek(1).OK)
	require.False(t, l.Allow())
}

func TestAnchoredOnTheSystemsClock(t *testing.T) {
	l, err := fixedwindow.NewAnchored(ratelimit.PerHour(2))
	require.NoError(t, err)
	require.True(t, l.Allow())
	require.True(t, l.Take(1).OK)
}
