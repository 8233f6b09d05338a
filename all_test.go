package ratelimit_test

import (
	"sync/atomic"
	"testing"
	"time"

	"github.com/benbjohnson/clock"
	"github.com/stretchr/testify/require"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/fixedwindow"
	"github.com/seed-3506548a/ratelimit/gcra"
	"github.com/seed-3506548a/ratelimit/limittest"
	"github.com/seed-3506548a/ratelimit/slidingwindow"
	"github.com/seed-3506548a/ratelimit/tokenbucket"
)

var t0 = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// PrayerLetters' limits, of any hour and of any day: a client that has used up one waits for that.
func TestAllStory(t *testing.T) {
	c := limittest.NewClock(t0)
	l := ratelimit.Must(ratelimit.All(
		ratelimit.Must(slidingwindow.NewLog(ratelimit.PerDay(6), ratelimit.WithClock(c))),
		ratelimit.Must(slidingwindow.NewLog(ratelimit.PerHour(4), ratelimit.WithClock(c))),
	))
	const hour, day = time.Hour, 24 * time.Hour
	for i, s := range []struct {
		after time.Duration
		n     int
		want  ratelimit.Decision
	}{
		{0, 0, ratelimit.Decision{OK: true, Limit: 4, Remaining: 4, By: 1}},
		{0, 3, ratelimit.Decision{OK: true, Limit: 4, Remaining: 1, ResetAfter: day, By: 1}},
		{0, 2, ratelimit.Decision{Limit: 4, Remaining: 1, RetryAfter: hour, ResetAfter: day, By: 1}},
		{hour, 2, ratelimit.Decision{OK: true, Limit: 4, Remaining: 1, ResetAfter: day, By: 0}},
		{hour, 2, ratelimit.Decision{Limit: 4, Remaining: 1, RetryAfter: day - hour, ResetAfter: day, By: 0}},
		{hour, 5, ratelimit.Decision{Limit: 4, Remaining: 1, RetryAfter: ratelimit.Never, ResetAfter: day, By: 1}},
		{day, 3, ratelimit.Decision{OK: true, Limit: 4, Remaining: 1, ResetAfter: day, By: 0}},
	} {
		require.Equal(t, s.want, l.PeekAt(t0.Add(s.after), s.n), "step %d, peek", i)
		require.Equal(t, s.want, l.TakeAt(t0.Add(s.after), s.n), "step %d", i)
	}
}

func TestAllArguments(t *testing.T) {
	c, other := limittest.NewClock(t0), limittest.NewClock(t0)
	a := ratelimit.Must(gcra.New(ratelimit.PerSecond(1), 1, ratelimit.WithClock(c)))
	b := ratelimit.Must(gcra.New(ratelimit.PerSecond(1), 1, ratelimit.WithClock(c)))
	inside := ratelimit.Must(ratelimit.All(b, a))
	foreign := ratelimit.Must(gcra.New(ratelimit.PerSecond(1), 1, ratelimit.WithClock(other)))
	byFunc := ratelimit.Must(gcra.New(ratelimit.PerSecond(1), 1, ratelimit.WithClock(clockFunc(time.Now))))
	var none *gcra.Limiter
	for _, row := range []struct {
		ls   []ratelimit.Limiter
		want string
	}{
		{nil, "ratelimit.All: len(ls) is 0, want 1 or more"},
		{[]ratelimit.Limiter{a, nil}, "ratelimit.All: ls[1] is nil, want a limiter"},
		{[]ratelimit.Limiter{none}, "ratelimit.All: ls[0] is nil, want a limiter"},
		{[]ratelimit.Limiter{a, b, a}, "ratelimit.All: ls[2] is *gcra.Limiter, want another limiter than in ls[0]: a request is charged to each once"},
		{[]ratelimit.Limiter{a, inside}, "ratelimit.All: ls[1] is *ratelimit.all, want another limiter than in ls[0]: a request is charged to each once"},
		{[]ratelimit.Limiter{ratelimit.Unlimited(), a, foreign}, "ratelimit.All: ls[2].Clock() is *limittest.Clock, want the clock of ls[1], which is read for all"},
		{[]ratelimit.Limiter{a, byFunc}, "ratelimit.All: ls[1].Clock() is ratelimit_test.clockFunc, want the clock of ls[0], which is read for all"},
	} {
		_, err := ratelimit.All(row.ls...)
		var bad *ratelimit.ArgumentError
		require.ErrorAs(t, err, &bad)
		require.EqualError(t, err, row.want)
	}
	l, err := ratelimit.All(ratelimit.Unlimited(), inside, ratelimit.Unlimited())
	require.NoError(t, err)
	require.Same(t, c, l.Clock())
	require.True(t, l.Allow())
	require.False(t, l.Allow())
	l, err = ratelimit.All(ratelimit.Unlimited())
	require.NoError(t, err)
	require.Equal(t, ratelimit.Unlimited().Take(1), l.Take(1))
}

type clockFunc func() time.Time

func (f clockFunc) Now() time.Time { return f() }

// Members hands out the members' slice, which nobody can change the limiter by.
func TestAllKeepsItsMembers(t *testing.T) {
	c := limittest.NewClock(t0)
	ls := []ratelimit.Limiter{ratelimit.Must(gcra.New(ratelimit.PerSecond(1), 1, ratelimit.WithClock(c)))}
	l := ratelimit.Must(ratelimit.All(ls...))
	ls[0] = nil
	l.(ratelimit.Wrapper).Unwrap()[0] = nil
	require.True(t, l.Allow())
}

func TestAllConforms(t *testing.T) {
	rate := ratelimit.PerSecond(10)
	build := func(opts ...ratelimit.Option) (ratelimit.Limiter, error) { // one of each
		inner, err := gcra.New(rate, 10, opts...)
		if err != nil {
			return nil, err
		}
		return ratelimit.All(
			inner,
			ratelimit.Must(tokenbucket.NewInterval(rate, 10, opts...)),
			ratelimit.Must(fixedwindow.NewAligned(rate, opts...)),
			ratelimit.Must(slidingwindow.NewCounter(rate, 10, opts...)),
			ratelimit.Must(slidingwindow.NewLog(rate, opts...)),
		)
	}
	require.NoError(t, limittest.TestLimiter(build))
	require.NoError(t, limittest.TestAllocations(build))
}

// meddler is a member that somebody else is faster at, between the look and the charge.
type meddler struct {
	ratelimit.Limiter
	meddle func()
}

func (m meddler) TakeAt(t time.Time, n int) ratelimit.Decision {
	m.meddle()
	return m.Limiter.TakeAt(t, n)
}

// What a lost race costs: meanwhile n events in each member that was charged, and nothing
// afterwards, if the members take back what they are given back at once.
func TestAllGivesBackAfterALostRace(t *testing.T) {
	c := limittest.NewClock(t0)
	with := ratelimit.WithClock(c)
	first := ratelimit.Must(gcra.New(ratelimit.PerSecond(1), 5, with))
	second := ratelimit.Must(slidingwindow.NewLog(ratelimit.PerSecond(5), with))
	third := ratelimit.Must(gcra.New(ratelimit.PerSecond(1), 2, with))
	last := meddler{third, func() {
		require.Equal(t, 3, first.Peek(0).Remaining, "charged meanwhile")
		require.Equal(t, 3, second.Peek(0).Remaining)
		third.Take(1)
	}}
	l := ratelimit.Must(ratelimit.All(first, second, last))
	d := l.Take(2)
	require.Equal(t, ratelimit.Decision{Limit: 2, Remaining: 1, RetryAfter: time.Second, ResetAfter: time.Second, By: 2}, d)
	require.Equal(t, 5, first.Peek(0).Remaining)
	require.Equal(t, 5, second.Peek(0).Remaining)

	two := ratelimit.Must(ratelimit.All(first, meddler{third, func() { third.Take(1) }}))
	c.Set(t0.Add(time.Second))
	require.False(t, two.Take(2).OK)
	require.Equal(t, 5, first.Peek(0).Remaining, "also if only one was charged")

	// What has drained until then does not come back, and is not missing either.
	last.meddle = func() {
		c.Set(t0.Add(2500 * time.Millisecond))
		third.TakeAt(t0.Add(2*time.Second), 2)
	}
	l = ratelimit.Must(ratelimit.All(first, second, last))
	require.False(t, l.TakeAt(t0.Add(2*time.Second), 1).OK)
	require.Equal(t, 5, first.Peek(0).Remaining)
	require.Equal(t, 5, second.Peek(0).Remaining)
}

// So does Allow, and a call as of a time that the clock has not come to; in reverse order.
func TestAllGivesBackInReverseOrder(t *testing.T) {
	c := limittest.NewClock(t0)
	for name, ask := range map[string]func(l ratelimit.Limiter, at time.Time) bool{
		"Allow":  func(l ratelimit.Limiter, _ time.Time) bool { return l.Allow() },
		"TakeAt": func(l ratelimit.Limiter, at time.Time) bool { return l.TakeAt(at, 1).OK },
	} {
		at := t0
		if name == "TakeAt" {
			at = t0.Add(10 * time.Second)
		}
		bucket := func(size int) *gcra.Limiter {
			return ratelimit.Must(gcra.New(ratelimit.PerSecond(1), size, ratelimit.WithClock(c)))
		}
		first, second, third := bucket(5), bucket(5), bucket(2)
		var order []int
		l := ratelimit.Must(ratelimit.All(
			refunded{first, func() { order = append(order, 0) }},
			refunded{second, func() { order = append(order, 1) }},
			meddler{third, func() { third.TakeAt(at, 2) }},
		))
		require.False(t, ask(l, at), name)
		require.Equal(t, 5, first.PeekAt(at, 0).Remaining, name)
		require.Equal(t, 5, second.PeekAt(at, 0).Remaining, name)
		require.Equal(t, []int{1, 0}, order, name)
	}
}

// refunded calls tell when it is given something back.
type refunded struct {
	ratelimit.Limiter
	tell func()
}

func (r refunded) RefundAt(t time.Time, n int, held time.Duration) {
	r.tell()
	r.Limiter.RefundAt(t, n, held)
}

// A Log takes back only its newest: if somebody was granted later in the meantime, the events of a
// lost race count on. That is at most n for each race.
func TestAllLeavesWhatALogDoesNotTakeBack(t *testing.T) {
	c := limittest.NewClock(t0)
	with := ratelimit.WithClock(c)
	first := ratelimit.Must(slidingwindow.NewLog(ratelimit.PerSecond(5), with))
	second := ratelimit.Must(gcra.New(ratelimit.PerSecond(1), 2, with))
	last := meddler{second, func() {
		second.Take(2)
		first.TakeAt(t0.Add(1), 1)
	}}
	l := ratelimit.Must(ratelimit.All(first, last))
	require.False(t, l.Take(2).OK)
	require.Equal(t, 5-1-2, first.PeekAt(t0.Add(1), 0).Remaining)
}

// Callers of two compositions with a member in common, and of that alone, never exceed its limit;
// and what they lost races for, it has got back.
func TestAllUnderLoad(t *testing.T) {
	const n = 3000
	c := clock.NewMock()
	with := ratelimit.WithClock(c)
	common := ratelimit.Must(slidingwindow.NewLog(ratelimit.PerHour(n), with))
	a := ratelimit.Must(gcra.New(ratelimit.PerHour(1), n, with))
	b := ratelimit.Must(fixedwindow.NewAligned(ratelimit.PerHour(n), with))
	var granted atomic.Int64
	done := make(chan struct{})
	for _, l := range []ratelimit.Limiter{
		ratelimit.Must(ratelimit.All(a, common)),
		ratelimit.Must(ratelimit.All(a, b, common)),
		ratelimit.Must(ratelimit.All(common, b)),
		common,
	} {
		go func() {
			defer func() { done <- struct{}{} }()
			for refused := 0; refused < 100; {
				if n := 1 + refused%2; l.Take(n).OK {
					granted.Add(int64(n))
				} else {
					refused++
				}
			}
		}()
	}
	for range 4 {
		<-done
	}
	require.LessOrEqual(t, granted.Load(), int64(n))
	require.Equal(t, int64(n), granted.Load()+int64(common.Peek(0).Remaining), "all that was not granted is there")
}
