package model

import (
	"math"
	"math/big"
	"time"

	"github.com/seed-3506548a/ratelimit"
)

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
	changed *big.Int // offset of the change
	grants  *big.Int // no event granted before was granted or to be acted on later than this offset
	before  *Bucket  // as it was before, if somebody who had reserved was yet to act
	asked   *big.Int // when the change was asked for
	depth   int      // how many befores there are behind before

	mark *mark // until when somebody acts, as long as tat is not later than its; nil: by tat alone
}

// mark is a TAT that a change of rate, or a charge beyond a full bucket, has left.
type mark struct {
	tat   *big.Int
	left  *big.Int // the offset at which it was left
	acted *big.Int // by a change of rate: nobody acts later

	// By charges: these were made on top of what under is about, at at or before.
	ticks, at *big.Int
	under     *mark
	depth     int // how many there are below
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
		m.nano = latest(one, least(big.NewInt(math.MaxInt32), u))
		m.event = ceil(product(m.nano, per), events)
	}
}

// Clone implements [Limiter].
func (m *Bucket) Clone() Limiter {
	c := *m // its numbers are replaced, never changed
	return &c
}

// Take implements [Limiter].
func (m *Bucket) Take(off *big.Int, n int) ratelimit.Decision {
	_, _, d := m.Reserve(off, n, 0)
	return d
}

// Peek implements [Limiter].
func (m *Bucket) Peek(off *big.Int, n int) ratelimit.Decision {
	_, d, _ := m.decide(off, n, 0)
	return d
}

// Reserve implements [Reserver]. What is lost is what the limiter could have granted before the
// events are acted on, without being stricter afterwards.
func (m *Bucket) Reserve(off *big.Int, n int, most time.Duration) (time.Duration, any, ratelimit.Decision) {
	delay, d, tat := m.decide(off, n, most)
	idle := new(big.Int)
	if d.OK && n > 0 {
		if delay > 0 {
			idle = minus(minus(tat, product(m.event, big.NewInt(int64(n)))), m.tat)
		}
		m.tat = tat
	}
	return delay, idle, d
}

// decide is the algorithm in one line, max(TAT, now) + n*T - now <= burst*T, at now or after a
// delay of at most most, and the Decision by its definition.
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
