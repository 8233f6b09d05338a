package ratelimit

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"runtime"
	"time"

	"github.com/seed-3506548a/ratelimit/internal/identity"
)

// ErrNever is the error of a [Wait] for a request that can never be granted.
var ErrNever = errors.New("the request can never be granted")

// Wait waits until l grants n events, and charges them, or until ctx is done. n == 0 is granted at
// once.
//
// # Order
//
// Requests that wait for the same limiter form a line. They are served in the order in which they
// came, and a large n keeps its place. Only the first in line asks the limiter, by TakeAt, and
// again after its RetryAfter. Callers of Allow and Take do not stand in the line and may be served
// earlier.
//
// Limiters are the same if they are equal: two results of Limiter for one key in package keyed are.
// Each call with a limiter that cannot be compared has a line of its own.
//
// Nothing is charged before it is granted. So a wait that is given up costs nothing, and the others
// move up.
//
// # Errors
//
// Wait returns at once, without charging anything, if it cannot succeed:
//
//   - the error wraps [context.DeadlineExceeded] if the request would be granted after ctx's
//     deadline. Behind other requests, Wait knows this if the first of them is due after the
//     deadline, or if l is a [Delayer] and all requests ahead take too long
//   - the error wraps [ErrNever] if l would never grant n events as it is now, or the reason itself
//     if l is a [Failer] that has one
//   - the error is an [*ArgumentError] if l or its clock is nil, or l is a [Penalizer]
//
// Otherwise the error is ctx.Err(), or one of these if the limiter or the line has changed since.
//
// # Changes
//
// Refunds and changes of the rate reach waiting requests, for the limiters of this module and for
// any [Wrapper] of them. A limiter of your own is asked again only after its RetryAfter.
//
// # Time
//
// Wait reads the time from l.Clock(), and compares ctx's deadline with it. If that clock is a
// [TimerClock], Wait sleeps by its After. Otherwise it sleeps by the system's timers, and reads the
// clock again when they fire. In tests, use the system's clock within testing/synctest.
//
// # Cost
//
// If no other request waits and this one is granted at once, Wait costs what TakeAt costs.
// Otherwise it takes O(1) time, a few small allocations, and two calls of TakeAt for each grant.
//
// See [Queue] for a line that is bounded or can be paused.
func Wait(ctx context.Context, l Limiter, n int) error {
	r := request{"ratelimit.Wait", l, n}
	if err := waitable(r.fn, l); err != nil {
		return err
	}
	if err := done(ctx); err != nil {
		return err
	}
	var prior answer
	if n <= 0 || !waitedFor(l) {
		var err error
		if prior, err = r.attempt(ctx); err != nil || prior.OK {
			return err
		}
	}
	w := newWaiter(n)
	line, ahead := enter(l, w)
	defer exit(line, w)
	return r.wait(ctx, line, w, ahead, prior)
}

// waitable returns an error if requests cannot wait for l. It names the function fn.
func waitable(fn string, l Limiter) error {
	switch {
	case identity.IsNil(l):
		return &ArgumentError{fn, "l", nil, "a limiter"}
	case penalizes(l):
		return &ArgumentError{fn, "l", reflect.TypeOf(l), unpenalized}
	case identity.IsNil(l.Clock()):
		return &ArgumentError{fn, "l.Clock()", nil, "a clock"}
	}
	return nil
}

// request is one call of the function fn: a wait for n events of the limiter.
type request struct {
	fn      string
	limiter Limiter
	n       int
}

// answer is the Decision of the limiter at a time, if it was asked.
type answer struct {
	asked bool
	at    time.Time
	Decision
}

// attempt asks the limiter once.
func (r *request) attempt(ctx context.Context) (prior answer, err error) {
	prior.asked, prior.at = true, r.limiter.Clock().Now()
	patience, err := r.patience(ctx, prior.at)
	switch {
	case err != nil:
	case r.n == 0:
		prior.OK = true
	case r.n < 0:
		err = r.never(&prior.Decision)
	default:
		prior.Decision, err = r.ask(prior.at, patience)
	}
	return prior, err
}

// patience returns how long ctx allows to wait from now on, or an error if its deadline is past.
func (r *request) patience(ctx context.Context, now time.Time) (time.Duration, error) {
	deadline, ok := ctx.Deadline()
	if !ok {
		return Never, nil
	}
	patience := deadline.Sub(now)
	if patience < 0 {
		return 0, fmt.Errorf("%s: the deadline was %v ago: %w", r.fn, -patience, context.DeadlineExceeded)
	}
	return patience, nil
}

// ask asks the limiter as of now. It returns an error if the limiter refuses for longer than
// patience.
func (r *request) ask(now time.Time, patience time.Duration) (Decision, error) {
	d := r.limiter.TakeAt(now, r.n)
	switch {
	case d.OK:
		return d, nil
	case d.RetryAfter == Never:
		return d, r.never(&d)
	case d.RetryAfter > patience:
		return d, r.late(d.RetryAfter, patience)
	}
	return d, nil
}

// wait waits in the line, where w came behind requests for as many events as ahead.
func (r *request) wait(ctx context.Context, l *line, w *waiter, ahead total, prior answer) error {
	clock := r.limiter.Clock()
	if ahead == (total{}) && r.holds(prior) {
		l.refuse(prior.at.Add(prior.RetryAfter), prior.Limit)
	}
	if err := r.hopeless(ctx, l, w, clock.Now(), ahead); err != nil {
		return err
	}
	for races := 0; ; {
		now := clock.Now()
		patience, err := r.patience(ctx, now)
		if err != nil {
			return err
		}
		at, n, first := l.turn(w, now)
		early := at.Sub(now)
		switch {
		case early > patience && (first || l.paused(now) > patience || r.limiter.PeekAt(now, n).RetryAfter > patience):
			return r.late(early, patience) // asks the limiter, as the first may not know of a change yet
		case !first:
			err = l.stand(ctx, clock, w)
		case early > 0:
			var changed bool
			if changed, err = w.sleep(ctx, clock, at, l.changed); changed {
				l.stale()
			}
		default:
			select {
			case <-l.changed: // the limiter is about to be asked
			default:
			}
			var d Decision
			if d, err = r.ask(now, patience); err != nil || d.OK {
				return err
			}
			l.refuse(now.Add(d.RetryAfter), d.Limit)
			if err = done(ctx); err != nil {
				return err
			}
			if d.RetryAfter <= 0 { // a race was lost: let the others go on
				runtime.Gosched()
				time.Sleep(pauseAfter(races))
				races++
			}
		}
		if err != nil {
			return err
		}
	}
}

// hopeless returns an error if w cannot be served in time behind so many events.
func (r *request) hopeless(ctx context.Context, l *line, w *waiter, now time.Time, ahead total) error {
	limit, start := l.known(now)
	if r.n > limit { // the limit may have changed, or is not known
		d := r.limiter.PeekAt(now, r.n)
		if d.RetryAfter == Never {
			return r.never(&d)
		}
		limit = d.Limit
	}
	patience, err := r.patience(ctx, now)
	if patience == Never || err != nil || ahead == (total{}) && start.Equal(now) {
		return err
	}
	due := start.Sub(now)
	if due <= patience {
		more := delay(r.limiter, start, ahead.with(r.n))
		if more == Never && l.still(w.gone) {
			return r.never(&Decision{Limit: limit})
		}
		due += min(more, Never-due)
	}
	if due > patience && (l.still(w.gone) || start.Sub(now) > patience) {
		return r.late(due, patience)
	}
	return nil
}

// holds reports whether an answer from before the changes of the limiter were watched still holds,
// so that the limiter need not be asked again. A limiter that is no [Delayer] and no [Wrapper] does
// not report changes, so its answer holds.
func (r *request) holds(prior answer) bool {
	if !prior.asked {
		return false
	}
	if l, ok := r.limiter.(Delayer); ok {
		return l.DelayAt(prior.at, r.n) >= prior.RetryAfter
	}
	_, composed := r.limiter.(Wrapper)
	return !composed
}

// late returns the error for a request that is due after the deadline.
func (r *request) late(due, patience time.Duration) error {
	return fmt.Errorf("%s: to be granted in %v, and the deadline is in %v: %w", r.fn, due, patience, context.DeadlineExceeded)
}

// never returns the error for a request that the limiter has refused for ever by d.
func (r *request) never(d *Decision) error {
	if err := cause(r.limiter); err != nil {
		return fmt.Errorf("%s: %w", r.fn, err)
	}
	want := "it would be granted after the end of the time that the limiter can represent"
	switch {
	case r.n < 0:
		want = "want 0 or more"
	case r.n > d.Limit:
		want = fmt.Sprintf("want at most %d, which is all that can be granted at once", d.Limit)
	}
	return fmt.Errorf("%s: n is %d, %s: %w", r.fn, r.n, want, ErrNever)
}

// cause returns the error of l if it is a [Failer].
func cause(l Limiter) error {
	if l, ok := l.(Failer); ok {
		return l.Err()
	}
	return nil
}

// done returns ctx.Err(), but only once Done is closed: some contexts write their error without a
// lock.
func done(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	default:
		return nil
	}
}
