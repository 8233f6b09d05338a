package penalty_test

import (
	"context"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/burst"
	"github.com/seed-3506548a/ratelimit/fixedwindow"
	"github.com/seed-3506548a/ratelimit/gcra"
	"github.com/seed-3506548a/ratelimit/keyed"
	"github.com/seed-3506548a/ratelimit/limittest"
	"github.com/seed-3506548a/ratelimit/penalty"
)

const (
	ms     = time.Millisecond
	second = time.Second
	minute = time.Minute
)

var t0 = time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)

// newAt returns a limiter of one event a second, with a block of that length, on a clock that shows
// t.
func newAt(tb testing.TB, t time.Time, block time.Duration) (*penalty.Limiter, *limittest.Clock) {
	c := limittest.NewClock(t)
	l, err := penalty.New(ratelimit.Must(gcra.New(ratelimit.PerSecond(1), 1, ratelimit.WithClock(c))), block)
	require.NoError(tb, err)
	require.Same(tb, c, l.Clock())
	return l, c
}

// AniList: 90 in a window of a minute, 10 in any second, and after a request too many a minute in
// which nothing is granted.
func TestAniList(t *testing.T) {
	c := limittest.NewClock(t0)
	window := ratelimit.Must(fixedwindow.NewAnchored(ratelimit.PerMinute(90), ratelimit.WithClock(c)))
	l := ratelimit.Must(penalty.New(ratelimit.Must(burst.New(window, ratelimit.PerSecond(10))), minute))
	granted := func(left int, reset time.Duration) ratelimit.Decision {
		return ratelimit.Decision{OK: true, Limit: 10, Remaining: left, ResetAfter: reset, By: 1}
	}
	blocked := func(wait time.Duration) ratelimit.Decision {
		return ratelimit.Decision{Limit: 10, RetryAfter: wait, ResetAfter: max(wait, 0), By: 1}
	}
	for _, row := range []struct {
		at   time.Duration
		n    int
		want ratelimit.Decision
	}{
		{0, 10, granted(0, minute)},
		{1 * second, 9, granted(1, 59*second)},
		{1 * second, 91, ratelimit.Decision{Limit: 10, Remaining: 1, RetryAfter: ratelimit.Never, ResetAfter: 59 * second}}, // begins no block
		{1 * second, 1, granted(0, 59*second)},
		{1 * second, 1, blocked(minute)}, // until 61 s
		{2 * second, 1, blocked(59 * second)},
		{2 * second, 0, granted(0, 59*second)}, // asks for nothing
		{61*second - ms, 10, blocked(ms)},
		{61*second - 1, 1, blocked(1)},
		{61 * second, 10, granted(0, minute)}, // refusals in a block have not lengthened it
		{62 * second, 10, granted(0, 59*second)},
		{62 * second, 1, blocked(minute)},
		{122 * second, 10, granted(0, minute)},
	} {
		c.Set(t0.Add(row.at))
		peeked := l.Peek(row.n)
		require.Equal(t, row.want, l.Take(row.n), "%d after %v", row.n, row.at)
		require.Equal(t, row.want, peeked, "%d after %v", row.n, row.at)
	}
}

// A refusal has the longer of both waits: with no other traffic the request is granted then, and
// not a nanosecond earlier.
func TestRetryAfterIsExact(t *testing.T) {
	for _, block := range []time.Duration{1, 999 * ms, second, second + 1, minute, 10 * minute} {
		for _, ask := range []func(l *penalty.Limiter, at time.Time) ratelimit.Decision{
			func(l *penalty.Limiter, at time.Time) ratelimit.Decision { return l.TakeAt(at, 1) },
			func(l *penalty.Limiter, at time.Time) ratelimit.Decision { return l.ChargeAt(at, 3) }, // of which another is refused
		} {
			for _, asked := range []time.Duration{0, 1, block / 2, block - 1} {
				l, _ := newAt(t, t0, block)
				require.True(t, l.TakeAt(t0, 1).OK)
				require.Equal(t, max(block, second), l.TakeAt(t0, 1).RetryAfter)
				now := t0.Add(asked)
				d := ask(l, now)
				if d.OK { // the block was over
					require.Less(t, block, second)
					continue
				}
				require.False(t, l.PeekAt(now.Add(d.RetryAfter-1), 1).OK)
				require.True(t, l.PeekAt(now.Add(d.RetryAfter), 1).OK)
				require.Equal(t, max(d.RetryAfter, d.ResetAfter), d.ResetAfter)
				require.Zero(t, l.PeekAt(now.Add(d.ResetAfter), 0).ResetAfter)
				require.Equal(t, time.Duration(1), l.PeekAt(now.Add(d.ResetAfter-1), 0).ResetAfter)
			}
		}
	}
}

// Neither a look begins a block, nor what can never be granted, nor what asks for nothing.
func TestWhatBeginsNoBlock(t *testing.T) {
	l, _ := newAt(t, t0, minute)
	require.True(t, l.Allow())
	for range 3 {
		require.Equal(t, minute, l.Peek(1).RetryAfter)
		for _, n := range []int{2, math.MaxInt, -1, math.MinInt} {
			require.Equal(t, ratelimit.Never, l.Take(n).RetryAfter)
		}
		require.True(t, l.Take(0).OK)
		require.False(t, l.ChargeAt(t0, 1).OK)
		require.Zero(t, l.DelayAt(t0, 0))
	}
	until, ok := l.Blocked()
	require.False(t, ok)
	require.Zero(t, until)
	require.True(t, l.TakeAt(t0.Add(4*second), 1).OK)
	require.False(t, l.Allow())
	_, ok = l.Blocked()
	require.True(t, ok)
	require.Equal(t, ratelimit.Never, l.Take(2).RetryAfter, "in a block as well")
}

// Wherever the clock begins, and also where a block ends at the origin, it is one.
func TestAnyOrigin(t *testing.T) {
	for _, origin := range []time.Time{t0, time.Unix(0, 0), {}, time.Date(2157, 6, 1, 0, 0, 0, 0, time.UTC)} {
		for _, begin := range []time.Duration{-minute, -minute - 1, -minute + 1, 0, 1, -24 * time.Hour, 24 * time.Hour} {
			l, c := newAt(t, origin, minute)
			now := origin.Add(begin)
			c.Set(now)
			require.True(t, l.Allow())
			require.False(t, l.Allow())
			until, ok := l.Blocked()
			require.True(t, ok)
			require.Equal(t, now.Add(minute), until)
			c.Set(until.Add(-1))
			require.False(t, l.Allow())
			require.Equal(t, time.Duration(1), l.Take(1).RetryAfter)
			c.Set(until)
			_, ok = l.Blocked()
			require.False(t, ok)
			require.True(t, l.Allow())
			require.False(t, l.Allow())
			l.Pardon()
			c.Set(now.Add(-time.Hour))
			_, ok = l.Blocked()
			require.False(t, ok)
		}
	}
}

// A block holds at all times before its end, also at those before it began.
func TestClockSetBack(t *testing.T) {
	l, c := newAt(t, t0, minute)
	l.Allow()
	l.Allow()
	c.Set(t0.Add(-time.Hour))
	require.Equal(t, time.Hour+minute, l.Take(1).RetryAfter)
	require.False(t, l.Allow())
	require.Equal(t, time.Hour+minute, l.DelayAt(c.Now(), 1))
	until, ok := l.Blocked()
	require.True(t, ok)
	require.Equal(t, t0.Add(minute), until)
	c.Set(t0.Add(minute))
	require.True(t, l.Allow())
}

// What would end after the range of times ends by Pardon only.
func TestBlockWithoutEnd(t *testing.T) {
	far := t0.Add(1 << 62).Add(-2 * second)
	for _, row := range []struct {
		at    time.Time
		block time.Duration
	}{
		{t0, ratelimit.Never},
		{t0, 1 << 62},
		{t0.Add(time.Hour), ratelimit.Never - 1},
		{far, 2 * second},
		{time.Time{}, ratelimit.Never},
	} {
		l, c := newAt(t, t0, row.block)
		c.Set(row.at)
		l.Allow()
		d := l.Take(1)
		require.Equal(t, ratelimit.Never, d.RetryAfter)
		require.Equal(t, ratelimit.Never, d.ResetAfter)
		require.Equal(t, ratelimit.Never, l.DelayAt(row.at, 1))
		for _, later := range []time.Time{row.at, t0, far.AddDate(500, 0, 0)} {
			c.Set(later)
			require.Equal(t, ratelimit.Never, l.Take(1).RetryAfter)
			until, ok := l.Blocked()
			require.True(t, ok)
			require.False(t, until.Before(far))
		}
		l.Pardon()
		_, ok := l.Blocked()
		require.False(t, ok)
	}
	l, _ := newAt(t, t0, 2*second-1)
	l.TakeAt(far, 1)
	require.Equal(t, 2*second-1, l.TakeAt(far, 1).RetryAfter, "the end is just in the range")
	l.Pardon()
	beyond := far.AddDate(500, 0, 0)
	l.TakeAt(beyond, 1)
	require.Equal(t, ratelimit.Never, l.TakeAt(beyond, 1).RetryAfter, "by the inner limiter already")
	_, ok := l.Blocked()
	require.False(t, ok)
}

// A pardon ends the block, and what was granted stays so.
func TestPardon(t *testing.T) {
	l, c := newAt(t, t0, minute)
	l.Pardon() // there is nothing to pardon
	require.True(t, l.Allow())
	require.False(t, l.Allow())
	l.Pardon()
	_, ok := l.Blocked()
	require.False(t, ok)
	require.Equal(t, minute, l.Take(1).RetryAfter, "the second is not over: another block begins")
	c.Set(t0.Add(second))
	require.False(t, l.Allow())
	l.Pardon()
	require.True(t, l.Allow())
}

// What has happened is charged in a block as well; what is given back does not end it.
func TestChargeAndRefundInABlock(t *testing.T) {
	c := limittest.NewClock(t0)
	inner := ratelimit.Must(gcra.New(ratelimit.PerSecond(1), 5, ratelimit.WithClock(c)))
	l := ratelimit.Must(penalty.New(inner, minute))
	require.True(t, l.Take(4).OK)
	require.Equal(t, ratelimit.Decision{OK: true, Limit: 5, Remaining: 1, ResetAfter: 4 * second}, l.ChargeAt(t0, 0))
	blocked := ratelimit.Decision{Limit: 5, RetryAfter: minute, ResetAfter: minute}
	require.Equal(t, blocked, l.Take(2))
	require.Equal(t, blocked, l.ChargeAt(t0, 0))
	require.Equal(t, blocked, l.ChargeAt(t0, 1))
	require.Equal(t, 0, inner.Peek(0).Remaining)
	l.RefundAt(t0, 5, 0)
	require.Equal(t, 5, inner.Peek(0).Remaining)
	require.Equal(t, blocked, l.Take(1))
	require.Equal(t, ratelimit.Decision{Limit: 5, RetryAfter: 96 * second, ResetAfter: 100 * second}, l.ChargeAt(t0, 100))
	require.Equal(t, ratelimit.Decision{Limit: 5, RetryAfter: ratelimit.Never, ResetAfter: 100 * second}, l.ChargeAt(t0, -1))
}

// An inner limiter may be anybody's: one that is no Charger is charged what it grants, and has no
// delay.
func TestForeignInner(t *testing.T) {
	c := limittest.NewClock(t0)
	inner := ratelimit.Must(gcra.New(ratelimit.PerSecond(1), 5, ratelimit.WithClock(c)))
	l := ratelimit.Must(penalty.New(struct{ ratelimit.Limiter }{inner}, minute))
	require.Equal(t, minute, l.ChargeAt(t0, 7).RetryAfter)
	require.Equal(t, 0, inner.Peek(0).Remaining)
	require.Zero(t, l.DelayAt(t0, 3))
	require.Equal(t, minute, l.Take(1).RetryAfter)
	require.Equal(t, minute, l.DelayAt(t0, 3))
	require.Equal(t, ratelimit.Never, l.DelayAt(t0, -1))
}

// The delay is the rest of the block, and what the inner limiter takes from then on.
func TestDelayAt(t *testing.T) {
	l, _ := newAt(t, t0, minute)
	require.Equal(t, 2*second, l.DelayAt(t0, 3))
	require.Equal(t, ratelimit.Never, l.DelayAt(t0, -1))
	l.Allow()
	l.Allow()
	require.Zero(t, l.DelayAt(t0, 0))
	require.Equal(t, minute, l.DelayAt(t0, 1))
	require.Equal(t, minute+2*second, l.DelayAt(t0, 3))
	require.Equal(t, 2*second, l.DelayAt(t0.Add(minute), 3))
}

// It stands outermost, and is not waited for.
func TestOutermost(t *testing.T) {
	l, c := newAt(t, t0, minute)
	other := ratelimit.Must(gcra.New(ratelimit.PerSecond(1), 1, ratelimit.WithClock(c)))
	const refused = " is *penalty.Limiter, want a limiter that a refusal does not change"
	_, err := ratelimit.All(other, l)
	require.ErrorContains(t, err, "ratelimit.All: ls[1]"+refused)
	_, err = burst.New(l, ratelimit.PerSecond(1))
	require.ErrorContains(t, err, "burst.New: inner"+refused)
	_, err = penalty.New(l, minute)
	require.EqualError(t, err, "penalty.New: inner"+refused)
	_, err = ratelimit.NewQueue(l, 1)
	require.ErrorContains(t, err, "ratelimit.NewQueue: l"+refused)
	require.ErrorContains(t, ratelimit.Wait(context.Background(), l, 1), "ratelimit.Wait: l"+refused)
	require.Equal(t, ratelimit.Decision{OK: true, Limit: 1, Remaining: 1}, l.Peek(0), "and nobody has asked it")

	all := ratelimit.Must(ratelimit.All(other, ratelimit.Unlimited()))
	l = ratelimit.Must(penalty.New(all, minute))
	require.Equal(t, []ratelimit.Limiter{all}, l.Unwrap())
}

// In a Map, each key has a block of its own, and is not forgotten before that is over.
func TestInAMap(t *testing.T) {
	c := limittest.NewClock(t0)
	m, err := keyed.NewMap(1, func(string) (ratelimit.Limiter, error) {
		return penalty.New(ratelimit.Must(gcra.New(ratelimit.PerSecond(1), 1, ratelimit.WithClock(c))), minute)
	}, keyed.WithClock(c))
	require.NoError(t, err)
	require.True(t, m.Allow("ann"))
	require.Equal(t, minute, m.Take("ann", 1).RetryAfter)
	c.Set(t0.Add(minute - 1))
	require.Equal(t, ratelimit.Decision{RetryAfter: 1, ResetAfter: 1, By: keyed.Full}, m.Take("bob", 1))
	require.False(t, m.Allow("ann"))
	c.Set(t0.Add(minute))
	require.True(t, m.Allow("bob"))
}

func TestArguments(t *testing.T) {
	inner := ratelimit.Must(gcra.New(ratelimit.PerSecond(1), 1))
	var none *gcra.Limiter
	for _, row := range []struct {
		inner ratelimit.Limiter
		block time.Duration
		want  string
	}{
		{nil, minute, "penalty.New: inner is nil, want a limiter"},
		{none, minute, "penalty.New: inner is nil, want a limiter"},
		{clockless{inner}, minute, "penalty.New: inner.Clock() is nil, want a clock"},
		{inner, 0, "penalty.New: block is 0s, want more than 0s"},
		{inner, -1, "penalty.New: block is -1ns, want more than 0s"},
		{inner, math.MinInt64, "penalty.New: block is -2562047h47m16.854775808s, want more than 0s"},
	} {
		_, err := penalty.New(row.inner, row.block)
		var bad *ratelimit.ArgumentError
		require.ErrorAs(t, err, &bad)
		require.EqualError(t, err, row.want)
	}
}

type clockless struct{ ratelimit.Limiter }

func (clockless) Clock() ratelimit.Clock { return nil }

func buildConform(opts ...ratelimit.Option) (ratelimit.Limiter, error) {
	inner, err := gcra.New(ratelimit.PerSecond(10), 20, opts...)
	if err != nil {
		return nil, err
	}
	return penalty.New(inner, minute)
}

// merciful pardons after each refusal, so that a refusal changes nothing after all.
type merciful struct{ *penalty.Limiter }

func (l merciful) TakeAt(t time.Time, n int) ratelimit.Decision {
	d := l.Limiter.TakeAt(t, n)
	if !d.OK {
		l.Pardon()
	}
	return d
}

func (l merciful) Take(n int) ratelimit.Decision { return l.TakeAt(l.Clock().Now(), n) }

func (l merciful) Allow() bool { return l.Take(1).OK }

// It does all that a limiter must do, but for what follows from its purpose: a refusal changes it,
// and RetryAfter of a look is what would be, if it were a request. Pardoned after each refusal, and
// with blocks that are shorter than any other wait, it does all.
func TestConform(t *testing.T) {
	require.NoError(t, limittest.TestAllocations(buildConform))
	var failed []string
	for _, line := range strings.Split(limittest.TestLimiter(buildConform).Error(), "\n") {
		part, _, _ := strings.Cut(line, ":")
		failed = append(failed, part)
	}
	require.Equal(t, []string{"AllOrNothing", "RefusalChangesNothing", "DecisionIsExact", "Charge", "Conservation"}, failed)
	err := limittest.TestLimiter(func(opts ...ratelimit.Option) (ratelimit.Limiter, error) {
		inner, err := gcra.New(ratelimit.PerSecond(10), 20, opts...)
		if err != nil {
			return nil, err
		}
		l, err := penalty.New(inner, 1)
		return merciful{l}, err
	})
	require.NoError(t, err)
}
