package ratelimit_test

import (
	"fmt"
	"math"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/benbjohnson/clock"
	"github.com/stretchr/testify/require"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/gcra"
	"github.com/seed-3506548a/ratelimit/internal/proof/allocations"
	"github.com/seed-3506548a/ratelimit/limittest"
	"github.com/seed-3506548a/ratelimit/slidingwindow"
)

// A language model's limits: 60 requests and 90,000 tokens a minute.
func ExampleComposite() {
	mock := clock.NewMock() // in a program: no clock, the limiters take the system's
	with := ratelimit.WithClock(mock)
	both := ratelimit.Must(ratelimit.All(
		ratelimit.Must(gcra.New(ratelimit.PerMinute(60), 10, with)),
		ratelimit.Must(gcra.New(ratelimit.PerMinute(90_000), 6_000, with)),
	)).(ratelimit.Composite)
	for range 5 {
		d := both.TakeEach(mock.Now(), 1, 1_500)
		fmt.Println(d.OK, d.Remaining, d.RetryAfter)
	}
	// Output:
	// true 3 0s
	// true 2 0s
	// true 1 0s
	// true 0 0s
	// false 0 1s
}

func TestTakeEach(t *testing.T) {
	c := limittest.NewClock(t0)
	with := ratelimit.WithClock(c)
	requests := ratelimit.Must(slidingwindow.NewLog(ratelimit.PerMinute(3), with))
	tokens := ratelimit.Must(gcra.New(ratelimit.PerSecond(1000), 5000, with))
	l := ratelimit.Must(ratelimit.All(requests, tokens)).(ratelimit.Composite)
	fresh := ratelimit.Decision{OK: true, Limit: 3, Remaining: 3}
	never := func(by int) ratelimit.Decision {
		return ratelimit.Decision{Limit: 3, Remaining: 3, RetryAfter: ratelimit.Never, By: by}
	}
	require.Equal(t, never(0), l.TakeEach(t0))
	require.Equal(t, never(0), l.TakeEach(t0, 1))
	require.Equal(t, never(0), l.TakeEach(t0, 1, 1, 1))
	require.Equal(t, never(1), l.TakeEach(t0, 1, -1))
	require.Equal(t, never(0), l.TakeEach(t0, math.MinInt, -1))
	require.Equal(t, fresh, l.TakeEach(t0, 0, 0), "asks nothing")
	require.Equal(t, fresh, l.PeekAt(t0, 0), "nothing was charged")

	require.Equal(t, ratelimit.Decision{OK: true, Limit: 2, Remaining: 1, ResetAfter: time.Minute, By: 1}, l.TakeEach(t0, 1, 2000))
	require.Equal(t, ratelimit.Decision{Limit: 1, Remaining: 0, RetryAfter: time.Second, ResetAfter: time.Minute, By: 1}, l.TakeEach(t0, 1, 4000))
	require.Equal(t, 2, requests.Peek(0).Remaining, "all or none")
	require.Equal(t, ratelimit.Decision{OK: true, Limit: 500, Remaining: 299, ResetAfter: time.Minute, By: 1}, l.TakeEach(t0, 0, 10), "of one only")
	require.Equal(t, ratelimit.Decision{Limit: 0, Remaining: 0, RetryAfter: ratelimit.Never, ResetAfter: time.Minute, By: 1}, l.TakeEach(t0, 1, 5001))
	l.RefundEach(t0, 0, 0)
	l.RefundEach(t0, 0, 1, 2000)
	require.Equal(t, 3, requests.Peek(0).Remaining)
	require.Equal(t, 4990, tokens.Peek(0).Remaining)
}

// A lost race gives each member back what it was charged, and not what another was.
func TestTakeEachGivesBackAfterALostRace(t *testing.T) {
	c := limittest.NewClock(t0)
	bucket := func(burst int) *gcra.Limiter {
		return ratelimit.Must(gcra.New(ratelimit.PerSecond(1), burst, ratelimit.WithClock(c)))
	}
	first, second, third := bucket(10), bucket(1000), bucket(5)
	l := ratelimit.Must(ratelimit.All(first, second, meddler{third, func() {
		require.Equal(t, 7, first.Peek(0).Remaining, "charged meanwhile")
		require.Equal(t, 300, second.Peek(0).Remaining)
		third.Take(1)
	}})).(ratelimit.Composite)
	require.Equal(t,
		ratelimit.Decision{Limit: 1, Remaining: 0, RetryAfter: time.Second, ResetAfter: time.Second, By: 2}, l.TakeEach(t0, 3, 700, 5))
	require.Equal(t, 10, first.Peek(0).Remaining)
	require.Equal(t, 1000, second.Peek(0).Remaining)
	require.Equal(t, 4, third.Peek(0).Remaining, "of the one who was faster")
}

// What cannot have been granted gives nothing back, of no member.
func TestRefundEachOfNonsense(t *testing.T) {
	c := limittest.NewClock(t0)
	with := ratelimit.WithClock(c)
	l := ratelimit.Must(ratelimit.All(
		ratelimit.Must(gcra.New(ratelimit.PerSecond(1), 10, with)),
		ratelimit.Must(gcra.New(ratelimit.PerSecond(1), 10, with)),
	)).(ratelimit.Composite)
	charged := l.TakeEach(t0, 4, 4)
	for _, costs := range [][]int{nil, {4}, {4, 4, 4}, {4, -1}, {-1, 4}, {math.MinInt, math.MinInt}, {0, 0}} {
		l.RefundEach(t0, 0, costs...)
		require.Equal(t, 6, l.PeekAt(t0, 0).Remaining, costs)
	}
	l.RefundEach(t0, -1, 4, 4)
	require.Equal(t, charged.ResetAfter, l.PeekAt(t0, 0).ResetAfter)
	l.RefundEach(t0, 0, 4, 0)
	require.Equal(t, ratelimit.Decision{OK: true, Limit: 10, Remaining: 6, ResetAfter: 4 * time.Second, By: 1}, l.PeekAt(t0, 0), "of one only")
	require.Equal(t, ratelimit.Decision{Limit: 0, Remaining: 0, RetryAfter: ratelimit.Never, ResetAfter: 4 * time.Second, By: 0},
		l.TakeEach(t0, math.MaxInt, 1))
}

// Together, callers with costs of their own get all that there is of the member that binds, and no
// more of any.
func TestTakeEachUnderLoad(t *testing.T) {
	const n = 20_000
	c := limittest.NewClock(t0)
	with := ratelimit.WithClock(c)
	first := ratelimit.Must(gcra.New(ratelimit.PerDay(1), n, with))
	second := ratelimit.Must(slidingwindow.NewCounter(ratelimit.PerDay(n), 10, with))
	third := ratelimit.Must(gcra.New(ratelimit.PerDay(1), n, with))
	l := ratelimit.Must(ratelimit.All(first, second, third)).(ratelimit.Composite)
	var kept [3]atomic.Int64
	var group sync.WaitGroup
	for caller := range 4 {
		group.Go(func() {
			costs := [3]int{1 + caller%2, 1 + caller/2, caller % 3}
			for turn, refused := 0, 0; refused < 10; turn++ {
				switch {
				case !l.TakeEach(t0, costs[:]...).OK:
					refused++
				case turn%4 == 0:
					l.RefundEach(t0, 0, costs[:]...)
				default:
					for i, cost := range costs {
						kept[i].Add(int64(cost))
					}
				}
			}
		})
	}
	group.Wait()
	least := n
	for i, member := range []ratelimit.Limiter{first, second, third} {
		remaining := member.PeekAt(t0, 0).Remaining
		require.Equal(t, n, int(kept[i].Load())+remaining, "member %d", i)
		least = min(least, remaining)
	}
	require.Less(t, least, 2, "at last, all were refused by a member that had too little left")
}

// With a list of costs that is kept.
func TestTakeEachAllocatesNothing(t *testing.T) {
	c := limittest.NewClock(t0)
	with := ratelimit.WithClock(c)
	l := ratelimit.Must(ratelimit.All(
		ratelimit.Must(gcra.New(ratelimit.PerSecond(1), 4000, with)),
		ratelimit.Must(slidingwindow.NewLog(ratelimit.PerSecond(10_000), with)),
	)).(ratelimit.Composite)
	costs, refused := []int{1, 2}, []int{1, 20_000}
	require.Zero(t, allocations.Count(func() {
		for range 1000 {
			require.True(t, l.TakeEach(t0, costs...).OK)
			l.RefundEach(t0, 0, costs...)
			require.False(t, l.TakeEach(t0, refused...).OK)
		}
	}))
}

// A member that is no Charger is charged what it grants.
func TestChargeOfAll(t *testing.T) {
	c := limittest.NewClock(t0)
	with := ratelimit.WithClock(c)
	charger := ratelimit.Must(gcra.New(ratelimit.PerSecond(1), 10, with))
	plain := struct{ ratelimit.Limiter }{ratelimit.Must(gcra.New(ratelimit.PerSecond(1), 10, with))}
	l := ratelimit.Must(ratelimit.All(charger, plain, ratelimit.Unlimited())).(ratelimit.Charger)
	require.Equal(t, ratelimit.Decision{OK: true, Limit: 10, Remaining: 6, ResetAfter: 4 * time.Second}, l.ChargeAt(t0, 4))
	require.Equal(t, ratelimit.Decision{OK: true, Limit: 10, Remaining: 6, ResetAfter: 4 * time.Second}, l.ChargeAt(t0, 0))
	require.Equal(t, ratelimit.Decision{Limit: 10, RetryAfter: 5 * time.Second, ResetAfter: 14 * time.Second}, l.ChargeAt(t0, 10))
	require.Equal(t, time.Second, plain.PeekAt(t0, 1).RetryAfter, "it owes no more than it grants")
	d := l.ChargeAt(t0, -1)
	require.False(t, d.OK)
	require.Equal(t, ratelimit.Never, d.RetryAfter)
	require.Equal(t, 14*time.Second, charger.Peek(0).ResetAfter)
}
