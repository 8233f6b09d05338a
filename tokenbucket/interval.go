package tokenbucket

import (
	"time"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/internal/waiting"
	"github.com/seed-3506548a/ratelimit/internal/window"
)

var (
	_ ratelimit.Limiter  = (*Interval)(nil)
	_ ratelimit.Reserver = (*Interval)(nil)
	_ ratelimit.Charger  = (*Interval)(nil)
	_ ratelimit.Delayer  = (*Interval)(nil)
)

// Interval is a token bucket that refills in batches. See the package documentation for its
// guarantee and its cost.
//
// The zero value is not usable: most methods panic. Call [NewInterval]. An Interval is safe for
// simultaneous use and must not be copied after first use.
type Interval struct {
	window window.Window
}

// NewInterval returns a bucket that holds up to capacity tokens. It is full at every time until a
// token is taken. From then on, rate.Events tokens come back at the end of each rate.Per, until it
// is full again. It reads the system's monotonic clock unless [ratelimit.WithClock] sets another.
//
// The error is a [*ratelimit.ArgumentError] unless
//
//	0 <= rate.Events <= 2^31-1, 0 < rate.Per <= 2^58 ns (9 years), 1 <= capacity <= 2^31-1,
//
// and the step of start times is at most rate.Per/1024; see Precision in the package documentation.
// If rate.Events is 0, the limiter refuses every event.
func NewInterval(rate ratelimit.Rate, capacity int, opts ...ratelimit.Option) (*Interval, error) {
	l := new(Interval)
	if err := l.window.Init(window.Interval, "tokenbucket.NewInterval", "capacity", rate, capacity, opts); err != nil {
		return nil, err
	}
	return l, nil
}

// Allow takes one token now, if there is one, and reports whether it did. It is the fastest way to
// ask.
func (l *Interval) Allow() bool { return l.window.Allow() }

// Take takes n tokens now, all of them or none. The [ratelimit.Decision] reports the result.
func (l *Interval) Take(n int) (d ratelimit.Decision) {
	l.window.Take(&d, n)
	return d
}

// TakeAt takes n tokens as of t, all of them or none. Any time t is valid.
func (l *Interval) TakeAt(t time.Time, n int) (d ratelimit.Decision) {
	l.window.TakeAt(&d, t, n)
	return d
}

// ChargeAt takes n tokens as of t, even if the bucket has fewer; see [ratelimit.Charger]. The
// bucket is then below empty, and nothing is granted until enough tokens have come back.
//
// At most 2^31-1 tokens can be missing. More are not counted. A charge that leaves more than the
// capacity missing may make a few small allocations.
func (l *Interval) ChargeAt(t time.Time, n int) (d ratelimit.Decision) {
	l.window.ChargeAt(&d, t, n)
	return d
}

// DelayAt returns how long after t it takes until n more tokens can have been taken, with no other
// traffic; n may exceed the capacity. It is exact for tokens that are taken one by one. See
// [ratelimit.Delayer]. DelayAt takes no tokens. Its result may already be outdated.
func (l *Interval) DelayAt(t time.Time, n int) time.Duration { return l.window.DelayAt(t, n) }

// Peek returns what Take would return, and takes nothing. The result may already be outdated.
func (l *Interval) Peek(n int) (d ratelimit.Decision) {
	l.window.Peek(&d, n)
	return d
}

// PeekAt returns what TakeAt would return, and takes nothing. The result may already be outdated.
func (l *Interval) PeekAt(t time.Time, n int) (d ratelimit.Decision) {
	l.window.PeekAt(&d, t, n)
	return d
}

// Tokens returns the number of tokens in the bucket now. It may already be outdated.
func (l *Interval) Tokens() int { return l.Peek(0).Remaining }

// RefundAt puts back, as of t, n tokens that were taken at t-held. It does so only if t is still in
// the interval in which they were taken. Otherwise it puts back nothing, because tokens of older
// intervals come back by themselves. It never puts back more than is missing. If the tokens were
// the first of their interval, the interval starts again at t. Then other tokens of the same time
// cannot be put back any more, so put them back together.
//
// After an interval that starts again, batches may come at other times than if the tokens had not
// been taken. So the bucket may later grant what it would refuse then, or refuse what it would
// grant. The guarantee holds for the tokens that were kept.
//
// t must not be earlier than any time used since the tokens were taken, and counts as at least the
// limiter's clock; see [ratelimit.Limiter].
//
// It allocates nothing, unless another refund is under way: then it may make two small allocations.
func (l *Interval) RefundAt(t time.Time, n int, held time.Duration) {
	l.window.RefundAt(t, n, held)
	waiting.Changed(l)
}

// ReserveAt takes n tokens as of t, which may be used as soon as they have come back, if that is at
// t+within or earlier; see [ratelimit.Reserver]. The reservation is one allocation.
//
// A reservation that has to wait for a batch also holds what is left of the batches before it:
// requests are refused until its time, unless it is cancelled. Reservations that are cancelled in
// reverse order, with no charge after them, leave no trace. In another order, a cancellation may
// give back less.
//
// Tokens can be reserved at most 2^(61 - bitlen(capacity)) steps ahead, as under Precision in the
// package documentation. A request that would have to wait longer is refused, even if within is
// longer.
func (l *Interval) ReserveAt(t time.Time, n int, within time.Duration) (r ratelimit.Reservation, d ratelimit.Decision) {
	r = l.window.ReserveAt(&d, l, t, n, within)
	return r, d
}

// SetRate changes the rate and the capacity now, by the limiter's clock; see [Interval.SetRateAt].
func (l *Interval) SetRate(rate ratelimit.Rate, capacity int) error {
	defer waiting.Changed(l)
	return l.window.SetRate("tokenbucket.Interval.SetRate", "capacity", rate, capacity)
}

// SetRateAt changes the number of events of the rate, and the capacity, as of t. The new rate must
// have the old rate.Per. Missing tokens stay missing, and may be more than the new capacity. A
// greater capacity is available at once, less what is missing: a change from 10 to 100 adds 90
// tokens. No grant is lost or counted twice when rates change under load.
//
// After a change, requests for times before it are refused, and tokens taken before it, or later in
// the same interval, cannot be put back. (A limiter that never granted anything has no such
// restriction.)
//
// The change takes effect at t, or at the start of the current interval if that is later. If tokens
// are reserved, it waits until the last reservation may be used, unless these are cancelled before.
// Reservations that were made more than 16 changes ago can no longer be cancelled.
//
// SetRateAt makes a few small allocations. Its errors are those of [NewInterval], and one for
// another rate.Per.
func (l *Interval) SetRateAt(t time.Time, rate ratelimit.Rate, capacity int) error {
	defer waiting.Changed(l)
	return l.window.SetRateAt("tokenbucket.Interval.SetRateAt", "capacity", t, rate, capacity)
}

// Clock returns the clock that Allow, Take and Peek read.
func (l *Interval) Clock() ratelimit.Clock { return l.window.Clock() }

// Rate returns the current rate.
func (l *Interval) Rate() ratelimit.Rate { return l.window.Rate() }

// Capacity returns the current capacity.
func (l *Interval) Capacity() int { return l.window.Capacity() }
