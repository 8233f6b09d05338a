package fieldbugs_test

import (
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/limittest"
)

// x/time/rate, golang/go#54082: a negative n adds tokens.
//
// A request for -1000 added 1000 tokens.
func TestXTimeRateANegativeNRefills(t *testing.T) {
	each(t, limiters, ratelimit.PerSecond(1), 2, func(t *testing.T, l *subject) {
		require.True(t, l.take(0, 2))
		before := l.state(0)
		for _, n := range []int{-1, -1000, math.MinInt} {
			d := l.TakeAt(l.at(0), n)
			require.False(t, d.OK)
			require.Equal(t, ratelimit.Never, d.RetryAfter)
			l.RefundAt(l.at(0), n, 0)
		}
		require.Equal(t, before, l.state(0))
		require.False(t, l.Allow())
	})
}

// x/time/rate, golang/go#39984: a rate of 0 allows everything.
//
// The burst was 1.
func TestXTimeRateARateOfZeroAllowsAlways(t *testing.T) {
	each(t, limiters, ratelimit.PerSecond(0), 1, func(t *testing.T, l *subject) {
		for _, after := range []time.Duration{0, 1, time.Second, 365 * 24 * time.Hour} {
			require.False(t, l.take(after, 1))
			require.Equal(t, 0, l.state(after).Remaining)
		}
		require.Equal(t, ratelimit.Never, l.TakeAt(l.at(0), 1).RetryAfter)
	})
}

// x/time/rate, golang/go#47221: a rate of 0 grants every reservation at once.
//
// The wait was divided by the rate.
func TestXTimeRateARateOfZeroReservesWithoutEnd(t *testing.T) {
	each(t, reservers, ratelimit.PerSecond(0), 1, func(t *testing.T, l *subject) {
		for range 1000 {
			r, d := l.Limiter.(ratelimit.Reserver).ReserveAt(l.at(0), 1, ratelimit.Never)
			require.False(t, d.OK)
			require.Nil(t, r)
		}
	})
}

// Sentinel, alibaba/Sentinel#462: a rate of 0 grants the second request.
//
// The first one was refused, as it should be. The wait of the second overflowed.
func TestSentinelARateOfZeroOverflowsAtTheSecondTry(t *testing.T) {
	each(t, limiters, ratelimit.PerSecond(0), 1, func(t *testing.T, l *subject) {
		for range 10 {
			require.False(t, l.take(0, 1))
			require.True(t, l.take(0, 0))
		}
	})
}

// throttled: a large n overflows and is granted.
//
// The product of n and the interval became negative.
func TestThrottledNTimesTheIntervalWraps(t *testing.T) {
	each(t, limiters, ratelimit.PerMinute(1), 1, func(t *testing.T, l *subject) {
		for shift := range 62 {
			for _, n := range []int{math.MaxInt >> shift, 1 << shift, 1<<shift + 1} {
				require.Equal(t, n == 0 || n == 1, l.PeekAt(l.at(0), n).OK, "n = %d", n)
			}
		}
	})
}

// Redis, redis/redis#14826: 200 million events at 1 a day overflow.
//
// They are more microseconds than 63 bits hold.
func TestRedisTwoHundredMillionDaysWrap(t *testing.T) {
	each(t, limiters, ratelimit.PerDay(1), 5, func(t *testing.T, l *subject) {
		d := l.TakeAt(l.at(0), 200_000_000)
		require.False(t, d.OK)
		require.Equal(t, ratelimit.Never, d.RetryAfter)
		require.Equal(t, 5, l.state(0).Remaining)
	})
}

// bucket4j, bucket4j/bucket4j#220: a request that can never be granted gets a wait.
//
// At 3 in 2 s, a request for 4 got a wait of 0.66 s.
func TestBucket4jAnImpossibleRequestIsToldToWait(t *testing.T) {
	each(t, limiters, ratelimit.Per(3, 2*time.Second), 3, func(t *testing.T, l *subject) {
		d := l.TakeAt(l.at(0), 4)
		require.False(t, d.OK)
		require.Equal(t, ratelimit.Never, d.RetryAfter)
		require.Equal(t, 3, d.Remaining)
	})
}

// Guava, google/guava#7130: 5000 events at 5 a second are granted at once.
//
// The next caller had to wait for them.
func TestGuavaFiveThousandAreLentToTheFirst(t *testing.T) {
	each(t, limiters, ratelimit.PerSecond(5), 5, func(t *testing.T, l *subject) {
		require.False(t, l.take(0, 5000))
		if r, ok := l.Limiter.(ratelimit.Reserver); ok {
			_, d := r.ReserveAt(l.at(0), 5000, ratelimit.Never)
			require.False(t, d.OK)
		}
		require.True(t, l.take(0, 5))
	})
}

// limits, alisaifee/limits#151: a cost above the limit is granted.
//
// The limiter looked 100 events back in a list of 5 and found nothing, so 100 of 10 a minute
// passed.
func TestLimitsACostAboveTheLimitPasses(t *testing.T) {
	each(t, limiters, ratelimit.PerMinute(10), 10, func(t *testing.T, l *subject) {
		require.True(t, l.take(0, 5))
		require.False(t, l.take(0, 100))
		require.Equal(t, 5, l.state(0).Remaining)
	})
}

// systemd, systemd/systemd#27342: the count of refusals wraps around.
//
// After 2^32 refused events the count began again.
func TestSystemdTheCountOfRefusalsWraps(t *testing.T) {
	const size = 1 << 17
	each(t, limiters, ratelimit.PerHour(size), size, func(t *testing.T, l *subject) {
		require.True(t, l.take(0, size))
		for range 1<<15 + 1 {
			if l.take(0, size) {
				require.Fail(t, "granted")
			}
		}
		require.Equal(t, 0, l.state(0).Remaining)
		require.False(t, l.take(0, 1))
	})
}

// systemd, systemd/systemd#17582: an infinite interval overflows.
//
// It overflowed when it was added to the time. A limiter that cannot represent an interval must say
// so.
func TestSystemdAnInfiniteIntervalOverflows(t *testing.T) {
	for _, row := range limiters {
		l, err := row.build(ratelimit.Every(math.MaxInt64), 1, limittest.NewClock(start))
		if err != nil {
			var bad *ratelimit.ArgumentError
			require.ErrorAs(t, err, &bad, row.name)
			continue
		}
		for years := range 140 {
			require.Equal(t, years == 0, l.TakeAt(start.AddDate(years, 0, 0), 1).OK, "%s, year %d", row.name, years)
		}
	}
}

// express-rate-limit, express-rate-limit/express-rate-limit#546: a window of a year ends at once.
//
// 5 in 365 days: a timer for more than 2^31-1 ms, nearly 25 days, fires immediately.
func TestExpressRateLimitAYearEndsAfter25Days(t *testing.T) {
	each(t, limiters, ratelimit.Per(5, 365*24*time.Hour), 5, func(t *testing.T, l *subject) {
		require.True(t, l.take(0, 5))
		for _, after := range []time.Duration{1, ms, time.Hour, 1<<31*ms - 1, 1 << 31 * ms, 25 * 24 * time.Hour} {
			require.False(t, l.take(after, 1), "after %v", after)
		}
	})
}
