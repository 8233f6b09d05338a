package fieldbugs_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-3506548a/ratelimit"
)

// redis-cell, brandur/redis-cell#54: a change to a faster rate refuses everything.
//
// 10 in 20 s with a burst of 16, of which 3 were taken, became 1000 in 20 s. The debt was kept as a
// time, and at the shorter interval that was more than the burst.
func TestRedisCellAFasterRateRefuses(t *testing.T) {
	each(t, changeable, ratelimit.Per(10, 20*time.Second), 16, func(t *testing.T, l *subject) {
		require.True(t, l.take(0, 3))
		require.NoError(t, l.change(0, ratelimit.Per(1000, 20*time.Second), 16))
		require.Equal(t, 13, l.state(0).Remaining)
		require.True(t, l.take(0, 1))
	})
}

// Milvus, milvus-io/milvus#35699: each change of the rate fills the bucket.
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

// OpenZeppelin for Sui, OpenZeppelin/contracts-sui#350: a change to a faster rate counts for the
// past too.
//
// An empty bucket of one a second became a hundred times faster after 10 s: the new rate counted
// for these 10 s.
func TestOpenZeppelinAFasterRateCountsForThePast(t *testing.T) {
	each(t, changeable, ratelimit.PerSecond(1), 100, func(t *testing.T, l *subject) {
		require.True(t, l.take(0, 100))
		l.clock.Set(l.at(10 * time.Second))
		require.NoError(t, l.change(10*time.Second, ratelimit.PerSecond(100), 100))
		require.LessOrEqual(t, l.state(10*time.Second).Remaining, 10)
	})
}

// Bottleneck, SGrondin/bottleneck#185: a change of the settings stops the refill.
//
// Even a change to the same settings did.
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

// Django REST framework, Metron-Project/metron#629: after the limit is lowered, refusals have no
// wait or a wrong one.
//
// 8 of 10 were used when the limit became 4. Some waits ended while too many events still counted.
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

// Symfony, symfony/symfony#44850: a lowered limit is half ignored.
//
// 20 became 10: a request for 12 was refused as more than the limit, but 20 remained.
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
