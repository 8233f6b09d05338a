package model

import (
	"math"
	"math/big"
	"time"

	"github.com/seed-3506548a/ratelimit"
)

// Interval is the model of tokenbucket.NewInterval: of what is owed, events are paid back at the
// end of each length since start. It is also that of fixed windows, at the end of which all is.
type Interval struct {
	all     bool     // is paid back at the end of a length
	aligned bool     // lengths begin at multiples of rate.Per since shift before the origin
	shift   *big.Int // to the offsets that the model computes with

	rate     ratelimit.Rate
	capacity int
	limit    int

	step, length, reach *big.Int
	bits                int // that the count may have

	start *big.Int // nil: nothing was ever granted
	count *big.Int // owed during the first length after start

	changed *big.Int // before the last change of rate nothing is granted; nil: it never changed
	settled *big.Int // what was granted no later than this offset is not given back; nil: nothing

	first  [2]*big.Int // start and count right after the last change of rate
	before *Interval   // as it was before, if somebody who had reserved was yet to act
	asked  *big.Int    // when the change was asked for
	depth  int         // how many befores there are behind before
}

// made is what a reservation has made of the model: it led from a start and count to others.
type made struct{ from, after [2]*big.Int }

func same(a, b [2]*big.Int) bool {
	return a[0] != nil && b[0] != nil && a[0].Cmp(b[0]) == 0 && a[1].Cmp(b[1]) == 0
}

// NewInterval returns the model for valid arguments.
func NewInterval(rate ratelimit.Rate, capacity int) *Interval {
	m := &Interval{shift: new(big.Int), count: new(big.Int)}
	m.set(rate, capacity)
	return m
}

// NewAnchored returns the model of fixedwindow.NewAnchored.
func NewAnchored(rate ratelimit.Rate) *Interval {
	m := &Interval{all: true, shift: new(big.Int), count: new(big.Int)}
	m.set(rate, max(1, rate.Events))
	return m
}

// NewAligned returns the model of fixedwindow.NewAligned made at origin.
func NewAligned(rate ratelimit.Rate, origin time.Time) *Interval {
	return NewAlignedTo(rate, time.Unix(0, 0), origin)
}

// NewAlignedTo returns the model of fixedwindow.NewAlignedTo made at origin.
func NewAlignedTo(rate ratelimit.Rate, at, origin time.Time) *Interval {
	m := &Interval{all: true, aligned: true, count: new(big.Int)}
	m.shift = new(big.Int).Mod(Offset(at, origin), big.NewInt(int64(rate.Per)))
	m.set(rate, max(1, rate.Events))
	return m
}

// set makes rate and capacity the model's, with the documented grid: the least step = 2^j ns for
// which length * (ceil(capacity/Events) + 1) <= step * 2^(61 - bits), where bits hold the capacity
// and what is owed already, and length is Per rounded up to steps, and so far that an interval
// which begins up to a step early does not end early.
func (m *Interval) set(rate ratelimit.Rate, capacity int) {
	m.rate, m.capacity, m.limit = rate, capacity, capacity
	lengths := big.NewInt(2)
	if rate.Events == 0 {
		m.limit = 0
	} else if !m.all {
		lengths.Add(one, ceil(big.NewInt(int64(capacity)), big.NewInt(int64(rate.Events))))
	}
	bits := uint(latest(big.NewInt(int64(capacity)), m.count).BitLen())
	m.bits = int(bits)
	for j := uint(0); ; j++ {
		m.step = power(j)
		longest := new(big.Int).Add(big.NewInt(int64(rate.Per)), minus(m.step, one))
		m.length = product(ceil(longest, m.step), m.step)
		m.reach = least(product(m.step, power(61-bits)), power(60))
		if m.aligned {
			m.step, m.length = big.NewInt(int64(rate.Per)), big.NewInt(int64(rate.Per))
			return
		}
		if product(m.length, lengths).Cmp(m.reach) <= 0 || j == bits { // as coarse as it gets
			return
		}
	}
}

// passed returns how many lengths lie between the start and off, negative if off is before.
func (m *Interval) passed(off *big.Int) *big.Int {
	q, _ := new(big.Int).DivMod(minus(off, m.start), m.length, new(big.Int)) // rounds down
	return q
}

// shifted returns the offset that the model computes with.
func (m *Interval) shifted(off *big.Int) *big.Int { return clamp(new(big.Int).Add(off, m.shift)) }

// owed returns what is owed at off.
func (m *Interval) owed(off *big.Int) *big.Int {
	if m.start == nil {
		return new(big.Int)
	}
	return latest(new(big.Int), minus(m.count, product(m.passed(off), m.events())))
}

func (m *Interval) events() *big.Int {
	if m.all {
		return big.NewInt(math.MaxInt32)
	}
	return big.NewInt(int64(m.rate.Events))
}

// when returns how long after off no more than left is owed.
func (m *Interval) when(off *big.Int, left int64) time.Duration {
	within := func(at *big.Int) bool {
		return m.owed(at).Cmp(big.NewInt(left)) <= 0 && (m.changed == nil || at.Cmp(m.changed) >= 0)
	}
	switch {
	case within(off), m.events().Sign() == 0 && m.count.Sign() == 0:
		return 0
	case m.events().Sign() == 0:
		return ratelimit.Never
	}
	k := ceil(minus(m.count, big.NewInt(left)), m.events())
	at := new(big.Int).Add(m.start, product(k, m.length))
	if m.changed != nil {
		at = latest(at, m.changed)
	}
	if !within(at) || within(minus(at, one)) {
		panic("the model contradicts itself")
	}
	if at.Cmp(top) > 0 {
		return ratelimit.Never
	}
	return time.Duration(minus(at, off).Int64())
}

// Clone implements [Limiter].
func (m *Interval) Clone() Limiter {
	c := *m // its numbers are replaced, never changed
	return &c
}

// Take implements [Limiter].
func (m *Interval) Take(off *big.Int, n int) ratelimit.Decision {
	_, _, d := m.Reserve(off, n, 0)
	return d
}

// Peek implements [Limiter].
func (m *Interval) Peek(off *big.Int, n int) ratelimit.Decision {
	old := *m
	_, _, d := m.Reserve(off, n, 0)
	*m = old
	return d
}

// Reserve implements [Reserver].
func (m *Interval) Reserve(off *big.Int, n int, most time.Duration) (delay time.Duration, did any, d ratelimit.Decision) {
	off = m.shifted(off)
	from := [2]*big.Int{m.start, m.count}
	if m.reach.Cmp(big.NewInt(int64(most))) < 0 {
		most = time.Duration(m.reach.Int64())
	}
	switch {
	case n == 0:
		d.OK = true
	case n < 0 || n > m.limit || most < 0:
		d.RetryAfter = ratelimit.Never
	default:
		delay = m.when(off, int64(m.limit-n))
		if d.OK = delay <= most; d.OK {
			m.charge(new(big.Int).Add(off, big.NewInt(int64(delay))), n)
		} else if d.RetryAfter = ratelimit.Never; delay != ratelimit.Never {
			d.RetryAfter = delay - most
		}
	}
	d.Limit = m.limit
	early := m.changed != nil && off.Cmp(m.changed) < 0
	if free := minus(big.NewInt(int64(m.limit)), m.owed(off)); free.Sign() > 0 && !early {
		d.Remaining = int(free.Int64())
	}
	d.ResetAfter = m.when(off, 0)
	return delay, made{from, [2]*big.Int{m.start, m.count}}, d
}

// charge counts n events at off, where they fit.
func (m *Interval) charge(off *big.Int, n int) {
	owed := m.owed(off)
	switch {
	case m.start == nil, owed.Sign() == 0: // the bucket is full: an interval begins
		steps, _ := new(big.Int).DivMod(off, m.step, new(big.Int))
		m.start, m.count = product(steps, m.step), new(big.Int)
	case off.Cmp(m.start) >= 0:
		m.start = new(big.Int).Add(m.start, product(m.passed(off), m.length))
		m.count = owed
	}
	m.count = new(big.Int).Add(m.count, big.NewInt(int64(n)))
}
