package fieldbugs_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-3506548a/ratelimit"
)

// bucket4j, bucket4j/bucket4j#88: the wait ignores a partial token.
//
// One a second: 200 ms after it was taken, the wait was still a second.
func TestBucket4jTheWaitForgetsAPartialToken(t *testing.T) {
	each(t, limiters.except("counter"), ratelimit.PerSecond(1), 1, func(t *testing.T, l *subject) {
		require.True(t, l.take(0, 1))
		require.Equal(t, 800*ms, l.exactWait(t, 200*ms, 1))
	})
}

// bucket4j, bucket4j/bucket4j#71: the wait for an interval is computed as if tokens came one by
// one.
//
// 10 in 60 s, used up in the first second: the wait was 6 s, that of one token of ten.
func TestBucket4jAnIntervalsWaitIsThatOfADrip(t *testing.T) {
	each(t, limiters, ratelimit.PerMinute(10), 10, func(t *testing.T, l *subject) {
		for i := range 10 {
			require.True(t, l.take(time.Duration(i)*100*ms, 1))
		}
		wait := l.exactWait(t, time.Second, 1)
		switch l.row.gives {
		case inBatches, atAnEdge:
			require.Equal(t, 59*time.Second, wait)
		case oneByOne:
			require.Equal(t, 5*time.Second, wait)
		}
	})
}

// ratelimit_meter, antifuchs/ratelimit_meter#36: the wait ignores the burst.
//
// It was the time until everything was free.
func TestRatelimitMeterTheWaitForgetsTheBurst(t *testing.T) {
	each(t, limiters.only(oneByOne), ratelimit.PerSecond(1), 5, func(t *testing.T, l *subject) {
		require.True(t, l.take(0, 4))
		require.True(t, l.take(2*time.Second, 3))
		require.Equal(t, time.Second, l.exactWait(t, 2*time.Second, 1))
	})
}

// redis-cell, brandur/redis-cell#56: the wait is rounded down to seconds.
//
// A client that waited for that time got another 429.
func TestRedisCellTheWaitIsRoundedDown(t *testing.T) {
	each(t, limiters, ratelimit.PerSecond(7), 7, func(t *testing.T, l *subject) {
		require.True(t, l.take(0, 7))
		for _, after := range []time.Duration{0, 1, 3333333, 47 * ms, 99999999} {
			for n := 1; n <= 7; n++ {
				l.exactWait(t, after, n)
			}
		}
	})
}

// redis-gcra, Losant/redis-gcra#3: the wait is twice as long as needed.
//
// 6 a minute: with a wait of 10 s, the next one was granted after 5 s.
func TestRedisGCRAHalfTheWaitIsEnough(t *testing.T) {
	each(t, limiters, ratelimit.PerMinute(6), 6, func(t *testing.T, l *subject) {
		require.Equal(t, 6, l.atOnce(0))
		for second := range time.Duration(10) {
			l.exactWait(t, second*time.Second, 1)
		}
	})
}

// Flask-Limiter, alisaifee/flask-limiter#62: the wait becomes 0, and then negative.
//
// When the wait was over, requests were refused with a wait of 0, and later with one of -1484742195
// s.
func TestFlaskLimiterTheWaitTurnsNegative(t *testing.T) {
	each(t, limiters, ratelimit.PerMinute(2), 2, func(t *testing.T, l *subject) {
		require.True(t, l.take(0, 1))
		require.True(t, l.take(9500*ms, 1))
		for after := 9500 * ms; after < 90*time.Second; after += 250 * ms {
			d := l.PeekAt(l.at(after), 1)
			require.Equal(t, d.OK, d.RetryAfter == 0, "after %v", after)
			require.GreaterOrEqual(t, d.RetryAfter, time.Duration(0), "after %v", after)
			require.LessOrEqual(t, d.RetryAfter, 66*time.Second, "after %v", after)
			require.GreaterOrEqual(t, d.ResetAfter, time.Duration(0), "after %v", after)
		}
	})
}

// limits, alisaifee/limits#200: the wait counts from the newest event.
//
// 2 a minute, granted at 0 and 10 s: at 20 s the wait was 50 s instead of 40 s.
func TestLimitsTheWaitCountsFromTheNewestEvent(t *testing.T) {
	each(t, limiters, ratelimit.PerMinute(2), 2, func(t *testing.T, l *subject) {
		require.True(t, l.take(0, 1))
		require.True(t, l.take(10*time.Second, 1))
		wait := l.exactWait(t, 20*time.Second, 1)
		if l.row.name == "log" {
			require.Equal(t, 40*time.Second, wait)
		}
	})
}

// Symfony, symfony/symfony#40289: the wait lasts until the end of the window.
//
// 60 in 60 s, one each second for 72 s: the wait for one more was until the end of the minute, but
// a second was enough.
func TestSymfonyTheWaitIsTheEndOfTheWindow(t *testing.T) {
	each(t, limiters.only(oneByOne, whenOver), ratelimit.PerMinute(60), 60, func(t *testing.T, l *subject) {
		for after := time.Duration(0); after < 72*time.Second; after += 500 * ms {
			l.take(after, 1)
		}
		require.Equal(t, 0, l.state(72*time.Second-1).Remaining)
		wait := l.exactWait(t, 72*time.Second-1, 1)
		if l.row.name != "counter" {
			require.LessOrEqual(t, wait, time.Second)
		}
	})
}

// reinhardt, kent8192/reinhardt-web#2249: the wait is computed from the tokens at the last request.
func TestReinhardtTheWaitIsThatOfTheLastRequest(t *testing.T) {
	each(t, limiters, ratelimit.Per(5, 10*time.Second), 5, func(t *testing.T, l *subject) {
		require.True(t, l.take(0, 5))
		require.False(t, l.PeekAt(l.at(0), 1).OK)
		d := l.PeekAt(l.at(11*time.Second), 1)
		require.True(t, d.OK)
		require.Zero(t, d.RetryAfter)
		require.Equal(t, 5, l.state(11*time.Second).Remaining)
	})
}

// Redis, redis/redis#14826: a request for the whole burst is never to be retried.
//
// It is granted when everything is free. The comparison was < instead of <=.
func TestRedisTheWholeBurstIsNeverToBeRetried(t *testing.T) {
	each(t, limiters, ratelimit.PerMinute(30), 16, func(t *testing.T, l *subject) {
		require.True(t, l.take(0, 1))
		wait := l.exactWait(t, 0, 16)
		require.True(t, l.take(wait, 16))
	})
}

// Dragonfly, dragonflydb/dragonfly#8288: the reset time is a second too long.
//
// One in 2 s: full again after 3 s.
func TestDragonflyTheResetIsASecondTooLong(t *testing.T) {
	each(t, limiters, ratelimit.Every(2*time.Second), 1, func(t *testing.T, l *subject) {
		fresh := l.state(0)
		reset := l.TakeAt(l.at(0), 1).ResetAfter
		if l.row.name != "counter" {
			require.Equal(t, 2*time.Second, reset)
		}
		require.NotEqual(t, fresh, l.state(reset-1))
		require.Equal(t, fresh, l.state(reset))
	})
}

// throttled, throttled/throttled#81: more remains than the limit.
//
// One event was taken and came back, and then a request asked for more than the burst: the
// remaining events were more than the limit, and the time until the reset was negative.
func TestThrottledMoreRemainsThanTheLimit(t *testing.T) {
	each(t, limiters, ratelimit.PerSecond(1), 5, func(t *testing.T, l *subject) {
		require.True(t, l.take(0, 1))
		for _, after := range []time.Duration{6 * time.Second, time.Hour, 365 * 24 * time.Hour} {
			l.clock.Set(l.at(after))
			d := l.TakeAt(l.at(after), 6)
			require.False(t, d.OK)
			require.Equal(t, 5, d.Limit)
			require.Equal(t, 5, d.Remaining)
			require.Zero(t, d.ResetAfter)
		}
	})
}
