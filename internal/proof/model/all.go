package model

import (
	"math"
	"math/big"
	"slices"
	"time"

	"github.com/seed-3506548a/ratelimit"
)

// All is the model of ratelimit.All: models that share an origin.
type All []Limiter

// Take implements [Limiter].
func (m All) Take(off *big.Int, n int) ratelimit.Decision {
	if d := m.Peek(off, n); !d.OK {
		return d
	}
	var all []ratelimit.Decision
	for _, member := range m {
		all = append(all, member.Take(off, n))
	}
	return merged(all)
}

// Peek implements [Limiter]: if one of them refuses, the others say what they have anyway.
func (m All) Peek(off *big.Int, n int) ratelimit.Decision {
	ok := true
	for _, member := range m {
		ok = ok && member.Peek(off, n).OK
	}
	var all []ratelimit.Decision
	for _, member := range m {
		d := member.Peek(off, n)
		if d.OK && !ok {
			d = member.Peek(off, 0)
		}
		all = append(all, d)
	}
	return merged(all)
}

// merged returns the decision of all members.
func merged(all []ratelimit.Decision) ratelimit.Decision {
	d := all[0]
	for _, m := range all {
		d.OK = d.OK && m.OK
		d.Limit = min(d.Limit, m.Limit)
		d.Remaining = min(d.Remaining, m.Remaining)
		d.RetryAfter = max(d.RetryAfter, m.RetryAfter)
		d.ResetAfter = max(d.ResetAfter, m.ResetAfter)
	}
	for i, m := range all { // the first of those that bind
		if m.RetryAfter == d.RetryAfter && (d.RetryAfter > 0 || m.Remaining == d.Remaining) {
			d.By = i
			break
		}
	}
	return d
}

// TakeEach is that of [ratelimit.Composite].
func (m All) TakeEach(off *big.Int, costs []int) ratelimit.Decision {
	d := m.Peek(off, 0)
	if len(costs) != len(m) {
		d.OK, d.RetryAfter = false, ratelimit.Never
		return d
	}
	ok, asked := true, false
	for i, member := range m {
		if costs[i] < 0 {
			d.OK, d.RetryAfter, d.By = false, ratelimit.Never, i
			return d
		}
		ok = ok && member.Peek(off, costs[i]).OK
		asked = asked || costs[i] > 0
	}
	if !asked {
		return d
	}
	var all []ratelimit.Decision
	for i, member := range m {
		d := member.Peek(off, costs[i])
		if ok {
			d = member.Take(off, costs[i])
		} else if d.OK {
			d = member.Peek(off, 0)
		}
		if costs[i] > 0 { // in requests
			d.Limit, d.Remaining = d.Limit/costs[i], d.Remaining/costs[i]
		} else {
			d.Limit, d.Remaining = math.MaxInt, math.MaxInt
		}
		all = append(all, d)
	}
	return merged(all)
}

// RefundEach is that of [ratelimit.Composite].
func (m All) RefundEach(off, now *big.Int, held time.Duration, costs []int) {
	if len(costs) != len(m) || slices.Min(costs) < 0 {
		return
	}
	for i, member := range m {
		member.Refund(off, now, costs[i], held)
	}
}

// Refund implements [Limiter].
func (m All) Refund(off, now *big.Int, n int, held time.Duration) {
	if n > m.Peek(off, 0).Limit {
		return
	}
	for _, member := range m {
		member.Refund(off, now, n, held)
	}
}

// Charge implements [Limiter].
func (m All) Charge(off *big.Int, n int) ratelimit.Decision {
	var all []ratelimit.Decision
	for _, member := range m {
		all = append(all, member.Charge(off, n))
	}
	return merged(all)
}

// SetRate implements [Limiter], and does nothing.
func (m All) SetRate(*big.Int, *big.Int, ratelimit.Rate, int) {}

// Clone implements [Limiter].
func (m All) Clone() Limiter {
	var c All
	for _, member := range m {
		c = append(c, member.Clone())
	}
	return c
}
