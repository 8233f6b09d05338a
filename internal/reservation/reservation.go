// Package reservation implements [ratelimit.Reservation]: it remembers what was reserved, so that
// it can be given back once.
package reservation

import (
	"time"

	"github.com/seed-3506548a/ratelimit/internal/atomics"
	"github.com/seed-3506548a/ratelimit/internal/timeline"
	"github.com/seed-3506548a/ratelimit/internal/waiting"
)

// Core is the core of a limiter that reserves. Made is what it has to know to give a reservation
// back.
type Core[Made any] interface {
	Line() *timeline.Timeline
	// GiveBack gives back, as of the offset as, what was granted, or could be acted on, at actAt.
	GiveBack(as int64, made Made, actAt int64)
}

// Reservation is a [ratelimit.Reservation].
type Reservation[Made any] struct {
	core  Core[Made]
	owner any // the limiter, for callers that wait for it
	made  Made
	actAt time.Time
	over  atomics.Bool // it was given back
}

// New returns a reservation of the limiter owner that may be acted on at actAt.
func New[Made any](c Core[Made], owner any, made Made, actAt time.Time) *Reservation[Made] {
	return &Reservation[Made]{core: c, owner: owner, made: made, actAt: actAt}
}

// ActAt returns the time from which the events may happen.
func (r *Reservation[Made]) ActAt() time.Time { return r.actAt }

// Cancel is CancelAt by the limiter's clock.
func (r *Reservation[Made]) Cancel() { r.CancelAt(r.core.Line().Clock().Now()) }

// CancelAt is RefundAt, unless the time to act has passed by t or by the limiter's clock.
func (r *Reservation[Made]) CancelAt(t time.Time) {
	if !t.After(r.actAt) && !r.core.Line().Clock().Now().After(r.actAt) {
		r.RefundAt(t)
	}
}

// Refund is RefundAt by the limiter's clock.
func (r *Reservation[Made]) Refund() { r.RefundAt(r.core.Line().Clock().Now()) }

// RefundAt gives the reservation back, if it was not given back before.
func (r *Reservation[Made]) RefundAt(t time.Time) {
	if !r.over.Swap(true) {
		line := r.core.Line()
		r.core.GiveBack(timeline.Clamp(line.At(t)), r.made, timeline.Clamp(line.At(r.actAt)))
		waiting.Changed(r.owner)
	}
}
