package limittest

import (
	"fmt"
	"time"

	"github.com/seed-3506548a/ratelimit"
)

// decisionIsExact checks every field of a Decision against other decisions.
func decisionIsExact(build New) error {
	fresh, _, err := onClock(build, start)
	if err != nil {
		return err
	}
	limit := fresh.PeekAt(start, 0).Limit
	err = states(build, 1, around, func(alike []ratelimit.Limiter, _ *Clock, now time.Time) error {
		return fieldsAreRight(alike[0], limit, now)
	})
	if err != nil {
		return err
	}
	return resetIsExact(build, limit)
}

// resetIsExact follows limiters, and looks when they are full.
func resetIsExact(build New, limit int) error {
	// A limiter can hide what counts against it: 20 an hour behind a gap between two events. If it
	// has only little of that hour left, nothing can show that it is not full yet. So only limiters
	// that hide nothing in any state must be full no earlier than they say.
	hides := false
	var early error
	inState := func(alike []ratelimit.Limiter, c *Clock, now time.Time) error {
		l, followed, atReset, beforeReset, whenItSeemsFull := alike[0], alike[1], alike[2], alike[3], alike[4]
		d := l.PeekAt(now, 0)
		if err := follow(followed, now); err != nil {
			return err
		}
		reset := now.Add(d.ResetAfter)
		if err := asNew(build, c, atReset, reset); err != nil {
			return fmt.Errorf("ResetAfter is %v, but the limiter is not full then: %w", d.ResetAfter, err)
		}
		if before := reset.Add(-1); d.ResetAfter > 0 && l.PeekAt(before, 0).Remaining == limit {
			if early == nil && asNew(build, c, beforeReset, before) == nil {
				early = fmt.Errorf("PeekAt(%v, 0) returns %+v, but the limiter is full again a nanosecond before ResetAfter", now, d)
			}
			seems := now.Add(l.PeekAt(now, limit).RetryAfter)
			hides = hides || asNew(build, c, whenItSeemsFull, seems) != nil
		}
		return nil
	}
	if err := states(build, 5, apart, inState); err != nil || hides {
		return err
	}
	return early
}

// fieldsAreRight checks the Decision of a look at now.
func fieldsAreRight(l ratelimit.Limiter, limit int, now time.Time) error {
	d := l.PeekAt(now, 0)
	if d.Limit != limit {
		return fmt.Errorf("its Limit is %d, want %d as for a new limiter", d.Limit, limit)
	}
	if whole, ok := l.(ratelimit.Wrapper); ok && d.By >= max(1, len(whole.Unwrap())) {
		return fmt.Errorf("its By is %d, want less than %d, the number of limiters that Unwrap returns", d.By, len(whole.Unwrap()))
	}
	if !l.PeekAt(now, d.Remaining).OK || l.PeekAt(now, d.Remaining+1).OK {
		return fmt.Errorf("its Remaining is %d, want the most events that are granted", d.Remaining)
	}
	for n := d.Remaining + 1; n <= d.Limit; n++ {
		wait := l.PeekAt(now, n).RetryAfter
		if wait <= 0 || !l.PeekAt(now.Add(wait), n).OK || l.PeekAt(now.Add(wait-1), n).OK {
			return fmt.Errorf("RetryAfter is %v for n = %d, want the request granted then and not a nanosecond earlier", wait, n)
		}
	}
	return nil
}

// steps is how many requests a limiter is followed for.
const steps = 100

// asNew returns an error if the limiter, from the time at on, does not decide as a new one. Both
// take all that there can be and one event in turn, and wait as long as they are told to.
func asNew(build New, c *Clock, l ratelimit.Limiter, at time.Time) error {
	fresh, err := build(ratelimit.WithClock(c))
	if err != nil {
		return err
	}
	for _, later := range []time.Duration{0, 1, time.Second} {
		if is, want := l.PeekAt(at.Add(later), 1), fresh.PeekAt(at.Add(later), 1); is != want {
			return fmt.Errorf("PeekAt(%v, 1) returns %+v, and of a new limiter %+v", at.Add(later), is, want)
		}
	}
	limit := fresh.PeekAt(at, 0).Limit
	n := limit
	for range steps {
		is, want := l.TakeAt(at, n), fresh.TakeAt(at, n)
		if is != want {
			return fmt.Errorf("TakeAt(%v, %d) returns %+v, and of a new limiter asked in the same way %+v", at, n, is, want)
		}
		if is.OK {
			n = limit + 1 - n
		} else {
			at = at.Add(is.RetryAfter)
		}
	}
	return nil
}

// follow takes events in the same way. It returns an error if a request is granted earlier or later
// than RetryAfter says, or if Remaining is wrong after a grant, such as one at the instant at which
// a window begins.
func follow(l ratelimit.Limiter, at time.Time) error {
	d := l.PeekAt(at, 0)
	limit, n := d.Limit, d.Limit
	for range steps {
		left := d.Remaining
		d = l.TakeAt(at, n)
		if d.OK {
			if d.Remaining != left-n {
				return fmt.Errorf("TakeAt(%v, %d) returns %+v, want %d less than the %d that remained", at, n, d, n, left)
			}
			n = limit + 1 - n
			continue
		}
		next := at.Add(d.RetryAfter)
		if l.PeekAt(next.Add(-1), n).OK {
			return fmt.Errorf("TakeAt(%v, %d) returns %+v, but the request is granted a nanosecond earlier", at, n, d)
		}
		if !l.PeekAt(next, n).OK {
			return fmt.Errorf("TakeAt(%v, %d) returns %+v, but the request is still refused then", at, n, d)
		}
		at = next
		d = l.PeekAt(at, 0)
	}
	return nil
}
