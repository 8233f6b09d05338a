package gcra_test

import (
	"fmt"
	"math"
	"math/big"
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/gcra"
	"github.com/seed-3506548a/ratelimit/internal/proof/bounds"
	"github.com/seed-3506548a/ratelimit/limittest"
)

// No refund makes a limiter more permissive than one that never granted the refunded events,
// whatever the order of times, as long as the refund's is not earlier than any of them since the
// grant.
func TestRefundIsAtMostAsIfNeverGranted(t *testing.T) {
	type grant struct {
		at time.Time
		n  int
	}
	random := rand.New(rand.NewPCG(3, 4))
	refunds, exact := 0, 0
	for range 20_000 {
		rate := []ratelimit.Rate{
			ratelimit.PerSecond(10), ratelimit.PerSecond(7), ratelimit.PerSecond(1_000_000_007), ratelimit.Per(3, 2),
			ratelimit.PerDay(1234567), ratelimit.PerSecond(math.MaxInt32), ratelimit.PerDay(1),
		}[random.IntN(7)]
		burst := 1 + random.IntN(4)
		early := t0.Add(-time.Hour) // the clock tells nothing; t has to be right
		with, c := newAt(t, t0, rate, burst)
		without, _ := newAt(t, t0, rate, burst)
		c.Set(early)
		each := rate.Per/time.Duration(rate.Events) + 1
		now, newest := t0, t0
		var open []grant // granted by with only, to be refunded
		for range 14 {
			switch random.IntN(5) {
			case 0:
				now = now.Add(-time.Duration(random.Int64N(int64(2 * each))))
			case 1:
				now = newest
			default:
				now = now.Add(time.Duration(random.Int64N(int64(2 * each))))
			}
			n := 1 + random.IntN(burst)
			asked := true
			switch random.IntN(3) {
			case 0: // granted by both, or by neither
				if asked = with.PeekAt(now, n).OK; asked {
					require.True(t, with.TakeAt(now, n).OK)
					require.True(t, without.TakeAt(now, n).OK, "the refunds gave back too much")
				}
			case 1:
				if asked = with.TakeAt(now, n).OK; asked {
					open = append(open, grant{now, n})
				}
			case 2:
				if asked = len(open) > 0; asked {
					i := random.IntN(len(open))
					g := open[i]
					open = append(open[:i:i], open[i+1:]...)
					now = newest.Add(time.Duration(random.IntN(2)) * each / 3)
					part := random.IntN(g.n + 1)
					with.RefundAt(now, part, now.Sub(g.at))
					with.RefundAt(now, g.n-part, now.Sub(g.at))
					refunds++
				}
			}
			if asked && now.After(newest) {
				newest = now
			}
			for _, at := range []time.Time{now, newest} {
				a, b := with.PeekAt(at, 0), without.PeekAt(at, 0)
				require.LessOrEqual(t, a.Remaining, b.Remaining, "%v", rate)
				require.GreaterOrEqual(t, a.ResetAfter, b.ResetAfter, "%v", rate)
				if a == b {
					exact++
				}
			}
		}
	}
	require.Greater(t, refunds, 10_000)
	require.Positive(t, exact)
}

// In every closed interval at most burst + floor(length*rate), whatever the order of times.
func TestBound(t *testing.T) {
	for _, rate := range []ratelimit.Rate{
		ratelimit.PerSecond(7), ratelimit.PerSecond(12345), ratelimit.PerMinute(90), ratelimit.PerSecond(999_999_937),
		ratelimit.PerSecond(1_000_000_007), ratelimit.PerSecond(600_000_000), ratelimit.PerDay(1), ratelimit.Per(1000, 5*time.Minute),
	} {
		for _, burst := range []int{3, 10} {
			t.Run(fmt.Sprintf("%v burst %d", rate, burst), func(t *testing.T) {
				step := max(4, rate.Per/time.Duration(rate.Events))
				require.NoError(t, limittest.TestBound(func(opts ...ratelimit.Option) (ratelimit.Limiter, error) {
					return gcra.New(rate, burst, opts...)
				}, step, bounds.Bucket(rate, burst).Int))
			})
		}
	}
}

// A limiter that is asked whenever it can grant gives burst + floor(t*rate), without end.
//
// A clock tells whole nanoseconds. A burst of (burst-1)*T >= 1 ns less a tick makes up for what
// passes between the time at which the next event fits and the next whole nanosecond; a shorter one
// does not, nor could it without exceeding the bound.
func TestNothingIsWithheld(t *testing.T) {
	l, c := newAt(t, t0, ratelimit.PerSecond(999_999_937), 1)
	granted := 0
	for range 1000 {
		if l.Allow() {
			granted++
		}
		c.Advance(1)
	}
	require.Equal(t, 500, granted, "one in 2 ns, the whole nanoseconds of T = 1.000000063 ns")

	for _, rate := range []ratelimit.Rate{
		ratelimit.PerSecond(7), ratelimit.Per(1000, 5*time.Minute), ratelimit.PerMinute(90), ratelimit.PerSecond(12345),
		ratelimit.PerSecond(1_500_000), ratelimit.PerDay(1), ratelimit.PerSecond(999_999_937), ratelimit.PerSecond(1_000_000_007),
	} {
		burst := 2
		if rate.Events == 1 {
			burst = 1 // T is a whole number of nanoseconds
		} else if rate.Events > 1_000_000_000 {
			burst = 3 // (2-1)*T is less than a nanosecond
		}
		l, c := newAt(t, t0, rate, burst)
		granted := 0
		now := t0
		for range 20_000 {
			c.Set(now)
			for l.Allow() {
				granted++
			}
			elapsed := big.NewInt(int64(now.Sub(t0)))
			elapsed.Mul(elapsed, big.NewInt(int64(rate.Events)))
			want := elapsed.Quo(elapsed, big.NewInt(int64(rate.Per))).Int64() + int64(burst)
			if int64(granted) != want {
				require.EqualValues(t, want, granted, "%v after %v", rate, now.Sub(t0))
			}
			now = now.Add(l.Peek(1).RetryAfter)
			if now.Sub(t0) > 250*365*24*time.Hour/2 {
				break
			}
		}
		require.Greater(t, granted, 10_000)
	}
}

// Where ticks are coarse, the rate is lowered by less than 2 billionths, and never raised.
func TestCoarseTicksAreNeverFaster(t *testing.T) {
	for _, row := range []struct {
		rate  ratelimit.Rate
		burst int
	}{
		{ratelimit.PerDay(1234567), 1234567},
		{ratelimit.PerDay(999_999_937), 999_999_937},
		{ratelimit.Per(math.MaxInt32, time.Minute+1), math.MaxInt32},
		{ratelimit.Per(1_000_003, 24*time.Hour+1), math.MaxInt32 / 2},
		{ratelimit.Per(7, 1<<32-1), math.MaxInt32},
	} {
		l, _ := newAt(t, t0, row.rate, row.burst)
		require.True(t, l.TakeAt(t0, row.burst).OK)
		full := l.PeekAt(t0, row.burst).RetryAfter // until a full burst has drained
		exact := big.NewRat(int64(row.rate.Per), int64(row.rate.Events))
		exact.Mul(exact, big.NewRat(int64(row.burst), 1))
		got := new(big.Rat).SetInt64(int64(full))
		assert.GreaterOrEqual(t, got.Cmp(exact), 0, "%v", row.rate)
		most := new(big.Rat).Mul(exact, big.NewRat(1_000_000_002, 1_000_000_000))
		most.Add(most, big.NewRat(1, 1))
		assert.LessOrEqual(t, got.Cmp(most), 0, "%v: %v", row.rate, full)
	}
}

// A burst of 2^61 ticks is not too many yet, so nothing is rounded: 2^21 events, each of 2^40/3 ns.
func TestTicksAreExactAsLongAsTheyFit(t *testing.T) {
	l, _ := newAt(t, t0, ratelimit.Per(3, 1<<40), 1<<21)
	require.True(t, l.TakeAt(t0, 1<<21).OK)
	require.Equal(t, time.Duration(1<<40), l.PeekAt(t0, 3).RetryAfter)
}

// A rate is slow enough to be refused only if what may be owed takes more than 2^61 ns to drain.
func TestTheSlowestRateThatCanBeSet(t *testing.T) {
	l, _ := newAt(t, t0, ratelimit.PerSecond(1), 8)
	require.NoError(t, l.SetRate(ratelimit.Every(1<<58), 8), "8 events of 2^58 ns")
	l, _ = newAt(t, t0, ratelimit.PerSecond(1), 9)
	require.ErrorContains(t, l.SetRate(ratelimit.Every(1<<58), 8), "the 9 events that may be owed")
}

// The first frame begins earlier than the limiter, by the time in which a burst drains.
func TestASmallStepBackTakesNoNewFrame(t *testing.T) {
	l, _ := newAt(t, t0, ratelimit.PerHour(1000), 1000)
	require.Zero(t, testing.AllocsPerRun(100, func() { l.TakeAt(t0.Add(-time.Minute), 1) }))
}

// The frames of 2^31-1 a second last 3 s. Callers whose times jump between frames replace them all
// the time, and double no grant.
func TestNoGrantIsDoubledWhenFramesAreReplaced(t *testing.T) {
	const callers, each = 4, 3000
	rate := ratelimit.PerSecond(math.MaxInt32)
	l, _ := newAt(t, t0, rate, 3)
	grants := make([][]bounds.Grant, callers)
	var turn atomic.Int64
	var wg sync.WaitGroup
	for caller := range callers {
		wg.Go(func() {
			for range each {
				at := t0.Add(time.Duration(turn.Add(1)/8) * 3 * time.Second)
				for n := 1; n <= 2; n++ {
					if l.TakeAt(at, n).OK {
						grants[caller] = append(grants[caller], bounds.Grant{At: at, N: n})
					}
				}
				runtime.Gosched()
			}
		})
	}
	wg.Wait()
	perInstant := map[time.Time]int{}
	for _, own := range grants {
		for _, g := range own {
			perInstant[g.At] += g.N
		}
	}
	for at, n := range perInstant {
		require.LessOrEqual(t, n, 3, "at %v", at.Sub(t0))
	}
	require.Greater(t, len(perInstant), callers*each/16)
}
