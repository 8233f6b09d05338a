// Package gcra limits events by the generic cell rate algorithm: events may arrive at the rate, and
// up to a burst of them earlier than that.
//
// The limiter keeps the theoretical arrival time (TAT) of the next event, and nothing else. With
// T = rate.Per/rate.Events, the emission interval, n events at time t are granted if
//
//	max(TAT, t) + n*T - t <= burst*T
//
// and the left side's max(TAT, t) + n*T becomes the TAT. A new limiter grants a full burst at every
// instant, also before it was made.
//
// # Guarantee
//
// In every closed interval [a, b] of the callers' own timestamps, in whatever order they came,
//
//	granted <= burst + floor((b-a) * rate)
//
// exactly, with no leeway; and nothing is withheld: a limiter that is asked at every nanosecond at
// which it can grant gives burst + floor(t*rate) in any time t, if (burst-1)*T is at least a
// nanosecond or T is a whole number of them. (Otherwise what passes until the next whole nanosecond
// is lost each time, as the bound demands: 7 a second with a burst of 1 is one in 142857143 ns.)
// Time is counted in ticks so chosen that a nanosecond and T are both whole numbers of them, so
// nothing is rounded. The one exception: if burst*rate.Per in nanoseconds, divided by
// gcd(rate.Events, rate.Per), exceeds 2^61 (1234567 a day with a day's burst), T is rounded up by
// less than 2 billionths of itself; never down.
//
// All this holds within 2^62 ns (146 years) of the limiter's origin, the time when it was made.
// Times beyond are taken as the nearer end of that range.
//
// # Wrong times
//
// A limiter believes the times that it is given; that is why the bound holds in any order. An event
// that is granted 24 h ahead shuts it until (burst-2)*T before that time: whoever asks earlier is
// refused, and RetryAfter says for how long. RefundAt and SetRateAt do not open it again; a new
// limiter does. Allow and Take read the clock. A time that comes from elsewhere, such as another
// machine, is better compared with the clock before it is handed in:
//
//	if now := limiter.Clock().Now(); t.After(now.Add(time.Minute)) {
//		t = now
//	}
//
// A time long ago does no harm: it is refused if something was granted later, and what was granted
// then has drained by now. The same is true of a time that was forgotten (the zero [time.Time], of
// the year 1), which is refused with a RetryAfter of more than a century. If all callers forget it,
// time stands still, and a burst is all that is ever granted.
//
// # Many events
//
// Where more than 2^31-1 events have to be counted, count larger ones. 50 GB a day are
//
//	gcra.New(ratelimit.PerDay(50_000_000), 1_000_000) // of kilobytes, a gigabyte at once
//
// and a request for n bytes takes (n+999)/1000 of these.
//
// # Cost
//
// A decision reads the clock once and does one multiplication and, if granted, one
// compare-and-swap; Take and Peek do three divisions more. Lock-free; O(1). A refusal writes
// nothing, so refused callers on many cores do not slow each other down. A limiter is 64 bytes, a
// cache line of 64 bytes with the state in one of its words, and 144 bytes for rate and burst.
//
// No decision allocates, with one exception. The word counts ticks from the beginning of a frame of
// time, and holds 2^63 of them: for each (2^63 - 2^61 - 3*burst*T)/U ns, with U =
// rate.Events/gcd(rate.Events, rate.Per) and T in ticks, one grant begins a new frame, in three
// allocations of 104 bytes together. That is 73 years at 90 a minute, 31 at 7 a second, 181 days at
// 44100 a second, 6.9 s at 1000000007 a second, for small bursts. So does the first grant at a time
// earlier than the limiter's origin by more than burst*T.
//
// # Source
//
// ITU-T Recommendation I.371, Annex A, the virtual scheduling algorithm; ATM Forum Traffic
// Management 4.0, section 4.4.2. The burst is the tolerance tau = (burst-1)*T counted in events.
//
// # When to take another
//
// A bucket grants up to burst + rate*Per in some windows of length Per. Where that may never exceed
// a number, take a window.
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

// Limiter is a GCRA limiter. See the package documentation for what it guarantees and costs.
//
// Its zero value is of no use, and most of its methods panic on it: call [New]. It is safe for
// simultaneous use and must not be copied after first use.
type Limiter struct {
	bucket bucket.Bucket
}

// New returns a limiter of the given rate that grants up to burst events at once. It reads the time
// from the system's monotonic clock unless [ratelimit.WithClock] gives it another.
//
// The error is a [*ratelimit.ArgumentError] unless
//
//	0 <= rate.Events <= 2^31-1, rate.Per > 0, 1 <= burst <= 2^31-1, and
//	burst * ceil(rate.Per in ns / rate.Events) <= 2^61 (73 years) if rate.Events > 0
//
// At rate.Events == 0 the limiter refuses every event.
func New(rate ratelimit.Rate, burst int, opts ...ratelimit.Option) (*Limiter, error) {
	l := new(Limiter)
	if err := l.bucket.Init("gcra.New", "burst", rate, burst, opts); err != nil {
		return nil, err
	}
	return l, nil
}

// Allow reports whether one event may happen now, and charges it if so.
func (l *Limiter) Allow() bool { return l.bucket.Allow() }

// Take charges n events now, all of them or none. See [ratelimit.Decision] for what it returns.
func (l *Limiter) Take(n int) (d ratelimit.Decision) {
	l.bucket.Take(&d, n)
	return d
}

// TakeAt charges n events as of t, all of them or none; t may be any time.
func (l *Limiter) TakeAt(t time.Time, n int) (d ratelimit.Decision) {
	l.bucket.TakeAt(&d, t, n)
	return d
}

// ChargeAt counts n events as granted at t, also if they exceed the burst; see [ratelimit.Charger].
// What is owed beyond the burst is refused for until it has drained. It is at most what drains in
// 2^61/U ns, with U = rate.Events/gcd(rate.Events, rate.Per): 24 years at 90 a minute, 2.3 s at
// 1000000007 a second; more is not counted. A charge that leaves more than the burst owed, and a
// refund from then on until that has drained, makes a few small allocations.
func (l *Limiter) ChargeAt(t time.Time, n int) (d ratelimit.Decision) {
	l.bucket.ChargeAt(&d, t, n)
	return d
}

// Peek returns what Take would, and charges nothing. It may already be outdated.
func (l *Limiter) Peek(n int) (d ratelimit.Decision) {
	l.bucket.Peek(&d, n)
	return d
}

// PeekAt returns what TakeAt would, and charges nothing. It may already be outdated.
func (l *Limiter) PeekAt(t time.Time, n int) (d ratelimit.Decision) {
	l.bucket.PeekAt(&d, t, n)
	return d
}

// RefundAt gives back, as of t, n events that were granted held before t. What has drained since
// does not come back: of n emission intervals, held is taken off. No more comes back than is owed.
// See [ratelimit.Limiter] for what t must be; the origin of a log that is replayed is not the
// system clock's, so refunds in a replay need a clock that shows the log's time.
func (l *Limiter) RefundAt(t time.Time, n int, held time.Duration) {
	l.bucket.RefundAt(t, n, held)
	waiting.Changed(l)
}

// ReserveAt charges n events as of t that may be acted on at most within later; see
// [ratelimit.Reserver]. The reservation is one allocation.
//
// Events can be reserved at most 2^61/U ns ahead, with U = rate.Events/gcd(rate.Events, rate.Per):
// 24 years at 90 a minute, 2.3 s at 1000000007 a second. What would have to wait for longer is
// refused, whatever within says.
func (l *Limiter) ReserveAt(t time.Time, n int, within time.Duration) (r ratelimit.Reservation, d ratelimit.Decision) {
	r = l.bucket.ReserveAt(&d, l, t, n, within)
	return r, d
}

// SetRate is SetRateAt by the limiter's clock, read when nothing more can be granted at the old
// rate.
func (l *Limiter) SetRate(rate ratelimit.Rate, burst int) error {
	defer waiting.Changed(l)
	return l.bucket.SetRate("gcra.Limiter.SetRate", "burst", rate, burst)
}

// SetRateAt changes the rate and the burst as of t. What was granted keeps counting: what is owed
// is kept as a number of events (not rounded by more than a tick, and then up), also if it is more
// than the new burst. A greater burst can be granted at once, less what is owed: a change from 10
// to 100 lets 90 more events pass, which SetBurst of golang.org/x/time/rate does not. No grant is
// lost or counted twice by changes under load. Events that were granted before the change can not
// be refunded after it.
//
// The change takes effect when the last reservation made before it may be acted on, if that is
// later than t, unless they are given back until then; for times before that nothing is granted any
// more. (What was reserved more than 16 changes ago is not given back any more.) If events were
// granted at times after t, it takes effect at the latest of these; a limiter does not remember
// that, and takes its clock for it, or, if that is earlier, the last time that the debt allows. So a
// replay needs a clock that shows its time. If events were granted after t and after the clock, as
// many may be granted once more.
//
// A few small allocations. Errors are those of [New]; and a rate at which the old burst, or what is
// owed, would not drain within 2^61 ns.
func (l *Limiter) SetRateAt(t time.Time, rate ratelimit.Rate, burst int) error {
	defer waiting.Changed(l)
	return l.bucket.SetRateAt("gcra.Limiter.SetRateAt", "burst", t, rate, burst)
}

// Clock returns the clock that Allow, Take and Peek read.
func (l *Limiter) Clock() ratelimit.Clock { return l.bucket.Clock() }

// Rate returns the rate that the limiter was made with or that it was set to last.
func (l *Limiter) Rate() ratelimit.Rate { return l.bucket.Rate() }

// Burst returns the burst that the limiter was made with or that it was set to last.
func (l *Limiter) Burst() int { return l.bucket.Burst() }
