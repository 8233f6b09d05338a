package fieldbugs_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/internal/proof/bounds"
)

// x/time/rate, golang/go#65508: a time that goes back creates tokens.
//
// Two callers used readings 2 ms apart in turn. Each later one counted the same 2 ms again.
func TestXTimeRateATimeThatGoesBackMintsTokens(t *testing.T) {
	each(t, limiters, ratelimit.PerSecond(1000), 100, func(t *testing.T, l *subject) {
		granted := 0
		for i := range 10_000 {
			if l.take(time.Duration(i%2)*2*ms, 1) {
				granted++
			}
		}
		l.withinBound(t, granted, 2*ms)
	})
}

// x/time/rate, golang/go#71360: a caller that waits for the lock with an old time creates tokens.
//
// Each caller read the time, and some then waited for the lock for a second.
func TestXTimeRateACallerHeldUpAtTheLockMintsTokens(t *testing.T) {
	each(t, limiters, ratelimit.PerSecond(10), 5, func(t *testing.T, l *subject) {
		var grants []bounds.Grant
		for i := range 2000 {
			now := time.Duration(i) * ms
			for _, read := range []time.Duration{now, now - time.Second} {
				if l.take(read, 1) {
					grants = append(grants, bounds.Grant{At: l.at(read), N: 1})
				}
			}
		}
		bounds.Require(t, grants, l.bound)
	})
}

// TiKV PD, tikv/pd#10745: a change of the rate or a cancellation with an old time creates tokens.
//
// Both began at 9 s and arrived at 10 s: the second in between was counted again.
func TestTikvPDAChangeWithAnOldTimeMintsTokens(t *testing.T) {
	each(t, changeable, ratelimit.PerSecond(1), 10, func(t *testing.T, l *subject) {
		prompt := l.again(t)
		for s, begun := range map[*subject]time.Duration{l: 9 * time.Second, prompt: 10 * time.Second} {
			s.clock.Set(s.at(10 * time.Second))
			require.True(t, s.take(10*time.Second, 5))
			if _, ok := s.Limiter.(ratelimit.Reserver); ok {
				s.reserve(t, 10*time.Second, 1).CancelAt(s.at(begun))
			}
			require.NoError(t, s.change(begun, ratelimit.PerSecond(2), 11))
		}
		require.Equal(t, prompt.state(11*time.Second), l.state(11*time.Second))
	})
}

// uber-go/ratelimit: a limiter called at the Unix epoch counts as never called.
//
// A state of zero stood for "not called yet", and the mock clock began at zero.
func TestUberTheEpochCountsAsNeverCalled(t *testing.T) {
	eachAt(t, limiters, time.Unix(0, 0), ratelimit.PerSecond(1), 1, func(t *testing.T, l *subject) {
		require.True(t, l.Allow())
		require.False(t, l.Allow())
		l.clock.Set(l.at(time.Second - 1))
		require.False(t, l.Allow())
	})
}

// uber-go/ratelimit, uber-go/ratelimit#119: after a pause the slack is granted again with each
// event.
//
// 1 a second with a slack of 1: after a pause of 2 s, all 25 calls passed.
func TestUberSlackIsGrantedAgainAfterEachPause(t *testing.T) {
	each(t, limiters, ratelimit.PerSecond(1), 2, func(t *testing.T, l *subject) {
		require.True(t, l.take(0, 1))
		for pause := 1; pause < 5; pause++ {
			granted := 0
			for i := range 25 {
				if l.take(time.Duration(pause)*4*time.Second+time.Duration(i)*time.Microsecond, 1) {
					granted++
				}
			}
			require.Equal(t, 2, granted, "pause %d", pause)
		}
	})
}

// sethvargo/go-limiter: a time one nanosecond earlier underflows.
//
// Elapsed time was unsigned.
func TestGoLimiterANanosecondBackUnderflows(t *testing.T) {
	each(t, limiters, ratelimit.PerSecond(1), 2, func(t *testing.T, l *subject) {
		require.True(t, l.take(0, 2))
		require.False(t, l.take(-1, 1))
		l.exactWait(t, -1, 1)
	})
}

// bucket4j, bucket4j/bucket4j#51: a long idle time overflows.
//
// The tokens times the nanoseconds of twelve hours overflowed, and the bucket was below empty.
func TestBucket4jLongIdlingOverflows(t *testing.T) {
	each(t, limiters, ratelimit.PerSecond(250_000), 250_000, func(t *testing.T, l *subject) {
		now := time.Duration(0)
		for _, idle := range []time.Duration{0, 12 * time.Hour, 13 * time.Hour, 1 << 45, 1 << 55, 1 << 61} {
			now += idle
			require.Equal(t, 250_000, l.state(now).Remaining, "after %v", idle)
			require.True(t, l.take(now, 250_000), "after %v", idle)
			require.False(t, l.take(now, 1), "after %v", idle)
		}
	})
}

// leaky-bucket, udoprog/leaky-bucket#30: a long idle time fills the bucket beyond its capacity.
//
// Any number of tokens could be acquired afterwards.
func TestLeakyBucketIdlingFillsBeyondTheTop(t *testing.T) {
	each(t, limiters, ratelimit.PerSecond(5), 5, func(t *testing.T, l *subject) {
		require.True(t, l.take(0, 1))
		for _, after := range []time.Duration{time.Minute, 24 * time.Hour, 10 * 365 * 24 * time.Hour} {
			require.Equal(t, 5, l.state(after).Remaining)
			require.Equal(t, 5, l.atOnce(after))
		}
	})
}

// juju/ratelimit, juju/ratelimit#30: the time during which a bucket is full is counted later.
//
// 20 tokens a second into a bucket of 100 that was full for 5 s: these 5 s filled it once it was
// empty.
func TestJujuAFullBucketKeepsItsIdleTime(t *testing.T) {
	each(t, limiters, ratelimit.PerSecond(20), 100, func(t *testing.T, l *subject) {
		require.Equal(t, 100, l.state(0).Remaining)
		require.Equal(t, 100, l.state(5*time.Second).Remaining)
		require.True(t, l.take(5*time.Second, 100))
		require.Equal(t, 0, l.state(5*time.Second).Remaining)
		require.False(t, l.take(5*time.Second, 1))
	})
}

// chronos, status-im/nim-chronos#500: a bucket that is first used long after it was made fills
// twice.
//
// 3 in 500 ms, first used after 5 s: the fourth request within 50 ms filled it again.
func TestChronosABucketMadeLongAgoFillsTwice(t *testing.T) {
	each(t, limiters, ratelimit.Per(3, 500*ms), 3, func(t *testing.T, l *subject) {
		for _, after := range []time.Duration{0, 10 * ms, 50 * ms} {
			require.True(t, l.take(5*time.Second+after, 1))
		}
		require.False(t, l.take(5*time.Second+50*ms, 1))
	})
}

// MediaWiki MCP Server, ProfessionalWiki/MediaWiki-MCP-Server#557: a clock that steps back locks
// callers out.
//
// The clock stepped 11 s forwards and back again and again. Each call at the early time, even a
// refused one, recorded the bucket as emptier than it was.
func TestMediaWikiMCPAClockThatStepsLocksOut(t *testing.T) {
	each(t, limiters, ratelimit.PerSecond(1), 3, func(t *testing.T, l *subject) {
		require.True(t, l.take(11*time.Second, 3))
		before := l.PeekAt(l.at(11*time.Second), 1)
		for range 50 {
			require.False(t, l.take(0, 1))
			require.False(t, l.take(11*time.Second, 1))
		}
		require.Equal(t, before, l.PeekAt(l.at(11*time.Second), 1))
		require.LessOrEqual(t, before.RetryAfter, 4*time.Second)
	})
}

// x/time/rate: the longest interval grants twice.
//
// The tokens of the longest intervals were rounded up to a whole one.
func TestXTimeRateTheLongestIntervalGrantsTwice(t *testing.T) {
	each(t, limiters, ratelimit.Every(1<<58), 1, func(t *testing.T, l *subject) {
		require.True(t, l.take(0, 1))
		require.False(t, l.take(0, 1))
		wait := l.exactWait(t, 0, 1)
		l.withinBound(t, 1, wait-1)
		l.withinBound(t, 2, wait)
		require.True(t, l.take(wait, 1))
		require.False(t, l.take(wait, 1))
	})
}
