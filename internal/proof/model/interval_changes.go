package model

import (
	"math"
	"math/big"
	"time"

	"github.com/seed-3506548a/ratelimit"
)

// Refund implements [Limiter].
func (m *Interval) Refund(off, now *big.Int, n int, held time.Duration) {
	if held >= 0 {
		m.refund(off, now, n, minus(m.shifted(off), big.NewInt(int64(held))), made{})
	}
}

// GiveBack implements [Reserver].
func (m *Interval) GiveBack(off, now *big.Int, n int, actAt *big.Int, did any) {
	m.refund(off, now, n, m.shifted(actAt), did.(made))
}

// refund gives back what a reservation made, if nothing else was granted since; and other grants in
// their interval only, which begins anew if it began with them.
func (m *Interval) refund(off, now *big.Int, n int, granted *big.Int, did made) bool {
	if m.start == nil || n < 1 {
		return false
	}
	as := latest(m.shifted(off), m.shifted(now))
	state := [2]*big.Int{m.start, m.count}
	if m.settled != nil && granted.Cmp(m.settled) <= 0 {
		return as.Cmp(granted) <= 0 && same(state, m.first) && m.refundBefore(off, now, n, granted, did)
	}
	if n > m.limit {
		return false
	}
	if same(state, did.after) {
		m.start, m.count = did.from[0], did.from[1]
		if m.start == nil {
			m.count = new(big.Int)
		}
		return true
	}
	as = latest(as, m.start)
	if m.count.Sign() == 0 || m.passed(as).Sign() != 0 || m.passed(granted).Sign() != 0 {
		return false
	}
	m.count = latest(new(big.Int), minus(m.count, big.NewInt(int64(n))))
	if minus(granted, m.start).Cmp(m.step) < 0 {
		steps, _ := new(big.Int).DivMod(as, m.step, new(big.Int))
		m.start = product(steps, m.step)
	}
	return true
}

// refundBefore gives back what was reserved before the rate changed, as if it had been given back
// then: if nothing was granted since.
func (m *Interval) refundBefore(off, now *big.Int, n int, granted *big.Int, did made) bool {
	if m.before == nil {
		return false
	}
	before := m.before.Clone().(*Interval)
	if !before.refund(off, now, n, granted, did) {
		return false
	}
	before.SetRate(minus(m.asked, m.shift), nil, m.rate, m.capacity)
	*m = *before
	return true
}

// Charge implements [Limiter]: what does not fit counts too, in the interval of off, or in that
// which is owed already; 2^31-1 events at most.
func (m *Interval) Charge(off *big.Int, n int) ratelimit.Decision {
	if n > 0 {
		at := m.shifted(off)
		if m.changed != nil {
			at = latest(at, m.changed)
		}
		m.charge(at, 0)
		room := latest(new(big.Int), minus(big.NewInt(math.MaxInt32), m.count))
		m.count = new(big.Int).Add(m.count, least(room, big.NewInt(int64(n))))
		if m.count.BitLen() > m.bits {
			m.before = nil
			m.set(m.rate, m.capacity)
			steps, _ := new(big.Int).DivMod(m.start, m.step, new(big.Int))
			m.start = product(steps, m.step)
		}
	}
	return standing(m, off, n)
}

// SetRate implements [Limiter]; of fixed windows, the capacity is the number of events, unless that
// is 0.
func (m *Interval) SetRate(off, _ *big.Int, rate ratelimit.Rate, capacity int) {
	if m.all {
		rate = WithSize(rate, capacity)
		capacity = max(1, rate.Events)
	}
	if m.rate == rate && m.capacity == capacity {
		return
	}
	before, asked := m.Clone().(*Interval), m.shifted(off)
	pending := false
	if m.start != nil {
		off = latest(asked, m.start)
		if m.changed != nil {
			off = latest(off, m.changed)
		}
		pending = off.Cmp(asked) > 0
		passed := m.passed(off)
		changed := off
		if m.events().Sign() > 0 {
			if all := ceil(m.count, m.events()); passed.Cmp(all) >= 0 { // full since then
				passed = all
				changed = least(off, new(big.Int).Add(m.start, product(all, m.length)))
			}
		}
		if m.changed == nil || changed.Cmp(m.changed) > 0 {
			m.changed = changed
		}
		m.count = m.owed(off)
		m.start = new(big.Int).Add(m.start, product(passed, m.length))
		m.settled = minus(new(big.Int).Add(m.start, m.length), one)
	}
	grid := m.step
	m.set(rate, capacity)
	if m.start != nil {
		if grid.Cmp(m.step) > 0 { // a start that is known by a coarser grid may be later
			m.start = new(big.Int).Add(m.start, minus(grid, m.step))
		}
		steps, _ := new(big.Int).DivMod(m.start, m.step, new(big.Int))
		m.start = product(steps, m.step)
		m.first = [2]*big.Int{m.start, m.count}
		m.before, m.asked, m.depth = nil, nil, 0
	}
	if pending {
		m.before, m.asked = before, asked
		if before.before != nil {
			m.depth = before.depth + 1
		}
		if m.depth >= 16 {
			before.before, m.depth = nil, 0
		}
	}
}
