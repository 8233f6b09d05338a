package model

import (
	"math/big"
	"time"

	"github.com/seed-3506548a/ratelimit"
)

// Penalty is the model of penalty.New.
type Penalty struct {
	Inner Limiter
	Block time.Duration
	end   *big.Int // of the block; nil: there was none, or it was pardoned
}

// blocked reports whether there is a block at off.
func (m *Penalty) blocked(off *big.Int) bool { return m.end != nil && clamp(off).Cmp(m.end) < 0 }

// blockFrom returns the end of a block that begins at off: after all times if that is not one.
func (m *Penalty) blockFrom(off *big.Int) *big.Int {
	end := new(big.Int).Add(clamp(off), big.NewInt(int64(m.Block)))
	if m.Block == ratelimit.Never || end.Cmp(top) > 0 {
		return new(big.Int).Add(top, one)
	}
	return end
}

// wait returns how long it is from off until end.
func (m *Penalty) wait(off, end *big.Int) time.Duration {
	if end.Cmp(top) > 0 {
		return ratelimit.Never
	}
	return time.Duration(minus(end, clamp(off)).Int64())
}

// refusal returns the decision in a block until end, or when it begins.
func (m *Penalty) refusal(off *big.Int, n int, end *big.Int) ratelimit.Decision {
	d := m.Inner.Peek(off, n)
	if d.OK {
		d = m.Inner.Peek(off, 0)
	}
	d.OK, d.Remaining = n == 0, 0
	d.ResetAfter = max(d.ResetAfter, m.wait(off, end))
	if n != 0 {
		d.RetryAfter = max(d.RetryAfter, m.wait(off, end))
	}
	return d
}

// Peek implements [Limiter].
func (m *Penalty) Peek(off *big.Int, n int) ratelimit.Decision {
	if m.blocked(off) {
		return m.refusal(off, n, m.end)
	}
	d := m.Inner.Peek(off, n)
	if d.OK || d.RetryAfter == ratelimit.Never {
		return d
	}
	return m.refusal(off, n, m.blockFrom(off))
}

// Take implements [Limiter].
func (m *Penalty) Take(off *big.Int, n int) ratelimit.Decision {
	d := m.Peek(off, n)
	if m.blocked(off) {
		return d
	}
	if inner := m.Inner.Take(off, n); !inner.OK && inner.RetryAfter != ratelimit.Never {
		m.end = m.blockFrom(off)
	}
	return d
}

// Refund implements [Limiter].
func (m *Penalty) Refund(off, now *big.Int, n int, held time.Duration) {
	m.Inner.Refund(off, now, n, held)
}

// Charge implements [Limiter].
func (m *Penalty) Charge(off *big.Int, n int) ratelimit.Decision {
	by := m.Inner.Charge(off, n).By
	d := standing(m, off, n)
	d.By = by
	return d
}

// SetRate implements [Limiter], and is a Pardon: the inner limiter is as it was.
func (m *Penalty) SetRate(*big.Int, *big.Int, ratelimit.Rate, int) { m.end = nil }

// Clone implements [Limiter].
func (m *Penalty) Clone() Limiter {
	c := *m
	c.Inner = m.Inner.Clone()
	return &c
}
