// Package burst caps short bursts on top of another limiter. In any short window it grants at most
// a fixed number of events, however many the other limiter would grant.
//
//	perMinute, err := gcra.New(ratelimit.PerMinute(90), 90)
//	limiter, err := burst.New(perMinute, ratelimit.PerSecond(10))
//
// The cap only refuses: it never grants what the other limiter refuses. The burst of package gcra
// is something else: the number of events that a bucket grants at once.
//
// # Guarantee
//
//	granted <= peak.Events in every half-open window of length peak.Per
//
// and never more than the other limiter grants. A limiter of this package is [ratelimit.All] of the
// other limiter and of a [slidingwindow.Log] for the peak. What All guarantees holds here too, and
// the cap treats late requests as a Log does.
//
// # Cost
//
// A decision costs a decision of the other limiter, one of a Log, and a look at the Log beforehand.
// It allocates only what these allocate, and is lock-free if the other limiter is.
//
// # Source
//
// Some APIs, such as AniList's, have a limit on short bursts beside that of a minute.
package burst

import (
	"fmt"
	"reflect"
	"time"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/internal/identity"
	"github.com/seed-3506548a/ratelimit/slidingwindow"
)

var (
	_ ratelimit.Composite = (*Limiter)(nil)
	_ ratelimit.Charger   = (*Limiter)(nil)
	_ ratelimit.Delayer   = (*Limiter)(nil)
	_ ratelimit.Failer    = (*Limiter)(nil)
)

// Limiter is another limiter with a cap on bursts. In its Decisions, By is 0 if the other limiter
// binds, and 1 if the cap does.
//
// The zero value is not usable: its methods panic. Call [New]. A Limiter is safe for simultaneous
// use.
type Limiter struct {
	both  composite // All(inner, top)
	inner ratelimit.Limiter
	top   *slidingwindow.Log
}

// composite is what All returns.
type composite interface {
	ratelimit.Composite
	ratelimit.Charger
	ratelimit.Delayer
	ratelimit.Failer
}

// New returns a limiter that grants what inner grants, but at most peak.Events in any window of
// length peak.Per. It reads inner's clock. If [ratelimit.WithClock] sets a clock, it must be the
// same, unless inner is [ratelimit.Unlimited], which reads no clock.
//
// The error is a [*ratelimit.ArgumentError] if inner or its clock is nil, if an option is nil or
// sets another clock, and unless
//
//	0 <= peak.Events <= 2^18-1
//	0 < peak.Per <= 2^58 ns (9 years)
func New(inner ratelimit.Limiter, peak ratelimit.Rate, opts ...ratelimit.Option) (*Limiter, error) {
	const fn = "burst.New"
	if identity.IsNil(inner) {
		return nil, &ratelimit.ArgumentError{Func: fn, Field: "inner", Value: nil, Want: "a limiter"}
	}
	if _, ok := inner.(ratelimit.Penalizer); ok {
		return nil, &ratelimit.ArgumentError{Func: fn, Field: "inner", Value: reflect.TypeOf(inner),
			Want: "a limiter that a refusal does not change; put the penalty outermost"}
	}
	if err := check(fn, peak); err != nil {
		return nil, err
	}
	clock, err := choose(fn, inner, opts)
	if err != nil {
		return nil, err
	}
	top, err := slidingwindow.NewLog(peak, ratelimit.WithClock(clock))
	if err != nil {
		return nil, err
	}
	both, err := ratelimit.All(inner, top)
	if err != nil {
		return nil, err
	}
	return &Limiter{both: both.(composite), inner: inner, top: top}, nil
}

// check refuses a peak that a Log cannot have.
func check(fn string, peak ratelimit.Rate) error {
	refuse := func(field string, value any, want string) error {
		return &ratelimit.ArgumentError{Func: fn, Field: field, Value: value, Want: want}
	}
	const most = 1<<18 - 1
	switch {
	case peak.Events < 0 || peak.Events > most:
		return refuse("peak.Events", peak.Events, fmt.Sprintf("0 to %d", most))
	case peak.Per <= 0:
		return refuse("peak.Per", peak.Per, "more than 0s")
	case peak.Per > 1<<58:
		return refuse("peak.Per", peak.Per, "at most 2^58 ns (9 years)")
	}
	return nil
}

// choose returns the clock of both parts: inner's, which the options cannot change, unless inner
// has none of its own.
func choose(fn string, inner ratelimit.Limiter, opts []ratelimit.Option) (ratelimit.Clock, error) {
	refuse := func(field string, value any, want string) (ratelimit.Clock, error) {
		return nil, &ratelimit.ArgumentError{Func: fn, Field: field, Value: value, Want: want}
	}
	own := inner.Clock()
	if identity.IsNil(own) {
		return refuse("inner.Clock()", nil, "a clock")
	}
	chosen := ratelimit.Options{Clock: own}
	for i, opt := range opts {
		if opt == nil {
			return refuse(fmt.Sprintf("opts[%d]", i), nil, "an option")
		}
		opt(&chosen)
	}
	switch {
	case identity.IsNil(chosen.Clock):
		return refuse("WithClock", nil, "a clock, or no such option for inner's")
	case inner != ratelimit.Unlimited() && !identity.Same(chosen.Clock, own):
		return refuse("WithClock", reflect.TypeOf(chosen.Clock), "the clock of inner, or no such option")
	}
	return chosen.Clock, nil
}

// Allow reports whether one event may happen now, and charges it if so.
func (l *Limiter) Allow() bool { return l.both.Allow() }

// Take charges n events now, all of them or none. It returns whether they may happen, and what is
// left; see [ratelimit.Decision].
func (l *Limiter) Take(n int) ratelimit.Decision { return l.both.Take(n) }

// TakeAt is Take as of t, which may be any time.
func (l *Limiter) TakeAt(t time.Time, n int) ratelimit.Decision { return l.both.TakeAt(t, n) }

// TakeEach charges two costs as of t, both or none: the first to the other limiter, the second to
// the cap. See [ratelimit.Composite].
func (l *Limiter) TakeEach(t time.Time, costs ...int) ratelimit.Decision {
	return l.both.TakeEach(t, costs...)
}

// RefundEach gives back, as of t, what TakeEach charged held before t.
func (l *Limiter) RefundEach(t time.Time, held time.Duration, costs ...int) {
	l.both.RefundEach(t, held, costs...)
}

// ChargeAt counts n events as granted at t, even if they exceed the limits; see
// [ratelimit.Charger]. The cap then refuses for at most peak.Per. If the other limiter is no
// Charger, it is charged what it grants.
func (l *Limiter) ChargeAt(t time.Time, n int) ratelimit.Decision { return l.both.ChargeAt(t, n) }

// Peek returns what Take would, and charges nothing. It may already be outdated.
func (l *Limiter) Peek(n int) ratelimit.Decision { return l.both.PeekAt(l.Clock().Now(), n) }

// PeekAt returns what TakeAt would, and charges nothing. It may already be outdated.
func (l *Limiter) PeekAt(t time.Time, n int) ratelimit.Decision { return l.both.PeekAt(t, n) }

// DelayAt returns how long after t it takes, at least, until n more events can have been granted.
// It is the longer delay of the two parts. If the other limiter is no [ratelimit.Delayer], its
// delay counts as 0. The result may already be outdated.
func (l *Limiter) DelayAt(t time.Time, n int) time.Duration { return l.both.DelayAt(t, n) }

// RefundAt gives back, as of t, n events that were granted held before t. Each of the two parts
// takes back what its own RefundAt does. See [ratelimit.Limiter] for what t must be.
func (l *Limiter) RefundAt(t time.Time, n int, held time.Duration) { l.both.RefundAt(t, n, held) }

// SetPeak is SetPeakAt by the limiter's clock.
func (l *Limiter) SetPeak(peak ratelimit.Rate) error {
	if err := l.checkChange("burst.Limiter.SetPeak", peak); err != nil {
		return err
	}
	return l.top.SetRate(peak)
}

// SetPeakAt changes the number of events of the peak as of t, as [slidingwindow.Log.SetRateAt]
// does. peak.Per must be the one that the limiter was made with.
//
// Errors are those of [New] for a peak, and one for another peak.Per.
func (l *Limiter) SetPeakAt(t time.Time, peak ratelimit.Rate) error {
	if err := l.checkChange("burst.Limiter.SetPeakAt", peak); err != nil {
		return err
	}
	return l.top.SetRateAt(t, peak)
}

// checkChange refuses a peak that the limiter cannot be set to.
func (l *Limiter) checkChange(fn string, peak ratelimit.Rate) error {
	if per := l.Peak().Per; peak.Per != per {
		return &ratelimit.ArgumentError{Func: fn, Field: "peak.Per", Value: peak.Per,
			Want: per.String() + ", as the limiter was made: only Events can change"}
	}
	return check(fn, peak)
}

// Clock returns the clock that Allow, Take and Peek read.
func (l *Limiter) Clock() ratelimit.Clock { return l.both.Clock() }

// Peak returns the peak that was set last, or that the limiter was made with.
func (l *Limiter) Peak() ratelimit.Rate { return l.top.Rate() }

// Unwrap returns the other limiter and the cap.
func (l *Limiter) Unwrap() []ratelimit.Limiter { return []ratelimit.Limiter{l.inner, l.top} }

// Err returns why one of the parts can grant nothing at present, or nil. See [ratelimit.Failer].
func (l *Limiter) Err() error { return l.both.Err() }
