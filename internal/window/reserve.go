package window

import (
	"time"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/internal/reservation"
	"github.com/seed-3506548a/ratelimit/internal/timeline"
)

// made is what a reservation has made of a window: it has charged n events, and so led from a state
// to another.
type made struct {
	n           int
	from, after state
}

// ReserveAt charges n events as of t that may be acted on up to within later, of the limiter owner.
// The reservation is nil if d says no.
func (w *Window) ReserveAt(d *ratelimit.Decision, owner any, t time.Time, n int, within time.Duration) ratelimit.Reservation {
	m, delay := w.take(d, w.line.At(t), n, within)
	if !d.OK {
		return nil
	}
	return reservation.New(w, owner, m, t.Add(delay))
}

// GiveBack gives back, as of t, what was reserved to be acted on at actAt.
func (w *Window) GiveBack(t time.Time, m made, actAt time.Time) {
	w.refund(timeline.Clamp(w.line.At(t)), m, timeline.Clamp(w.line.At(actAt)))
}
