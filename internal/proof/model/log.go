package model

import (
	"math/big"
	"slices"
	"time"

	"github.com/seed-3506548a/ratelimit"
)

// Log is the model of slidingwindow.NewLog: the list of the times of all events.
type Log struct {
	rate  ratelimit.Rate
	per   *big.Int
	times []*big.Int // in order
	last  int        // how many of the last ones can be given back, if they were not recorded too late
	most  int        // so many of them are remembered if the rate changes

	newest  *big.Int // the latest time that was granted at; nil: nothing was ever granted
	changed *big.Int // before the last change of rate nothing is granted; nil: it never changed
	settled *big.Int // what was granted no later than this offset is not given back; nil: nothing
}

// NewLog returns the model for valid arguments.
func NewLog(rate ratelimit.Rate) *Log {
	return &Log{rate: rate, per: big.NewInt(int64(rate.Per)), most: max(rate.Events, 1)}
}

// used returns how many events are in the window that ends at off.
func (m *Log) used(off *big.Int) (sum int) {
	for _, at := range slices.Backward(m.times) {
		if minus(off, at).Cmp(m.per) >= 0 {
			break
		}
		sum++
	}
	return sum
}

func (m *Log) early(off *big.Int) bool { return m.changed != nil && off.Cmp(m.changed) < 0 }

// when returns how long after off no more than left is used.
func (m *Log) when(off *big.Int, left int) time.Duration {
	fits := func(at *big.Int) bool { return !m.early(at) && m.used(at) <= left }
	if fits(off) {
		return 0
	}
	at := off
	if m.changed != nil {
		at = latest(at, m.changed)
	}
	if excess := len(m.times) - left; excess > 0 {
		at = latest(at, new(big.Int).Add(m.times[excess-1], m.per))
	}
	if !fits(at) || fits(minus(at, one)) {
		panic("the model contradicts itself")
	}
	if at.Cmp(top) > 0 {
		return ratelimit.Never
	}
	return time.Duration(minus(at, off).Int64())
}

// Clone implements [Limiter].
func (m *Log) Clone() Limiter {
	c := *m // its numbers are replaced, never changed
	c.times = slices.Clone(m.times)
	return &c
}

// Take implements [Limiter].
func (m *Log) Take(off *big.Int, n int) ratelimit.Decision {
	off = clamp(off)
	d := ratelimit.Decision{Limit: m.rate.Events}
	switch {
	case n == 0:
		d.OK = true
	case n < 0 || n > m.rate.Events:
		d.RetryAfter = ratelimit.Never
	case !m.early(off) && m.used(off)+n <= m.rate.Events:
		d.OK = true
		m.record(off, n)
	default:
		d.RetryAfter = m.when(off, m.rate.Events-n)
	}
	if !m.early(off) {
		d.Remaining = max(0, m.rate.Events-m.used(off))
	}
	d.ResetAfter = m.when(off, 0)
	return d
}

func (m *Log) record(off *big.Int, n int) {
	if m.newest != nil {
		off = latest(off, m.newest)
	}
	if m.newest == nil || off.Cmp(m.newest) > 0 {
		m.last = 0
	}
	m.last += n
	m.newest = off
	m.times = slices.Concat(m.times, slices.Repeat([]*big.Int{off}, n))
}

// Peek implements [Limiter].
func (m *Log) Peek(off *big.Int, n int) ratelimit.Decision {
	old := *m
	d := m.Take(off, n)
	*m = old
	return d
}

// Refund implements [Limiter]: of the events recorded at the newest time only, while they count.
func (m *Log) Refund(off, now *big.Int, n int, held time.Duration) {
	granted := minus(clamp(off), big.NewInt(int64(held)))
	if m.newest == nil || n < 1 || n > m.rate.Events || held < 0 || granted.Cmp(m.newest) < 0 ||
		m.settled != nil && m.newest.Cmp(m.settled) <= 0 || granted.Cmp(bottom) < 0 {
		return
	}
	n = min(n, m.last)
	if minus(latest(clamp(off), clamp(now)), m.newest).Cmp(m.per) < 0 {
		m.times = slices.Clone(m.times[:len(m.times)-n])
		m.last -= n
	}
}

// Charge implements [Limiter]: at most as many events of one time as the limit are recorded.
func (m *Log) Charge(off *big.Int, n int) ratelimit.Decision {
	there := 0
	if m.newest != nil && clamp(off).Cmp(m.newest) <= 0 {
		there = m.last
	}
	if n = min(n, max(0, m.rate.Events-there)); n > 0 {
		m.record(clamp(off), n)
	}
	return standing(m, off, n)
}

// SetRate implements [Limiter]; the size is the number of events, unless that is 0.
func (m *Log) SetRate(off, _ *big.Int, rate ratelimit.Rate, size int) {
	rate = WithSize(rate, size)
	if m.rate == rate {
		return
	}
	m.rate = rate
	unexpired := 0
	if m.newest != nil {
		off = latest(clamp(off), m.newest)
		if m.changed != nil {
			off = latest(off, m.changed)
		}
		m.changed, m.settled = off, m.newest
		unexpired = min(m.used(off), m.most)
		m.times = slices.Clone(m.times[len(m.times)-unexpired:])
		m.last = 0
	}
	m.most = max(unexpired, rate.Events, 1)
}
