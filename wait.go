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

// ErrNever is the error of a [Wait] that would have no end.
var ErrNever = errors.New("the request can never be granted")

// Wait waits until l grants n events, which are charged then, or ctx is done. n == 0 is granted at
// once.
//
// Those who wait for one limiter form a line: who came first is served first, and a large n keeps
// its place. Only the first asks l, by TakeAt, and again after the RetryAfter that it was told.
// Nothing is charged before it is granted, so a wait that is given up costs nothing, and the others
// do not wait for it. Who calls Allow or Take does not stand in the line, and may be faster.
//
// Limiters are one if they are equal, as two views of one key of package keyed are. A limiter that
// cannot be compared has a line for each caller.
//
// The error wraps [ErrNever] if l, as it is now, would never grant n events, and
// [context.DeadlineExceeded] if ctx has a deadline that is earlier than they would be granted: both
// at once, and with nothing charged. Who comes behind others is refused at once if the first of
// them is due after the deadline; or if l is a [Delayer], and says that all those before and n take
// longer. Otherwise the error is ctx.Err(), or an [*ArgumentError] if l is nil. If l has a method
// Err() error, which says why nothing is granted now, an error of that takes the place of ErrNever.
//
// Changes of the rate and refunds of the limiters of this module reach those who wait, also if l is
// made of such limiters and says of which by a method Unwrap() []Limiter.
//
// Time is read from l.Clock(), by which ctx's deadline is understood too, and is waited for by that
// clock's method After(time.Duration) <-chan time.Time, as github.com/benbjohnson/clock has it, if
// there is one, else by the system's timers: a clock that does not say when it moves is looked at
// again after as long as it should take.
//
// Cost: what is granted at once, while nobody waits, costs what TakeAt does. Otherwise O(1) time
// and a few small allocations, and two calls of TakeAt for each grant. See [Queue] for a line that
// is bounded, or can be paused.
func Wait(ctx context.Context, l Limiter, n int) error {
	r := request{"ratelimit.Wait", l, n}
	if identity.IsNil(l) {
		return &ArgumentError{r.fn, "l", nil, "a limiter"}
	}
	if penalizes(l) {
		return &ArgumentError{r.fn, "l", reflect.TypeOf(l), unpenalized}
	}
	if err := done(ctx); err != nil {
		return err
	}
	var told answer
	if n <= 0 || !waitedFor(l) {
		var err error
		if told, err = r.attempt(ctx); err != nil || told.OK {
			return err
		}
	}
	w := newWaiter(n)
	line, ahead := enter(l, w)
	defer exit(line, w)
	return r.wait(ctx, line, w, ahead, told)
}

// request is a call of the function fn to wait for n events of a limiter.
type request struct {
	fn      string
	limiter Limiter
	n       int
}

// answer is what a limiter said, if it was asked.
type answer struct {
	asked bool
	at    time.Time
	Decision
}

// attempt asks the limiter once.
func (r *request) attempt(ctx context.Context) (told answer, err error) {
	told.asked, told.at = true, r.limiter.Clock().Now()
	patience, err := r.patience(ctx, told.at)
	switch {
	case err != nil:
	case r.n == 0:
		told.OK = true
	case r.n < 0:
		err = r.never(&told.Decision)
	default:
		told.Decision, err = r.ask(told.at, patience)
	}
	return told, err
}

// patience returns how long after now ctx allows to wait: an error if it is over.
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

// ask asks the limiter, at now. It is an error if that refuses for longer than patience allows.
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

// wait waits in the line, in which w has come behind so many events.
func (r *request) wait(ctx context.Context, l *line, w *waiter, ahead total, told answer) error {
	clock := r.limiter.Clock()
	if err := r.hopeless(ctx, l, w, clock.Now(), ahead); err != nil {
		return err
	}
	if ahead == (total{}) && r.holds(told) {
		l.refuse(told.at.Add(told.RetryAfter), told.Limit)
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
			return r.late(early, patience) // the limiter still says so, if the first may not know of a change yet
		case !first:
			err = l.stand(ctx, clock, w)
		case early > 0:
			var changed bool
			if changed, err = w.sleep(ctx, clock, at, l.changed); changed {
				l.stale()
			}
		default:
			select {
			case <-l.changed: // the limiter knows
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
			if d.RetryAfter == 0 { // a race was lost: let the others go on, the longer the more there are
				runtime.Gosched()
				time.Sleep(min(time.Duration(races/8)*time.Microsecond, time.Millisecond))
				races++
			}
		}
		if err != nil {
			return err
		}
	}
}

// hopeless returns an error if w need not wait behind so many events.
func (r *request) hopeless(ctx context.Context, l *line, w *waiter, now time.Time, ahead total) error {
	limit, start := l.known(now)
	if r.n > limit { // the limit may have changed since
		if d := r.limiter.PeekAt(now, r.n); d.RetryAfter == Never {
			return r.never(&d)
		}
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

// holds reports whether the limiter would say the same as before its changes were watched, so that
// it need not be asked again. Of what is no [Delayer] and not made of other limiters, nobody could
// hear anyway.
func (r *request) holds(told answer) bool {
	if !told.asked {
		return false
	}
	if l, ok := r.limiter.(Delayer); ok {
		return l.DelayAt(told.at, r.n) >= told.RetryAfter
	}
	_, composed := r.limiter.(interface{ Unwrap() []Limiter })
	return !composed
}

// late returns the error for what is due at the earliest after the deadline.
func (r *request) late(due, patience time.Duration) error {
	return fmt.Errorf("%s: to be granted in %v, and the deadline is in %v: %w", r.fn, due, patience, context.DeadlineExceeded)
}

// never returns the error for what d has refused for ever.
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

// cause returns why l grants nothing now, if it says so.
func cause(l Limiter) error {
	if l, ok := l.(interface{ Err() error }); ok {
		return l.Err()
	}
	return nil
}

// done is ctx.Err(), but ordered after what closed Done: some contexts write their error without a
// lock.
func done(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	default:
		return nil
	}
}
