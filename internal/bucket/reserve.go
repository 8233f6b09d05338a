package bucket

import (
	"time"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/internal/atomics"
	"github.com/seed-3506548a/ratelimit/internal/timeline"
)

// ReserveAt charges n events as of t that may be acted on up to patience later.
func (b *Bucket) ReserveAt(d *ratelimit.Decision, t time.Time, n int, patience time.Duration) ratelimit.Reservation {
	delay := b.take(d, b.line.At(t), n, patience)
	if !d.OK {
		return nil
	}
	return &reservation{bucket: b, n: n, actAt: t.Add(delay)}
}

// reservation implements [ratelimit.Reservation].
type reservation struct {
	bucket    *Bucket
	n         int
	actAt     time.Time
	cancelled atomics.Bool
}

func (r *reservation) ActAt() time.Time { return r.actAt }

func (r *reservation) Cancel() { r.CancelAt(r.bucket.line.Clock().Now()) }

func (r *reservation) CancelAt(t time.Time) {
	if !r.cancelled.Swap(true) {
		line := &r.bucket.line
		r.bucket.refund(timeline.Clamp(line.At(t)), r.n, timeline.Clamp(line.At(r.actAt)))
	}
}
