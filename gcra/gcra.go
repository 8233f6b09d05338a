// Package gcra limits events with the generic cell rate algorithm (GCRA): events may arrive at a
// rate, and up to a burst of them at once. It is the limiter to start with.
//
//	limiter, err := gcra.New(ratelimit.PerSecond(10), 20) // 10 a second, up to 20 of them at once
//
// # Algorithm
//
// Granted events drain with time, one in each emission interval T = rate.Per/rate.Events. The
// limiter stores one number, the theoretical arrival time (TAT): the time at which everything that
// was granted so far has drained. A request for n events at time t is granted if
//
//	debt + n*T <= burst*T, where debt = max(TAT - t, 0)
//
// The debt is the time that it takes until everything has drained. A grant sets the TAT to t + debt
// + n*T. A refusal changes nothing. A new limiter grants a full burst at every time, even at times
// before it was made.
//
// # Guarantee
//
// In every closed interval [a, b],
//
//	granted <= burst + floor((b-a) * rate)
//
// The bound is exact. It holds for the times that callers pass, in whatever order they pass them.
//
// The limiter withholds nothing. A caller that starts with a full burst and asks at every
// nanosecond gets exactly burst + floor(t*rate) events within a time t, if (burst-1)*T is at least
// 1 ns or T is a whole number of nanoseconds. Otherwise each grant waits for the next whole
// nanosecond: 7 a second with a burst of 1 is one event every 142,857,143 ns.
//
// This holds within 2^62 ns (146 years) of the limiter's origin, the time when it was made. Times
// further away count as the nearer end of that range.
//
// # Ticks
//
// All arithmetic is in integers. Time is counted in ticks. With g = gcd(rate.Events, rate.Per in
// ns), a nanosecond has U = rate.Events/g ticks, and T has rate.Per/g ticks. Both are whole
// numbers, so nothing is rounded.
//
// There is one exception. If a full burst would be more than 2^61 ticks, the limiter uses fewer
// ticks in a nanosecond, and rounds T up by less than 2 billionths of it. An example is 1,234,567 a
// day with a burst of a whole day. T is never rounded down.
//
// # Wrong times
//
// A limiter believes the times that it is given. One event that is granted with a time 24 hours
// ahead makes the limiter refuse everything until (burst-2)*T before that time. RetryAfter reports
// how long. RefundAt and SetRateAt do not help; a new limiter does.
//
// Allow and Take read the clock and do not have this problem. Compare a time from elsewhere, such
// as another machine, with the clock before you use it:
//
//	if now := limiter.Clock().Now(); t.After(now.Add(time.Minute)) {
//		t = now
//	}
//
// A time in the far past does no harm. If something was granted at a later time, the request is
// refused. Otherwise it may be granted, and has drained by now. So a caller that forgets to set the
// time, and passes the zero [time.Time], is refused with a RetryAfter of more than a century. If
// all callers forget it, time stands still, and only one burst is ever granted.
//
// # Large numbers
//
// Rates and bursts are at most 2^31-1 events. For larger amounts, count larger units. 50 GB a day,
// counted in kilobytes, with a burst of 1 GB:
//
//	gcra.New(ratelimit.PerDay(50_000_000), 1_000_000)
//
// A request for n bytes then takes (n+999)/1000 events.
//
// # Cost
//
// A decision reads the clock once and does one multiplication. A grant also does one
// compare-and-swap. Take and Peek do three more divisions. A refusal writes nothing, so refused
// callers on many cores do not slow each other down. The limiter is lock-free, and every call takes
// O(1) time.
//
// On a 64-bit platform a limiter is one allocation of 128 bytes: two cache lines, the second of
// which has the TAT. Limiters that are made for the same rate and burst share 144 bytes more.
//
// No decision allocates, with one exception. The TAT is a number of ticks since a start, in 63
// bits. When a time is beyond their range, one grant moves the start, which takes three allocations
// of 104 bytes together. So does the first grant at a time more than burst*T before the origin. The
// range is 3*(2^61 - burst*T)/U ns, with T in ticks. For small bursts that is
//
//	73 years   at 90 a minute
//	31 years   at 7 a second
//	181 days   at 44,100 a second
//	6.9 s      at 1,000,000,007 a second
//
// # Source
//
// ITU-T Recommendation I.371, Annex A, the virtual scheduling algorithm; ATM Forum Traffic
// Management 4.0, section 4.4.2. What they call the tolerance tau is (burst-1)*T here.
//
// # When to use another package
//
// A bucket can grant up to burst + rate.Events within a time of rate.Per. If no such time may have
// more than a fixed number of events, use package slidingwindow.
//
// If many cores ask one limiter all the time, see [Striped].
package gcra

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

// Limiter is a GCRA limiter. See the package documentation for its guarantee and its cost.
//
// The zero value is not usable: most methods panic. Call [New]. A Limiter is safe for simultaneous
// use and must not be copied after first use.
type Limiter struct {
	bucket bucket.Bucket
}

// New returns a limiter with the given rate that grants up to burst events at once. It reads the
// system's monotonic clock unless [ratelimit.WithClock] sets another.
//
// The error is a [*ratelimit.ArgumentError] unless
//
//	0 <= rate.Events <= 2^31-1, rate.Per > 0, 1 <= burst <= 2^31-1, and
//	burst * ceil(rate.Per in ns / rate.Events) <= 2^61 (73 years) if rate.Events > 0
//
// If rate.Events is 0, the limiter refuses every event.
func New(rate ratelimit.Rate, burst int, opts ...ratelimit.Option) (*Limiter, error) {
	l := new(Limiter)
	if err := l.bucket.Init("gcra.New", "burst", rate, burst, opts); err != nil {
		return nil, err
	}
	return l, nil
}

// Allow charges one event now, if it fits, and reports whether it did. It is the fastest way to
// ask.
func (l *Limiter) Allow() bool { return l.bucket.Allow() }

// Take charges n events now, all of them or none. The [ratelimit.Decision] reports the result.
func (l *Limiter) Take(n int) (d ratelimit.Decision) {
	l.bucket.Take(&d, n)
	return d
}

// TakeAt charges n events as of t, all of them or none. Any time t is valid.
func (l *Limiter) TakeAt(t time.Time, n int) (d ratelimit.Decision) {
	l.bucket.TakeAt(&d, t, n)
	return d
}

// ChargeAt charges n events as of t, even if they exceed the burst; see [ratelimit.Charger]. Then
// nothing is granted until enough of them have drained.
//
// Beyond a full burst, at most as many events can be owed as drain in 2^61/U ns (see Ticks): 24
// years at 90 a minute, 2.3 s at 1,000,000,007 a second. More are not counted. A charge that leaves
// more than the burst owed makes a few small allocations, and so does a refund until the excess has
// drained.
func (l *Limiter) ChargeAt(t time.Time, n int) (d ratelimit.Decision) {
	l.bucket.ChargeAt(&d, t, n)
	return d
}

// DelayAt returns how long after t it takes until n more events can have been granted, in requests
// of any size and with no other traffic; n may exceed the burst. See [ratelimit.Delayer].
//
// The result is exact if the limiter withholds nothing; see the package documentation. Otherwise it
// is a lower bound. DelayAt charges nothing. Its result may already be outdated.
func (l *Limiter) DelayAt(t time.Time, n int) time.Duration { return l.bucket.DelayAt(t, n) }

// Peek returns what Take would return, and charges nothing. The result may already be outdated.
func (l *Limiter) Peek(n int) (d ratelimit.Decision) {
	l.bucket.Peek(&d, n)
	return d
}

// PeekAt returns what TakeAt would return, and charges nothing. The result may already be outdated.
func (l *Limiter) PeekAt(t time.Time, n int) (d ratelimit.Decision) {
	l.bucket.PeekAt(&d, t, n)
	return d
}

// RefundAt gives back, as of t, n events that were granted at t-held. What has drained since is not
// given back: the refund is worth n*T less held. It never gives back more than is owed.
//
// t must not be earlier than any time used since the grant, and counts as at least the limiter's
// clock; see [ratelimit.Limiter]. So a replay that gives events back needs a clock that shows the
// time of the replay.
//
// It allocates nothing, unless another refund is under way: then it may make two small allocations.
func (l *Limiter) RefundAt(t time.Time, n int, held time.Duration) {
	l.bucket.RefundAt(t, n, held)
	waiting.Changed(l)
}

// ReserveAt charges n events as of t, which may happen as soon as they fit, if that is at t+within
// or earlier; see [ratelimit.Reserver]. The reservation is one allocation.
//
// Events can be reserved at most 2^61/U ns ahead (see Ticks): 24 years at 90 a minute, 2.3 s at
// 1,000,000,007 a second. A request that would have to wait longer is refused, even if within is
// longer.
func (l *Limiter) ReserveAt(t time.Time, n int, within time.Duration) (r ratelimit.Reservation, d ratelimit.Decision) {
	r = l.bucket.ReserveAt(&d, l, t, n, within)
	return r, d
}

// SetRate changes the rate and the burst now, by the limiter's clock; see [Limiter.SetRateAt].
func (l *Limiter) SetRate(rate ratelimit.Rate, burst int) error {
	defer waiting.Changed(l)
	return l.bucket.SetRate("gcra.Limiter.SetRate", "burst", rate, burst)
}

// SetRateAt changes the rate and the burst as of t. Events that were granted keep counting: what is
// owed is kept as a number of events, rounded up by a tick at most, and may be more than the new
// burst. A greater burst is available at once, less what is owed: a change from 10 to 100 allows 90
// more events. No grant is lost or counted twice when rates change under load.
//
// After a change, requests for times before it are refused, and events granted before it cannot be
// refunded. (A limiter that never granted anything has no such restriction.)
//
// The change takes effect at t, or at the last grant if that is later:
//
//   - If events are reserved, the change waits until the last of them may happen, unless they are
//     cancelled before. Reservations that were made more than 16 changes ago can no longer be
//     cancelled.
//   - The limiter does not store the time of the last grant. If t is earlier than the clock, the
//     change takes effect at the time of the clock, or at the latest time that the last grant can
//     have had if that is earlier. So a replay needs a clock that shows its time. Otherwise a
//     faster rate counts only from the time when a single event was left of the debt.
//   - If events were granted at times after both t and the clock, and the new rate is faster, as
//     many events may be granted once more.
//
// SetRateAt makes a few small allocations. Its errors are those of [New]. It also returns an error
// if the old burst, or what is owed, would take more than 2^61 ns to drain at the new rate.
func (l *Limiter) SetRateAt(t time.Time, rate ratelimit.Rate, burst int) error {
	defer waiting.Changed(l)
	return l.bucket.SetRateAt("gcra.Limiter.SetRateAt", "burst", t, rate, burst)
}

// Clock returns the clock that Allow, Take and Peek read.
func (l *Limiter) Clock() ratelimit.Clock { return l.bucket.Clock() }

// Rate returns the current rate.
func (l *Limiter) Rate() ratelimit.Rate { return l.bucket.Rate() }

// Burst returns the current burst.
func (l *Limiter) Burst() int { return l.bucket.Burst() }
