package gcra_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/gcra"
	"github.com/seed-3506548a/ratelimit/limittest"
)

func bucketAt(t *testing.T, rate ratelimit.Rate, burst int) (*gcra.Limiter, *limittest.Clock) {
	clock := limittest.NewClock(t0)
	l, err := gcra.New(rate, burst, ratelimit.WithClock(clock))
	require.NoError(t, err)
	return l, clock
}

// Beyond the end time stands still, also for one whose rate was changed there while it was fresh.
func TestFreshBeyondTheTop(t *testing.T) {
	l, clock := bucketAt(t, ratelimit.PerSecond(1), 1)
	require.NoError(t, l.SetRateAt(t0.Add(1<<62), ratelimit.PerSecond(1), 2))
	clock.Set(t0.Add(1<<62 + 1<<61))
	require.True(t, l.Allow())
	require.True(t, l.Allow())
	require.False(t, l.Allow())
	clock.Set(t0.Add(1<<62 + 1<<61 + time.Hour))
	require.False(t, l.Allow())
}

// The fullest bucket of all, at the end of time.
func TestFullestBucketAtTheTop(t *testing.T) {
	l, _ := bucketAt(t, ratelimit.Rate{Events: 1, Per: 1 << 61}, 1)
	end := t0.Add(1 << 62)
	require.True(t, l.TakeAt(end, 1).OK)
	require.False(t, l.PeekAt(end, 1).OK)
	require.False(t, l.TakeAt(end, 1).OK)
}

// An event may be a single tick, which a refund gives back also at the very start of the frame.
func TestRefundOfATick(t *testing.T) {
	l, clock := bucketAt(t, ratelimit.Rate{Events: 1, Per: 1}, 1)
	clock.Set(t0.Add(-2))
	require.True(t, l.Allow())
	require.False(t, l.Allow())
	l.RefundAt(clock.Now(), 1, 0)
	require.True(t, l.Allow())
}

// A refund of what was not granted then leaves nothing owed at the very change of rate: what was
// before it stays unknown.
func TestNothingOwedAtTheChange(t *testing.T) {
	l, clock := bucketAt(t, ratelimit.PerSecond(1), 1)
	require.True(t, l.Allow())
	clock.Set(t0.Add(time.Second / 2))
	require.NoError(t, l.SetRate(ratelimit.PerSecond(10), 1))
	l.RefundAt(clock.Now(), 1, time.Second/20)
	require.Equal(t, time.Duration(1), l.PeekAt(clock.Now(), 0).ResetAfter)
	require.False(t, l.TakeAt(t0.Add(time.Second/4), 1).OK)
}

// A full bucket stays full when the rate becomes one whose ticks are coarse.
func TestFullBucketOfCoarseTicks(t *testing.T) {
	const burst = 1<<31 - 2
	l, _ := bucketAt(t, ratelimit.Rate{Events: 1, Per: 1 << 20}, burst)
	require.True(t, l.Take(burst).OK)
	require.NoError(t, l.SetRate(ratelimit.Rate{Events: 3, Per: 3<<29 + 2}, burst))
	require.False(t, l.Allow())
}

func TestReserveNothing(t *testing.T) {
	l, _ := bucketAt(t, ratelimit.PerSecond(1), 1)
	r, d := l.ReserveAt(t0, 0, time.Second)
	require.True(t, d.OK)
	require.Equal(t, t0, r.ActAt())
}

// What is granted in the nanosecond of a second change of rate can be given back.
func TestRefundAfterTwoChanges(t *testing.T) {
	l, clock := bucketAt(t, ratelimit.PerSecond(1), 1)
	require.True(t, l.Allow())
	clock.Set(t0.Add(1))
	require.NoError(t, l.SetRate(ratelimit.PerSecond(3), 3))
	require.NoError(t, l.SetRate(ratelimit.PerSecond(1), 3))
	require.True(t, l.Allow())
	require.Equal(t, 1, l.Peek(0).Remaining)
	l.RefundAt(clock.Now(), 1, 0)
	require.Equal(t, 2, l.Peek(0).Remaining)
}

// Whether a rate will do depends on what may be owed, and not on where the frame lies, which a
// nanosecond decides here.
func TestSetRateAtTheEndOfTheFrame(t *testing.T) {
	const end = (1<<63-1-1<<61-2000)/1000 - 2
	for past := time.Duration(-1); past <= 2; past++ {
		ahead, _ := bucketAt(t, ratelimit.Per(1000, 1), 1000)
		require.True(t, ahead.TakeAt(t0.Add(end+past), 1).OK)
		require.NoError(t, ahead.SetRate(ratelimit.PerHour(1), 1))
		require.Equal(t, end+past+time.Hour, ahead.PeekAt(t0, 1).RetryAfter)

		l, clock := bucketAt(t, ratelimit.Per(1000, 1), 1000)
		clock.Set(t0.Add(end + past))
		require.True(t, l.Allow())
		clock.Set(t0)
		require.NoError(t, l.SetRate(ratelimit.PerHour(1), 1))
	}
}
