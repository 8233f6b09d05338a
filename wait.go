package ratelimit

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"time"
)

// ErrNever is the error of a [Wait] that would have no end.
var ErrNever = errors.New("the request can never be granted")

// Wait waits until l grants n events, which are charged then, or ctx is done. n == 0 is granted at once.
//
// If l is a [Reserver], the events are reserved when Wait is called, and acted on when it returns: waiters
// are served in the order in which they came, and none starves. A wait that is given up gives its
// reservation back, as far as [Reservation] says.
//
// Any other limiter is asked, and asked again after the RetryAfter that it told. Then nothing is charged
// before the end. But who comes later may be served first: many that wait for the same window all wake at its
// beginning, and those that it has no room for go back to wait; and a large n may wait forever if smaller ones
// take again and again what it would need. See docs/choosing.md.
//
// The error wraps [ErrNever] if l, as it is now, would never grant n events, and [context.DeadlineExceeded]
// if ctx has a deadline that is earlier than they would be granted, both at once and with nothing charged;
// else it is ctx.Err().
//
// Time is read from l.Clock(), by which ctx's deadline is understood too, and is waited for by that clock's
// method After(time.Duration) <-chan time.Time, as github.com/benbjohnson/clock has it, if there is one, else
// by the system's timers. Cost: a timer, a Reservation if need be, and a few hundred nanoseconds at the least;
// if a refusal will do, call Take.
func Wait(ctx context.Context, l Limiter, n int) error {
	r, _ := l.(Reserver)
	clock := l.Clock()
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		now := clock.Now()
		patience := Never
		if deadline, ok := ctx.Deadline(); ok {
			patience = max(deadline.Sub(now), 0)
		}
		var d Decision
		if r == nil {
			d = l.TakeAt(now, n)
		} else {
			var reserved Reservation
			if reserved, d = r.ReserveAt(now, n, patience); d.OK {
				err := sleep(ctx, clock, reserved.ActAt())
				if err != nil {
					reserved.Cancel()
				}
				return err
			}
		}
		if d.OK {
			return nil
		}
		wait := d.RetryAfter
		if r != nil { // whose RetryAfter is until it can be reserved
			wait = l.PeekAt(now, n).RetryAfter
		}
		switch {
		case wait == Never:
			return fmt.Errorf("ratelimit.Wait: n is %d, at most %d can be granted at once: %w", n, d.Limit, ErrNever)
		case wait > patience:
			return fmt.Errorf("ratelimit.Wait: to be granted in %v, and the deadline is in %v: %w", wait, patience, context.DeadlineExceeded)
		}
		pause := min(wait, d.RetryAfter)
		if pause == 0 { // a race was lost, and whoever won it may be about to give back
			runtime.Gosched()
			continue
		}
		if err := sleep(ctx, clock, now.Add(pause)); err != nil {
			return err
		}
	}
}

// sleep waits until it is t by the clock, or ctx is done.
func sleep(ctx context.Context, clock Clock, t time.Time) error {
	for {
		d := t.Sub(clock.Now())
		if d <= 0 {
			return nil
		}
		woken, stop := after(clock, d)
		if !clock.Now().Before(t) { // a mock was moved on before it knew that somebody waits
			stop()
			return nil
		}
		select {
		case <-woken:
		case <-ctx.Done():
			stop()
			if clock.Now().Before(t) {
				return ctx.Err()
			}
		}
	}
}

// after returns a channel on which something comes after d by the clock if it can tell, else by the system.
func after(clock Clock, d time.Duration) (woken <-chan time.Time, stop func() bool) {
	if c, ok := clock.(interface {
		After(d time.Duration) <-chan time.Time
	}); ok {
		return c.After(d), func() bool { return false }
	}
	timer := time.NewTimer(d)
	return timer.C, timer.Stop
}
