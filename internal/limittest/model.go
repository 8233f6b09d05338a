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
}

// The ends of the range of offsets in which limiters are exact.
var (
	bottom = new(big.Int).Neg(power(62))
	top    = new(big.Int).Sub(power(62), one)
	one    = big.NewInt(1)
)

// Bucket is the model of gcra.New and tokenbucket.New: a bucket that drains continuously.
type Bucket struct {
	// Nano and Event are how much of the debt drains in a nanosecond, and how much an event adds.
	// Only their quotient, the emission interval, has a meaning.
	Nano, Event *big.Int

	burst int
	tat   *big.Int // in the same unit, since the origin; nil: nothing was ever granted
}

// NewBucket returns the model for valid arguments.
func NewBucket(rate ratelimit.Rate, burst int) *Bucket {
	if rate.Events == 0 {
		return &Bucket{Nano: big.NewInt(0), Event: one, burst: 0}
	}
	m := &Bucket{Nano: big.NewInt(int64(rate.Events)), Event: big.NewInt(int64(rate.Per)), burst: burst}

	// Where a full burst would have more than 2^61 units in lowest terms, the documented rounding:
	// U = max(1, floor((floor(2^61/burst) - 1) * Events/Per)) units in a nanosecond and
	// ceil(U*Per/Events) in an emission interval.
	g := new(big.Int).GCD(nil, nil, m.Nano, m.Event)
	full := product(new(big.Int).Quo(m.Event, g), big.NewInt(int64(burst)))
	if full.Cmp(power(61)) > 0 {
		most := new(big.Int).Quo(power(61), big.NewInt(int64(burst)))
		nano := new(big.Int).Quo(product(most.Sub(most, one), m.Nano), m.Event)
		if nano.Sign() == 0 {
			nano.Set(one)
		}
		m.Event = ceil(product(nano, m.Event), m.Nano)
		m.Nano = nano
	}
	return m
}

// Take implements [Model].
func (m *Bucket) Take(off *big.Int, n int) ratelimit.Decision {
	d, tat := m.decide(off, n)
	if d.OK && n > 0 {
		m.tat = tat
	}
	return d
}

// Peek implements [Model].
func (m *Bucket) Peek(off *big.Int, n int) ratelimit.Decision {
	d, _ := m.decide(off, n)
	return d
}

// decide is the algorithm in one line, max(TAT, now) + n*T - now <= burst*T, and the Decision by
// its definition.
func (m *Bucket) decide(off *big.Int, n int) (d ratelimit.Decision, tat *big.Int) {
	now := product(clamp(off), m.Nano)
	tat = new(big.Int).Set(now)
	if m.tat != nil && m.tat.Cmp(now) > 0 {
		tat.Set(m.tat)
	}
	full := product(m.Event, big.NewInt(int64(m.burst)))
	owed := new(big.Int).Sub(tat, now)
	wanted := product(m.Event, big.NewInt(int64(n)))
	excess := new(big.Int).Add(owed, wanted)
	excess.Sub(excess, full)

	d.Limit = m.burst
	switch {
	case n == 0 || n > 0 && excess.Sign() <= 0:
		d.OK = true
		tat.Add(tat, wanted)
		owed.Add(owed, wanted)
	case n < 0 || n > m.burst:
		d.RetryAfter = ratelimit.Never
	default:
		d.RetryAfter = m.drained(excess, off)
	}
	if free := new(big.Int).Sub(full, owed); free.Sign() > 0 {
		d.Remaining = int(free.Quo(free, m.Event).Int64())
	}
	d.ResetAfter = m.drained(owed, off)
	return d, tat
}

// drained returns how long after off the given amount has drained; Never if that is beyond the top.
func (m *Bucket) drained(amount, off *big.Int) time.Duration {
	if amount.Sign() == 0 {
		return 0
	}
	if m.Nano.Sign() == 0 {
		return ratelimit.Never
	}
	wait := ceil(amount, m.Nano)
	if new(big.Int).Add(clamp(off), wait).Cmp(top) > 0 {
		return ratelimit.Never
	}
	return time.Duration(wait.Int64())
}

// Refund implements [Model]: of n events granted at off-held, what has not drained by the time that
// counts as now is taken off the TAT, provided that the TAT shows that they can have been granted.
func (m *Bucket) Refund(off, now *big.Int, n int, held time.Duration) {
	if m.tat == nil || n < 1 || n > m.burst || held < 0 {
		return
	}
	granted := new(big.Int).Sub(clamp(off), big.NewInt(int64(held)))
	// The last grant left at most a full bucket, so it was not before TAT - full.
	last := new(big.Int).Sub(m.tat, product(m.Event, big.NewInt(int64(m.burst))))
	as := latest(clamp(off), clamp(now), ceil(last, m.Nano))

	after := new(big.Int).Sub(as, granted)
	credit := product(m.Event, big.NewInt(int64(n)))
	credit.Sub(credit, product(after, m.Nano))
	owed := new(big.Int).Sub(m.tat, product(as, m.Nano))
	if credit.Sign() <= 0 || credit.Cmp(owed) > 0 {
		return
	}
	m.tat = new(big.Int).Sub(m.tat, credit)
}

func power(n uint) *big.Int { return new(big.Int).Lsh(big.NewInt(1), n) }

func product(a, b *big.Int) *big.Int { return new(big.Int).Mul(a, b) }

// ceil returns a/b rounded up, for b > 0.
func ceil(a, b *big.Int) *big.Int {
	q, r := new(big.Int).DivMod(a, b, new(big.Int)) // Euclidean: r >= 0
	if r.Sign() > 0 {
		q.Add(q, one)
	}
	return q
}

func latest(first *big.Int, others ...*big.Int) *big.Int {
	for _, x := range others {
		if x.Cmp(first) > 0 {
			first = x
		}
	}
	return first
}

func clamp(off *big.Int) *big.Int {
	switch {
	case off.Cmp(bottom) < 0:
		return bottom
	case off.Cmp(top) > 0:
		return top
	}
	return off
}

// Offset returns t-origin in nanoseconds, of any size.
func Offset(origin, t time.Time) *big.Int {
	nanos := big.NewInt(t.Unix() - origin.Unix())
	nanos.Mul(nanos, big.NewInt(int64(time.Second)))
	return nanos.Add(nanos, big.NewInt(int64(t.Nanosecond()-origin.Nanosecond())))
}

// maxEvents is the most events of a rate, and the largest burst.
const maxEvents = math.MaxInt32
