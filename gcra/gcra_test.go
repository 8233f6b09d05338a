package gcra_test

import (
	"fmt"
	"math"
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

// A limiter that is not fresh owes a tick at least when its rate has changed. That drains within
// the nanosecond.
func TestSetRateRoundsUpByATickAtMost(t *testing.T) {
	l, c := newAt(t, t0, ratelimit.PerSecond(7), 2)
	require.True(t, l.Allow())
	c.Set(t0.Add(142_857_143))
	require.Equal(t, 2, l.Peek(0).Remaining)
	require.NoError(t, l.SetRate(ratelimit.PerHour(1), 2))
	require.Equal(t, ratelimit.Decision{OK: true, Limit: 2, Remaining: 1, ResetAfter: 1}, l.Peek(0))
	c.Advance(1)
	require.Equal(t, ratelimit.Decision{OK: true, Limit: 2, Remaining: 2}, l.Peek(0))
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
