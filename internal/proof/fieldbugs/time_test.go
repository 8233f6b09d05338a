package fieldbugs_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/internal/proof/bounds"
)

// Two callers' readings, 2 ms apart, in turn: each later one counted the 2 ms again.
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

// It is 10 s, and the change and the cancellation were begun at 9 s: the second in between counted
// again.
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

// A zero of the state stood for a limiter that had not been called yet, and the mock began at zero.
func TestUberTheEpochCountsAsNeverCalled(t *testing.T) {
	eachAt(t, limiters, time.Unix(0, 0), ratelimit.PerSecond(1), 1, func(t *testing.T, l *subject) {
		require.True(t, l.Allow())
		require.False(t, l.Allow())
		l.clock.Set(l.at(time.Second - 1))
		require.False(t, l.Allow())
	})
}

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

// Elapsed time was unsigned.
func TestGoLimiterANanosecondBackUnderflows(t *testing.T) {
	each(t, limiters, ratelimit.PerSecond(1), 2, func(t *testing.T, l *subject) {
		require.True(t, l.take(0, 2))
		require.False(t, l.take(-1, 1))
		l.exactWait(t, -1, 1)
	})
}

// Tokens times the nanoseconds of twelve hours overflowed, and the bucket was below empty.
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

// After a long pause any number of tokens could be acquired.
func TestLeakyBucketIdlingFillsBeyondTheTop(t *testing.T) {
	each(t, limiters, ratelimit.PerSecond(5), 5, func(t *testing.T, l *subject) {
		require.True(t, l.take(0, 1))
		for _, after := range []time.Duration{time.Minute, 24 * time.Hour, 10 * 365 * 24 * time.Hour} {
			require.Equal(t, 5, l.state(after).Remaining)
			require.Equal(t, 5, l.atOnce(after))
		}
	})
}

// 20 tokens a second into a bucket of 100: of a full one, the 5 s that it was full for were counted
// after it was emptied.
func TestJujuAFullBucketKeepsItsIdleTime(t *testing.T) {
	each(t, limiters, ratelimit.PerSecond(20), 100, func(t *testing.T, l *subject) {
		require.Equal(t, 100, l.state(0).Remaining)
		require.Equal(t, 100, l.state(5*time.Second).Remaining)
		require.True(t, l.take(5*time.Second, 100))
		require.Equal(t, 0, l.state(5*time.Second).Remaining)
		require.False(t, l.take(5*time.Second, 1))
	})
}

// 3 each 500 ms, first used after 5 s: the fourth within 50 ms filled it again.
func TestChronosABucketMadeLongAgoFillsTwice(t *testing.T) {
	each(t, limiters, ratelimit.Per(3, 500*ms), 3, func(t *testing.T, l *subject) {
		for _, after := range []time.Duration{0, 10 * ms, 50 * ms} {
			require.True(t, l.take(5*time.Second+after, 1))
		}
		require.False(t, l.take(5*time.Second+50*ms, 1))
	})
}

// The clock went 11 s forwards and back all the time. Each call at the early time, also a refused
// one, wrote what the bucket then lacked.
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

// The tokens of the longest intervals were rounded to a whole one.
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
