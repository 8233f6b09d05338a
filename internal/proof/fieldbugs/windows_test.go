package fieldbugs_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/internal/proof/bounds"
)

// unaligned are windows that do not begin before the first event.
var unaligned = limiters.named("anchored window", "log", "counter")

// go-chi/httprate: a late caller clears the new window.
//
// A caller with a time of the old window came after the first of the new one. It found that the
// window was not its own, and cleared the count.
func TestHTTPRateALateCallerClearsTheNewWindow(t *testing.T) {
	each(t, limiters, ratelimit.PerSecond(1), 1, func(t *testing.T, l *subject) {
		require.True(t, l.take(0, 1))
		next := l.exactWait(t, 0, 1)
		require.True(t, l.take(next, 1))
		require.False(t, l.take(next-1, 1))
		require.False(t, l.take(next, 1))
	})
}

// resilience4j: cycles of a rounded length grant too much.
func TestResilience4jCyclesOfARoundedLengthAdmitExtra(t *testing.T) {
	each(t, limiters, ratelimit.PerSecond(7), 7, func(t *testing.T, l *subject) {
		var grants []bounds.Grant
		for i := range 50_000 {
			now := l.at(time.Duration(i) * 100 * time.Microsecond)
			if l.TakeAt(now, 1).OK {
				grants = append(grants, bounds.Grant{At: now, N: 1})
			}
		}
		bounds.Require(t, grants, l.bound)
	})
}

// .NET, dotnet/runtime#101612: a fixed window doubles the rate at the start.
//
// 6 a second: 12 passed in the first second.
func TestDotnetAFixedWindowDoublesAtTheStart(t *testing.T) {
	each(t, unaligned, ratelimit.PerSecond(6), 6, func(t *testing.T, l *subject) {
		granted := 0
		for after := 600 * ms; after < 1600*ms; after += 5 * ms {
			if l.take(after, 1) {
				granted++
			}
		}
		require.Equal(t, 6, granted)
	})
}

// Bottleneck, SGrondin/bottleneck#153: windows begin when the limiter is made instead of at the
// first request.
//
// 5 a minute: just before the end of the limiter's first minute 5 passed, and a millisecond later 5
// more.
func TestBottleneckTheIntervalBeginsWhenTheLimiterIsMade(t *testing.T) {
	each(t, unaligned, ratelimit.PerMinute(5), 5, func(t *testing.T, l *subject) {
		require.Equal(t, 5, l.atOnce(time.Minute-ms))
		require.Equal(t, 0, l.atOnce(time.Minute))
		require.Equal(t, 0, l.atOnce(2*time.Minute-2*ms))
		require.Equal(t, 5, l.atOnce(2*time.Minute+6*time.Second))
	})
}

// limiter (npm), jhurliman/node-rate-limiter#25: tokens that come meanwhile exceed the limit of the
// window.
//
// 3 a minute, one taken each second: a bucket that dripped in the meantime made it 5.
func TestNodeRateLimiterADripExceedsTheMinute(t *testing.T) {
	each(t, limiters.only(atAnEdge, whenOver), ratelimit.PerMinute(3), 3, func(t *testing.T, l *subject) {
		require.Equal(t, 3, l.flood(time.Minute-1, time.Second))
	})
}

// Salvo, salvo-rs/salvo#1324: requests at a fixed distance stop the window.
//
// After a burst, requests a few cells apart left the same cells uncleared each time: the limiter
// refused for ever, however slow they were.
func TestSalvoAFixedDistanceStopsTheWindow(t *testing.T) {
	for cells := 2; cells <= 11; cells++ {
		each(t, limiters, ratelimit.PerSecond(10), 10, func(t *testing.T, l *subject) {
			l.atOnce(0)
			for i := 1; i < 60; i++ {
				ok := l.take(time.Duration(i*cells)*100*ms, 1)
				require.True(t, ok || i*cells <= 11, "a request each %d cells, at cell %d", cells, i*cells)
			}
		})
	}
}

// RateLimitJ, mokies/ratelimitj#24: the window never slides.
//
// Expired events were looked for by == instead of <=.
func TestRatelimitJAWindowNeverSlides(t *testing.T) {
	each(t, limiters.named("log"), ratelimit.PerSecond(2), 2, func(t *testing.T, l *subject) {
		for i := range time.Duration(10) {
			require.True(t, l.take(i*time.Second, 1))
			require.True(t, l.take(i*time.Second+500*ms, 1))
			require.False(t, l.take((i+1)*time.Second-1, 1))
		}
		require.True(t, l.take(time.Hour, 2))
	})
}

// ShenYu, apache/shenyu#6754: expired events are counted once more.
//
// They were removed after the count: the first request that they left room for was refused.
func TestShenyuExpiredEventsAreCountedOnceMore(t *testing.T) {
	each(t, limiters, ratelimit.PerSecond(10), 10, func(t *testing.T, l *subject) {
		require.True(t, l.take(0, 10))
		wait := l.TakeAt(l.at(0), 10).RetryAfter
		require.True(t, l.take(wait, 10), "at the first try")
	})
}

// Symfony, symfony/symfony#40141: a window of long ago counts below zero.
//
// More than the limit remained. And the next window was still in the past, so nothing was counted.
func TestSymfonyAWindowOfLongAgoCountsNegative(t *testing.T) {
	each(t, limiters, ratelimit.PerSecond(10), 10, func(t *testing.T, l *subject) {
		require.True(t, l.take(0, 10))
		for _, after := range []time.Duration{1500 * ms, 1000 * time.Second, 1e6*time.Second + 300*ms} {
			require.Equal(t, 10, l.state(after).Remaining)
			require.Equal(t, 10, l.atOnce(after))
			require.Equal(t, 0, l.state(after).Remaining)
		}
	})
}

// Symfony, symfony/symfony#43677: a window ends up to a second late.
//
// Time was cut to seconds: a window of 2 s that began at 1634992063.4999 lasted 3 s.
func TestSymfonyAWindowEndsASecondLate(t *testing.T) {
	eachAt(t, limiters, time.Unix(1634992063, 499_900_000), ratelimit.Per(5, 2*time.Second), 5, func(t *testing.T, l *subject) {
		require.True(t, l.take(0, 5))
		wait := l.exactWait(t, 0, 5)
		if l.row.name != "counter" {
			require.LessOrEqual(t, wait, 2*time.Second)
		}
		require.LessOrEqual(t, wait, 2200*ms)
	})
}

// tower, tower-rs/tower#438: the count of a new window is overwritten by that of the old one.
func TestTowerANewWindowIsOverwrittenByTheOld(t *testing.T) {
	each(t, limiters, ratelimit.PerSecond(4), 4, func(t *testing.T, l *subject) {
		for i := range time.Duration(6) {
			for range 4 {
				require.True(t, l.take(i*1500*ms, 1))
			}
			require.False(t, l.take(i*1500*ms, 1))
		}
	})
}
