package gcra

import (
	"runtime"
	"time"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/internal/bucket"
	"github.com/seed-3506548a/ratelimit/internal/waiting"
)

var (
	_ ratelimit.Limiter = (*Striped)(nil)
	_ ratelimit.Charger = (*Striped)(nil)
	_ ratelimit.Delayer = (*Striped)(nil)
)

// Striped is a GCRA limiter for one limit that many cores ask all the time. It keeps the bound of a
// [Limiter], and grants faster the more cores ask, where a Limiter gets slower. It is weaker in
// other ways, so take a Limiter unless you have measured that callers queue up at it.
//
// Callers are spread over stripes by where their stacks are. So a goroutine keeps its stripe until
// its stack grows or shrinks. A caller that finds nothing left in its stripe leases events: they
// are charged together, and can be granted within 131 us by this stripe alone.
//
// # Guarantee
//
// In every closed interval [a, b],
//
//	granted <= burst + floor((b-a) * rate)
//
// The bound is exact. It holds for the times that callers pass, in whatever order they pass them. A
// refusal changes nothing.
//
// # What is weaker
//
// A Striped can refuse what a Limiter would grant:
//
//   - Leased events are charged as if they were granted at the end of the lease, up to 131 us later
//     than they are.
//   - At most half of what there is room for is leased at a time. Callers of other stripes do not
//     get it.
//   - What is left of a lease after 131 us is lost. A stripe loses at most one event for each 63
//     that it grants, and what lost races cost.
//
// The other fields of a [ratelimit.Decision] are about the caller's own stripe, and what is not
// leased. OK and RetryAfter are exact for these if there is no other traffic, and Remaining is the
// most that one request can take. After ResetAfter a full burst is left, but each stripe remembers
// how many events its callers used of their last leases, so its next lease may be larger or smaller
// than that of a new limiter. A decision is not
// atomic: while a caller leases, others miss what it has charged and not yet put into its stripe.
// So simultaneous callers may together get less than a burst.
//
// A Striped has no ReserveAt: reservations are served in order, and leases would go ahead of them.
//
// # When it is the same as a Limiter
//
// Nothing is leased if the rate brings fewer than 8 events in 131 us, which is 61,036 a second, or
// if burst is at most 32*P + rate*131us, where P is GOMAXPROCS when the limiter is made. A caller
// with a time before the lease of its stripe does not lease either. So after a caller has passed a
// time far ahead, its stripe leases again when that time has come.
//
// # Cost
//
// A grant of a lease is a clock read and one compare-and-swap of the stripe's own cache line. A
// refusal costs a little more than that of a Limiter. No decision allocates, with the exceptions
// that the package documentation has. It is lock-free: a caller only tries again if the change of
// another one landed. It takes 256 bytes, and 512 for each core, rounded up to a power of two.
//
// The zero value is not usable: most methods panic. Call [NewStriped]. A Striped is safe for
// simultaneous use and must not be copied after first use.
type Striped struct {
	bucket bucket.Striped
}

// NewStriped returns a limiter with the given rate that grants up to burst events at once. It has 8
// stripes for each core that GOMAXPROCS allows, or up to twice as many. Its options and errors are
// those of [New].
func NewStriped(rate ratelimit.Rate, burst int, opts ...ratelimit.Option) (*Striped, error) {
	l := new(Striped)
	if err := l.bucket.Init("gcra.NewStriped", "burst", rate, burst, 8*runtime.GOMAXPROCS(0), opts); err != nil {
		return nil, err
	}
	return l, nil
}

// Allow charges one event now, if it fits, and reports whether it did. It is the fastest way to
// ask.
func (l *Striped) Allow() bool { return l.bucket.Allow() }

// Take charges n events now, all of them or none. The [ratelimit.Decision] reports the result.
func (l *Striped) Take(n int) (d ratelimit.Decision) {
	l.bucket.Take(&d, n)
	return d
}

// TakeAt charges n events as of t, all of them or none. Any time t is valid. Several events are
// granted by the caller's stripe or by what is not leased, and not by both together.
func (l *Striped) TakeAt(t time.Time, n int) (d ratelimit.Decision) {
	l.bucket.TakeAt(&d, t, n)
	return d
}

// ChargeAt charges n events as of t, even if they exceed the burst; see [Limiter.ChargeAt]. What
// was leased before can still be granted, up to 131 us after t.
func (l *Striped) ChargeAt(t time.Time, n int) (d ratelimit.Decision) {
	l.bucket.ChargeAt(&d, t, n)
	return d
}

// DelayAt returns how long after t it takes until n more events can have been granted; see
// [Limiter.DelayAt]. It counts what is left to the caller's stripe and what is not leased.
func (l *Striped) DelayAt(t time.Time, n int) time.Duration { return l.bucket.DelayAt(t, n) }

// Peek returns what Take would return, and charges nothing. If Take leases, less remains after it.
// The result may already be outdated.
func (l *Striped) Peek(n int) (d ratelimit.Decision) {
	l.bucket.Peek(&d, n)
	return d
}

// PeekAt returns what TakeAt would return, and charges nothing. If TakeAt leases, less remains
// after it. The result may already be outdated.
func (l *Striped) PeekAt(t time.Time, n int) (d ratelimit.Decision) {
	l.bucket.PeekAt(&d, t, n)
	return d
}

// RefundAt gives back, as of t, n events that were granted at t-held; see [Limiter.RefundAt]. The
// refund counts as of the end of the last lease, if that is later than t. So soon after a lease it
// gives back up to rate*131us events less.
func (l *Striped) RefundAt(t time.Time, n int, held time.Duration) {
	l.bucket.RefundAt(t, n, held)
	waiting.Changed(l)
}

// SetRate changes the rate and the burst now, by the limiter's clock; see [Striped.SetRateAt].
func (l *Striped) SetRate(rate ratelimit.Rate, burst int) error {
	defer waiting.Changed(l)
	return l.bucket.SetRate("gcra.Striped.SetRate", "burst", rate, burst)
}

// SetRateAt changes the rate and the burst as of t; see [Limiter.SetRateAt]. The change takes
// effect at the end of the last lease if that is later, by up to 131 us. What was leased before can
// be granted until then, even if the new rate is 0.
func (l *Striped) SetRateAt(t time.Time, rate ratelimit.Rate, burst int) error {
	defer waiting.Changed(l)
	return l.bucket.SetRateAt("gcra.Striped.SetRateAt", "burst", t, rate, burst)
}

// Clock returns the clock that Allow, Take and Peek read.
func (l *Striped) Clock() ratelimit.Clock { return l.bucket.Clock() }

// Rate returns the current rate.
func (l *Striped) Rate() ratelimit.Rate { return l.bucket.Rate() }

// Burst returns the current burst.
func (l *Striped) Burst() int { return l.bucket.Burst() }
