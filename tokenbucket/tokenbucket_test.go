package tokenbucket_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
	"time"
	"unsafe"

	"github.com/stretchr/testify/require"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/gcra"
	"github.com/seed-3506548a/ratelimit/internal/proof/bounds"
	"github.com/seed-3506548a/ratelimit/limittest"
	"github.com/seed-3506548a/ratelimit/tokenbucket"
)

// t0 to t9 are 100 ms apart.
var (
	t0 = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	t1 = t0.Add(100 * ms)
	t2 = t0.Add(200 * ms)
	t3 = t0.Add(300 * ms)
	t5 = t0.Add(500 * ms)
	t9 = t0.Add(900 * ms)
)

const ms = time.Millisecond

// bucket is what a Limiter and an Interval both are.
type bucket interface {
	ratelimit.Limiter
	ratelimit.Reserver
	ratelimit.Charger
	ratelimit.Delayer
	Peek(n int) ratelimit.Decision
	Tokens() int
	SetRate(rate ratelimit.Rate, capacity int) error
	SetRateAt(t time.Time, rate ratelimit.Rate, capacity int) error
	Rate() ratelimit.Rate
	Capacity() int
}

type construct func(ratelimit.Rate, int, ...ratelimit.Option) (bucket, error)

func continuous(rate ratelimit.Rate, capacity int, opts ...ratelimit.Option) (bucket, error) {
	return tokenbucket.New(rate, capacity, opts...)
}

func interval(rate ratelimit.Rate, capacity int, opts ...ratelimit.Option) (bucket, error) {
	return tokenbucket.NewInterval(rate, capacity, opts...)
}

// kinds are the two ways to refill.
var kinds = map[string]construct{"New": continuous, "NewInterval": interval}

func newAt(t testing.TB, construct construct, start time.Time, rate ratelimit.Rate, capacity int) (bucket, *limittest.Clock) {
	c := limittest.NewClock(start)
	l, err := construct(rate, capacity, ratelimit.WithClock(c))
	require.NoError(t, err)
	return l, c
}

// step is one request: the time, how many tokens are asked for, and the answer.
type step struct {
	at         time.Time
	n          int
	ok         bool
	remaining  int
	retryAfter time.Duration
	resetAfter time.Duration
}

func play(t *testing.T, l bucket, steps []step) {
	t.Helper()
	for i, s := range steps {
		want := ratelimit.Decision{
			OK: s.ok, Limit: l.Capacity(), Remaining: s.remaining, RetryAfter: s.retryAfter, ResetAfter: s.resetAfter}
		require.Equal(t, want, l.PeekAt(s.at, s.n), "step %d, peek", i)
		require.Equal(t, want, l.TakeAt(s.at, s.n), "step %d", i)
	}
}

func TestTokensComeBackOneByOne(t *testing.T) {
	l, _ := newAt(t, continuous, t0, ratelimit.PerSecond(10), 3)
	play(t, l, []step{
		{t0, 3, true, 0, 0, 300 * ms},
		{t1, 2, false, 1, 100 * ms, 200 * ms},
		{t2, 2, true, 0, 0, 300 * ms},
		{t9, 0, true, 3, 0, 0},
	})
}

func TestTokensComeBackInBatches(t *testing.T) {
	l, _ := newAt(t, interval, t0, ratelimit.Per(2, 200*ms), 5)
	play(t, l, []step{
		{t1, 1, true, 4, 0, 200 * ms}, // the interval begins when a full bucket is drawn on
		{t2, 4, true, 0, 0, 500 * ms}, // 5 are missing: they need three batches
		{t2, 1, false, 0, 100 * ms, 500 * ms},
		{t3.Add(-1), 1, false, 0, 1, 400*ms + 1},
		{t3, 3, false, 2, 200 * ms, 400 * ms}, // the first batch
		{t3, 2, true, 0, 0, 600 * ms},
		{t5, 0, true, 2, 0, 400 * ms},
		{t9, 5, true, 0, 0, 600 * ms}, // full again: a new interval
		{t5, 1, false, 0, 600 * ms, 1000 * ms},
	})
}

func TestAnIntervalMayHoldMoreThanTheBucket(t *testing.T) {
	l, _ := newAt(t, interval, t0, ratelimit.Per(100, 200*ms), 3)
	play(t, l, []step{
		{t0, 3, true, 0, 0, 200 * ms},
		{t1, 1, false, 0, 100 * ms, 100 * ms},
		{t2, 3, true, 0, 0, 200 * ms},
		{t1, 3, false, 0, 300 * ms, 300 * ms},
	})
}

func TestTokens(t *testing.T) {
	for name, construct := range kinds {
		t.Run(name, func(t *testing.T) {
			l, c := newAt(t, construct, t0, ratelimit.PerSecond(10), 20)
			require.Equal(t, 20, l.Tokens())
			require.True(t, l.Take(15).OK)
			require.Equal(t, 5, l.Tokens())
			c.Set(t0.Add(time.Second))
			require.Equal(t, 15, l.Tokens())
			require.Equal(t, 20, l.Capacity())
			require.Equal(t, ratelimit.PerSecond(10), l.Rate())
		})
	}
}

// An interval that starts again when some of its first tokens are put back does not take back the
// others, and ends later than without them: batches come at other times.
func TestRefundOfAPartOfTheFirst(t *testing.T) {
	l, c := newAt(t, interval, t0, ratelimit.PerSecond(5), 5)
	without, _ := newAt(t, interval, t0, ratelimit.PerSecond(5), 5)
	require.True(t, l.Take(2).OK)
	require.True(t, without.TakeAt(t0, 1).OK)
	c.Set(t0.Add(500 * ms))
	l.RefundAt(c.Now(), 1, 500*ms)
	require.Equal(t, ratelimit.Decision{OK: true, Limit: 5, Remaining: 4, ResetAfter: time.Second}, l.Peek(0))
	c.Advance(100 * ms)
	l.RefundAt(c.Now(), 1, 600*ms)
	require.Equal(t, ratelimit.Decision{OK: true, Limit: 5, Remaining: 4, ResetAfter: 900 * ms}, l.Peek(0))

	c.Set(t0.Add(1200 * ms))
	require.True(t, l.Take(3).OK)
	require.True(t, without.TakeAt(c.Now(), 3).OK, "it is full, and this starts an interval")
	c.Set(t0.Add(1500 * ms))
	require.True(t, l.Take(5).OK)
	require.False(t, without.TakeAt(c.Now(), 5).OK)
}

func TestRefundInAnInterval(t *testing.T) {
	l, c := newAt(t, interval, t0, ratelimit.Per(2, 200*ms), 4)
	require.True(t, l.TakeAt(t0, 2).OK)
	require.True(t, l.TakeAt(t1, 2).OK)
	c.Set(t1)
	l.RefundAt(t1, 1, 0)
	require.Equal(t, 1, l.Tokens())
	require.Equal(t, 300*ms, l.Peek(0).ResetAfter)
	l.RefundAt(t1, 2, 100*ms) // they began the interval, so it begins anew
	require.Equal(t, 3, l.Tokens())
	require.Equal(t, 200*ms, l.Peek(0).ResetAfter)
	l.RefundAt(t1, 2, 0)
	require.Equal(t, 4, l.Tokens(), "no more than is missing")
	require.True(t, l.TakeAt(t1, 1).OK)
	c.Set(t3)
	l.RefundAt(t3, 1, 200*ms)
	require.Equal(t, 4, l.Tokens())
	require.True(t, l.Take(4).OK)
	require.Equal(t, 400*ms, l.Peek(0).ResetAfter, "what has come back by itself is not put back")
}

func TestReserveInAnInterval(t *testing.T) {
	l, c := newAt(t, interval, t0, ratelimit.Per(2, 200*ms), 2)
	require.True(t, l.Take(1).OK)
	var reservations []ratelimit.Reservation
	for _, act := range []time.Time{t0, t2, t2, t2.Add(200 * ms)} {
		r, d := l.ReserveAt(t0, 1, time.Second)
		require.True(t, d.OK)
		require.Equal(t, act, r.ActAt())
		reservations = append(reservations, r)
	}
	r, d := l.ReserveAt(t0, 2, 500*ms)
	require.Nil(t, r)
	require.Equal(t, 100*ms, d.RetryAfter, "they come back after 600 ms, and 500 were allowed")
	require.False(t, l.TakeAt(t2, 1).OK)
	reservations[1].Cancel()
	require.False(t, l.TakeAt(t2, 1).OK, "its interval is over in the books: somebody reserved in the next")
	reservations[3].Cancel()
	c.Set(t2)
	require.Zero(t, l.Tokens(), "two are used now")
	reservations[2].Cancel()
	require.Equal(t, 1, l.Tokens(), "with nobody behind, it is back")
	c.Set(t2.Add(200 * ms))
	require.Equal(t, 2, l.Tokens())
}

func TestSetRateOfAnInterval(t *testing.T) {
	l, c := newAt(t, interval, t0, ratelimit.Per(2, 200*ms), 4)
	require.True(t, l.Take(4).OK)
	c.Set(t3)
	require.NoError(t, l.SetRate(ratelimit.Per(1, 200*ms), 6))
	require.Equal(t, ratelimit.Decision{OK: true, Limit: 6, Remaining: 4, ResetAfter: 300 * ms}, l.Peek(0),
		"two were missing, and still are, the next batch comes when it would have")
	require.NoError(t, l.SetRate(ratelimit.Per(1, 200*ms), 1))
	require.Equal(t, 100*ms+200*ms, l.Peek(1).RetryAfter, "two of one are missing")
	l.RefundAt(t3, 1, 0)
	require.Equal(t, 300*ms, l.Peek(0).ResetAfter, "tokens taken before are not put back in this interval")
	require.NoError(t, l.SetRate(ratelimit.Per(0, 200*ms), 1))
	c.Set(t9)
	require.Equal(t, ratelimit.Decision{RetryAfter: ratelimit.Never, ResetAfter: ratelimit.Never}, l.Take(1))
	require.NoError(t, l.SetRate(ratelimit.Per(5, 200*ms), 3))
	require.Equal(t, ratelimit.Decision{OK: true, Limit: 3, Remaining: 1, ResetAfter: 100 * ms}, l.Peek(0))

	require.EqualError(t, l.SetRate(ratelimit.PerSecond(5), 3),
		"tokenbucket.Interval.SetRate: rate.Per is 1s, want 200ms, as the limiter was made: only Events can change")
	require.EqualError(t, l.SetRateAt(t9, ratelimit.Per(-1, 200*ms), 3), "tokenbucket.Interval.SetRateAt: rate.Events is -1, want 0 to 2147483647")
	require.Equal(t, ratelimit.Per(5, 200*ms), l.Rate(), "an error changes nothing")
}

// New grants the same traffic as gcra.New: a million operations, every field of every Decision.
func TestSameAsGCRA(t *testing.T) {
	random := rand.New(rand.NewPCG(5, 6))
	compared := 0
	for compared < 1_000_000 {
		rate := []ratelimit.Rate{
			ratelimit.PerSecond(7), ratelimit.PerMinute(90), ratelimit.PerSecond(1_000_000_007), ratelimit.PerDay(1), ratelimit.PerSecond(10),
		}[random.IntN(5)]
		size := 1 + random.IntN(5)
		tokens, c := newAt(t, continuous, t0, rate, size)
		limiter, err := gcra.New(rate, size, ratelimit.WithClock(c))
		require.NoError(t, err)
		now := t0
		each := rate.Per/time.Duration(rate.Events) + 1
		for range 1000 {
			now = now.Add(time.Duration(random.Int64N(int64(2*each))) - each/3)
			c.Set(now)
			n := random.IntN(size+3) - 1
			var a, b ratelimit.Decision
			switch random.IntN(6) {
			case 0:
				tokens.RefundAt(now, n, each/2)
				limiter.RefundAt(now, n, each/2)
			case 1:
				_, a = tokens.ReserveAt(now, n, each)
				_, b = limiter.ReserveAt(now, n, each)
			case 2:
				a, b = tokens.Take(n), limiter.Take(n)
			case 3:
				a.OK, b.OK = tokens.Allow(), limiter.Allow()
			default:
				a, b = tokens.TakeAt(now, n), limiter.TakeAt(now, n)
			}
			if a != b || tokens.Peek(1) != limiter.Peek(1) {
				require.Equal(t, b, a, "%v", rate)
				require.Equal(t, limiter.Peek(1), tokens.Peek(1), "%v", rate)
			}
			compared++
		}
	}
}

func TestBound(t *testing.T) {
	for _, rate := range []ratelimit.Rate{
		ratelimit.PerSecond(7), ratelimit.PerMinute(90), ratelimit.Per(1000, 5*time.Minute), ratelimit.PerDay(1), ratelimit.Per(3, 2),
	} {
		for _, capacity := range []int{3, 10} {
			t.Run(fmt.Sprintf("%v capacity %d", rate, capacity), func(t *testing.T) {
				step := max(4, rate.Per/time.Duration(rate.Events))
				require.NoError(t, limittest.TestBound(func(opts ...ratelimit.Option) (ratelimit.Limiter, error) {
					return tokenbucket.New(rate, capacity, opts...)
				}, step, bounds.Bucket(rate, capacity).Int))
				refill := ratelimit.Per(min(rate.Events, capacity), rate.Per) // what there is room for
				require.NoError(t, limittest.TestBound(func(opts ...ratelimit.Option) (ratelimit.Limiter, error) {
					return tokenbucket.NewInterval(rate, capacity, opts...)
				}, max(4, rate.Per), bounds.Interval(refill, capacity).Int))
			})
		}
	}
}

func TestConform(t *testing.T) {
	for name, construct := range kinds {
		t.Run(name, func(t *testing.T) {
			build := func(opts ...ratelimit.Option) (ratelimit.Limiter, error) {
				return construct(ratelimit.PerSecond(10), 5, opts...)
			}
			require.NoError(t, limittest.TestLimiter(build))
			require.NoError(t, limittest.TestAllocations(build))
		})
	}
}

func TestArguments(t *testing.T) {
	_, err := tokenbucket.New(ratelimit.PerSecond(1), 0)
	require.EqualError(t, err, "tokenbucket.New: capacity is 0, want 1 to 2147483647")
	for _, row := range []struct {
		rate     ratelimit.Rate
		capacity int
		want     string
	}{
		{ratelimit.PerSecond(-1), 1, "tokenbucket.NewInterval: rate.Events is -1, want 0 to 2147483647"},
		{ratelimit.Per(1, 0), 1, "tokenbucket.NewInterval: rate.Per is 0s, want more than 0s"},
		{ratelimit.Per(1, 1<<58+1), 1, "tokenbucket.NewInterval: rate.Per is 80063h59m36.151711745s, want at most 2^58 ns (9 years)"},
		{ratelimit.PerSecond(1), 0, "tokenbucket.NewInterval: capacity is 0, want 1 to 2147483647"},
		{ratelimit.PerSecond(1), math.MaxInt32,
			"tokenbucket.NewInterval: capacity is 2147483647, want at most 33554431 at this rate, or its state does not fit into a word"},
	} {
		_, err := tokenbucket.NewInterval(row.rate, row.capacity)
		require.EqualError(t, err, row.want)
	}
	for _, row := range []struct {
		rate     ratelimit.Rate
		capacity int
	}{
		{ratelimit.Every(1 << 58), 1},
		{ratelimit.Every(1), 1},
		{ratelimit.PerSecond(math.MaxInt32), math.MaxInt32},
		{ratelimit.PerDay(math.MaxInt32), math.MaxInt32},
		{ratelimit.PerDay(0), math.MaxInt32},
		{ratelimit.Per(1790, 2048), 1 << 30}, // on a grid of 2 ns: no coarser than a 1024th
	} {
		_, err := tokenbucket.NewInterval(row.rate, row.capacity)
		require.NoError(t, err, "%v", row.rate)
	}
}

// What a limiter costs is in the package documentation.
func TestSize(t *testing.T) {
	if unsafe.Sizeof(uintptr(0)) != 8 {
		t.Skip("counted on 64-bit platforms")
	}
	require.EqualValues(t, 128, unsafe.Sizeof(tokenbucket.Limiter{}))
	require.EqualValues(t, 128, unsafe.Sizeof(tokenbucket.Interval{}))
}
