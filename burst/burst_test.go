package burst_test

import (
	"errors"
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/burst"
	"github.com/seed-3506548a/ratelimit/gcra"
	"github.com/seed-3506548a/ratelimit/internal/proof/bounds"
	"github.com/seed-3506548a/ratelimit/limittest"
	"github.com/seed-3506548a/ratelimit/slidingwindow"
)

const ms = time.Millisecond

var t0 = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// newAt returns AniList's limits, 90 a minute and 10 a second, on a clock that shows t0.
func newAt(t testing.TB) (*burst.Limiter, *limittest.Clock) {
	c := limittest.NewClock(t0)
	perMinute, err := slidingwindow.NewLog(ratelimit.PerMinute(90), ratelimit.WithClock(c))
	require.NoError(t, err)
	l, err := burst.New(perMinute, ratelimit.PerSecond(10))
	require.NoError(t, err)
	require.Same(t, c, l.Clock())
	return l, c
}

// Of 90 a minute, at most 10 pass in any second: so the minute is used up after 8 seconds.
func TestStory(t *testing.T) {
	l, c := newAt(t)
	require.Equal(t, ratelimit.Decision{OK: true, Limit: 10, Remaining: 10, By: 1}, l.Peek(0))
	for second := range 9 {
		c.Set(t0.Add(time.Duration(second) * time.Second))
		require.Equal(t, 0, l.Take(10).Remaining)
		if second < 8 {
			d := l.Take(1)
			require.Equal(t, ratelimit.Decision{Limit: 10, RetryAfter: time.Second, ResetAfter: time.Minute, By: 1}, d)
		}
	}
	d := l.Take(1)
	require.Equal(t, ratelimit.Decision{Limit: 10, RetryAfter: 52 * time.Second, ResetAfter: time.Minute, By: 0}, d)
	require.False(t, l.Allow())
	c.Set(t0.Add(time.Minute))
	require.True(t, l.Allow())
	require.False(t, l.Take(11).OK)
}

func TestRefund(t *testing.T) {
	l, c := newAt(t)
	fresh := l.Peek(0)
	require.True(t, l.Take(4).OK)
	l.RefundAt(c.Now(), 4, 0)
	require.Equal(t, fresh, l.Peek(0))
}

func TestSetPeak(t *testing.T) {
	l, c := newAt(t)
	require.True(t, l.Take(4).OK)
	require.NoError(t, l.SetPeak(ratelimit.PerSecond(5)))
	require.Equal(t, ratelimit.PerSecond(5), l.Peak())
	require.Equal(t, 1, l.Peek(0).Remaining)
	require.NoError(t, l.SetPeakAt(c.Now(), ratelimit.PerSecond(0)))
	require.False(t, l.Allow())
	require.EqualError(t, l.SetPeak(ratelimit.PerMinute(1)),
		"burst.Limiter.SetPeak: peak.Per is 1m0s, want 1s, as the limiter was made: only Events can change")
	require.EqualError(t, l.SetPeakAt(c.Now(), ratelimit.PerSecond(-1)),
		"burst.Limiter.SetPeakAt: peak.Events is -1, want 0 to 262143")
}

func TestBound(t *testing.T) {
	build := func(opts ...ratelimit.Option) (ratelimit.Limiter, error) {
		inner, err := gcra.New(ratelimit.PerSecond(20), 20, opts...)
		if err != nil {
			return nil, err
		}
		return burst.New(inner, ratelimit.Per(3, 100*ms))
	}
	bucket := bounds.Bucket(ratelimit.PerSecond(20), 20)
	require.NoError(t, limittest.TestBound(build, 50*ms, func(length time.Duration) int {
		return min(bucket.Int(length), 3*(1+int(length/(100*ms))))
	}))
}

func TestConform(t *testing.T) {
	build := func(opts ...ratelimit.Option) (ratelimit.Limiter, error) {
		inner, err := gcra.New(ratelimit.PerSecond(10), 20, opts...)
		if err != nil {
			return nil, err
		}
		return burst.New(inner, ratelimit.PerSecond(10), opts...)
	}
	require.NoError(t, limittest.TestLimiter(build))
	require.NoError(t, limittest.TestAllocations(build))
}

func TestArguments(t *testing.T) {
	c, other := limittest.NewClock(t0), limittest.NewClock(t0)
	inner := ratelimit.Must(gcra.New(ratelimit.PerSecond(1), 1, ratelimit.WithClock(c)))
	for _, row := range []struct {
		inner ratelimit.Limiter
		peak  ratelimit.Rate
		opts  []ratelimit.Option
		want  string
	}{
		{nil, ratelimit.PerSecond(1), nil, "burst.New: inner is nil, want a limiter"},
		{inner, ratelimit.PerSecond(-1), nil, "burst.New: peak.Events is -1, want 0 to 262143"},
		{inner, ratelimit.Per(1, 0), nil, "burst.New: peak.Per is 0s, want more than 0s"},
		{inner, ratelimit.PerSecond(1), []ratelimit.Option{nil}, "burst.New: opts[0] is nil, want an option"},
		{inner, ratelimit.PerSecond(1), []ratelimit.Option{ratelimit.WithClock(other)},
			"burst.New: WithClock is *limittest.Clock, want the clock of inner, or no such option"},
		{inner, ratelimit.PerSecond(1), []ratelimit.Option{ratelimit.WithClock(nil)},
			"burst.New: WithClock is nil, want a clock, or no such option for inner's"},
		{timeless{inner}, ratelimit.PerSecond(1), []ratelimit.Option{ratelimit.WithClock(c)}, "burst.New: inner.Clock() is nil, want a clock"},
	} {
		_, err := burst.New(row.inner, row.peak, row.opts...)
		var bad *ratelimit.ArgumentError
		require.ErrorAs(t, err, &bad)
		require.EqualError(t, err, row.want)
	}
	l, err := burst.New(ratelimit.Unlimited(), ratelimit.PerSecond(1), ratelimit.WithClock(c))
	require.NoError(t, err)
	require.Same(t, c, l.Clock())
	_, err = ratelimit.All(l, l.Unwrap()[1])
	require.ErrorContains(t, err, "want another limiter than in ls[0]")
}

// timeless is a limiter that somebody else has got wrong.
type timeless struct{ ratelimit.Limiter }

func (timeless) Clock() ratelimit.Clock { return nil }

// The peaks that are refused are those that a Log cannot have, and the error speaks of the peak.
func TestPeaks(t *testing.T) {
	l, _ := newAt(t)
	for _, events := range []int{math.MinInt, -1, 0, 1, 1<<18 - 1, 1 << 18, math.MaxInt} {
		for _, per := range []time.Duration{math.MinInt64, -1, 0, 1, time.Second, 1 << 58, 1<<58 + 1, math.MaxInt64} {
			peak := ratelimit.Per(events, per)
			_, refused := slidingwindow.NewLog(peak)
			_, err := burst.New(ratelimit.Unlimited(), peak)
			require.Equal(t, refused != nil, err != nil, peak)
			change := l.SetPeak(peak)
			require.Equal(t, refused != nil || per != time.Second, change != nil, peak)
			for fn, err := range map[string]error{"burst.New": err, "burst.Limiter.SetPeak": change} {
				var bad *ratelimit.ArgumentError
				if errors.As(err, &bad) {
					require.Equal(t, fn, bad.Func)
					require.Contains(t, []string{"peak.Events", "peak.Per"}, bad.Field)
				}
			}
		}
	}
}

// A typed nil is no limiter, and a clock that cannot be compared is one.
func TestArgumentsOfOddTypes(t *testing.T) {
	var none *gcra.Limiter
	_, err := burst.New(none, ratelimit.PerSecond(10))
	require.EqualError(t, err, "burst.New: inner is nil, want a limiter")
	byFunc := ratelimit.Must(gcra.New(ratelimit.PerMinute(90), 90, ratelimit.WithClock(clockFunc(func() time.Time { return t0 }))))
	l, err := burst.New(byFunc, ratelimit.PerSecond(10))
	require.NoError(t, err)
	require.True(t, l.Take(10).OK)
	require.False(t, l.Allow())
}

type clockFunc func() time.Time

func (f clockFunc) Now() time.Time { return f() }

// 1 of 10 at once, and 1,500 of 9,000 tokens of the other limiter.
func TestEach(t *testing.T) {
	c := limittest.NewClock(t0)
	tokens := ratelimit.Must(gcra.New(ratelimit.PerMinute(90_000), 9000, ratelimit.WithClock(c)))
	l := ratelimit.Must(burst.New(tokens, ratelimit.PerSecond(10)))
	require.Equal(t, ratelimit.Decision{OK: true, Limit: 6, Remaining: 5, ResetAfter: time.Second}, l.TakeEach(t0, 1500, 1))
	require.Equal(t, ratelimit.Never, l.TakeEach(t0, 1500).RetryAfter)
	require.Equal(t, 7500, tokens.Peek(0).Remaining)
	l.RefundEach(t0, 0, 1500, 1)
	require.Equal(t, ratelimit.Decision{OK: true, Limit: 10, Remaining: 10, By: 1}, l.Peek(0))
	require.Equal(t, ratelimit.Decision{Limit: 10, RetryAfter: time.Second, ResetAfter: time.Second, By: 1}, l.ChargeAt(t0, 12))
	require.Equal(t, 8988, tokens.Peek(0).Remaining)
}
