// Package reservation remembers what was reserved, so that it can be given back once.
package reservation

import (
	"time"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/internal/atomics"
	"github.com/seed-3506548a/ratelimit/internal/waiting"
)

// Core is what made a reservation.
type Core interface {
	Clock() ratelimit.Clock
	// GiveBack gives back, as of t, n events that may be acted on at actAt, for which idle was lost besides: what the
	// core would have gained until then, if others had not had to wait for them.
	GiveBack(t time.Time, n int, actAt time.Time, idle uint64)
}

// Reservation implements [ratelimit.Reservation].
type Reservation struct {
	core  Core
	owner any // the limiter, for those who wait for it
	n     int
	idle  uint64
	actAt time.Time
	over  atomics.Bool // given back
}

// New returns the reservation of n events that may be acted on at actAt, and for which idle was lost.
func New(c Core, owner any, n int, actAt time.Time, idle uint64) *Reservation {
	return &Reservation{core: c, owner: owner, n: n, actAt: actAt, idle: idle}
}

// ActAt returns the time from which on the events may happen.
func (r *Reservation) ActAt() time.Time { return r.actAt }

// Cancel is CancelAt by the limiter's clock.
func (r *Reservation) Cancel() { r.CancelAt(r.core.Clock().Now()) }

// CancelAt is RefundAt, unless the time to act is past.
func (r *Reservation) CancelAt(t time.Time) {
	if !t.After(r.actAt) && !r.core.Clock().Now().After(r.actAt) {
		r.RefundAt(t)
	}
}

// Refund is RefundAt by the limiter's clock.
func (r *Reservation) Refund() { r.RefundAt(r.core.Clock().Now()) }

// RefundAt gives back, the first time that something is given back.
func (r *Reservation) RefundAt(t time.Time) {
	if !r.over.Swap(true) {
		r.core.GiveBack(t, r.n, r.actAt, r.idle)
		waiting.Changed(r.owner)
	}
}
