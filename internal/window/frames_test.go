package window

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/internal/proof/allocations"
	"github.com/seed-3506548a/ratelimit/limittest"
)

// Grants, charges and refunds stay in their frame, also those that give nothing back, and those in
// a window in which the rate was changed, at its start or later.
func TestFramesLast(t *testing.T) {
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for _, kind := range []Kind{Interval, Anchored, Aligned} {
		for _, per := range []time.Duration{1, time.Hour} {
			for _, changed := range []time.Duration{-1, 0, per / 2} { // -1: not at all
				clock := limittest.NewClock(start)
				var w Window
				require.NoError(t, w.initAs(kind, ratelimit.Per(1000, per), 1000, clock))
				var d ratelimit.Decision
				w.TakeAt(&d, start, 1)
				now := start.Add(max(changed, 0))
				clock.Set(now)
				if changed >= 0 {
					require.NoError(t, w.SetRateAt("f", "size", now, ratelimit.Per(900, per), 900))
					w.TakeAt(&d, now, 1) // which may need a frame
				}
				require.Zero(t, allocations.Count(func() {
					for range 100 {
						w.TakeAt(&d, now, 3)
						w.ChargeAt(&d, now, 1)
						w.RefundAt(now, 1, 2*per)
						w.RefundAt(now, 1, 0)
					}
				}), "kind %d, %v, changed after %v", kind, per, changed)
			}
		}
	}
}
