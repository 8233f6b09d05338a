package fixedwindow_test

import (
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/fixedwindow"
)

// What is charged beyond the limit counts until the end of its window, and no longer.
func TestCharge(t *testing.T) {
	for name, construct := range map[string]construct{"NewAnchored": fixedwindow.NewAnchored, "NewAligned": fixedwindow.NewAligned} {
		l, c := newAt(t, construct, t0, ratelimit.PerSecond(3))
		full := func(wait time.Duration) ratelimit.Decision {
			return ratelimit.Decision{Limit: 3, RetryAfter: wait, ResetAfter: wait}
		}
		require.Equal(t, ratelimit.Decision{OK: true, Limit: 3, Remaining: 1, ResetAfter: time.Second}, l.ChargeAt(t0, 2), name)
		require.Equal(t, full(time.Second), l.ChargeAt(t0, 1000), name)
		require.Equal(t, full(2*time.Second), l.ChargeAt(t0.Add(-time.Second), 1), "%s: a time before the window counts in it", name)
		late := time.Duration(0)
		if name == "NewAnchored" {
			late = 2 // times are counted in steps of 2 ns with so many events
		}
		require.Equal(t, full(900*time.Millisecond+late), l.ChargeAt(t0.Add(100*time.Millisecond), math.MaxInt), name)
		require.NoError(t, l.SetRate(ratelimit.PerSecond(5000)))
		require.False(t, l.Allow(), "%s: all of it keeps counting", name)
		c.Set(t0.Add(time.Second + late))
		require.True(t, l.Take(5000).OK, name)
	}
}

// Of what was charged, what did not happen after all is given back.
func TestRefundOfACharge(t *testing.T) {
	l, _ := newAt(t, fixedwindow.NewAligned, t0, ratelimit.PerSecond(10))
	l.ChargeAt(t0, 15)
	l.RefundAt(t0, 4, 0)
	require.False(t, l.Allow())
	l.RefundAt(t0, 4, 0)
	require.Equal(t, 3, l.PeekAt(t0, 0).Remaining)
}

// A time of the grant that was read a moment too late gives it back as well.
func TestRefundWithHeldTooShort(t *testing.T) {
	for name, construct := range map[string]construct{"NewAnchored": fixedwindow.NewAnchored, "NewAligned": fixedwindow.NewAligned} {
		l, c := newAt(t, construct, t0, ratelimit.PerSecond(3))
		require.True(t, l.TakeAt(t0, 2).OK)
		c.Set(t0.Add(50 * time.Millisecond))
		l.RefundAt(c.Now(), 2, 50*time.Millisecond-3)
		require.Equal(t, 3, l.Peek(0).Remaining, name)
	}
}
