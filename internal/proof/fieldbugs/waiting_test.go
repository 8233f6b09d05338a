package fieldbugs_test

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/internal/proof/bounds"
)

// gkit, songzhibin97/gkit#134: a wait that was cancelled before it began takes a token.
//
// It returned no error if there was a token.
func TestGkitAWaitCancelledBeforeTakesAToken(t *testing.T) {
	eachWaiting(t, limiters, ratelimit.PerMinute(1), 1, func(t *testing.T, l ratelimit.Limiter, _ limiter) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		require.ErrorIs(t, ratelimit.Wait(ctx, l, 1), context.Canceled)
		require.True(t, l.Allow())
	})
}

// rreading-glasses, blampe/rreading-glasses#452: a cancelled wait keeps its token.
//
// The more waits were given up, the longer the others took.
func TestRreadingGlassesACancelledWaitKeepsItsToken(t *testing.T) {
	eachWaiting(t, limiters, ratelimit.PerMinute(1), 1, func(t *testing.T, l ratelimit.Limiter, _ limiter) {
		require.True(t, l.Allow())
		begin, due := time.Now(), l.PeekAt(time.Now(), 1).RetryAfter
		for range 20 {
			ctx, cancel := context.WithCancel(t.Context())
			time.AfterFunc(time.Second, cancel)
			require.ErrorIs(t, ratelimit.Wait(ctx, l, 1), context.Canceled)
		}
		require.NoError(t, ratelimit.Wait(t.Context(), l, 1))
		require.Equal(t, due, time.Since(begin))
	})
}

// .NET, dotnet/runtime#77180: a cancelled waiter blocks the next one.
//
// A cancelled wait for 2 stayed first in the queue, so a later one for 1 waited until 2 were free.
func TestDotnetACancelledWaiterBlocksTheNext(t *testing.T) {
	eachWaiting(t, limiters, ratelimit.Per(3, 3*time.Minute), 3, func(t *testing.T, l ratelimit.Limiter, _ limiter) {
		require.True(t, l.Take(3).OK)
		begin, due := time.Now(), l.PeekAt(time.Now(), 1).RetryAfter
		ctx, cancel := context.WithCancel(t.Context())
		first := make(chan error, 1)
		go func() { first <- ratelimit.Wait(ctx, l, 2) }()
		synctest.Wait()
		cancel()
		require.ErrorIs(t, <-first, context.Canceled)
		require.NoError(t, ratelimit.Wait(t.Context(), l, 1))
		require.Equal(t, due, time.Since(begin))
	})
}

// .NET, dotnet/runtime#74056: one a second takes one and a half seconds.
//
// 25 waiters at once took one and a half seconds each.
func TestDotnetOneASecondTakesOneAndAHalf(t *testing.T) {
	eachWaiting(t, limiters, ratelimit.PerSecond(1), 1, func(t *testing.T, l ratelimit.Limiter, row limiter) {
		begin := time.Now()
		var all sync.WaitGroup
		for range 25 {
			all.Go(func() { _ = ratelimit.Wait(t.Context(), l, 1) })
		}
		all.Wait()
		if row.name == "counter" {
			require.Equal(t, 24*1100*ms, time.Since(begin))
			return
		}
		require.Equal(t, 24*time.Second, time.Since(begin))
	})
}

// Redisson, redisson/redisson#1524: an acquire blocks for ever.
//
// One in 5 s: the second of ten never returned.
func TestRedissonAnAcquireBlocksForEver(t *testing.T) {
	eachWaiting(t, limiters.except("counter"), ratelimit.Every(5*time.Second), 1, func(t *testing.T, l ratelimit.Limiter, _ limiter) {
		begin := time.Now()
		for range 10 {
			require.NoError(t, ratelimit.Wait(t.Context(), l, 1))
		}
		require.Equal(t, 45*time.Second, time.Since(begin))
		require.False(t, l.Allow())
	})
}

// ratelimiter (Python), RazerM/ratelimiter#15: the time that the work takes is waited for once
// more.
//
// One a second, and work that takes a second: the limiter then waited for another second.
func TestRatelimiterTheWorkIsWaitedForToo(t *testing.T) {
	eachWaiting(t, limiters.except("counter"), ratelimit.PerSecond(1), 1, func(t *testing.T, l ratelimit.Limiter, _ limiter) {
		begin := time.Now()
		for i := range time.Duration(5) {
			require.NoError(t, ratelimit.Wait(t.Context(), l, 1))
			require.Equal(t, i*time.Second, time.Since(begin))
			time.Sleep(time.Second)
		}
	})
}

// tower, tower-rs/tower#454: only the last waiter is woken.
//
// There were six.
func TestTowerOnlyTheLastWaiterIsWoken(t *testing.T) {
	eachWaiting(t, limiters, ratelimit.PerSecond(1), 1, func(t *testing.T, l ratelimit.Limiter, _ limiter) {
		results := make(chan error, 6)
		for range 6 {
			go func() { results <- ratelimit.Wait(t.Context(), l, 1) }()
		}
		time.Sleep(6 * time.Second)
		synctest.Wait()
		require.Len(t, results, 6)
		for range 6 {
			require.NoError(t, <-results)
		}
	})
}

// tower-resilience, joshrotenberg/tower-resilience#363: a caller that has to wait twice is granted
// after the first wait.
func TestTowerResilienceASecondWaitCountsAsGranted(t *testing.T) {
	const size = 3
	rate := ratelimit.PerSecond(size)
	eachWaiting(t, limiters, rate, size, func(t *testing.T, l ratelimit.Limiter, row limiter) {
		grants := make([]bounds.Grant, 30)
		var all sync.WaitGroup
		for i := range grants {
			all.Go(func() {
				_ = ratelimit.Wait(t.Context(), l, 1)
				grants[i] = bounds.Grant{At: time.Now(), N: 1}
			})
		}
		all.Wait()
		bounds.Require(t, grants, row.bound(rate, size))
	})
}

// TypeAgent, microsoft/TypeAgent#2827: a wait sleeps past its deadline.
//
// With a deadline of 25 ms, it slept for 1002 ms.
func TestTypeAgentAWaitSleepsPastItsDeadline(t *testing.T) {
	eachWaiting(t, limiters, ratelimit.PerMinute(1), 1, func(t *testing.T, l ratelimit.Limiter, _ limiter) {
		require.True(t, l.Allow())
		begin := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), 25*ms)
		defer cancel()
		require.ErrorIs(t, ratelimit.Wait(ctx, l, 1), context.DeadlineExceeded)
		require.Equal(t, begin, time.Now(), "as it can be known at once")
	})
}

// projectdiscovery/ratelimit, projectdiscovery/ratelimit#167: a wait goes on after its context has
// been cancelled.
func TestProjectDiscoveryAWaitOutlivesItsContext(t *testing.T) {
	eachWaiting(t, limiters, ratelimit.PerHour(1), 1, func(t *testing.T, l ratelimit.Limiter, _ limiter) {
		require.True(t, l.Allow())
		begin := time.Now()
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(10*time.Second, cancel)
		require.ErrorIs(t, ratelimit.Wait(ctx, l, 1), context.Canceled)
		require.Equal(t, 10*time.Second, time.Since(begin))
	})
}

// AWS SDK for C++, aws/aws-sdk-cpp#3338: a wait after six idle days never ends.
//
// The refill overflowed.
func TestAWSSDKAWaitAfterSixDaysNeverEnds(t *testing.T) {
	eachWaiting(t, limiters, ratelimit.PerSecond(250_000), 250_000, func(t *testing.T, l ratelimit.Limiter, _ limiter) {
		for range 3 {
			require.True(t, l.Take(250_000).OK)
			time.Sleep(7 * 24 * time.Hour)
			begin := time.Now()
			require.NoError(t, ratelimit.Wait(t.Context(), l, 250_000))
			require.Equal(t, begin, time.Now())
			time.Sleep(time.Hour)
		}
	})
}

// x/time/rate, golang/go#16854: without a limit, a wait for more than the burst is an error.
//
// Where there is a limit it is one, and at once.
func TestXTimeRateAWaitWithoutALimitIsRefused(t *testing.T) {
	require.NoError(t, ratelimit.Wait(t.Context(), ratelimit.Unlimited(), 1_000_000_000))
	eachWaiting(t, limiters, ratelimit.PerSecond(2), 2, func(t *testing.T, l ratelimit.Limiter, _ limiter) {
		begin := time.Now()
		require.ErrorIs(t, ratelimit.Wait(t.Context(), l, 3), ratelimit.ErrNever)
		require.Equal(t, begin, time.Now())
		require.True(t, l.Take(2).OK)
	})
}

// hasty is the system's clock, whose timers fire too early.
type hasty struct{ ratelimit.SystemClock }

func (hasty) After(d time.Duration) <-chan time.Time { return time.After((d + 1) / 2) }

// asynciolimiter, bharel/asynciolimiter#14: a timer that fires early is an error.
//
// A coarse clock woke the limiter two intervals early, and an assertion failed.
func TestAsyncioLimiterATimerThatFiresEarlyIsAnError(t *testing.T) {
	const size = 2
	rate := ratelimit.PerMinute(size)
	for _, row := range limiters {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := ratelimit.Must(row.build(rate, size, hasty{}))
				var grants []bounds.Grant
				for range 10 {
					require.NoError(t, ratelimit.Wait(t.Context(), l, 1))
					grants = append(grants, bounds.Grant{At: time.Now(), N: 1})
				}
				bounds.Require(t, grants, row.bound(rate, size))
			})
		})
	}
}
