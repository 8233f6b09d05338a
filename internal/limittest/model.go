// Package limittest is the proof that every limiter is put through: exact models, operations drawn
// from bytes for fuzzing, bounds over all intervals, and the conformance suite. Only tests use it.
package limittest

import (
	"math"
	"math/big"
	"time"

	"github.com/seed-3506548a/ratelimit"
)

// Model is a slow and obvious limiter in unbounded integers, for one caller at a time. Offsets are
// nanoseconds since the limiter's origin.
type Model interface {
	Take(off *big.Int, n int) ratelimit.Decision
	Peek(off *big.Int, n int) ratelimit.Decision
	// Refund is RefundAt with the clock at now.
	Refund(off, now *big.Int, n int, held time.Duration)
	// SetRate is SetRateAt, with the clock at now, with arguments that the limiter accepts.
	SetRate(off, now *big.Int, rate ratelimit.Rate, size int)
	// Clone returns a copy.
	Clone() Model
}

// The ends of the range of offsets in which limiters are exact.
var (
	bottom = new(big.Int).Neg(power(62))
	top    = new(big.Int).Sub(power(62), one)
	one    = big.NewInt(1)
)

// Reserver is a Model of a limiter that reserves.
type Reserver interface {
	Model
	// Reserve returns the delay after which the events may be acted on.
	Reserve(off *big.Int, n int, most time.Duration) (time.Duration, ratelimit.Decision)
	// Cancel is CancelAt, with the clock at now, of n events that may be acted on at actAt.
	Cancel(off, now *big.Int, n int, actAt *big.Int)
}

// Bucket is the model of gcra.New and tokenbucket.New: a bucket that drains continuously.
type Bucket struct {
	rate  ratelimit.Rate
	burst int
	limit int

	// In a nanosecond, nano of the debt drains, and an event adds event to it. At a rate of 0, nano
	// is 0 and tat is the debt itself.
	nano, event *big.Int
	tat         *big.Int // in the same unit, since the origin; nil: nothing was ever granted

	// What happened before the last change of rate, if something had been granted then.
	changed    *big.Int // offset of the change
	tatChanged *big.Int // tat right after it
	grants     *big.Int // no event granted before was granted or to be acted on later than this offset
}

// NewBucket returns the model for valid arguments.
func NewBucket(rate ratelimit.Rate, burst int) *Bucket {
	m := &Bucket{event: one}
	m.set(rate, burst, new(big.Int))
	return m
}

// set makes rate and burst the model's, in a unit that holds carried events too: the coarsest in
// which nano and event are whole, if 2^61 of it are enough for all events; or else the documented
// rounding, U = floor((floor(2^61/room) - 1) * Events/Per) in a nanosecond, but 1 to 2^31-1, and
// ceil(U*Per/Events) in an emission interval.
func (m *Bucket) set(rate ratelimit.Rate, burst int, carried *big.Int) {
	m.rate, m.burst, m.limit = rate, burst, burst
	if rate.Events == 0 {
		m.limit, m.nano = 0, new(big.Int)
		return
	}
	events, per := big.NewInt(int64(rate.Events)), big.NewInt(int64(rate.Per))
	g := new(big.Int).GCD(nil, nil, events, per)
	m.nano, m.event = new(big.Int).Quo(events, g), new(big.Int).Quo(per, g)
	room := new(big.Int).Quo(power(61), ceil(per, events))
	room = least(room, latest(big.NewInt(int64(burst)), carried))
	if product(m.event, room).Cmp(power(61)) > 0 {
		u := new(big.Int).Quo(power(61), room)
		u.Quo(product(u.Sub(u, one), events), per)
		m.nano = latest(one, least(big.NewInt(maxEvents), u))
		m.event = ceil(product(m.nano, per), events)
	}
}

// Clone implements [Model].
func (m *Bucket) Clone() Model {
	c := *m // its numbers are replaced, never changed
	return &c
}

// Take implements [Model].
func (m *Bucket) Take(off *big.Int, n int) ratelimit.Decision {
	_, d := m.Reserve(off, n, 0)
	return d
}

// Peek implements [Model].
func (m *Bucket) Peek(off *big.Int, n int) ratelimit.Decision {
	_, d, _ := m.decide(off, n, 0)
	return d
}

// Reserve implements [Reserver].
func (m *Bucket) Reserve(off *big.Int, n int, most time.Duration) (time.Duration, ratelimit.Decision) {
	delay, d, tat := m.decide(off, n, most)
	if d.OK && n > 0 {
		m.tat = tat
	}
	return delay, d
}

// decide is the algorithm in one line, max(TAT, now) + n*T - now <= burst*T, at now or after a delay
// of at most most, and the Decision by its definition.
func (m *Bucket) decide(off *big.Int, n int, most time.Duration) (delay time.Duration, d ratelimit.Decision, tat *big.Int) {
	if m.changed != nil && m.tat != nil && m.limit > 0 && clamp(off).Cmp(m.changed) < 0 {
		return m.decideEarly(off, n, most)
	}
	now := product(clamp(off), m.nano)
	tat = m.tat
	if tat == nil {
		tat = now
	}
	wanted := product(m.event, big.NewInt(int64(n)))
	full := product(m.event, big.NewInt(int64(m.limit)))
	owed := minus(latest(tat, now), now)
	excess := minus(new(big.Int).Add(owed, wanted), full)
	if reach := new(big.Int).Quo(power(61), latest(one, m.nano)); reach.Cmp(big.NewInt(int64(most))) < 0 {
		most = time.Duration(reach.Int64())
	}

	d.Limit = m.limit
	switch {
	case n == 0:
		d.OK = true
	case n < 0 || n > m.limit || most < 0:
		d.RetryAfter = ratelimit.Never
	case excess.Sign() <= 0:
		d.OK = true
	default:
		delay = m.drained(excess, off)
		if d.OK = delay <= most; !d.OK && delay == ratelimit.Never {
			d.RetryAfter = ratelimit.Never
		} else if !d.OK {
			d.RetryAfter = delay - most
		}
	}
	if d.OK && n > 0 {
		act := product(new(big.Int).Add(clamp(off), big.NewInt(int64(delay))), m.nano)
		tat = new(big.Int).Add(latest(tat, act), wanted)
		owed = minus(tat, now)
	}
	if free := minus(full, owed); free.Sign() > 0 {
		d.Remaining = int(free.Quo(free, m.event).Int64())
	}
	d.ResetAfter = m.drained(owed, off)
	return delay, d, tat
}

// decideEarly is decide for a time before the last change of rate: nothing is granted until then.
func (m *Bucket) decideEarly(off *big.Int, n int, most time.Duration) (delay time.Duration, d ratelimit.Decision, tat *big.Int) {
	early := time.Duration(minus(m.changed, clamp(off)).Int64())
	within := most
	if reach := new(big.Int).Quo(power(61), m.nano); reach.Cmp(big.NewInt(int64(most))) < 0 {
		within = time.Duration(reach.Int64())
	}
	delay, d, tat = m.decide(m.changed, n, max(0, within-early))
	switch {
	case n == 0:
	case n < 0 || n > m.limit || most < 0:
		d = m.peekNone(m.changed)
		d.RetryAfter = ratelimit.Never
	case d.OK && early+delay <= within:
		delay += early
	default: // refused: by how much too early
		d = m.peekNone(m.changed)
		wait, _, _ := m.decide(m.changed, n, math.MaxInt64)
		if d.RetryAfter = ratelimit.Never; wait != ratelimit.Never && early+wait != ratelimit.Never {
			d.RetryAfter = early + wait - within
		}
		delay, tat = 0, nil
	}
	d.Remaining = 0
	if d.ResetAfter != ratelimit.Never {
		d.ResetAfter += early
	}
	return delay, d, tat
}

// peekNone is what a refusal at off says of the state.
func (m *Bucket) peekNone(off *big.Int) ratelimit.Decision {
	_, d, _ := m.decide(off, 0, 0)
	d.OK = false
	return d
}

// drained returns how long after off the given amount has drained; Never if that is beyond the top.
func (m *Bucket) drained(amount, off *big.Int) time.Duration {
	if amount.Sign() == 0 {
		return 0
	}
	if m.nano.Sign() == 0 {
		return ratelimit.Never
	}
	wait := ceil(amount, m.nano)
	if new(big.Int).Add(clamp(off), wait).Cmp(top) > 0 {
		return ratelimit.Never
	}
	return time.Duration(wait.Int64())
}

// Refund implements [Model].
func (m *Bucket) Refund(off, now *big.Int, n int, held time.Duration) {
	if held >= 0 {
		m.refund(off, now, n, minus(clamp(off), big.NewInt(int64(held))))
	}
}

// Cancel implements [Reserver].
func (m *Bucket) Cancel(off, now *big.Int, n int, actAt *big.Int) {
	m.refund(off, now, n, clamp(actAt))
}

// refund takes off the TAT what has not drained, by the time that counts as now, of n events granted
// at granted, provided that the TAT shows that they can have been granted.
func (m *Bucket) refund(off, now *big.Int, n int, granted *big.Int) {
	if m.tat == nil || n < 1 || n > m.limit || m.grants != nil && granted.Cmp(m.grants) <= 0 {
		return
	}
	as := latest(clamp(off), clamp(now))
	if last := m.lastAct(); last.Cmp(as) > 0 { // somebody will act later
		if granted.Cmp(last) < 0 {
			return
		}
		as = last
	}
	credit := product(m.event, big.NewInt(int64(n)))
	if held := minus(as, granted); held.Sign() > 0 {
		credit = minus(credit, product(held, m.nano))
	}
	owed := minus(m.tat, product(as, m.nano))
	if credit.Sign() > 0 && credit.Cmp(owed) <= 0 {
		m.tat = minus(m.tat, credit)
		if m.changed != nil { // what was granted before is not forgotten
			m.tat = latest(m.tat, new(big.Int).Add(product(m.changed, m.nano), one))
		} else if m.tat.Cmp(product(bottom, m.nano)) <= 0 {
			m.tat = nil // there is no time before the bottom at which it would not be fresh
		}
	}
}

// lastAct returns the earliest time at which the last event can have been acted on: it left at most
// a full bucket to drain; or that of the last change of rate, if nothing was granted since.
func (m *Bucket) lastAct() *big.Int {
	if m.changed != nil && m.tat.Cmp(m.tatChanged) <= 0 {
		return m.changed
	}
	last := ceil(minus(m.tat, product(m.event, big.NewInt(int64(m.limit)))), m.nano)
	if m.changed != nil {
		last = latest(last, m.changed)
	}
	return last
}

// SetRate implements [Model]: at a time from that of the last event on, but not after the TAT,
// the debt in time becomes the debt of as many events at the new rate.
func (m *Bucket) SetRate(off, now *big.Int, rate ratelimit.Rate, burst int) {
	if m.rate == rate && m.burst == burst {
		return
	}
	if m.tat == nil {
		m.set(rate, burst, new(big.Int))
		return
	}
	at, debt := latest(clamp(off), clamp(now)), m.tat
	if m.nano.Sign() > 0 {
		at = least(latest(at, m.lastAct()), ceil(m.tat, m.nano))
		debt = latest(minus(m.tat, product(at, m.nano)), new(big.Int))
		newest := minus(m.tat, m.event) // the last event was acted on at least T before the TAT
		newest.Div(newest, m.nano)
		if m.grants == nil || newest.Cmp(m.grants) > 0 {
			m.grants = newest
		}
	} else {
		at = latest(at, m.changed)
	}
	old := m.event
	m.set(rate, burst, ceil(debt, old))
	if rate.Events > 0 {
		debt = least(latest(one, ceil(product(debt, m.event), old)), power(61)) // at least one: not fresh
	}
	m.changed = at
	m.tat = new(big.Int).Add(product(at, m.nano), debt)
	m.tatChanged = m.tat
}
