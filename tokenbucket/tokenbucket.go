// Package tokenbucket limits events by a bucket of tokens: an event takes a token, the bucket
// begins full, and tokens come back at the rate. There are two ways in which they come back.
//
// [New] refills continuously: a token comes back every T = rate.Per/rate.Events, also in parts.
// This grants exactly the same traffic as package gcra, which counts the time until the bucket is
// full where this one counts tokens; take the one whose words you prefer.
//
// [NewInterval] refills in batches: rate.Events tokens come back at the end of each rate.Per,
// counted from the time when a full bucket was first drawn on, as many HTTP APIs do it.
//
// # Guarantee
//
// In every closed interval [a, b] of the callers' own timestamps, in whatever order they came,
//
//	New:         granted <= capacity + floor((b-a) * rate)
//	NewInterval: granted <= capacity + rate.Events * ceil((b-a) / rate.Per)
//
// All this holds within 2^62 ns (146 years) of the limiter's origin, the time when it was made.
// Times beyond are taken as the nearer end of that range. How exact New is in time is said in
// package gcra, and what a wrong time does, and how to count more than 2^31-1 tokens.
//
// NewInterval counts intervals from times on a grid of 2^j ns since the origin, with the least j
// for which the time and the count fit into a word: with
//
//	step = 2^j ns, length = ceil((rate.Per + step - 1) / step) * step
//	length * (ceil(capacity / rate.Events) + 1) <= 2^(61 - bitlen(capacity)) * step
//
// So j is 0, and time exact, for a capacity of 1000 refilled every 5 minutes, and the grid is 4 ns
// for a million an hour. A batch is never early, and late by less than two steps of the grid. A
// grid coarser than rate.Per/1024 is an error of the constructor, which names the greatest
// capacity. (After a change to a smaller capacity, bitlen is that of the tokens that are missing,
// if they are more.)
//
// # Cost
//
// A decision reads the clock once and, if granted, does one compare-and-swap. Lock-free; O(1). New
// costs what package gcra does. NewInterval divides only at the end of an interval, in Take and in
// Peek, and begins a new frame, as described there, each time that 2^(62 - bitlen(capacity)) steps
// of the grid, less a rate.Per, have passed: 9 years for a capacity of 10, 52 days for 1000 every 5
// minutes. A refusal writes nothing. Reservations are one allocation; no decision allocates
// otherwise.
//
// # Wrong times, and many tokens
//
// Package gcra says what a time does that is far ahead, or was forgotten, and what to count where a
// limit is more than 2^31-1 tokens. A bucket that NewInterval made is shut by a time far ahead as
// well, but for the last few rate.Per before it.
//
// # Source
//
// The token bucket is described by J. Turner, "New directions in communications (or which way to
// the information age?)", IEEE Communications Magazine 24(10), 1986, as leaky bucket, and in RFC
// 2697.
//
// # When to take another
//
// A bucket grants up to capacity + rate.Events in some windows of length rate.Per. Where that may
// never exceed a number, take a window.
package tokenbucket

import (
	"time"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/internal/bucket"
	"github.com/seed-3506548a/ratelimit/internal/waiting"
	"github.com/seed-3506548a/ratelimit/internal/window"
)

var (
	_ ratelimit.Limiter  = (*Limiter)(nil)
	_ ratelimit.Reserver = (*Limiter)(nil)
	_ ratelimit.Charger  = (*Limiter)(nil)
	_ ratelimit.Delayer  = (*Limiter)(nil)
)

// Limiter is a token bucket. See the package documentation for what it guarantees and costs.
//
// Its zero value is of no use, and most of its methods panic on it: call [New] or [NewInterval]. It
// is safe for simultaneous use and must not be copied after first use.
type Limiter struct {
	continuous bucket.Bucket  // of New
	interval   *window.Window // of NewInterval, else nil
}

// New returns a bucket of capacity tokens, full at every instant until it is drawn on, into which
// tokens come back continuously at the rate. It reads the time from the system's monotonic clock
// unless [ratelimit.WithClock] gives it another.
//
// The error is a [*ratelimit.ArgumentError] unless
//
//	0 <= rate.Events <= 2^31-1, rate.Per > 0, 1 <= capacity <= 2^31-1, and
//	capacity * ceil(rate.Per in ns / rate.Events) <= 2^61 (73 years) if rate.Events > 0
//
// At rate.Events == 0 the limiter refuses every event.
func New(rate ratelimit.Rate, capacity int, opts ...ratelimit.Option) (*Limiter, error) {
	l := new(Limiter)
	if err := l.continuous.Init("tokenbucket.New", "capacity", rate, capacity, opts); err != nil {
		return nil, err
	}
	return l, nil
}

// NewInterval returns a bucket of capacity tokens, full at every instant until it is drawn on, into
// which rate.Events tokens come back at the end of each rate.Per since then.
//
// The error is a [*ratelimit.ArgumentError] unless
//
//	0 <= rate.Events <= 2^31-1, 0 < rate.Per <= 2^58 ns (9 years), 1 <= capacity <= 2^31-1,
//
// and the grid of times (see the package documentation) is not coarser than rate.Per/1024.
func NewInterval(rate ratelimit.Rate, capacity int, opts ...ratelimit.Option) (*Limiter, error) {
	l := &Limiter{interval: new(window.Window)}
	if err := l.interval.Init(window.Interval, "tokenbucket.NewInterval", "capacity", rate, capacity, opts); err != nil {
		return nil, err
	}
	return l, nil
}

// Allow reports whether one token is there now, and takes it if so.
func (l *Limiter) Allow() bool {
	if l.interval != nil {
		return l.interval.Allow()
	}
	return l.continuous.Allow()
}

// Take takes n tokens now, all of them or none. See [ratelimit.Decision] for what it returns.
func (l *Limiter) Take(n int) (d ratelimit.Decision) {
	l.take(&d, n)
	return d
}

// take is apart from Take so that that is inlined, and its Decision not copied once more.
func (l *Limiter) take(d *ratelimit.Decision, n int) {
	if l.interval != nil {
		l.interval.Take(d, n)
	} else {
		l.continuous.Take(d, n)
	}
}

// TakeAt takes n tokens as of t, all of them or none; t may be any time.
func (l *Limiter) TakeAt(t time.Time, n int) (d ratelimit.Decision) {
	l.takeAt(&d, t, n)
	return d
}

// takeAt is apart from TakeAt as take is from Take.
func (l *Limiter) takeAt(d *ratelimit.Decision, t time.Time, n int) {
	if l.interval != nil {
		l.interval.TakeAt(d, t, n)
	} else {
		l.continuous.TakeAt(d, t, n)
	}
}

// ChargeAt takes n tokens as of t, also if they are not there; see [ratelimit.Charger]. What is
// owed beyond an empty bucket is refused for until it has come back. It is at most what package
// gcra says, or, of a bucket that NewInterval made, 2^31-1 tokens with those that are missing; more
// is not counted. A charge that leaves more than the capacity missing, and a refund until that has
// come back, makes a few small allocations.
func (l *Limiter) ChargeAt(t time.Time, n int) (d ratelimit.Decision) {
	if l.interval != nil {
		l.interval.ChargeAt(&d, t, n)
	} else {
		l.continuous.ChargeAt(&d, t, n)
	}
	return d
}

// Peek returns what Take would, and takes nothing. It may already be outdated.
func (l *Limiter) Peek(n int) (d ratelimit.Decision) {
	if l.interval != nil {
		l.interval.Peek(&d, n)
	} else {
		l.continuous.Peek(&d, n)
	}
	return d
}

// PeekAt returns what TakeAt would, and takes nothing. It may already be outdated.
func (l *Limiter) PeekAt(t time.Time, n int) (d ratelimit.Decision) {
	if l.interval != nil {
		l.interval.PeekAt(&d, t, n)
	} else {
		l.continuous.PeekAt(&d, t, n)
	}
	return d
}

// Tokens returns how many whole tokens there are now. It may already be outdated.
func (l *Limiter) Tokens() int { return l.Peek(0).Remaining }

// RefundAt puts back, as of t, n tokens that were taken held before t. What has come back since by
// itself is not put back again: of a bucket that New made, n*T less held; of one that NewInterval
// made, all n if t is still in the interval in which they were taken, and then the interval begins
// anew at t if they were the first; otherwise none. See [ratelimit.Limiter] for what t must be.
func (l *Limiter) RefundAt(t time.Time, n int, held time.Duration) {
	if l.interval != nil {
		l.interval.RefundAt(t, n, held)
	} else {
		l.continuous.RefundAt(t, n, held)
	}
	waiting.Changed(l)
}

// ReserveAt takes n tokens as of t that may be used at most within later, when they have come back;
// see [ratelimit.Reserver]. The reservation is one allocation.
//
// A bucket that NewInterval made gives what is left of a batch to a reservation from the next one
// as well; until then it refuses, unless that is cancelled. Of reservations that are not cancelled
// in reverse order, or with a charge after them, all come back, but what was left of the batch does
// not.
//
// Tokens can be reserved ahead at most as far as package gcra says, or, of a bucket that
// NewInterval made, 2^(61 - bitlen(capacity)) steps of its grid. What would have to wait for longer
// is refused, whatever within says.
func (l *Limiter) ReserveAt(t time.Time, n int, within time.Duration) (r ratelimit.Reservation, d ratelimit.Decision) {
	if l.interval != nil {
		r = l.interval.ReserveAt(&d, l, t, n, within)
	} else {
		r = l.continuous.ReserveAt(&d, l, t, n, within)
	}
	return r, d
}

// SetRate is SetRateAt by the limiter's clock, read when nothing more can be granted at the old
// rate.
func (l *Limiter) SetRate(rate ratelimit.Rate, capacity int) error {
	defer waiting.Changed(l)
	if l.interval != nil {
		return l.interval.SetRate("tokenbucket.Limiter.SetRate", "capacity", rate, capacity)
	}
	return l.continuous.SetRate("tokenbucket.Limiter.SetRate", "capacity", rate, capacity)
}

// SetRateAt changes the rate and the capacity as of t. Tokens that are missing stay missing (in
// parts too, not rounded by more than a tick, and then up), also if they are more than the new
// capacity. A greater capacity can be used at once, less what is missing: a change from 10 to 100
// adds 90 tokens. No grant is lost or counted twice by changes under load. Tokens that were taken
// before the change can not be put back after it; NewInterval's, until the end of the interval.
//
// The change takes effect when the last reservation made before it may be acted on, if that is
// later than t, unless they are given back until then; for times before that nothing is granted any
// more. (What was reserved more than 16 changes ago is not given back any more.) If tokens were
// taken at times after t, it takes effect at the latest of these; package gcra says how New knows
// that. A few small allocations. Errors are those of [New] or [NewInterval]; for
// New, a rate at which the old capacity, or what is missing, would not come back within 2^61 ns;
// and a bucket that NewInterval made keeps its rate.Per, and another is an error.
func (l *Limiter) SetRateAt(t time.Time, rate ratelimit.Rate, capacity int) error {
	defer waiting.Changed(l)
	if l.interval != nil {
		return l.interval.SetRateAt("tokenbucket.Limiter.SetRateAt", "capacity", t, rate, capacity)
	}
	return l.continuous.SetRateAt("tokenbucket.Limiter.SetRateAt", "capacity", t, rate, capacity)
}

// Clock returns the clock that Allow, Take and Peek read.
func (l *Limiter) Clock() ratelimit.Clock {
	if l.interval != nil {
		return l.interval.Clock()
	}
	return l.continuous.Clock()
}

// Rate returns the rate that the limiter was made with or that it was set to last.
func (l *Limiter) Rate() ratelimit.Rate {
	if l.interval != nil {
		return l.interval.Rate()
	}
	return l.continuous.Rate()
}

// Capacity returns the capacity that the limiter was made with or that it was set to last.
func (l *Limiter) Capacity() int {
	if l.interval != nil {
		return l.interval.Capacity()
	}
	return l.continuous.Burst()
}
