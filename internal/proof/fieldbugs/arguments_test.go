package fieldbugs_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/gcra"
	"github.com/seed-3506548a/ratelimit/limittest"
)

// refusedAsArgument demands that no limiter can be made so.
func refusedAsArgument(t *testing.T, rate ratelimit.Rate, size int) {
	t.Helper()
	for _, row := range limiters {
		_, err := row.build(rate, size, limittest.NewClock(start))
		var bad *ratelimit.ArgumentError
		require.ErrorAs(t, err, &bad, "%s, %v", row.name, rate)
	}
}

// oxy, vulcand/oxy#213: a period of 0 panics.
//
// A period that was left out divided by zero at the first request.
func TestOxyAPeriodOfZeroPanics(t *testing.T) {
	refusedAsArgument(t, ratelimit.Rate{Events: 10}, 10)
	refusedAsArgument(t, ratelimit.Rate{}, 10)
	each(t, changeable.only(oneByOne, inBatches), ratelimit.PerSecond(10), 10, func(t *testing.T, l *subject) {
		require.Error(t, l.change(0, ratelimit.Rate{Events: 10}, 10))
		require.True(t, l.take(0, 10), "an error changes nothing")
	})
}

// rate-limiter-flexible, animir/node-rate-limiter-flexible#47: negative limits and durations are
// accepted.
func TestRateLimiterFlexibleNegativeLimitsAreAccepted(t *testing.T) {
	refusedAsArgument(t, ratelimit.PerSecond(-1), 10)
	refusedAsArgument(t, ratelimit.Per(10, -time.Second), 10)
	refusedAsArgument(t, ratelimit.PerSecond(10), -1)
	each(t, changeable, ratelimit.PerSecond(10), 10, func(t *testing.T, l *subject) {
		require.Error(t, l.change(0, ratelimit.PerSecond(10), -1))
		require.True(t, l.take(0, 10), "an error changes nothing")
	})
}

// limiter (npm), jhurliman/node-rate-limiter#42: a period with a typo becomes a second.
//
// "10 a horu" became 10 a second.
func TestNodeRateLimiterATypoBecomesASecond(t *testing.T) {
	for _, typo := range []string{"10/horu", "10/", "10", "10/Second", "10/1", "10/ s"} {
		rate, err := ratelimit.ParseRate(typo)
		require.Error(t, err, typo)
		require.Zero(t, rate, typo)
	}
}

// limits, alisaifee/limits#13: a limit with a typo is dropped.
//
// The second limit of "1 per hour; 10 perr day" was dropped, and "hoursssss" was an hour.
func TestLimitsATypoDropsTheLimit(t *testing.T) {
	for _, typo := range []string{"1/hour;10/perrday", "1/hour; 10/day", "1/hoursssss", "1/hour ", "1/hour1", "1/1h2", "1/hour/day"} {
		_, err := ratelimit.ParseRate(typo)
		require.Error(t, err, typo)
	}
}

// rTorrent, rakshasa/rtorrent#1993: a rate that cannot be read switches the limit off.
//
// What could not be read became 0, and 0 meant no limit.
func TestRtorrentAnUnreadableRateIsNoLimit(t *testing.T) {
	for _, typo := range []string{"abc", "20O/s", "", "-1/s", "1e3/s", "99999999999999999999/s"} {
		rate := ratelimit.PerSecond(100)
		require.Error(t, rate.UnmarshalText([]byte(typo)), typo)
		require.Equal(t, ratelimit.PerSecond(100), rate, "%q: the old one is kept", typo)
	}
	none := ratelimit.Must(gcra.New(ratelimit.PerSecond(0), 100))
	require.False(t, none.Allow())
}
