package fieldbugs_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-3506548a/ratelimit"
)

// eachNanosecond takes single events until one is refused, at each nanosecond of some, and returns
// how many were granted.
func (s *subject) eachNanosecond(count int) (granted int) {
	for after := range count {
		for s.take(time.Duration(after), 1) {
			granted++
		}
	}
	return granted
}

// An interval of 1.67 ns was cut to 1 ns.
func TestGovernor600MillionASecondBecomeABillion(t *testing.T) {
	each(t, limiters, ratelimit.PerSecond(600_000_000), 1000, func(t *testing.T, l *subject) {
		l.withinBound(t, l.eachNanosecond(10_000), 9999)
	})
}

// And one of less than 1 ns to none, so that everything passed. A table cannot hold it, and says
// so.
func TestGovernorMoreThanABillionASecondIsNoLimit(t *testing.T) {
	each(t, limiters.except("keyed table"), ratelimit.PerSecond(1_000_000_001), 10, func(t *testing.T, l *subject) {
		for after := range time.Duration(3) {
			for range 100 {
				l.take(after, 1)
			}
		}
		require.False(t, l.take(2, 1))
		l.withinBound(t, l.again(t).eachNanosecond(2000), 1999)
	})
	_, err := limiters.named("keyed table")[0].build(ratelimit.PerSecond(1_000_000_001), 10, ratelimit.SystemClock{})
	require.Error(t, err)
}

// Intervals were rounded to milliseconds: 2000 a second were 1000, and 5000 were no limit.
func TestSentinelTwoThousandASecondAreOneThousand(t *testing.T) {
	for _, events := range []int{1000, 2000, 5000} {
		each(t, limiters, ratelimit.PerSecond(events), 50, func(t *testing.T, l *subject) {
			l.atTheRate(t, l.flood(time.Second, 50*time.Microsecond), time.Second)
		})
	}
}

// Microseconds and floats: 80000 a second were 83300.
func TestGuavaEightyThousandASecondAreMore(t *testing.T) {
	each(t, limiters, ratelimit.PerSecond(80_000), 80, func(t *testing.T, l *subject) {
		l.atTheRate(t, l.flood(100*ms, 5*time.Microsecond), 100*ms)
	})
}

// 10 a second, asked for each 120 ms: every second request was refused for ever.
func TestGuavaASlowerCallerIsRefusedEverySecondTime(t *testing.T) {
	each(t, limiters, ratelimit.PerSecond(10), 1, func(t *testing.T, l *subject) {
		for i := range 100 {
			require.True(t, l.take(time.Duration(i)*120*ms, 1), "request %d", i)
		}
	})
}

// The timer came a little early or late, and an interval that was short by as much was not counted:
// a fifth was missing.
func TestEnvoyATimerThatJittersSkipsRefills(t *testing.T) {
	each(t, limiters, ratelimit.PerSecond(100), 20, func(t *testing.T, l *subject) {
		granted := 0
		for i := range 10_000 {
			if l.take(time.Duration(i)*ms+time.Duration(i*7919%1999-999)*time.Microsecond/4, 1) {
				granted++
			}
		}
		l.atTheRate(t, granted, 10*time.Second)
	})
}

// Each call added less than one token, which was cut to none: any rate below 1000 a second never
// refilled when it was asked each millisecond.
func TestPolarisPollingRefillsNothing(t *testing.T) {
	each(t, limiters, ratelimit.PerSecond(100), 10, func(t *testing.T, l *subject) {
		l.atTheRate(t, l.flood(2*time.Second, ms), 2*time.Second)
	})
}

// A bucket of 4, taken from in gaps of half a token: each admission dropped the half that had come
// since.
func TestVarnishAHalfTokenIsLostAtEachAdmission(t *testing.T) {
	each(t, limiters.only(oneByOne), ratelimit.PerSecond(2), 4, func(t *testing.T, l *subject) {
		granted := 0
		for i := range 40 {
			if l.take(time.Duration(i)*250*ms, 1) {
				granted++
			}
			require.Equal(t, min(i+1, 4+i/2), granted, "after %d requests", i+1)
		}
	})
}

// One token each 10 s. At 25 s two had come, and the 5 s on the way to the third were dropped.
func TestReinhardtTheRestOfAnIntervalIsLost(t *testing.T) {
	each(t, limiters.only(oneByOne, inBatches), ratelimit.Every(10*time.Second), 5, func(t *testing.T, l *subject) {
		require.True(t, l.take(0, 5))
		require.Equal(t, 2, l.atOnce(25*time.Second))
		require.False(t, l.take(29*time.Second, 1))
		require.True(t, l.take(30*time.Second, 1))
		require.False(t, l.take(30*time.Second, 1))
	})
}

// The number of intervals was added instead of the tokens that they bring.
func TestAxumLimitAnIntervalGivesBackOne(t *testing.T) {
	each(t, limiters, ratelimit.PerSecond(5), 5, func(t *testing.T, l *subject) {
		require.True(t, l.take(0, 5))
		require.True(t, l.take(1100*ms, 5))
		require.False(t, l.take(1100*ms, 1))
	})
}

// 2 a second: the half second was not looked at before a whole one had passed.
func TestSymfonyTokensComeOnlyEachSecond(t *testing.T) {
	each(t, limiters.only(oneByOne), ratelimit.PerSecond(2), 10, func(t *testing.T, l *subject) {
		require.True(t, l.take(0, 1))
		require.True(t, l.take(600*ms, 10))
	})
}

// One in 100 ms, asked for each 100 ms: 4 of 10 were refused.
func TestPyrateLimiterTheExactIntervalIsTooShort(t *testing.T) {
	each(t, limiters.except("counter"), ratelimit.Every(100*ms), 1, func(t *testing.T, l *subject) {
		for i := range 10 {
			require.True(t, l.take(time.Duration(i)*100*ms, 1), "request %d", i)
			require.False(t, l.take(time.Duration(i+1)*100*ms-1, 1), "request %d", i)
		}
	})
}
