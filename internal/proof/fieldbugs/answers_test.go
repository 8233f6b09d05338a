package fieldbugs_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-3506548a/ratelimit"
)

// One a second: 200 ms after it was taken, the wait was still a second.
func TestBucket4jTheWaitForgetsAPartialToken(t *testing.T) {
	each(t, limiters.except("counter"), ratelimit.PerSecond(1), 1, func(t *testing.T, l *subject) {
		require.True(t, l.take(0, 1))
		require.Equal(t, 800*ms, l.exactWait(t, 200*ms, 1))
	})
}

// 10 each 60 s, used up in the first second: the wait was that of one token of ten, 6 s.
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

// The wait was until all was free, whatever the burst allowed before.
func TestRatelimitMeterTheWaitForgetsTheBurst(t *testing.T) {
	each(t, limiters.only(oneByOne), ratelimit.PerSecond(1), 5, func(t *testing.T, l *subject) {
		require.True(t, l.take(0, 4))
		require.True(t, l.take(2*time.Second, 3))
		require.Equal(t, time.Second, l.exactWait(t, 2*time.Second, 1))
	})
}

// Whole seconds, cut: who waited for as long got another 429.
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

// 6 a minute: told to wait for 10 s, the next one passed after 5.
func TestRedisGCRAHalfTheWaitIsEnough(t *testing.T) {
	each(t, limiters, ratelimit.PerMinute(6), 6, func(t *testing.T, l *subject) {
		require.Equal(t, 6, l.atOnce(0))
		for second := range time.Duration(10) {
			l.exactWait(t, second*time.Second, 1)
		}
	})
}

// After the time told it was refused with a wait of 0, several times, and then with -1484742195 s.
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

// 2 a minute, at 0 and 10 s. At 20 s the wait was 50 s, of the newest event, and not 40.
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

// 60 in 60 s, one each second and then 12 s of the next minute: the wait for one was until the end
// of the minute, but a second was enough.
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

// The wait was computed from the tokens as of the last request.
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

// n equal to the burst had to be less than it: told never to try again, though it would pass when
// all is free.
func TestRedisTheWholeBurstIsNeverToBeRetried(t *testing.T) {
	each(t, limiters, ratelimit.PerMinute(30), 16, func(t *testing.T, l *subject) {
		require.True(t, l.take(0, 1))
		wait := l.exactWait(t, 0, 16)
		require.True(t, l.take(wait, 16))
	})
}

// One in 2 s: told to be as new after 3.
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

// One taken, all back, and then more asked for than the burst: more remained than the limit, and
// less than no time was left till the reset.
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
