package bucket

import (
	"time"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/internal/reservation"
	"github.com/seed-3506548a/ratelimit/internal/timeline"
)

// made is what a reservation has made of a bucket: it has charged n events, and lost the ticks that
// were idle before they can be acted on.
type made struct {
	n    int
	idle uint64
}

// ReserveAt charges n events as of t that may be acted on up to within later, of the limiter owner.
// The reservation is nil if d says no.
func (b *Bucket) ReserveAt(d *ratelimit.Decision, owner any, t time.Time, n int, within time.Duration) ratelimit.Reservation {
	delay, idle := b.take(d, b.line.At(t), n, within)
	if !d.OK {
		return nil
	}
	return reservation.New(b, owner, made{n, idle}, t.Add(delay))
}

// GiveBack gives back, as of t, what was reserved to be acted on at actAt.
func (b *Bucket) GiveBack(t time.Time, m made, actAt time.Time) {
	b.refund(timeline.Clamp(b.line.At(t)), m, timeline.Clamp(b.line.At(actAt)))
}
