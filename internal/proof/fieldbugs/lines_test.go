package fieldbugs_test

import (
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/gcra"
	"github.com/seed-3506548a/ratelimit/keyed"
	"github.com/seed-3506548a/ratelimit/limittest"
	"github.com/seed-3506548a/ratelimit/tokenbucket"
)

// Sidekiq, sidekiq/sidekiq#5315: some waiters lose every race.
//
// All waiters got the same wait, and raced when it was over.
func TestSidekiqSomeWaitersLoseAgainAndAgain(t *testing.T) {
	eachWaiting(t, limiters, ratelimit.PerSecond(1), 1, func(t *testing.T, l ratelimit.Limiter, _ limiter) {
		var mutex sync.Mutex
		var served []int
		var all sync.WaitGroup
		for i := range 100 {
			all.Go(func() {
				if ratelimit.Wait(t.Context(), l, 1) == nil {
					mutex.Lock()
					defer mutex.Unlock()
					served = append(served, i)
				}
			})
			synctest.Wait()
		}
		all.Wait()
		require.True(t, slices.IsSorted(served), served)
		require.Len(t, served, 100)
	})
}

// rustcommon, pelikan-io/rustcommon#129: small requests starve large ones.
//
// They took each token as it came, so the large ones never had enough.
func TestPelikanCheapCallsStarveDearOnes(t *testing.T) {
	eachWaiting(t, limiters, ratelimit.Per(10, 10*time.Second), 10, func(t *testing.T, l ratelimit.Limiter, _ limiter) {
		require.True(t, l.Take(10).OK)
		var mutex sync.Mutex
		served, order := 0, 0
		var all sync.WaitGroup
		for i := range 20 {
			n := 1
			if i == 5 {
				n = 10
			}
			all.Go(func() {
				if ratelimit.Wait(t.Context(), l, n) == nil {
					mutex.Lock()
					defer mutex.Unlock()
					served++
					if n > 1 {
						order = served
					}
				}
			})
			synctest.Wait()
		}
		all.Wait()
		require.Equal(t, 6, order, "after the five who came before")
	})
}

// shapeio, fujiwara/shapeio#5: a change of the rate does not reach a wait.
//
// A wait that had begun went on at the old rate.
func TestShapeioAChangeDoesNotReachAWait(t *testing.T) {
	eachWaiting(t, limiters, ratelimit.PerHour(1), 1, func(t *testing.T, l ratelimit.Limiter, row limiter) {
		if row.name == "all" || strings.HasPrefix(row.name, "keyed ") || row.name == "burst" {
			t.Skip("has no rate of its own")
		}
		require.True(t, l.Allow())
		begin := time.Now()
		time.AfterFunc(time.Minute, func() {
			switch l := l.(type) {
			case interface {
				SetRate(rate ratelimit.Rate, size int) error
			}:
				_ = l.SetRate(ratelimit.PerHour(2), 2)
			case interface {
				SetRate(rate ratelimit.Rate) error
			}:
				_ = l.SetRate(ratelimit.PerHour(2))
			}
		})
		require.NoError(t, ratelimit.Wait(t.Context(), l, 1))
		require.Equal(t, time.Minute, time.Since(begin))
	})
}

// GoCryptoTrader, thrasher-corp/gocryptotrader#2363: a nanosecond of rounding keeps cancelled
// reservations.
//
// They were cancelled in reverse order, and all but the last stayed charged.
func TestGoCryptoTraderANanosecondLosesReservations(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 1000 {
		rate, c := ratelimit.Per(1+random.IntN(1000), time.Minute), limittest.NewClock(start)
		l := ratelimit.Must(gcra.New(rate, 1, ratelimit.WithClock(c)))
		var all []ratelimit.Reservation
		for range 3 {
			r, d := l.ReserveAt(start, 1, time.Hour*24)
			require.True(t, d.OK)
			all = append(all, r)
		}
		for _, r := range slices.Backward(all) {
			r.CancelAt(start)
		}
		require.True(t, l.Allow(), rate)
		require.False(t, l.Allow(), rate)
	}
}

// printing-press, mvanhorn/cli-printing-press#4441: a cancelled slot is given back by another
// reservation.
//
// Two waits reserved, and gave up in the order in which they had come: the second gave back the
// slot of the first.
func TestPrintingPressACancelledSlotComesBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := ratelimit.Must(tokenbucket.New(ratelimit.PerSecond(1), 1))
		require.True(t, l.Allow())
		first, _ := l.ReserveAt(time.Now(), 1, time.Hour)
		second, _ := l.ReserveAt(time.Now(), 1, time.Hour)
		first.Cancel()
		second.Cancel()
		require.Equal(t, 2*time.Second, l.Peek(1).RetryAfter, "the first had somebody behind it: the second only came back")
	})
}

// Temporal, temporalio/temporal#7590: a token that is given back is granted twice.
//
// It served a waiter, and went back to the limiter as well.
func TestTemporalARecycledTokenServesTwice(t *testing.T) {
	c := limittest.NewClock(start)
	l := ratelimit.Must(gcra.New(ratelimit.PerHour(1), 2, ratelimit.WithClock(c)))
	one, _ := l.ReserveAt(start, 1, 0)
	two, _ := l.ReserveAt(start, 1, 0)
	one.Refund()
	one.Refund()
	one.Cancel()
	require.True(t, l.Allow())
	require.False(t, l.Allow(), "one came back")
	two.Refund()
	require.True(t, l.Allow())
	require.False(t, l.Allow())
}

// dskit, grafana/dskit#1007: a request that one tenant's limit refuses stays charged to another's.
//
// The limits of several tenants could not be charged together.
func TestDskitARefusalStaysChargedToTheOtherTenant(t *testing.T) {
	clock := limittest.NewClock(start)
	full := ratelimit.Must(keyed.NewGCRA[string](ratelimit.PerHour(1), 1, 10, keyed.WithClock(clock)))
	other := ratelimit.Must(keyed.NewGCRA[string](ratelimit.PerHour(10), 10, 10, keyed.WithClock(clock)))
	require.True(t, full.Allow("tenant"))
	same := func(tenant string) string { return tenant }
	both := ratelimit.Must(keyed.NewGroup(keyed.By(other, same), keyed.By(full, same)))
	for range 10 {
		require.False(t, both.Allow("tenant"))
	}
	require.Equal(t, 10, other.PeekAt(start, "tenant", 0).Remaining)
}
