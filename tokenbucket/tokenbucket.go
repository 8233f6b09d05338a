// Package tokenbucket limits events with a bucket of tokens. Each event takes a token, the bucket
// starts full, and tokens come back at a rate.
//
//	limiter, err := tokenbucket.New(ratelimit.PerSecond(10), 20) // 20 tokens, 10 more each second
//
// There are two kinds of bucket:
//
//   - [New] refills continuously: one token comes back every T = rate.Per/rate.Events. It grants
//     the same traffic as package gcra. Choose between them by the words you prefer.
//   - [NewInterval] refills in batches: rate.Events tokens come back every rate.Per. Many HTTP APIs
//     work like this. An interval starts when a token is taken from a full bucket.
//
// # Guarantee
//
// In every closed interval [a, b],
//
//	New:         granted <= capacity + floor((b-a) * rate)
//	NewInterval: granted <= capacity + rate.Events * ceil((b-a) / rate.Per)
//
// This holds for the times that callers pass, in whatever order they pass them, within 2^62 ns (146
// years) of the limiter's origin. The origin is the time when the limiter was made. Times further
// away count as the nearer end of that range.
//
// # Precision
//
// New is exact to the nanosecond, as described in package gcra.
//
// NewInterval keeps the start of an interval and a count in one word of 64 bits. If nanoseconds do
// not fit, starts are rounded down to multiples of a step of 2^j ns since the origin. A batch is
// then late by less than two steps, and never early. For a capacity of 1000 refilled every 5
// minutes, the step is 1 ns, so time is exact. For a million an hour it is 4 ns. A step of more
// than rate.Per/1024 is an error, which names the greatest capacity that is possible.
//
// The constructor takes the least j for which this holds:
//
//	step   = 2^j ns
//	length = rate.Per + step - 1 ns, rounded up to whole steps
//	length * (ceil(capacity / rate.Events) + 1) <= 2^(61 - bitlen(capacity)) * step
//
// Here bitlen(x) is the number of bits of x, as bits.Len returns it. If the capacity becomes
// smaller than the number of missing tokens, that number takes its place.
//
// # Late requests
//
// A request is late if its time is before one at which tokens were taken. NewInterval may refuse a
// late request even if there were enough tokens at its time. This happens if its time is before the
// start of the newest interval: the limiter does not remember the tokens that were there then.
//
// # Wrong times and large numbers
//
// A token that is taken at a time far in the future makes the bucket refuse until shortly before
// that time, as package gcra describes. A bucket of NewInterval refuses until floor((capacity-2) /
// rate.Events) intervals before that time. Package gcra also describes times that were never set,
// and what to count if a limit exceeds 2^31-1 tokens.
//
// # Cost
//
// A decision reads the clock once. A grant also does one compare-and-swap, and a refusal writes
// nothing. Both kinds are lock-free, and every call takes O(1) time. A reservation is one
// allocation.
//
// A Limiter costs what a limiter of package gcra costs, in time and memory.
//
// An Interval divides only in Take and Peek, and at the end of an interval. On a 64-bit platform it
// is one allocation of 128 bytes: two cache lines, the second of which has the state. Intervals
// that are made for the same rate and capacity share 112 bytes more. No decision allocates, with
// one exception: when times outgrow the word, one grant makes three allocations of 104 bytes
// together. That happens once in 2^(62 - bitlen(capacity)) steps less rate.Per, but at least once
// in 73 years: every 9 years for a capacity of 10, and every 52 days for 1000 every 5 minutes.
//
// # Source
//
// J. Turner, "New directions in communications (or which way to the information age?)", IEEE
// Communications Magazine 24(10), 1986, describes it as a leaky bucket. RFC 2697 describes it as a
// token bucket.
//
// # When to use another package
//
// A bucket can grant up to capacity + rate.Events within a time of rate.Per. If no such time may
// have more than a fixed number of events, use package slidingwindow.
package tokenbucket

import (
	"time"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/internal/bucket"
	"github.com/seed-3506548a/ratelimit/internal/waiting"
)

var (
	_ ratelimit.Limiter  = (*Limiter)(nil)
	_ ratelimit.Reserver = (*Limiter)(nil)
	_ ratelimit.Charger  = (*Limiter)(nil)
	_ ratelimit.Delayer  = (*Limiter)(nil)
)

// Limiter is a token bucket that refills continuously. See the package documentation for its
// guarantee and its cost.
//
// The zero value is not usable: most methods panic. Call [New]. A Limiter is safe for simultaneous
// use and must not be copied after first use.
type Limiter struct {
	bucket bucket.Bucket
}

// New returns a bucket that holds up to capacity tokens and refills continuously. It is full at
// every time until a token is taken. It reads the system's monotonic clock unless
// [ratelimit.WithClock] sets another.
//
// The error is a [*ratelimit.ArgumentError] unless
//
//	0 <= rate.Events <= 2^31-1, rate.Per > 0, 1 <= capacity <= 2^31-1, and
//	capacity * ceil(rate.Per in ns / rate.Events) <= 2^61 (73 years) if rate.Events > 0
//
// If rate.Events is 0, the limiter refuses every event.
func New(rate ratelimit.Rate, capacity int, opts ...ratelimit.Option) (*Limiter, error) {
	l := new(Limiter)
	if err := l.bucket.Init("tokenbucket.New", "capacity", rate, capacity, opts); err != nil {
		return nil, err
	}
	return l, nil
}

// Allow takes one token now, if there is one, and reports whether it did. It is the fastest way to
// ask.
func (l *Limiter) Allow() bool { return l.bucket.Allow() }

// Take takes n tokens now, all of them or none. The [ratelimit.Decision] reports the result.
func (l *Limiter) Take(n int) (d ratelimit.Decision) {
	l.bucket.Take(&d, n)
	return d
}

// TakeAt takes n tokens as of t, all of them or none. Any time t is valid.
func (l *Limiter) TakeAt(t time.Time, n int) (d ratelimit.Decision) {
	l.bucket.TakeAt(&d, t, n)
	return d
}

// ChargeAt takes n tokens as of t, even if the bucket has fewer; see [ratelimit.Charger]. The
// bucket is then below empty, and nothing is granted until enough tokens have come back.
//
// At most as many tokens can be missing beyond an empty bucket as come back in 2^61/U ns, with U as
// in package gcra: 24 years at 90 a minute, 2.3 s at 1,000,000,007 a second. More are not counted.
// A charge that leaves more than the capacity missing makes a few small allocations, and so does a
// refund until the excess has come back.
func (l *Limiter) ChargeAt(t time.Time, n int) (d ratelimit.Decision) {
	l.bucket.ChargeAt(&d, t, n)
	return d
}

// DelayAt returns how long after t it takes until n more tokens can have been taken, in requests of
// any size and with no other traffic; n may exceed the capacity. See [ratelimit.Delayer].
//
// The result is exact if the limiter withholds nothing, as described in package gcra. Otherwise it
// is a lower bound. DelayAt takes no tokens. Its result may already be outdated.
func (l *Limiter) DelayAt(t time.Time, n int) time.Duration { return l.bucket.DelayAt(t, n) }

// Peek returns what Take would return, and takes nothing. The result may already be outdated.
func (l *Limiter) Peek(n int) (d ratelimit.Decision) {
	l.bucket.Peek(&d, n)
	return d
}

// PeekAt returns what TakeAt would return, and takes nothing. The result may already be outdated.
func (l *Limiter) PeekAt(t time.Time, n int) (d ratelimit.Decision) {
	l.bucket.PeekAt(&d, t, n)
	return d
}

// Tokens returns the number of whole tokens in the bucket now. It may already be outdated.
func (l *Limiter) Tokens() int { return l.Peek(0).Remaining }

// RefundAt puts back, as of t, n tokens that were taken at t-held. What has come back since by
// itself is not put back again: the refund is worth n tokens less those of the time held. It never
// puts back more than is missing.
//
// t must not be earlier than any time used since the tokens were taken, and counts as at least the
// limiter's clock; see [ratelimit.Limiter].
//
// It allocates nothing, unless another refund is under way: then it may make two small allocations.
func (l *Limiter) RefundAt(t time.Time, n int, held time.Duration) {
	l.bucket.RefundAt(t, n, held)
	waiting.Changed(l)
}

// ReserveAt takes n tokens as of t, which may be used as soon as they have come back, if that is at
// t+within or earlier; see [ratelimit.Reserver]. The reservation is one allocation.
//
// Tokens can be reserved at most 2^61/U ns ahead, with U as in package gcra: 24 years at 90 a
// minute, 2.3 s at 1,000,000,007 a second. A request that would have to wait longer is refused,
// even if within is longer.
func (l *Limiter) ReserveAt(t time.Time, n int, within time.Duration) (r ratelimit.Reservation, d ratelimit.Decision) {
	r = l.bucket.ReserveAt(&d, l, t, n, within)
	return r, d
}

// SetRate changes the rate and the capacity now, by the limiter's clock; see [Limiter.SetRateAt].
func (l *Limiter) SetRate(rate ratelimit.Rate, capacity int) error {
	defer waiting.Changed(l)
	return l.bucket.SetRate("tokenbucket.Limiter.SetRate", "capacity", rate, capacity)
}

// SetRateAt changes the rate and the capacity as of t. Missing tokens stay missing, and may be more
// than the new capacity. Their number is rounded up by a tick at most. A greater capacity is
// available at once, less what is missing: a change from 10 to 100 adds 90 tokens. No grant is lost
// or counted twice when rates change under load.
//
// After a change, requests for times before it are refused, and tokens taken before it cannot be
// put back. (A limiter that never granted anything has no such restriction.)
//
// The change takes effect at t, or at the last grant if that is later. Package gcra describes this,
// with what it means for reservations and replays, at its Limiter.SetRateAt.
//
// SetRateAt makes a few small allocations. Its errors are those of [New]. It also returns an error
// if the old capacity, or what is missing, would take more than 2^61 ns to come back at the new
// rate.
func (l *Limiter) SetRateAt(t time.Time, rate ratelimit.Rate, capacity int) error {
	defer waiting.Changed(l)
	return l.bucket.SetRateAt("tokenbucket.Limiter.SetRateAt", "capacity", t, rate, capacity)
}

// Clock returns the clock that Allow, Take and Peek read.
func (l *Limiter) Clock() ratelimit.Clock { return l.bucket.Clock() }

// Rate returns the current rate.
func (l *Limiter) Rate() ratelimit.Rate { return l.bucket.Rate() }

// Capacity returns the current capacity.
func (l *Limiter) Capacity() int { return l.bucket.Burst() }
