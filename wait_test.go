package ratelimit_test

import (
	"context"
	"errors"
	"math"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/benbjohnson/clock"
	"github.com/stretchr/testify/require"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/burst"
	"github.com/seed-3506548a/ratelimit/fixedwindow"
	"github.com/seed-3506548a/ratelimit/gcra"
	"github.com/seed-3506548a/ratelimit/keyed"
	"github.com/seed-3506548a/ratelimit/limittest"
	"github.com/seed-3506548a/ratelimit/slidingwindow"
	"github.com/seed-3506548a/ratelimit/tokenbucket"
)

// waits has, for each limiter, when requests are served that ask one after the other, in seconds.
var waits = []struct {
	name     string
	build    func(opts ...ratelimit.Option) (ratelimit.Limiter, error)
	servedAt []int
}{
	{"gcra", func(opts ...ratelimit.Option) (ratelimit.Limiter, error) {
		return gcra.New(ratelimit.PerMinute(2), 1, opts...)
	}, []int{0, 30, 60, 90, 120}},
	{"tokenbucket", func(opts ...ratelimit.Option) (ratelimit.Limiter, error) {
		return tokenbucket.New(ratelimit.PerMinute(2), 2, opts...)
	}, []int{0, 0, 30, 60, 90}},
	{"tokenbucket by interval", func(opts ...ratelimit.Option) (ratelimit.Limiter, error) {
		return tokenbucket.NewInterval(ratelimit.PerMinute(2), 2, opts...)
	}, []int{0, 0, 60, 60, 120}},
	{"anchored window", func(opts ...ratelimit.Option) (ratelimit.Limiter, error) {
		return fixedwindow.NewAnchored(ratelimit.PerMinute(2), opts...)
	}, []int{0, 0, 60, 60, 120}},
	{"aligned window", func(opts ...ratelimit.Option) (ratelimit.Limiter, error) {
		return fixedwindow.NewAligned(ratelimit.PerMinute(2), opts...)
	}, []int{0, 0, 60, 60, 120}},
	{"counter", func(opts ...ratelimit.Option) (ratelimit.Limiter, error) {
		return slidingwindow.NewCounter(ratelimit.PerMinute(2), 6, opts...)
	}, []int{0, 0, 70, 70, 140}},
	{"log", func(opts ...ratelimit.Option) (ratelimit.Limiter, error) {
		return slidingwindow.NewLog(ratelimit.PerMinute(2), opts...)
	}, []int{0, 0, 60, 60, 120}},
	{"burst", func(opts ...ratelimit.Option) (ratelimit.Limiter, error) {
		inner := ratelimit.Must(gcra.New(ratelimit.PerMinute(2), 2, opts...))
		return burst.New(inner, ratelimit.Per(1, 10*time.Second))
	}, []int{0, 10, 30, 60, 90}},
	{"all", func(opts ...ratelimit.Option) (ratelimit.Limiter, error) {
		return ratelimit.All(
			ratelimit.Must(slidingwindow.NewLog(ratelimit.PerMinute(2), opts...)),
			ratelimit.Must(slidingwindow.NewLog(ratelimit.Per(3, 2*time.Minute), opts...)),
		)
	}, []int{0, 0, 60, 120, 120}},
	{"unlimited", func(...ratelimit.Option) (ratelimit.Limiter, error) {
		return ratelimit.Unlimited(), nil
	}, []int{0, 0, 0}},
}

// bubble runs f where time.Now begins at midnight in 2000 and moves on when all wait.
func bubble(t *testing.T, name string, f func(t *testing.T)) {
	t.Run(name, func(t *testing.T) { synctest.Test(t, f) })
}

// aDayAhead is a clock without timers.
type aDayAhead struct{}

func (aDayAhead) Now() time.Time { return time.Now().Add(24 * time.Hour) }

// served waits for one event count times, and returns after how many seconds each time; -1 for an
// error, or if it was not after whole seconds.
func served(ctx context.Context, l ratelimit.Limiter, count int) (at []int) {
	start := l.Clock().Now()
	for range count {
		err := ratelimit.Wait(ctx, l, 1)
		elapsed := l.Clock().Now().Sub(start)
		if err != nil || elapsed%time.Second != 0 {
			at = append(at, -1)
			continue
		}
		at = append(at, int(elapsed/time.Second))
	}
	return at
}

func TestWait(t *testing.T) {
	for _, row := range waits {
		bubble(t, row.name+" on the system's clock", func(t *testing.T) {
			require.Equal(t, row.servedAt, served(t.Context(), ratelimit.Must(row.build()), len(row.servedAt)))
		})
		bubble(t, row.name+" on a clock that cannot wait", func(t *testing.T) {
			l := ratelimit.Must(row.build(ratelimit.WithClock(aDayAhead{})))
			require.Equal(t, row.servedAt, served(t.Context(), l, len(row.servedAt)))
		})
		bubble(t, row.name+" on a mock", func(t *testing.T) {
			mock := clock.NewMock()
			l := ratelimit.Must(row.build(ratelimit.WithClock(mock)))
			result := make(chan []int)
			go func() { result <- served(t.Context(), l, len(row.servedAt)) }()
			for {
				synctest.Wait()
				select {
				case at := <-result:
					require.Equal(t, row.servedAt, at)
					return
				default:
					mock.Add(time.Second)
				}
			}
		})
	}
}

// Whoever came first is served first.
func TestWaitIsInOrder(t *testing.T) {
	for _, row := range waits {
		bubble(t, row.name, func(t *testing.T) {
			l := ratelimit.Must(row.build())
			served := make([]time.Duration, len(row.servedAt))
			start := time.Now()
			var all sync.WaitGroup
			for i := range served {
				all.Go(func() {
					_ = ratelimit.Wait(t.Context(), l, 1)
					served[i] = time.Since(start)
				})
				synctest.Wait()
			}
			all.Wait()
			for i, seconds := range row.servedAt {
				require.Equal(t, time.Duration(seconds)*time.Second, served[i], "waiter %d", i)
			}
		})
	}
}

func TestWaitThatCanHaveNoEnd(t *testing.T) {
	for _, row := range waits {
		l := ratelimit.Must(row.build())
		err := ratelimit.Wait(t.Context(), l, -1)
		require.ErrorIs(t, err, ratelimit.ErrNever, row.name)
		require.EqualError(t, err, "ratelimit.Wait: n is -1, want 0 or more: the request can never be granted")
		if l != ratelimit.Unlimited() {
			require.ErrorIs(t, ratelimit.Wait(t.Context(), l, 4), ratelimit.ErrNever, row.name)
		}
		require.NoError(t, ratelimit.Wait(t.Context(), l, 0), row.name)
		require.True(t, l.Allow(), "%s: nothing was charged", row.name)
	}
	none := ratelimit.Must(gcra.New(ratelimit.PerMinute(0), 3))
	require.EqualError(t, ratelimit.Wait(t.Context(), none, 2),
		"ratelimit.Wait: n is 2, want at most 0, which is all that can be granted at once: the request can never be granted")
	mock := clock.NewMock()
	late := ratelimit.Must(gcra.New(ratelimit.PerMinute(1), 1, ratelimit.WithClock(mock)))
	mock.Add(1 << 62)
	require.True(t, late.Allow())
	require.EqualError(t, ratelimit.Wait(t.Context(), late, 1),
		"ratelimit.Wait: n is 1, it would be granted after the end of the time that the limiter can represent: the request can never be granted")
	unknown := errors.New("no such key")
	failing := ratelimit.Must(keyed.NewMap(1, func(string) (ratelimit.Limiter, error) { return nil, unknown }))
	err := ratelimit.Wait(t.Context(), failing.Limiter("k"), 1)
	require.EqualError(t, err, "ratelimit.Wait: no such key")
	require.ErrorIs(t, err, unknown)
	require.NotErrorIs(t, err, ratelimit.ErrNever)
	require.EqualError(t, ratelimit.Wait(t.Context(), nil, 1), "ratelimit.Wait: l is nil, want a limiter")
}

// A wait beyond the deadline is refused at once, and costs nothing.
func TestWaitBeyondTheDeadline(t *testing.T) {
	for _, row := range waits {
		last := len(row.servedAt) - 1
		due := time.Duration(row.servedAt[last]-row.servedAt[last-1]) * time.Second
		if due == 0 {
			continue
		}
		bubble(t, row.name+" on the system's clock", func(t *testing.T) {
			l := ratelimit.Must(row.build())
			served(t.Context(), l, last)
			start := time.Now()
			early, cancel := context.WithTimeout(t.Context(), due-1)
			defer cancel()
			before := l.Take(0)
			err := ratelimit.Wait(early, l, 1)
			require.ErrorIs(t, err, context.DeadlineExceeded)
			require.NoError(t, early.Err(), "at once")
			require.Equal(t, start, time.Now(), "at once")
			require.Equal(t, before, l.Take(0), "nothing was charged")

			exact, cancel := context.WithTimeout(t.Context(), due+1)
			defer cancel()
			require.NoError(t, ratelimit.Wait(exact, l, 1))
			require.Equal(t, due, time.Since(start))
		})
	}
	bubble(t, "the text of one that has passed", func(t *testing.T) {
		l := ratelimit.Must(gcra.New(ratelimit.PerMinute(1), 1, ratelimit.WithClock(aDayAhead{})))
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		require.EqualError(t, ratelimit.Wait(ctx, l, 1), "ratelimit.Wait: the deadline was 23h0m0s ago: context deadline exceeded")
	})
	bubble(t, "the text", func(t *testing.T) {
		l := ratelimit.Must(gcra.New(ratelimit.PerMinute(1), 1))
		l.Allow()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		require.EqualError(t, ratelimit.Wait(ctx, l, 1),
			"ratelimit.Wait: to be granted in 1m0s, and the deadline is in 1s: context deadline exceeded")
	})
	for name, l := range map[string]func() ratelimit.Limiter{
		"reserved": func() ratelimit.Limiter { return ratelimit.Must(gcra.New(ratelimit.PerMinute(1), 1)) },
		"asked":    func() ratelimit.Limiter { return ratelimit.Must(slidingwindow.NewLog(ratelimit.PerMinute(1))) },
	} {
		bubble(t, name+", and due at the deadline", func(t *testing.T) {
			l := l()
			l.Allow()
			for range 20 { // whichever of two timers comes first
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				require.NoError(t, ratelimit.Wait(ctx, l, 1))
				cancel()
			}
		})
	}
	bubble(t, "by a mock's time", func(t *testing.T) {
		mock := clock.NewMock()
		l := ratelimit.Must(gcra.New(ratelimit.PerMinute(1), 1, ratelimit.WithClock(mock)))
		l.Allow()
		early, cancel := mock.WithTimeout(t.Context(), 59*time.Second)
		defer cancel()
		require.ErrorIs(t, ratelimit.Wait(early, l, 1), context.DeadlineExceeded)
		for _, timeout := range []time.Duration{-time.Second, 0} {
			past, end := mock.WithTimeout(t.Context(), timeout)
			require.ErrorIs(t, ratelimit.Wait(past, l, 1), context.DeadlineExceeded)
			end()
		}
		mock.Set(time.Now().Add(time.Hour))
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		require.ErrorIs(t, ratelimit.Wait(ctx, l, 0), context.DeadlineExceeded, "it is another time by the mock")
	})
}

// A wait that is given up leaves the limiter as if it had not been.
func TestWaitGivenUp(t *testing.T) {
	for _, row := range waits {
		last := len(row.servedAt) - 1
		due := time.Duration(row.servedAt[last]-row.servedAt[last-1]) * time.Second
		if due == 0 {
			continue
		}
		bubble(t, row.name, func(t *testing.T) {
			l := ratelimit.Must(row.build())
			served(t.Context(), l, last)
			before, start := l.Take(0), time.Now()
			ctx, cancel := context.WithCancel(t.Context())
			result := make(chan error)
			go func() { result <- ratelimit.Wait(ctx, l, 1) }()
			synctest.Wait()
			cancel()
			require.Equal(t, context.Canceled, <-result)
			require.Equal(t, before, l.Take(0))

			require.Equal(t, context.Canceled, ratelimit.Wait(ctx, l, 1), "cancelled before")
			require.NoError(t, ratelimit.Wait(t.Context(), l, 1))
			require.Equal(t, due, time.Since(start))
		})
	}
}

// At 1000000007 a second only 2.3 s can be reserved ahead. Waiters do not reserve, and those whose
// deadlines cannot be met fail at once all the same.
func TestWaitFartherThanCanBeReserved(t *testing.T) {
	bubble(t, "gcra", func(t *testing.T) {
		const n = math.MaxInt32
		l := ratelimit.Must(gcra.New(ratelimit.PerSecond(1_000_000_007), n))
		start := time.Now()
		var all sync.WaitGroup
		for range 5 {
			all.Go(func() { _ = ratelimit.Wait(t.Context(), l, n) })
		}
		all.Wait()
		require.Equal(t, time.Duration(8_589_934_528), time.Since(start), "4n/rate, rounded up")
		ctx, cancel := context.WithTimeout(t.Context(), 4*time.Second)
		defer cancel()
		for range 2 {
			all.Go(func() { _ = ratelimit.Wait(t.Context(), l, n) })
		}
		synctest.Wait()
		start = time.Now()
		require.ErrorIs(t, ratelimit.Wait(ctx, l, n), context.DeadlineExceeded)
		if math.MaxInt > 3*n { // what all of them want fits into an int
			require.Equal(t, start, time.Now(), "at once")
		}
		all.Wait()
	})
}

// hasty refuses as one that lost a race: the same request may pass at once.
type hasty struct {
	ratelimit.Limiter
	refusals int
}

func (h *hasty) TakeAt(t time.Time, n int) ratelimit.Decision {
	if h.refusals--; h.refusals >= 0 {
		return ratelimit.Decision{Limit: 1, Remaining: 1}
	}
	return h.Limiter.TakeAt(t, n)
}

// jumpy is a mock that somebody moves on between any two calls.
type jumpy struct {
	*clock.Mock
	jump  time.Duration
	known chan struct{} // receives a value each time that the mock knows of a waiter
}

func (j *jumpy) After(d time.Duration) <-chan time.Time {
	j.Add(j.jump)
	j.jump = 0
	defer func() { j.known <- struct{}{} }()
	return j.Mock.After(d)
}

func TestWaitWhileTheMockMoves(t *testing.T) {
	for _, jump := range []time.Duration{1, 10 * time.Second, time.Minute, time.Hour} {
		bubble(t, jump.String(), func(t *testing.T) {
			mock := &jumpy{Mock: clock.NewMock(), jump: jump, known: make(chan struct{}, 9)}
			l := ratelimit.Must(gcra.New(ratelimit.PerMinute(1), 1, ratelimit.WithClock(mock)))
			l.Allow()
			result := make(chan error, 1)
			go func() { result <- ratelimit.Wait(t.Context(), l, 1) }()
			<-mock.known
			synctest.Wait()
			if rest := time.Minute - jump; rest > 0 {
				require.Empty(t, result)
				mock.Set(time.Unix(60, 0).Add(-1))
				synctest.Wait()
				require.Empty(t, result)
				mock.Set(time.Unix(60, 0))
				synctest.Wait()
			}
			require.Len(t, result, 1)
		})
	}
}

// slow is a clock that goes at half the speed, and cannot wait.
type slow struct{ start time.Time }

func (s slow) Now() time.Time { return s.start.Add(time.Since(s.start) / 2) }

func TestWaitForASlowClock(t *testing.T) {
	bubble(t, "at half the speed", func(t *testing.T) {
		start := time.Now()
		l := ratelimit.Must(gcra.New(ratelimit.PerMinute(1), 1, ratelimit.WithClock(slow{start})))
		l.Allow()
		require.NoError(t, ratelimit.Wait(t.Context(), l, 1))
		require.InDelta(t, 2*time.Minute, time.Since(start), float64(time.Millisecond), "it is looked at again")
	})
}

func TestWaitAfterALostRace(t *testing.T) {
	mock := clock.NewMock()
	l := &hasty{ratelimit.Must(slidingwindow.NewLog(ratelimit.PerMinute(1), ratelimit.WithClock(mock))), 3}
	require.NoError(t, ratelimit.Wait(t.Context(), l, 1))
	require.Equal(t, -1, l.refusals)

	l.refusals = math.MaxInt
	ctx, cancel := context.WithCancelCause(t.Context())
	time.AfterFunc(0, func() { cancel(errors.New("enough")) })
	require.Equal(t, context.Canceled, ratelimit.Wait(ctx, l, 1), "it can be given up")
}

// running is a clock that moves on by a nanosecond each time that it is read, and whose After never
// comes.
type running struct {
	*limittest.Clock
	asked int
	after func()
}

func (r *running) Now() time.Time {
	r.Set(r.Clock.Now().Add(1))
	return r.Clock.Now()
}

func (r *running) After(time.Duration) <-chan time.Time {
	if r.asked++; r.asked == 1000 {
		r.Set(r.Clock.Now().Add(2 * time.Hour)) // so that the test ends
	}
	r.after()
	return nil
}

// A clock that can wait and never stands still, as the real one of benbjohnson/clock, is not asked
// for ever.
func TestWaitGivenUpOnARunningClock(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	c := &running{Clock: limittest.NewClock(time.Unix(1000, 0)), after: cancel}
	l := ratelimit.Must(slidingwindow.NewLog(ratelimit.PerHour(1), ratelimit.WithClock(c)))
	require.True(t, l.Allow())
	require.ErrorIs(t, ratelimit.Wait(ctx, l, 1), context.Canceled)
	require.Less(t, c.asked, 10)
}

// leaping is a clock that stands still until somebody waits by it.
type leaping struct{ *limittest.Clock }

func (l leaping) After(d time.Duration) <-chan time.Time {
	now := l.Now().Add(d)
	l.Set(now)
	woken := make(chan time.Time, 1)
	woken <- now
	return woken
}

// A nanosecond is waited for by the clock, as any other time.
func TestWaitForANanosecond(t *testing.T) {
	l := ratelimit.Must(slidingwindow.NewLog(ratelimit.Per(1, 1), ratelimit.WithClock(leaping{limittest.NewClock(time.Unix(1000, 0))})))
	require.True(t, l.Allow())
	require.NoError(t, ratelimit.Wait(t.Context(), l, 1))
}

// A clock may show any time, also the zero time and one before it.
func TestWaitAtAnyTime(t *testing.T) {
	for _, start := range []time.Time{{}, time.Unix(-1<<36, 0), time.Unix(0, 0), time.Unix(1<<40, 0)} {
		bubble(t, start.String(), func(t *testing.T) {
			c := leaping{limittest.NewClock(start)}
			l := ratelimit.Must(gcra.New(ratelimit.PerMinute(1), 1, ratelimit.WithClock(c)))
			queue := ratelimit.Must(ratelimit.NewQueue(l, 1))
			for range 3 {
				require.NoError(t, ratelimit.Wait(t.Context(), l, 1))
				require.NoError(t, queue.Wait(t.Context(), 1))
			}
			require.Equal(t, start.Add(5*time.Minute), c.Now())
		})
	}
}

// mistaken is a limiter that refuses until a time, and says each time to retry after another.
type mistaken struct {
	ratelimit.Limiter
	until time.Time
	after time.Duration
}

func (l mistaken) TakeAt(t time.Time, n int) ratelimit.Decision {
	if t.Before(l.until) {
		return ratelimit.Decision{Limit: 1, RetryAfter: l.after}
	}
	return l.Limiter.TakeAt(t, n)
}

// A limiter is asked again after a while also if it says that it need not be.
func TestWaitForAMistakenLimiter(t *testing.T) {
	for _, after := range []time.Duration{0, -1, -time.Hour} {
		bubble(t, after.String(), func(t *testing.T) {
			start := time.Now()
			require.NoError(t, ratelimit.Wait(t.Context(), mistaken{ratelimit.Unlimited(), start.Add(time.Second), after}, 1))
			require.Less(t, time.Since(start), 2*time.Second)
		})
	}
}
