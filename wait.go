package ratelimit

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"time"

	"github.com/seed-3506548a/ratelimit/internal/identity"
)

// ErrNever is the error of a [Wait] that would have no end.
var ErrNever = errors.New("the request can never be granted")

// Wait waits until l grants n events, which are charged then, or ctx is done.
//
// If l is a [Reserver], the events are reserved when Wait is called, and acted on when it returns: waiters are
// served in the order in which they came, and none starves, as far ahead as l can reserve. A wait that is given up
// gives its reservation back, as far as [Reservation] says, and the limiter's ReserveAt.
//
// Any other limiter is asked, and asked again after the RetryAfter that it told; so is a Reserver for what is too far
// ahead. Then nothing is charged before the end. But who comes later may be served first: many that wait for the same
// window all wake at its beginning, and those that it has no room for go back to wait; and a large n may wait forever
// if smaller ones take again and again what it would need. See docs/choosing.md.
//
// The error wraps [ErrNever] if l, as it is now, would never grant n events, and [context.DeadlineExceeded]
// if ctx has a deadline that is earlier than they would be granted, both at once and with nothing charged;
// else it is ctx.Err(), or an [*ArgumentError] if l is nil.
//
// Time is read from l.Clock(), by which ctx's deadline is understood too, and is waited for by that clock's
// method After(time.Duration) <-chan time.Time, as github.com/benbjohnson/clock has it, if there is one, else
// by the system's timers: a clock that does not say when it moves is looked at again after as long as it should take.
// Cost: a timer, and a Reservation if need be; if a refusal will do, call Take.
func Wait(ctx context.Context, l Limiter, n int) error {
	if identity.IsNil(l) {
		return &ArgumentError{"ratelimit.Wait", "l", nil, "a limiter"}
	}
	if err := done(ctx); err != nil {
		return err
	}
	r, _ := l.(Reserver)
	clock := l.Clock()
	for turn := 0; ; turn++ {
		now := clock.Now()
		patience := Never
		if deadline, ok := ctx.Deadline(); ok {
			patience = deadline.Sub(now)
		}
		if patience < 0 {
			return fmt.Errorf("ratelimit.Wait: the deadline was %v ago: %w", -patience, context.DeadlineExceeded)
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
			return never(n, &d)
		case wait > patience:
			return fmt.Errorf("ratelimit.Wait: to be granted in %v, and the deadline is in %v: %w", wait, patience, context.DeadlineExceeded)
		}
		if err := done(ctx); err != nil {
			return err
		}
		pause := min(wait, d.RetryAfter)
		if pause == 0 { // a race was lost: let the others go on, the longer the more there are
			runtime.Gosched()
			time.Sleep(min(time.Duration(turn/8)*time.Microsecond, time.Millisecond))
			continue
		}
		if err := sleep(ctx, clock, now.Add(pause)); err != nil {
			return err
		}
	}
}

// never returns the error for what d has refused for ever.
func never(n int, d *Decision) error {
	want := "it would be granted after the end of the time that the limiter can represent"
	switch {
	case n < 0:
		want = "want 0 or more"
	case d.By < 0: // as package keyed says it
		want = fmt.Sprintf("and no limiter was found to ask (By is %d)", d.By)
	case n > d.Limit:
		want = fmt.Sprintf("want at most %d, which is all that can be granted at once", d.Limit)
	}
	return fmt.Errorf("ratelimit.Wait: n is %d, %s: %w", n, want, ErrNever)
}

// done is ctx.Err(), but ordered after what closed Done: some contexts write their error without a lock.
func done(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	default:
		return nil
	}
}

// sleep waits until it is t by the clock, or ctx is done.
func sleep(ctx context.Context, clock Clock, t time.Time) error {
	waiting, _ := clock.(interface {
		After(d time.Duration) <-chan time.Time
	})
	for turn := 0; ; turn++ {
		now := clock.Now()
		d := t.Sub(now)
		if d <= 0 {
			return nil
		}
		var timer *time.Timer
		var woken <-chan time.Time
		if waiting != nil {
			woken = waiting.After(d)
			if turn < 3 && clock.Now().After(now) {
				continue // a mock was moved on before it knew of us: tell it again; but real ones never stand still
			}
		} else {
			least := min(time.Duration(turn)*50*time.Microsecond, time.Millisecond) // a coarse clock may lag behind
			timer = time.NewTimer(max(d, least))
			woken = timer.C
		}
		select {
		case <-woken:
		case <-ctx.Done():
			if timer != nil {
				timer.Stop()
			}
			if clock.Now().Before(t) {
				return ctx.Err()
			}
		}
	}
}
