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
	"testing/synctest"
	"time"
	"unsafe"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/gcra"
	"github.com/seed-3506548a/ratelimit/internal/proof/bounds"
	"github.com/seed-3506548a/ratelimit/limittest"
)

const ms = time.Millisecond

// t0 to t9 are 100 ms apart: one emission interval of a limiter of 10 a second.
var (
	t0 = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	t1 = t0.Add(100 * ms)
	t2 = t0.Add(200 * ms)
	t3 = t0.Add(300 * ms)
	t4 = t0.Add(400 * ms)
	t5 = t0.Add(500 * ms)
	t9 = t0.Add(900 * ms)
)

func newAt(t testing.TB, start time.Time, rate ratelimit.Rate, burst int) (*gcra.Limiter, *limittest.Clock) {
	c := limittest.NewClock(start)
	l, err := gcra.New(rate, burst, ratelimit.WithClock(c))
	require.NoError(t, err)
	return l, c
}

// step is one request: the time, what is asked for, and the answer.
type step struct {
	at         time.Time
	n          int
	ok         bool
	remaining  int
	retryAfter time.Duration
	resetAfter time.Duration
}

func play(t *testing.T, l ratelimit.Limiter, steps []step) {
	t.Helper()
	limit := l.PeekAt(t0, 0).Limit
	for i, s := range steps {
		want := ratelimit.Decision{
			OK: s.ok, Limit: limit, Remaining: s.remaining, RetryAfter: s.retryAfter, ResetAfter: s.resetAfter}
		require.Equal(t, want, l.PeekAt(s.at, s.n), "step %d, peek", i)
		require.Equal(t, want, l.TakeAt(s.at, s.n), "step %d", i)
	}
}

func TestBurstOfOneIsSpacing(t *testing.T) {
	l, _ := newAt(t, t0, ratelimit.PerSecond(10), 1)
	play(t, l, []step{
		{t0, 1, true, 0, 0, 100 * ms},
		{t0, 1, false, 0, 100 * ms, 100 * ms},
		{t1.Add(-1), 1, false, 0, 1, 1},
		{t1, 1, true, 0, 0, 100 * ms},
		{t1, 2, false, 0, ratelimit.Never, 100 * ms},
		{t9, 1, true, 0, 0, 100 * ms},
	})
}

func TestBurstDrainsAtTheRate(t *testing.T) {
	l, _ := newAt(t, t0, ratelimit.PerSecond(10), 3)
	play(t, l, []step{
		{t0, 0, true, 3, 0, 0},
		{t0, 2, true, 1, 0, 200 * ms},
		{t0, 2, false, 1, 100 * ms, 200 * ms},
		{t0, 1, true, 0, 0, 300 * ms},
		{t0, 1, false, 0, 100 * ms, 300 * ms},
		{t1, 1, true, 0, 0, 300 * ms},
		{t1, 3, false, 0, 300 * ms, 300 * ms},
		{t3.Add(50 * ms), 2, true, 0, 0, 250 * ms},
		{t4, 1, true, 0, 0, 300 * ms},
		{t5, 0, true, 1, 0, 200 * ms},
	})
}

func TestAStaleTimeMintsNothing(t *testing.T) {
	l, _ := newAt(t, t0, ratelimit.PerSecond(10), 2)
	play(t, l, []step{
		{t4, 2, true, 0, 0, 200 * ms},
		{t2, 1, false, 0, 300 * ms, 400 * ms},
		{t0, 1, false, 0, 500 * ms, 600 * ms},
		{t5, 1, true, 0, 0, 200 * ms},
		{t4, 1, false, 0, 200 * ms, 300 * ms},
		{t5, 1, false, 0, 100 * ms, 200 * ms},
	})
}

func TestAGrantBeforeTheOrigin(t *testing.T) {
	l, _ := newAt(t, t5, ratelimit.PerSecond(10), 3)
	play(t, l, []step{
		{t0, 1, true, 2, 0, 100 * ms},
		{t0.Add(-30 * ms), 1, true, 0, 0, 230 * ms},
		{t0.Add(-30 * ms), 1, false, 0, 30 * ms, 230 * ms},
		{t1, 2, true, 0, 0, 300 * ms},
		{t5, 0, true, 3, 0, 0},
	})
}

func TestRefund(t *testing.T) {
	l, c := newAt(t, t0, ratelimit.PerSecond(10), 3)
	remaining := func(at time.Time) int { return l.PeekAt(at, 0).Remaining }
	require.True(t, l.TakeAt(t0, 3).OK)

	c.Set(t1) // one event has drained; of the other two all but what drains of them comes back
	l.RefundAt(t1, 2, 100*ms)
	require.Equal(t, 2, remaining(t1))
	require.Equal(t, 100*ms, l.PeekAt(t1, 0).ResetAfter)

	c.Set(t4)
	require.True(t, l.TakeAt(t4, 2).OK)
	l.RefundAt(t4, 3, 0)
	require.Equal(t, 3, remaining(t4), "no more than is owed")
	require.True(t, l.TakeAt(t4, 1).OK)
	c.Set(t4.Add(50 * ms))
	l.RefundAt(t4, 1, 0)
	require.Equal(t, 50*ms, l.PeekAt(t4, 0).ResetAfter, "an early t counts as the clock's, so half has drained")
}

func TestReservations(t *testing.T) {
	l, c := newAt(t, t0, ratelimit.PerSecond(10), 2)
	reserve := func(at time.Time, n int, within time.Duration, want ratelimit.Decision, act time.Time) ratelimit.Reservation {
		t.Helper()
		r, d := l.ReserveAt(at, n, within)
		require.Equal(t, want, d)
		if !d.OK {
			require.Nil(t, r)
			return nil
		}
		require.Equal(t, act, r.ActAt())
		return r
	}
	granted := func(remaining int, reset time.Duration) ratelimit.Decision {
		return ratelimit.Decision{OK: true, Limit: 2, Remaining: remaining, ResetAfter: reset}
	}
	refused := func(retry, reset time.Duration) ratelimit.Decision {
		return ratelimit.Decision{Limit: 2, RetryAfter: retry, ResetAfter: reset}
	}
	reserve(t0, 0, 0, granted(2, 0), t0)
	reserve(t0, 2, 0, granted(0, 200*ms), t0)                     // at once
	reserve(t0, 1, 100*ms, granted(0, 300*ms), t1)                // when it fits
	reserve(t0, 1, 199*ms, refused(1*ms, 300*ms), t0)             // not soon enough
	second := reserve(t0, 2, time.Second, granted(0, 500*ms), t3) // behind the first
	third := reserve(t0, 1, time.Second, granted(0, 600*ms), t4)  // in the order of asking
	require.False(t, l.TakeAt(t3, 1).OK, "what is reserved is gone")
	reserve(t0, 3, ratelimit.Never, refused(ratelimit.Never, 600*ms), t0)
	reserve(t0, -1, ratelimit.Never, refused(ratelimit.Never, 600*ms), t0)
	reserve(t0, 1, -1, refused(ratelimit.Never, 600*ms), t0)

	second.Cancel()
	require.Equal(t, 600*ms, l.Peek(0).ResetAfter, "with somebody behind, nothing")
	third.CancelAt(t0)
	third.Cancel()
	require.Equal(t, 500*ms, l.Peek(0).ResetAfter, "with nobody behind, all of it, once")
	c.Set(t9)
	require.Equal(t, granted(2, 0), l.Peek(0))

	alone, _ := l.ReserveAt(t9, 2, 0)
	behind, _ := l.ReserveAt(t9, 2, time.Second)
	behind.Cancel()
	require.Equal(t, granted(0, 200*ms), l.Peek(0), "with nobody behind, all of it")
	c.Set(t9.Add(150 * ms))
	alone.Cancel()
	require.Equal(t, granted(1, 50*ms), l.Peek(0), "after its time, nothing is cancelled")
	alone.Refund()
	require.Equal(t, granted(2, 0), l.Peek(0), "but what has not drained can be given back")
}

// The package documentation says that a reservation is one allocation.
func TestReservationAllocatesOnce(t *testing.T) {
	l, _ := newAt(t, t0, ratelimit.PerSecond(10), 2)
	// AllocsPerRun counts what the runtime allocates meanwhile, too.
	require.InDelta(t, 1000, testing.AllocsPerRun(1, func() {
		for range 1000 {
			r, _ := l.ReserveAt(t0, 1, 0)
			r.CancelAt(t0)
		}
	}), 10)
}

// At 2^31-1 a second, reservations reach 2^61/(2^31-1) ns ahead.
func TestReservationsReachSoFar(t *testing.T) {
	l, _ := newAt(t, t0, ratelimit.PerSecond(math.MaxInt32), math.MaxInt32)
	const reach = time.Duration(1 << 61 / math.MaxInt32)
	require.True(t, l.Take(math.MaxInt32).OK)
	r, d := l.ReserveAt(t0, math.MaxInt32, ratelimit.Never)
	require.True(t, d.OK)
	require.Equal(t, t0.Add(time.Second), r.ActAt())
	_, d = l.ReserveAt(t0, math.MaxInt32, ratelimit.Never)
	require.Equal(t, 2*time.Second-reach, d.RetryAfter, "as if 2^61/(2^31-1) ns had been asked for")
	_, d = l.ReserveAt(t0.Add(d.RetryAfter-1), math.MaxInt32, ratelimit.Never)
	require.False(t, d.OK)
	_, d = l.ReserveAt(t0.Add(2*time.Second-reach), math.MaxInt32, ratelimit.Never)
	require.True(t, d.OK)
}

func TestSetRate(t *testing.T) {
	l, c := newAt(t, t0, ratelimit.PerSecond(10), 5)
	state := func() (remaining int, reset time.Duration) {
		d := l.Peek(0)
		return d.Remaining, d.ResetAfter
	}
	require.True(t, l.Take(4).OK)
	require.NoError(t, l.SetRate(ratelimit.PerSecond(1), 5))
	remaining, reset := state()
	require.Equal(t, 1, remaining, "the debt is kept in events")
	require.Equal(t, 4*time.Second, reset)
	require.Equal(t, ratelimit.PerSecond(1), l.Rate())

	require.NoError(t, l.SetRate(ratelimit.PerSecond(1), 2))
	require.Equal(t, 2, l.Burst())
	remaining, reset = state()
	require.Equal(t, 0, remaining, "also if it is more than the new burst")
	require.Equal(t, 4*time.Second, reset)
	require.Equal(t, 3*time.Second, l.Peek(1).RetryAfter)

	l.RefundAt(t0, 2, 0)
	require.Equal(t, 4*time.Second, l.Peek(0).ResetAfter, "older grants give nothing back")

	require.NoError(t, l.SetRate(ratelimit.PerSecond(0), 2))
	c.Set(t9)
	require.Equal(t, ratelimit.Decision{RetryAfter: ratelimit.Never, ResetAfter: ratelimit.Never}, l.Take(1), "nothing drains at a rate of 0")
	require.NoError(t, l.SetRateAt(t9, ratelimit.PerSecond(100), 5))
	remaining, reset = state()
	require.Equal(t, 1, remaining)
	require.Equal(t, 40*ms, reset)

	require.NoError(t, l.SetRateAt(t0, ratelimit.PerSecond(10), 5), "a stale t")
	remaining, reset = state()
	require.Equal(t, 1, remaining)
	require.Equal(t, 400*ms, reset, "as of the last change, before which nothing is known")

	require.EqualError(t, l.SetRate(ratelimit.PerSecond(-1), 5), "gcra.Limiter.SetRate: rate.Events is -1, want 0 to 2147483647")
	require.EqualError(t, l.SetRateAt(t9, ratelimit.PerSecond(1), 0), "gcra.Limiter.SetRateAt: burst is 0, want 1 to 2147483647")
	require.Equal(t, ratelimit.PerSecond(10), l.Rate(), "an error changes nothing")
}

// A rate that changes back and forth under load loses no grant and doubles none, and never refills.
func TestSetRateUnderLoad(t *testing.T) {
	const burst = 100_000
	l, _ := newAt(t, t0, ratelimit.PerSecond(10), burst)
	var granted atomic.Int64
	var wg sync.WaitGroup
	for range 2 {
		wg.Go(func() {
			for l.Allow() {
				granted.Add(1)
			}
		})
	}
	wg.Go(func() {
		for i := range 2000 {
			if err := l.SetRate(ratelimit.PerSecond(5+5*(i%2)), burst); err != nil {
				t.Error(err)
			}
			runtime.Gosched()
		}
	})
	wg.Wait()
	require.EqualValues(t, burst, granted.Load())
}

// A refund at the very start of the first frame, and ones beyond its start, need another frame.
func TestRefundAtTheStartOfTheFirstFrame(t *testing.T) {
	for before := range time.Duration(4) {
		start := t0.Add(-100*ms - before)
		l, c := newAt(t, t0, ratelimit.PerSecond(10), 1)
		c.Set(start)
		require.True(t, l.Allow())
		l.RefundAt(start, 1, 0)
		require.Equal(t, ratelimit.Decision{OK: true, Limit: 1, ResetAfter: 100 * ms}, l.PeekAt(start, 1))
		require.Equal(t, time.Duration(1), l.PeekAt(start.Add(-1), 1).RetryAfter)
		require.True(t, l.Allow())
		require.False(t, l.Allow())
	}
}

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

func TestRateZeroRefusesEverything(t *testing.T) {
	l, _ := newAt(t, t0, ratelimit.PerSecond(0), 5)
	never := ratelimit.Decision{RetryAfter: ratelimit.Never}
	require.False(t, l.Allow())
	require.Equal(t, never, l.Take(1))
	require.Equal(t, never, l.TakeAt(t9, 5))
	require.Equal(t, ratelimit.Decision{OK: true}, l.Take(0))
	l.RefundAt(t0, 1, 0)
	require.Equal(t, never, l.Peek(1))
}

func TestArguments(t *testing.T) {
	second := ratelimit.PerSecond(1)
	for _, row := range []struct {
		rate  ratelimit.Rate
		burst int
		want  string
	}{
		{ratelimit.PerSecond(-1), 1, "gcra.New: rate.Events is -1, want 0 to 2147483647"},
		{ratelimit.Per(1, 0), 1, "gcra.New: rate.Per is 0s, want more than 0s"},
		{ratelimit.Per(1, -time.Second), 1, "gcra.New: rate.Per is -1s, want more than 0s"},
		{ratelimit.Per(0, 0), 1, "gcra.New: rate.Per is 0s, want more than 0s"},
		{second, 0, "gcra.New: burst is 0, want 1 to 2147483647"},
		{second, math.MinInt, fmt.Sprintf("gcra.New: burst is %d, want 1 to 2147483647", math.MinInt)},
		{ratelimit.Every(math.MaxInt64), 1,
			"gcra.New: rate.Per is 2562047h47m16.854775807s, want at most 2^61 ns (73 years) for each event"},
		{ratelimit.PerDay(1), 26689,
			"gcra.New: burst is 26689, want at most 26687: burst * ceil(rate.Per/rate.Events) <= 2^61 ns"},
	} {
		_, err := gcra.New(row.rate, row.burst)
		require.EqualError(t, err, row.want)
	}
	for _, row := range []struct {
		rate  ratelimit.Rate
		burst int
	}{
		{ratelimit.PerDay(1), 26687},
		{ratelimit.Every(1 << 61), 1},
		{ratelimit.Per(math.MaxInt32, 1), math.MaxInt32},
		{ratelimit.PerSecond(math.MaxInt32), math.MaxInt32},
		{second, math.MaxInt32},
		{ratelimit.PerSecond(0), math.MaxInt32},
	} {
		l, err := gcra.New(row.rate, row.burst)
		require.NoError(t, err)
		assert.Equal(t, row.rate, l.Rate())
		assert.Equal(t, row.burst, l.Burst())
	}
}

func TestConform(t *testing.T) {
	build := func(opts ...ratelimit.Option) (ratelimit.Limiter, error) {
		return gcra.New(ratelimit.PerSecond(10), 5, opts...)
	}
	require.NoError(t, limittest.TestLimiter(build))
	require.NoError(t, limittest.TestAllocations(build))
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

// In a bubble of testing/synctest the system's clock begins in 2000 and moves when all sleep.
func TestSynctest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, err := gcra.New(ratelimit.PerSecond(10), 2)
		require.NoError(t, err)
		require.True(t, l.Allow())
		require.True(t, l.Allow())
		d := l.Take(1)
		require.Equal(t, 100*ms, d.RetryAfter)
		time.Sleep(d.RetryAfter - time.Nanosecond)
		require.False(t, l.Allow())
		time.Sleep(time.Nanosecond)
		require.True(t, l.Allow())
	})
}

// What a limiter costs is in the package documentation.
func TestSize(t *testing.T) {
	if unsafe.Sizeof(uintptr(0)) != 8 {
		t.Skip("counted on 64-bit platforms")
	}
	require.EqualValues(t, 128, unsafe.Sizeof(gcra.Limiter{}))
	l, c := newAt(t, t0, ratelimit.PerSecond(1_000_000_007), 3)
	require.InDelta(t, 3, testing.AllocsPerRun(1, func() {
		c.Advance(time.Hour) // an allocation of the clock's
		if !l.Allow() {
			t.Error("refused")
		}
	})-1, 0, "the next frame")
}
