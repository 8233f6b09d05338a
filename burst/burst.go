// Package burst caps short bursts on top of another limiter: at most so many events in any short
// window, however much the other would let pass.
//
//	perMinute, err := gcra.New(ratelimit.PerMinute(90), 90)
//	limiter, err := burst.New(perMinute, ratelimit.PerSecond(10))
//
// # Guarantee
//
//	granted <= peak.Events in every half-open window of length peak.Per
//
// and never more than what the other limiter grants. It is [ratelimit.All] of that and a
// [slidingwindow.Log] of the peak, with a name; all that is said of All holds. It caps, and allows
// nothing on top: the word burst of package gcra is for what a bucket lets pass at once.
//
// # Cost
//
// That of the other limiter, of a Log, and of a look at the Log beforehand; no allocation that they
// do not make.
//
// # Source
//
// AniList's API, among others, has such a limit beside that of a minute.
package burst

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/internal/identity"
	"github.com/seed-3506548a/ratelimit/slidingwindow"
)

var (
	_ ratelimit.Composite = (*Limiter)(nil)
	_ ratelimit.Charger   = (*Limiter)(nil)
)

// Limiter is another limiter with a cap on bursts. In its Decisions, By is 0 if the other limiter
// binds, and 1 if the cap does.
//
// Its zero value is of no use, and its methods panic on it: call [New]. It is safe for simultaneous
// use.
type Limiter struct {
	both  composite // All of these
	inner ratelimit.Limiter
	top   *slidingwindow.Log
}

// composite is what All returns.
type composite interface {
	ratelimit.Composite
	ratelimit.Charger
}

// New returns a limiter that grants what inner does, but at most peak.Events in any window of
// length peak.Per. It goes by inner's clock; [ratelimit.WithClock] is of use only with
// [ratelimit.Unlimited], which has none of its own.
//
// The error is a [*ratelimit.ArgumentError] if inner is nil, if the clocks differ, and for a peak
// that [slidingwindow.NewLog] refuses.
func New(inner ratelimit.Limiter, peak ratelimit.Rate, opts ...ratelimit.Option) (*Limiter, error) {
	const fn = "burst.New"
	if identity.IsNil(inner) {
		return nil, &ratelimit.ArgumentError{Func: fn, Field: "inner", Value: nil, Want: "a limiter"}
	}
	for i, opt := range opts { // before the clock's is put in front of them
		if opt == nil {
			return nil, &ratelimit.ArgumentError{Func: fn, Field: fmt.Sprintf("opts[%d]", i), Value: nil, Want: "an option"}
		}
	}
	top, err := slidingwindow.NewLog(peak, append([]ratelimit.Option{ratelimit.WithClock(inner.Clock())}, opts...)...)
	if err != nil {
		return nil, rename(err, fn)
	}
	both, err := ratelimit.All(inner, top)
	if err != nil {
		return nil, rename(err, fn)
	}
	return &Limiter{both: both.(composite), inner: inner, top: top}, nil
}

// rename tells an error of the parts in the words of this package.
func rename(err error, fn string) error {
	var bad *ratelimit.ArgumentError
	if !errors.As(err, &bad) {
		return err
	}
	words := strings.NewReplacer("rate.", "peak.", "ls[0]", "inner", "ls[1].Clock()", "WithClock", "ls[1]", "peak")
	return &ratelimit.ArgumentError{Func: fn, Field: words.Replace(bad.Field), Value: bad.Value, Want: words.Replace(bad.Want)}
}

// Allow reports whether one event may happen now, and charges it if so.
func (l *Limiter) Allow() bool { return l.both.Allow() }

// Take charges n events now, all of them or none. See [ratelimit.Decision] for what it returns.
func (l *Limiter) Take(n int) ratelimit.Decision { return l.both.Take(n) }

// TakeAt charges n events as of t, all of them or none; t may be any time.
func (l *Limiter) TakeAt(t time.Time, n int) ratelimit.Decision { return l.both.TakeAt(t, n) }

// TakeEach charges, as of t, a cost for the other limiter and one for the cap, in this order, both
// of them or none: see [ratelimit.Composite].
func (l *Limiter) TakeEach(t time.Time, costs ...int) ratelimit.Decision {
	return l.both.TakeEach(t, costs...)
}

// RefundEach gives back, as of t, what TakeEach has charged held before t.
func (l *Limiter) RefundEach(t time.Time, held time.Duration, costs ...int) {
	l.both.RefundEach(t, held, costs...)
}

// ChargeAt counts n events as granted at t, also if they exceed the limits; see
// [ratelimit.Charger]. The cap owes at most a whole peak.Per. Another limiter that is no Charger is
// charged what it grants.
func (l *Limiter) ChargeAt(t time.Time, n int) ratelimit.Decision { return l.both.ChargeAt(t, n) }

// Peek returns what Take would, and charges nothing. It may already be outdated.
func (l *Limiter) Peek(n int) ratelimit.Decision { return l.both.PeekAt(l.Clock().Now(), n) }

// PeekAt returns what TakeAt would, and charges nothing. It may already be outdated.
func (l *Limiter) PeekAt(t time.Time, n int) ratelimit.Decision { return l.both.PeekAt(t, n) }

// RefundAt gives back, as of t, n events that were granted held before t, to both parts as far as
// each takes them. See [ratelimit.Limiter] for what t must be.
func (l *Limiter) RefundAt(t time.Time, n int, held time.Duration) { l.both.RefundAt(t, n, held) }

// SetPeak is SetPeakAt by the limiter's clock.
func (l *Limiter) SetPeak(peak ratelimit.Rate) error {
	return rename(l.top.SetRate(peak), "burst.Limiter.SetPeak")
}

// SetPeakAt changes the events of the peak as of t, as [slidingwindow.Log.SetRateAt] does.
func (l *Limiter) SetPeakAt(t time.Time, peak ratelimit.Rate) error {
	return rename(l.top.SetRateAt(t, peak), "burst.Limiter.SetPeakAt")
}

// Clock returns the clock that Allow, Take and Peek read.
func (l *Limiter) Clock() ratelimit.Clock { return l.both.Clock() }

// Peak returns the peak that the limiter was made with or that it was set to last.
func (l *Limiter) Peak() ratelimit.Rate { return l.top.Rate() }

// Unwrap returns the other limiter and the cap.
func (l *Limiter) Unwrap() []ratelimit.Limiter { return []ratelimit.Limiter{l.inner, l.top} }
