package window

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/limittest"
)

// initAs is Init or InitAligned, by the kind.
func (w *Window) initAs(kind Kind, rate ratelimit.Rate, capacity int, clock ratelimit.Clock) error {
	opts := []ratelimit.Option{ratelimit.WithClock(clock)}
	if kind == Aligned {
		return w.InitAligned("f", "size", rate, capacity, time.Unix(0, 0), opts)
	}
	return w.Init(kind, "f", "size", rate, capacity, opts)
}

// A Plain decides as a Window on the same timeline does, whatever is done to both: at all times, of
// capacities whose windows start on a grid, with charges beyond what a word counts, and while rates
// change.
func TestPlainDecidesAsAWindow(t *testing.T) {
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for seed := range uint64(400) {
		random := rand.New(rand.NewPCG(seed, 1))
		pick := func(all ...int64) int64 { return all[random.IntN(len(all))] }
		clock := limittest.NewClock(start)
		kind := Kind(random.IntN(3))
		per := time.Duration(pick(1, 7, 1000, int64(time.Second), int64(time.Hour), 1<<50))
		size := func() (ratelimit.Rate, int) {
			rate := ratelimit.Per(int(pick(0, 1, 2, 3, 10, 1000, 1<<20, maxEvents)), per)
			if kind == Interval {
				return rate, int(pick(1, 2, 5, 100, 1<<20))
			}
			return rate, max(1, rate.Events)
		}
		var w Window
		var p Plain
		rate, capacity := size()
		err := w.initAs(kind, rate, capacity, clock)
		require.Equal(t, err, p.Init(kind, "f", "size", rate, capacity))
		if err != nil {
			continue
		}
		at := start
		for range 200 {
			at = at.Add(time.Duration(pick(0, 1, -1, int64(per)/3, int64(per), -int64(per), 5*int64(per), random.Int64N(int64(per)*2))))
			switch random.IntN(50) {
			case 0:
				at = time.Time{}
			case 1:
				at = start.Add(time.Duration(pick(1<<61, -1<<61, 1<<62, -1<<62)))
			case 2, 3:
				at = start
			}
			if random.IntN(3) == 0 {
				clock.Set(at)
			}
			n := int(pick(0, 1, 1, 1, 2, 3, 10, 1000, -1, 1<<20, maxEvents))
			held := time.Duration(pick(0, 1, int64(per)/2, int64(per), -1, 1<<61))
			off := w.line.At(at)
			var want, got ratelimit.Decision
			switch random.IntN(8) {
			case 0, 1, 2:
				w.TakeAt(&want, at, n)
				p.Take(&got, off, n)
			case 3:
				w.PeekAt(&want, at, n)
				p.Peek(&got, off, n)
			case 4, 5:
				w.RefundAt(at, n, held)
				p.Refund(off, w.line.Now(), n, held)
			case 6:
				w.ChargeAt(&want, at, n)
				p.Charge(&got, off, n)
			case 7:
				rate, capacity := size()
				require.Equal(t, w.SetRateAt("f", "size", at, rate, capacity), p.SetRate("f", "size", off, rate, capacity))
			}
			require.Equal(t, want, got, "seed %d", seed)
			w.PeekAt(&want, at, 1)
			p.Peek(&got, off, 1)
			require.Equal(t, want, got, "seed %d", seed)
		}
	}
	var p Plain
	require.NoError(t, p.Init(Anchored, "f", "size", ratelimit.PerSecond(3), 3))
	require.EqualError(t, p.SetRate("f", "size", 0, ratelimit.PerMinute(3), 3), "f: rate.Per is 1m0s, want 1s, as the limiter was made: only Events can change")
}
