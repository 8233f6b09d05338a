package limittest

import (
	"math"
	"testing"
	"time"

	"github.com/benbjohnson/clock"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-3506548a/ratelimit"
)

// New builds a limiter of 10 a second, or one that grants at least 4 events at once when fresh, is
// fresh again after a minute, and refuses 1000. It takes the options that it is given.
type New func(opts ...ratelimit.Option) (ratelimit.Limiter, error)

// Conform holds a limiter against those parts of the contract that are the same for all.
func Conform(t *testing.T, build New) {
	t.Run("AllOrNothing", func(t *testing.T) { allOrNothing(t, build) })
	t.Run("RefusalChangesNothing", func(t *testing.T) { refusalChangesNothing(t, build) })
	t.Run("DecisionIsExact", func(t *testing.T) { decisionIsExact(t, build) })
	t.Run("AnyClockOrigin", func(t *testing.T) { anyClockOrigin(t, build) })
	t.Run("BadOptions", func(t *testing.T) { badOptions(t, build) })
	t.Run("Refund", func(t *testing.T) { refund(t, build) })
}

func onMock(t *testing.T, build New) (ratelimit.Limiter, *clock.Mock) {
	mock := clock.NewMock()
	l, err := build(ratelimit.WithClock(mock))
	require.NoError(t, err)
	require.Same(t, mock, l.Clock())
	return l, mock
}

func allOrNothing(t *testing.T, build New) {
	l, mock := onMock(t, build)
	now := mock.Now()
	fresh := l.PeekAt(now, 0)
	require.True(t, fresh.OK)
	require.Equal(t, fresh.Limit, fresh.Remaining, "a new limiter grants its limit")
	require.Zero(t, fresh.ResetAfter)

	for _, n := range []int{-1, math.MinInt, fresh.Limit + 1, math.MaxInt} {
		d := l.TakeAt(now, n)
		assert.False(t, d.OK, "n = %d", n)
		assert.Equal(t, ratelimit.Never, d.RetryAfter, "n = %d", n)
		assert.Equal(t, fresh, l.Take(0), "n = %d was charged", n)
	}
	require.True(t, l.Take(fresh.Limit-1).OK)
	before := l.TakeAt(now, 0)
	require.Equal(t, 1, before.Remaining)
	require.False(t, l.Take(2).OK)
	require.Equal(t, before, l.TakeAt(now, 0), "a part of a refused request was charged")
	require.True(t, l.Allow())
	require.False(t, l.Allow())
	d := l.Take(0)
	require.True(t, d.OK, "n = 0 is granted, even when nothing remains")
	require.Zero(t, d.Remaining)
}

// states calls f with limiters in many states, each with a time. It builds two of each kind with
// the same history, so that f may change one and compare.
func states(t *testing.T, build New, f func(a, b ratelimit.Limiter, now time.Time)) {
	for first := range 4 {
		for _, gap := range []time.Duration{0, 1, 99 * time.Millisecond, 100 * time.Millisecond, time.Second, time.Minute} {
			for second := range 5 {
				a, mock := onMock(t, build)
				b, err := build(ratelimit.WithClock(mock))
				require.NoError(t, err)
				now := mock.Now().Add(7 * time.Second)
				for _, l := range []ratelimit.Limiter{a, b} {
					l.TakeAt(now, first)
					l.TakeAt(now.Add(gap), l.PeekAt(now.Add(gap), 0).Remaining-second)
				}
				for _, late := range []time.Duration{-time.Second, -1, 0, 1, 50 * time.Millisecond} {
					f(a, b, now.Add(gap+late))
				}
			}
		}
	}
}

func refusalChangesNothing(t *testing.T, build New) {
	refusals := 0
	states(t, build, func(a, b ratelimit.Limiter, now time.Time) {
		for _, n := range []int{b.PeekAt(now, 0).Remaining + 1, 1000, -1} {
			d := b.TakeAt(now, n)
			require.False(t, d.OK)
			require.Equal(t, d, b.PeekAt(now, n))
			refusals++
		}
		for _, later := range []time.Duration{-time.Minute, -1, 0, 1, time.Second, time.Minute} {
			require.Equal(t, a.PeekAt(now.Add(later), 1), b.PeekAt(now.Add(later), 1))
		}
	})
	require.Positive(t, refusals)
}

// decisionIsExact checks every field of a Decision by what it says about other decisions.
func decisionIsExact(t *testing.T, build New) {
	fresh, mock := onMock(t, build)
	limit := fresh.PeekAt(mock.Now(), 0).Limit
	states(t, build, func(a, _ ratelimit.Limiter, now time.Time) {
		d := a.PeekAt(now, 0)
		require.Equal(t, limit, d.Limit)
		require.True(t, a.PeekAt(now, d.Remaining).OK)
		require.False(t, a.PeekAt(now, d.Remaining+1).OK)
		for n := d.Remaining + 1; n <= d.Limit; n++ {
			wait := a.PeekAt(now, n).RetryAfter
			require.Positive(t, wait)
			require.True(t, a.PeekAt(now.Add(wait), n).OK, "refused when the wait was over")
			require.False(t, a.PeekAt(now.Add(wait-1), n).OK, "granted before the wait was over")
		}
		reset := d.ResetAfter
		for _, later := range []time.Duration{0, 1, time.Second} {
			at := now.Add(reset + later)
			require.Equal(t, fresh.PeekAt(at, 1), a.PeekAt(at, 1), "not as new after ResetAfter")
		}
		if reset > 0 {
			at := now.Add(reset - 1)
			require.NotEqual(t, fresh.PeekAt(at, 1), a.PeekAt(at, 1), "as new before ResetAfter")
		}
	})
}

// anyClockOrigin has limiters made under clocks of many origins act the same, also when the clock
// is set back or stands still, and a limiter on the system's clock replay a log of 1995.
func anyClockOrigin(t *testing.T, build New) {
	play := func(l ratelimit.Limiter, set func(time.Time), start time.Time) (trace []ratelimit.Decision) {
		for _, after := range []time.Duration{0, 0, 0, 1, time.Second, time.Second, -time.Second, -time.Hour, time.Hour, 40 * 365 * 24 * time.Hour, 0} {
			set(start.Add(after))
			for _, n := range []int{1, 2, 1, 1, 0, 4} {
				trace = append(trace, l.TakeAt(start.Add(after), n), l.Take(n), l.PeekAt(start.Add(after), 1))
			}
		}
		return trace
	}
	var first []ratelimit.Decision
	for _, origin := range origins {
		origin = origin.Truncate(time.Second) // where windows and buckets begin
		c := NewClock(origin)
		l, err := build(ratelimit.WithClock(c))
		require.NoError(t, err)
		trace := play(l, c.Set, origin)
		if first == nil {
			first = trace
		}
		require.Equal(t, first, trace, "origin %v", origin)
	}

	mock := clock.NewMock() // at Unix(0, 0)
	l, err := build(ratelimit.WithClock(mock))
	require.NoError(t, err)
	require.True(t, l.Allow())
	mock.Set(time.Unix(-1e9, 0))
	require.NotZero(t, l.Take(0).ResetAfter, "what was granted is owed at an earlier time too")
	mock.Set(time.Unix(1e9, 0))
	require.True(t, l.Allow())

	replay, err := build()
	require.NoError(t, err)
	old := time.Date(1995, 7, 1, 0, 0, 1, 0, time.UTC)
	fresh := replay.PeekAt(old, 0)
	require.True(t, replay.TakeAt(old, fresh.Limit).OK, "a new limiter is fresh at every instant")
	require.False(t, replay.TakeAt(old, 1).OK)
	require.True(t, replay.TakeAt(old.Add(time.Minute), fresh.Limit).OK)
	require.True(t, replay.Allow(), "after the replay, at the present time")
}

func badOptions(t *testing.T, build New) {
	var noMock *clock.Mock
	var noFunc clockFunc
	for name, opt := range map[string]ratelimit.Option{
		"no option":  nil,
		"nil clock":  ratelimit.WithClock(nil),
		"nil *Mock":  ratelimit.WithClock(noMock),
		"nil func":   ratelimit.WithClock(noFunc),
		"nil option": ratelimit.Option(nil),
	} {
		_, err := build(opt)
		var bad *ratelimit.ArgumentError
		require.ErrorAs(t, err, &bad, name)
		require.Nil(t, bad.Value)
		require.Contains(t, err.Error(), "is nil, want")
	}
}

// clockFunc is a usual way to make a function a clock.
type clockFunc func() time.Time

func (f clockFunc) Now() time.Time { return f() }

// refund checks that what was granted at an instant can be given back at that instant, once, and
// that what makes no sense gives nothing back.
func refund(t *testing.T, build New) {
	l, mock := onMock(t, build)
	now := mock.Now()
	fresh := l.PeekAt(now, 1)
	require.True(t, l.Take(3).OK)
	l.RefundAt(now, 3, 0)
	require.Equal(t, fresh, l.PeekAt(now, 1))
	l.RefundAt(now, 3, 0)
	require.Equal(t, fresh, l.PeekAt(now, 1), "a new limiter has nothing to give back")

	require.True(t, l.Take(2).OK)
	charged := l.PeekAt(now, 1)
	for _, n := range []int{0, -1, math.MinInt, math.MaxInt, fresh.Limit + 1} {
		l.RefundAt(now, n, 0)
		require.Equal(t, charged, l.PeekAt(now, 1), "refund of %d", n)
	}
	l.RefundAt(now, 1, -1)
	l.RefundAt(now, 1, math.MinInt64)
	l.RefundAt(now, 1, math.MaxInt64)
	l.RefundAt(now, 1, time.Hour)
	require.Equal(t, charged, l.PeekAt(now, 1), "refund of what has long drained")
	mock.Add(time.Hour)
	l.RefundAt(now, 2, 0)
	require.Equal(t, charged, l.PeekAt(now, 1), "an early t is moved to the clock, where all has drained")
}
