// Package reservation remembers what was reserved, so that it can be given back once.
package reservation

import (
	"time"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/internal/atomics"
)

// Limiter is what made a reservation.
type Limiter interface {
	Clock() ratelimit.Clock
	// Cancel gives back, as of t, n events that may be acted on at actAt.
	Cancel(t time.Time, n int, actAt time.Time)
}

// Reservation implements [ratelimit.Reservation].
type Reservation struct {
	limiter   Limiter
	n         int
	actAt     time.Time
	cancelled atomics.Bool
}

// New returns the reservation of n events that may be acted on at actAt.
func New(l Limiter, n int, actAt time.Time) *Reservation {
	return &Reservation{limiter: l, n: n, actAt: actAt}
}

// ActAt returns the time from which on the events may happen.
func (r *Reservation) ActAt() time.Time { return r.actAt }

// Cancel is CancelAt by the limiter's clock.
func (r *Reservation) Cancel() { r.CancelAt(r.limiter.Clock().Now()) }

// CancelAt gives back, the first time that Cancel or CancelAt is called.
func (r *Reservation) CancelAt(t time.Time) {
	if !r.cancelled.Swap(true) {
		r.limiter.Cancel(t, r.n, r.actAt)
	}
}
