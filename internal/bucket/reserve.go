package bucket

import (
	"time"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/internal/reservation"
	"github.com/seed-3506548a/ratelimit/internal/timeline"
)

// ReserveAt charges n events as of t that may be acted on up to within later, of the limiter owner. The
// reservation is nil if d says no.
func (b *Bucket) ReserveAt(d *ratelimit.Decision, owner any, t time.Time, n int, within time.Duration) ratelimit.Reservation {
	delay := b.take(d, b.line.At(t), n, within)
	if !d.OK {
		return nil
	}
	return reservation.New(b, owner, n, t.Add(delay), 0)
}

// GiveBack gives back, as of t, n events that may be acted on at actAt.
func (b *Bucket) GiveBack(t time.Time, n int, actAt time.Time, _ uint64) {
	b.refund(timeline.Clamp(b.line.At(t)), n, timeline.Clamp(b.line.At(actAt)))
}
