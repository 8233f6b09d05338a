package fieldbugs_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-3506548a/ratelimit"
)

// governor, boinkor-net/governor#11: the burst is one too large.
//
// A burst of 10 granted 11 at once.
func TestGovernorTheBurstIsOneOff(t *testing.T) {
	for _, size := range []int{1, 2, 3, 10} {
		each(t, limiters, ratelimit.PerSecond(10), size, func(t *testing.T, l *subject) {
			require.Equal(t, ratelimit.Never, l.TakeAt(l.at(0), size+1).RetryAfter)
			require.True(t, l.PeekAt(l.at(0), size).OK)
			require.Equal(t, size, l.atOnce(0))
		})
	}
}

// Laravel, laravel/framework#18139: three counts are off by one and cancel out.
//
// The first hit counted twice, the limit was one too high, and so was the number of remaining
// events. Together they were right, each by itself was not.
func TestLaravelThreeOffByOnesCancelOut(t *testing.T) {
	each(t, limiters, ratelimit.PerMinute(5), 5, func(t *testing.T, l *subject) {
		for left := 4; left >= 0; left-- {
			d := l.TakeAt(l.at(0), 1)
			require.True(t, d.OK)
			require.Equal(t, 5, d.Limit)
			require.Equal(t, left, d.Remaining)
		}
		d := l.TakeAt(l.at(0), 1)
		require.False(t, d.OK)
		require.Equal(t, 0, d.Remaining)
	})
}

// Upstash, upstash/ratelimit-js#39: a limit of 1 refuses everything.
//
// The weighted share of a limit of 1 was rounded down to 0.
func TestUpstashALimitOfOneRefusesAll(t *testing.T) {
	each(t, limiters, ratelimit.Every(10*time.Second), 1, func(t *testing.T, l *subject) {
		now := time.Duration(0)
		for range 4 {
			require.True(t, l.take(now, 1))
			wait := l.exactWait(t, now, 1)
			require.LessOrEqual(t, wait, 11*time.Second)
			now += wait
		}
	})
}

// wisp, privkeyio/wisp#79: a limit above 255 is never reached.
//
// The count of a ring of 256 times never exceeded 255.
func TestWispALimitAbove255IsNone(t *testing.T) {
	for _, size := range []int{255, 256, 257, 300} {
		each(t, limiters, ratelimit.PerMinute(size), size, func(t *testing.T, l *subject) {
			require.Equal(t, size, l.atOnce(0))
		})
	}
}

// sethvargo/go-limiter, sethvargo/go-limiter#29: above 31622 a second the remaining tokens jump.
//
// At 65535 a second, one taken every 100 ms: after ten of them 15258 were left.
func TestGoLimiterAbove31622TheCountJumps(t *testing.T) {
	each(t, limiters, ratelimit.PerSecond(65535), 65535, func(t *testing.T, l *subject) {
		for i := range 20 {
			d := l.TakeAt(l.at(time.Duration(i)*100*ms), 1)
			require.True(t, d.OK)
			require.GreaterOrEqual(t, d.Remaining, 65534-i)
			require.Less(t, d.Remaining, 65535)
		}
	})
}

// redis-cell, brandur/redis-cell#50: large limits are not counted.
//
// 1000 a minute and 6000 a second stayed full.
func TestRedisCellLargeLimitsAreNotCounted(t *testing.T) {
	for _, rate := range []ratelimit.Rate{ratelimit.PerMinute(1000), ratelimit.PerSecond(6000)} {
		size := rate.Events + 1
		each(t, limiters, rate, size, func(t *testing.T, l *subject) {
			for left := size - 1; left >= 0; left-- {
				if d := l.TakeAt(l.at(0), 1); !d.OK || d.Remaining != left {
					require.Fail(t, "not counted", "%v, but %d are left", d, left)
				}
			}
			require.False(t, l.take(0, 1))
		})
	}
}

// limits, alisaifee/limits#112: a cost of 8 counts as 1.
//
// 8 events at once, and then one by one.
func TestLimitsALargeCostCountsAsOne(t *testing.T) {
	each(t, limiters, ratelimit.PerMinute(10), 10, func(t *testing.T, l *subject) {
		require.True(t, l.take(0, 8))
		require.Equal(t, 2, l.atOnce(1))
	})
}

// Pulsar, apache/pulsar#15305: n is compared with the whole limit instead of what remains.
//
// A refused n was counted too.
func TestPulsarAPartlyUsedLimitTakesAWholeOne(t *testing.T) {
	each(t, limiters, ratelimit.PerSecond(10), 10, func(t *testing.T, l *subject) {
		require.True(t, l.take(0, 6))
		require.False(t, l.take(0, 6))
		require.False(t, l.take(0, 5))
		require.True(t, l.take(0, 4))
		require.False(t, l.take(0, 1))
	})
}

// rolling-rate-limiter, peterkhayes/rolling-rate-limiter#9: refused requests count.
//
// 10 in 10 minutes, asked twice a minute: the window never emptied.
func TestRollingRateLimiterRefusedRequestsCount(t *testing.T) {
	each(t, limiters, ratelimit.Per(10, 10*time.Minute), 10, func(t *testing.T, l *subject) {
		l.atTheRate(t, l.flood(110*time.Minute, 30*time.Second), 110*time.Minute)
	})
}

// limits, alisaifee/limits#28: each request extends the window.
//
// 2 in 6 s, asked every 5 s: each request, even a refused one, moved the end of the window to 6 s
// later.
func TestLimitsEachHitExtendsTheWindow(t *testing.T) {
	each(t, limiters, ratelimit.Per(2, 6*time.Second), 2, func(t *testing.T, l *subject) {
		for i := range 30 {
			require.True(t, l.take(time.Duration(i)*5*time.Second, 1), "request %d", i)
		}
	})
}
