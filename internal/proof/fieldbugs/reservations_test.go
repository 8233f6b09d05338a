package fieldbugs_test

import (
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/internal/proof/bounds"
)

// x/time/rate: a second Cancel of a reservation creates tokens.
func TestXTimeRateToCancelTwiceMints(t *testing.T) {
	each(t, reservers, ratelimit.PerSecond(1), 3, func(t *testing.T, l *subject) {
		require.True(t, l.take(0, 2))
		r := l.reserve(t, 0, 1)
		r.Cancel()
		r.Cancel()
		r.CancelAt(l.at(0))
		require.Equal(t, 1, l.state(0).Remaining)
	})
}

// x/time/rate: a reservation that may be acted on at once cannot be cancelled.
//
// It counted as acted on.
func TestXTimeRateAReservationForNowCannotBeCancelled(t *testing.T) {
	each(t, reservers, ratelimit.PerSecond(1), 1, func(t *testing.T, l *subject) {
		r := l.reserve(t, 0, 1)
		require.Equal(t, l.at(0), r.ActAt())
		r.Cancel()
		require.True(t, l.Allow())
	})
}

// x/time/rate, golang/go#56924: a cancellation gives back too little.
//
// 10 a second with a burst of 20, and reservations of 15 at 0, 10 at 100 ms and 2 at 200 ms: what
// was reserved later was taken off what a cancellation gave back, even if that was cancelled too.
func TestXTimeRateACancelGivesBackTooLittle(t *testing.T) {
	each(t, reservers.only(oneByOne), ratelimit.PerSecond(10), 20, func(t *testing.T, l *subject) {
		without := l.again(t)
		require.True(t, l.take(0, 15))
		require.True(t, without.take(0, 15))
		second := l.reserve(t, 100*ms, 10)
		third := l.reserve(t, 200*ms, 2)
		third.CancelAt(l.at(200 * ms))
		second.CancelAt(l.at(200 * ms))
		require.Equal(t, without.state(200*ms), l.state(200*ms))
	})
}

// x/time/rate, golang/go#43858: parallel reservations may all be acted on at the same time.
func TestXTimeRateParallelReservationsActAtOnce(t *testing.T) {
	each(t, reservers, ratelimit.PerSecond(10), 5, func(t *testing.T, l *subject) {
		grants := make([]bounds.Grant, 100)
		var all sync.WaitGroup
		for i := range grants {
			all.Go(func() {
				r, _ := l.Limiter.(ratelimit.Reserver).ReserveAt(l.at(0), 1, time.Hour)
				grants[i] = bounds.Grant{At: r.ActAt(), N: 1}
			})
		}
		all.Wait()
		bounds.Require(t, grants, l.bound)
	})
}

// Symfony, symfony/symfony#52413: reservations pile up in the second window.
//
// 10 in 60 s: what did not fit into the second window either was promised for the second.
func TestSymfonyReservationsPileUpInTheSecondWindow(t *testing.T) {
	each(t, reservers, ratelimit.PerMinute(10), 10, func(t *testing.T, l *subject) {
		for i := range time.Duration(4) {
			require.Equal(t, l.at(i*time.Minute), l.reserve(t, 0, 10).ActAt())
		}
		if l.row.gives == inBatches { // 5 and 3 share a window, and have no room for 5 more
			require.Equal(t, l.at(4*time.Minute), l.reserve(t, 0, 5).ActAt())
			require.Equal(t, l.at(4*time.Minute), l.reserve(t, 0, 3).ActAt())
			require.Equal(t, l.at(5*time.Minute), l.reserve(t, 0, 5).ActAt())
		}
	})
}

// Symfony, symfony/symfony#61668: reservations are forgotten at the reset.
//
// 10 in 10 s: three that waited for the next window were served in it, but not counted.
func TestSymfonyReservationsAreForgottenAtTheReset(t *testing.T) {
	each(t, reservers, ratelimit.Per(10, 10*time.Second), 10, func(t *testing.T, l *subject) {
		require.True(t, l.take(0, 10))
		for range 3 {
			l.reserve(t, 0, 1)
		}
		require.Equal(t, 7, l.state(10*time.Second).Remaining)
		require.Equal(t, 7, l.atOnce(10*time.Second))
	})
}

// bucket4j, bucket4j/bucket4j#417: taking all that remains of a bucket in debt adds tokens.
//
// It took a negative number of them.
func TestBucket4jTakingWhatRemainsOfADebtAdds(t *testing.T) {
	each(t, reservers, ratelimit.PerSecond(50), 50, func(t *testing.T, l *subject) {
		require.True(t, l.take(0, 50))
		l.reserve(t, 0, 30)
		before := l.state(0)
		require.Equal(t, 0, before.Remaining)
		require.True(t, l.take(0, before.Remaining))
		require.Equal(t, before, l.state(0))
		require.False(t, l.take(0, 1))
	})
}

// failsafe-go: a cancelled wait keeps its permits.
//
// A wait that gave up had reserved, and did not give that back.
func TestFailsafeGoACancelledWaitLeaksPermits(t *testing.T) {
	each(t, reservers, ratelimit.PerSecond(1), 1, func(t *testing.T, l *subject) {
		require.True(t, l.take(0, 1))
		before := l.state(0)
		for range 100 {
			l.reserve(t, 0, 1).Cancel()
		}
		require.Equal(t, before, l.state(0))
	})
}

// Redisson, redisson/redisson#7329: released permits come back once more when they expire.
//
// The limit was 10 a second.
func TestRedissonReleaseAndExpiryCountTwice(t *testing.T) {
	each(t, limiters, ratelimit.PerSecond(10), 10, func(t *testing.T, l *subject) {
		for range 3 {
			require.True(t, l.take(0, 1))
			l.RefundAt(l.at(0), 1, 0)
		}
		require.LessOrEqual(t, l.state(0).Remaining, 10)
		require.True(t, l.take(0, 1))
		require.Equal(t, 10, l.state(1100*ms).Remaining)
		require.Equal(t, 10, l.atOnce(1100*ms))
		l.RefundAt(l.at(1100*ms), 1, 1100*ms)
		require.False(t, l.take(1100*ms, 1), "released when it was over")
	})
}

// Redisson, redisson/redisson#7342: released permits are lost.
//
// Acquired and released nine times, 100 ms apart: after a second, 2 of 10 were left.
func TestRedissonReleasedPermitsAreLost(t *testing.T) {
	each(t, refunding, ratelimit.PerSecond(10), 10, func(t *testing.T, l *subject) {
		for i := range time.Duration(9) {
			require.True(t, l.take(i*100*ms, 1))
			l.RefundAt(l.at(i*100*ms), 1, 0)
			require.Equal(t, 10, l.state(i*100*ms).Remaining)
		}
		require.True(t, l.take(1001*ms, 1))
		require.Equal(t, 9, l.state(1001*ms).Remaining)
	})
}

// rate-limiter-flexible, animir/node-rate-limiter-flexible#254: rewards exceed the limit.
//
// A reward without anything taken was kept: 2 in a second became 3.
func TestRateLimiterFlexibleRewardsExceedTheLimit(t *testing.T) {
	each(t, limiters, ratelimit.PerSecond(2), 2, func(t *testing.T, l *subject) {
		for range 3 {
			l.RefundAt(l.at(0), 1, 0)
		}
		require.Equal(t, 2, l.state(0).Remaining)
		require.Equal(t, 2, l.atOnce(0))
	})
}
