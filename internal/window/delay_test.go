package window

import (
	"math"
	"math/bits"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/limittest"
)

// DelayAt tells when whoever takes each event as soon as it fits has taken n of them: of windows in
// use, of those that owe more than they hold, and after changes of rate.
func TestDelayIsThatOfOneWhoTakesEachAtOnce(t *testing.T) {
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for seed := range uint64(3000) {
		random := rand.New(rand.NewPCG(seed, 7))
		clock := limittest.NewClock(start)
		kind := Kind(random.IntN(3))
		per := []time.Duration{1, 7, 1000, time.Second}[random.IntN(4)]
		size := func() (ratelimit.Rate, int) {
			rate := ratelimit.Per(1+random.IntN(5), per)
			if kind == Interval {
				return rate, 1 + random.IntN(9)
			}
			return rate, rate.Events
		}
		var w Window
		rate, capacity := size()
		require.NoError(t, w.initAs(kind, rate, capacity, clock))
		at := start
		var d ratelimit.Decision
		for range random.IntN(8) {
			at = at.Add(time.Duration(random.Int64N(int64(per)*2 + 1)))
			clock.Set(at)
			switch n := 1 + random.IntN(4); random.IntN(6) {
			case 0:
				w.ChargeAt(&d, at, 3*n)
			case 1:
				rate, capacity = size()
				require.NoError(t, w.SetRateAt("f", "size", at, rate, capacity))
			default:
				w.TakeAt(&d, at, n)
			}
		}
		at = at.Add([]time.Duration{0, 0, -1, time.Duration(random.Int64N(int64(per) * 3))}[random.IntN(4)])
		require.Zero(t, w.DelayAt(at, 0))
		require.Equal(t, ratelimit.Never, w.DelayAt(at, -1))
		told := make([]time.Duration, 3*capacity+3)
		for i := range told {
			told[i] = w.DelayAt(at, i+1)
		}
		now := at
		for i := range told {
			if w.TakeAt(&d, now, 1); !d.OK {
				now = now.Add(d.RetryAfter)
				w.TakeAt(&d, now, 1)
			}
			require.True(t, d.OK)
			require.Equal(t, now.Sub(at), told[i], "event %d of seed %d: kind %d, %v, capacity %d", i+1, seed, kind, rate, capacity)
		}
	}
}

// What is granted beyond all times that there are is granted never.
func TestDelayBeyondAllTimes(t *testing.T) {
	rates := []ratelimit.Rate{ratelimit.Per(1, 1<<58)}
	if bits.UintSize == 64 { // else a number of events is not that large
		rates = append(rates, ratelimit.PerSecond(1))
	}
	for _, rate := range rates {
		var w Window
		require.NoError(t, w.Init(Interval, "f", "size", rate, 1, nil))
		require.Equal(t, ratelimit.Never, w.DelayAt(time.Now(), math.MaxInt))
	}
	var none Window
	require.NoError(t, none.Init(Interval, "f", "size", ratelimit.PerSecond(0), 1, nil))
	require.Zero(t, none.DelayAt(time.Now(), 0))
	require.Equal(t, ratelimit.Never, none.DelayAt(time.Now(), 1))
}
