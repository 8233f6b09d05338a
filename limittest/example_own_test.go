package limittest_test

import (
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/limittest"
)

// spaced grants at most so many events in each window of the wall clock, such as each full hour,
// and never two within a gap.
type spaced struct {
	clock    ratelimit.Clock
	events   int
	per, gap time.Duration

	mu    sync.Mutex
	state granted
}

// granted is all that later decisions depend on.
type granted struct {
	any   bool      // or last means nothing: no time can stand for none
	last  time.Time // of the latest grant
	count int       // in the window of last
}

func newSpaced(events int, per, gap time.Duration, opts ...ratelimit.Option) (*spaced, error) {
	if events < 1 || gap < 1 || gap > per {
		return nil, fmt.Errorf("events is %d, gap %v and per %v, want 1 or more, and a gap from 1ns to per", events, gap, per)
	}
	o := ratelimit.Options{Clock: ratelimit.SystemClock{}} // unless an option sets another
	for _, opt := range opts {
		if opt == nil {
			return nil, errors.New("an option is nil")
		}
		opt(&o)
	}
	if o.Clock == nil {
		return nil, errors.New("the clock is nil")
	}
	return &spaced{clock: o.Clock, events: events, per: per, gap: gap}, nil
}

// end returns when the window of the latest grant ends.
func (l *spaced) end(s granted) time.Time { return s.last.Truncate(l.per).Add(l.per) }

// next returns the first time from t on at which an event is granted. None is granted for times
// before the latest grant, so earlier windows can be forgotten.
func (l *spaced) next(s granted, t time.Time) time.Time {
	if !s.any {
		return t
	}
	at := s.last.Add(l.gap)
	if end := l.end(s); s.count == l.events && at.Before(end) {
		at = end
	}
	return latest(t, at)
}

// decide returns the decision, and the state after it.
func (l *spaced) decide(s granted, t time.Time, n int) (ratelimit.Decision, granted) {
	t = t.Round(0) // strips the monotonic reading: windows go by the wall clock
	d := ratelimit.Decision{Limit: 1}
	switch wait := l.next(s, t).Sub(t); {
	case n < 0 || n > d.Limit:
		d.RetryAfter = ratelimit.Never
	case n > 0 && wait > 0:
		d.RetryAfter = wait
	default:
		d.OK = true
	}
	if d.OK && n == 1 {
		if s.any && !t.Before(l.end(s)) {
			s.count = 0
		}
		s = granted{any: true, last: t, count: s.count + 1}
	}
	if l.next(s, t).Equal(t) {
		d.Remaining = 1
	}
	if s.any { // full when neither the gap nor the count of the window matters any more
		d.ResetAfter = latest(t, latest(s.last.Add(l.gap), l.end(s))).Sub(t)
	}
	return d, s
}

func (l *spaced) TakeAt(t time.Time, n int) (d ratelimit.Decision) {
	l.mu.Lock()
	defer l.mu.Unlock()
	d, l.state = l.decide(l.state, t, n)
	return d
}

func (l *spaced) PeekAt(t time.Time, n int) ratelimit.Decision {
	l.mu.Lock()
	defer l.mu.Unlock()
	d, _ := l.decide(l.state, t, n)
	return d
}

func (l *spaced) Take(n int) ratelimit.Decision          { return l.TakeAt(l.clock.Now(), n) }
func (l *spaced) Allow() bool                            { return l.Take(1).OK }
func (l *spaced) RefundAt(time.Time, int, time.Duration) {} // gives nothing back, which it may
func (l *spaced) Clock() ratelimit.Clock                 { return l.clock }
func latest(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// A limiter of your own: at most 1000 events in each full hour, and never two within 100 ms. In a
// test, the errors are for t.Fatal.
func Example_ownLimiter() {
	clock := limittest.NewClock(time.Date(2026, 3, 2, 8, 59, 59, 0, time.UTC))
	l, err := newSpaced(1000, time.Hour, 100*time.Millisecond, ratelimit.WithClock(clock))
	if err != nil {
		panic(err)
	}
	fmt.Println(l.Allow(), l.Take(1).RetryAfter, l.Take(0).ResetAfter)

	// The tests take a small sibling of it.
	err = limittest.TestLimiter(func(opts ...ratelimit.Option) (ratelimit.Limiter, error) {
		return newSpaced(8, 2*time.Second, 100*time.Millisecond, opts...)
	})
	fmt.Println(err)

	// Each of its parts has a bound.
	gap := func(length time.Duration) int { return 1 + int(length/(100*time.Millisecond)) }
	err = limittest.TestBound(func(opts ...ratelimit.Option) (ratelimit.Limiter, error) {
		return newSpaced(1000, time.Hour, 100*time.Millisecond, opts...)
	}, 100*time.Millisecond, gap)
	fmt.Println(err)
	windows := func(length time.Duration) int { return 8 * (2 + int(length/time.Second)) }
	err = limittest.TestBound(func(opts ...ratelimit.Option) (ratelimit.Limiter, error) {
		return newSpaced(8, time.Second, 1, opts...)
	}, 125*time.Millisecond, windows)
	fmt.Println(err)
	// Output:
	// true 100ms 1s
	// <nil>
	// <nil>
	// <nil>
}
