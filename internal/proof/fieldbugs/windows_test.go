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

// A caller with a reading of the old window, after the first of the new one, found it to be another
// than the last, and cleared the count.
func TestHTTPRateALateCallerClearsTheNewWindow(t *testing.T) {
	each(t, limiters, ratelimit.PerSecond(1), 1, func(t *testing.T, l *subject) {
		require.True(t, l.take(0, 1))
		next := l.exactWait(t, 0, 1)
		require.True(t, l.take(next, 1))
		require.False(t, l.take(next-1, 1))
		require.False(t, l.take(next, 1))
	})
}

// Cycles were counted by a length that had been rounded.
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

// 6 a second: 12 came in the first.
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

// 5 a minute: of 10 just before the end of the first minute after it was made, 5 passed at once and
// 5 a millisecond later.
func TestBottleneckTheIntervalBeginsWhenTheLimiterIsMade(t *testing.T) {
	each(t, unaligned, ratelimit.PerMinute(5), 5, func(t *testing.T, l *subject) {
		require.Equal(t, 5, l.atOnce(time.Minute-ms))
		require.Equal(t, 0, l.atOnce(time.Minute))
		require.Equal(t, 0, l.atOnce(2*time.Minute-2*ms))
		require.Equal(t, 5, l.atOnce(2*time.Minute+6*time.Second))
	})
}

// 3 a minute, one taken each second: what dripped into the bucket meanwhile made it 5.
func TestNodeRateLimiterADripExceedsTheMinute(t *testing.T) {
	each(t, limiters.only(atAnEdge, whenOver), ratelimit.PerMinute(3), 3, func(t *testing.T, l *subject) {
		require.Equal(t, 3, l.flood(time.Minute-1, time.Second))
	})
}

// After a burst, requests at a fixed distance of some cells left the same cells uncleared each
// time: the limiter refused for ever, however slow they were.
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

// What was over was looked for by == instead of by <=.
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

// Events that were over were taken out after the count: the first request that they left room for
// was refused.
func TestShenyuExpiredEventsAreCountedOnceMore(t *testing.T) {
	each(t, limiters, ratelimit.PerSecond(10), 10, func(t *testing.T, l *subject) {
		require.True(t, l.take(0, 10))
		wait := l.TakeAt(l.at(0), 10).RetryAfter
		require.True(t, l.take(wait, 10), "at the first try")
	})
}

// A window of long ago had passed by more than the whole, and counted below zero: more was left
// than the limit. And the next one was still in the past, so nothing was counted.
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

// Whole seconds: a window of 2 s that began at 1634992063.4999 lasted for 3.
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

// The new window's count was written, and then the old one's over it.
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
