package fieldbugs_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-3506548a/ratelimit"
)

// 16 at once of 10 in 20 s. 3 were taken, and then it was made 1000 in 20 s: what was owed was kept
// as a time, and with the shorter intervals that was more than the burst.
func TestRedisCellAFasterRateRefuses(t *testing.T) {
	each(t, changeable, ratelimit.Per(10, 20*time.Second), 16, func(t *testing.T, l *subject) {
		require.True(t, l.take(0, 3))
		require.NoError(t, l.change(0, ratelimit.Per(1000, 20*time.Second), 16))
		require.Equal(t, 13, l.state(0).Remaining)
		require.True(t, l.take(0, 1))
	})
}

// Each change of the rate filled the bucket.
func TestMilvusAChangeOfTheRateRefills(t *testing.T) {
	each(t, changeable, ratelimit.PerSecond(100), 100, func(t *testing.T, l *subject) {
		require.True(t, l.take(0, 100))
		for range 20 {
			require.NoError(t, l.change(0, ratelimit.PerSecond(50), 50))
			require.False(t, l.take(0, 1))
			require.NoError(t, l.change(0, ratelimit.PerSecond(100), 100))
			require.False(t, l.take(0, 1))
		}
	})
}

// Drained, and after 10 s at one a second made a hundred times faster: the new rate was counted for
// the 10 s too.
func TestOpenZeppelinAFasterRateCountsForThePast(t *testing.T) {
	each(t, changeable, ratelimit.PerSecond(1), 100, func(t *testing.T, l *subject) {
		require.True(t, l.take(0, 100))
		l.clock.Set(l.at(10 * time.Second))
		require.NoError(t, l.change(10*time.Second, ratelimit.PerSecond(100), 100))
		require.LessOrEqual(t, l.state(10*time.Second).Remaining, 10)
	})
}

// Once the settings had been updated, even to the same ones, nothing came back any more.
func TestBottleneckAChangeStopsTheRefill(t *testing.T) {
	each(t, changeable, ratelimit.PerSecond(5), 5, func(t *testing.T, l *subject) {
		for i := range time.Duration(5) {
			now := i * 1500 * ms
			l.clock.Set(l.at(now))
			require.True(t, l.take(now, 5), "after %v", now)
			require.NoError(t, l.change(now, ratelimit.PerSecond(5), 5))
			require.NoError(t, l.change(now, ratelimit.PerSecond(6), 6))
			require.NoError(t, l.change(now, ratelimit.PerSecond(5), 5))
			require.False(t, l.take(now, 1))
		}
	})
}

// 8 of 10 were used when the limit became 4: there was no wait to tell, or one that ended while too
// many still counted.
func TestDjangoRESTALoweredLimitHasNoWait(t *testing.T) {
	each(t, changeable, ratelimit.PerMinute(10), 10, func(t *testing.T, l *subject) {
		for i := range time.Duration(8) {
			require.True(t, l.take(i*100*ms, 1))
		}
		require.NoError(t, l.change(time.Second, ratelimit.PerMinute(4), 4))
		require.Equal(t, 0, l.state(time.Second).Remaining)
		for n := 1; n <= 4; n++ {
			l.exactWait(t, time.Second, n)
		}
	})
}

// 20 became 10: 12 were refused as more than the limit, but 20 were told to be left.
func TestSymfonyALoweredLimitIsHalfIgnored(t *testing.T) {
	each(t, changeable, ratelimit.PerSecond(20), 20, func(t *testing.T, l *subject) {
		require.True(t, l.take(0, 1))
		require.NoError(t, l.change(0, ratelimit.PerSecond(10), 10))
		for _, after := range []time.Duration{0, time.Minute} {
			d := l.PeekAt(l.at(after), 12)
			require.Equal(t, ratelimit.Never, d.RetryAfter)
			require.Equal(t, 10, d.Limit)
			require.LessOrEqual(t, d.Remaining, 10)
		}
		require.Equal(t, 10, l.atOnce(time.Minute))
	})
}
