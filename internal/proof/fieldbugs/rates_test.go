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

// governor: 600 million a second become a billion.
//
// An interval of 1.67 ns was cut to 1 ns.
func TestGovernor600MillionASecondBecomeABillion(t *testing.T) {
	each(t, limiters, ratelimit.PerSecond(600_000_000), 1000, func(t *testing.T, l *subject) {
		l.withinBound(t, l.eachNanosecond(10_000), 9999)
	})
}

// governor, boinkor-net/governor#203: more than a billion a second are no limit.
//
// An interval of less than 1 ns became 0. A keyed table cannot represent such a rate, and says so.
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

// Sentinel, alibaba/Sentinel#1615: 2000 a second become 1000, and 5000 are no limit.
//
// Intervals were rounded to milliseconds.
func TestSentinelTwoThousandASecondAreOneThousand(t *testing.T) {
	for _, events := range []int{1000, 2000, 5000} {
		each(t, limiters, ratelimit.PerSecond(events), 50, func(t *testing.T, l *subject) {
			l.atTheRate(t, l.flood(time.Second, 50*time.Microsecond), time.Second)
		})
	}
}

// Guava, google/guava#5290: 80000 a second become 83300.
//
// Time was counted in microseconds and floats.
func TestGuavaEightyThousandASecondAreMore(t *testing.T) {
	each(t, limiters, ratelimit.PerSecond(80_000), 80, func(t *testing.T, l *subject) {
		l.atTheRate(t, l.flood(100*ms, 5*time.Microsecond), 100*ms)
	})
}

// Guava, google/guava#3552: a caller slower than the rate is refused every second time.
//
// 10 a second, asked every 120 ms.
func TestGuavaASlowerCallerIsRefusedEverySecondTime(t *testing.T) {
	each(t, limiters, ratelimit.PerSecond(10), 1, func(t *testing.T, l *subject) {
		for i := range 100 {
			require.True(t, l.take(time.Duration(i)*120*ms, 1), "request %d", i)
		}
	})
}

// Envoy, envoyproxy/envoy#21327: a timer that jitters skips refills.
//
// If the timer came a little early, that interval was not counted: a fifth of the tokens was
// missing.
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

// Polaris, apache/polaris#3433: frequent polling prevents the refill.
//
// Each call added less than one token, which was cut to none: a rate below 1000 a second never
// refilled when it was asked every millisecond.
func TestPolarisPollingRefillsNothing(t *testing.T) {
	each(t, limiters, ratelimit.PerSecond(100), 10, func(t *testing.T, l *subject) {
		l.atTheRate(t, l.flood(2*time.Second, ms), 2*time.Second)
	})
}

// vsthrottle, varnish/varnish-modules#243: a part of a token is lost at each grant.
//
// A bucket of 4, asked every half token: each grant dropped the half that had come since.
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

// reinhardt, kent8192/reinhardt-web#2246: the rest of an interval is lost at each refill.
//
// One token every 10 s: at 25 s two had come, and the 5 s towards the third were dropped.
func TestReinhardtTheRestOfAnIntervalIsLost(t *testing.T) {
	each(t, limiters.only(oneByOne, inBatches), ratelimit.Every(10*time.Second), 5, func(t *testing.T, l *subject) {
		require.True(t, l.take(0, 5))
		require.Equal(t, 2, l.atOnce(25*time.Second))
		require.False(t, l.take(29*time.Second, 1))
		require.True(t, l.take(30*time.Second, 1))
		require.False(t, l.take(30*time.Second, 1))
	})
}

// axum-limit, gengteng/axum-limit#2: an interval refills one token instead of all of its tokens.
//
// The number of intervals was added to the bucket.
func TestAxumLimitAnIntervalGivesBackOne(t *testing.T) {
	each(t, limiters, ratelimit.PerSecond(5), 5, func(t *testing.T, l *subject) {
		require.True(t, l.take(0, 5))
		require.True(t, l.take(1100*ms, 5))
		require.False(t, l.take(1100*ms, 1))
	})
}

// Symfony, symfony/symfony#47676: tokens come only once a second.
//
// 2 a second: nothing was refilled before a whole second had passed.
func TestSymfonyTokensComeOnlyEachSecond(t *testing.T) {
	each(t, limiters.only(oneByOne), ratelimit.PerSecond(2), 10, func(t *testing.T, l *subject) {
		require.True(t, l.take(0, 1))
		require.True(t, l.take(600*ms, 10))
	})
}

// PyrateLimiter, vutran1710/PyrateLimiter#125: a caller at exactly the rate is refused.
//
// One in 100 ms, asked every 100 ms: 4 of 10 were refused.
func TestPyrateLimiterTheExactIntervalIsTooShort(t *testing.T) {
	each(t, limiters.except("counter"), ratelimit.Every(100*ms), 1, func(t *testing.T, l *subject) {
		for i := range 10 {
			require.True(t, l.take(time.Duration(i)*100*ms, 1), "request %d", i)
			require.False(t, l.take(time.Duration(i+1)*100*ms-1, 1), "request %d", i)
		}
	})
}
