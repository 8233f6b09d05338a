package model

import (
	"math/big"
	"time"

	"github.com/seed-3506548a/ratelimit"
)

// Refund implements [Limiter].
func (m *Bucket) Refund(off, now *big.Int, n int, held time.Duration) {
	if held >= 0 {
		m.refund(off, now, n, minus(clamp(off), big.NewInt(int64(held))), new(big.Int))
	}
}

// GiveBack implements [Reserver].
func (m *Bucket) GiveBack(off, now *big.Int, n int, actAt *big.Int, idle any) {
	m.refund(off, now, n, clamp(actAt), idle.(*big.Int))
}

// refund takes off the TAT what has not drained, by the time that counts as now, of n events
// granted at granted, but no more than is owed, and reports whether it did.
func (m *Bucket) refund(off, now *big.Int, n int, granted, idle *big.Int) bool {
	if m.tat == nil || n < 1 {
		return false
	}
	as := latest(clamp(off), clamp(now))
	if m.grants != nil && granted.Cmp(m.grants) <= 0 {
		return as.Cmp(granted) <= 0 && m.refundBefore(off, now, n, granted, idle)
	}
	if n > m.limit {
		return false
	}
	last, acted := m.lastAct(), granted.Cmp(as) <= 0
	if last.Cmp(as) > 0 && granted.Cmp(last) < 0 { // somebody will act later
		return false
	}
	credit := product(m.event, big.NewInt(int64(n)))
	if held := minus(as, granted); held.Sign() >= 0 {
		credit = minus(credit, product(held, m.nano))
	} else {
		credit = new(big.Int).Add(credit, idle)
		as = latest(as, minus(granted, product(big.NewInt(2), m.reach())))
		if m.changed != nil {
			as = latest(as, m.changed)
		}
	}
	credit = least(credit, minus(m.tat, product(as, m.nano)))
	if credit.Sign() <= 0 {
		return false
	}
	settled := m.settled()
	m.tat = minus(m.tat, credit)
	if m.changed != nil { // what was granted before is not forgotten
		m.tat = latest(m.tat, new(big.Int).Add(product(m.changed, m.nano), one))
	}
	if settled {
		less := *m.mark
		if acted { // all have been, and what was given back may have been charged
			less = mark{left: last, acted: last}
		}
		less.tat = m.tat
		m.mark, m.before = &less, nil
	}
	if m.changed == nil && m.tat.Cmp(product(bottom, m.nano)) <= 0 {
		m.tat = nil // there is no time before the bottom at which it would not be fresh
	}
	return true
}

// refundBefore gives back what was reserved before the rate changed, as if it had been given back
// then: if nothing was granted since.
func (m *Bucket) refundBefore(off, now *big.Int, n int, granted, idle *big.Int) bool {
	if m.before == nil || !m.settled() {
		return false
	}
	before := m.before.Clone().(*Bucket)
	if !before.refund(off, now, n, granted, idle) {
		return false
	}
	asked := m.asked
	before.SetRate(asked, asked, m.rate, m.burst)
	*m = *before
	return true
}

// reach returns how far ahead events can be reserved.
func (m *Bucket) reach() *big.Int { return new(big.Int).Quo(power(61), latest(one, m.nano)) }

// settled reports whether no reservation has been added since the mark was left.
func (m *Bucket) settled() bool { return m.mark != nil && m.tat.Cmp(m.mark.tat) <= 0 }

// lastAct returns the earliest time at which the last event can have been acted on, or was charged:
// it left at most a full bucket to drain; or that of the last change of rate, if nothing was
// granted since. What was charged since is not waited for.
func (m *Bucket) lastAct() *big.Int {
	last, tat := m.changed, m.tat
	for k := m.mark; k != nil && tat.Cmp(k.tat) <= 0; k = k.under {
		to := k.acted
		if to == nil {
			to = k.at
		}
		if last == nil || last.Cmp(to) < 0 {
			last = to
		}
		if k.acted != nil {
			return last
		}
		tat = minus(tat, k.ticks)
	}
	late := ceil(minus(tat, product(m.event, big.NewInt(int64(m.limit)))), m.nano)
	if last != nil {
		return latest(last, late)
	}
	return late
}

// newest returns the latest time at which the last event can have been acted on, or was charged: at
// least an emission interval before the TAT.
func (m *Bucket) newest() *big.Int {
	newest := minus(m.tat, m.event)
	newest.Div(newest, m.nano)
	if m.settled() {
		newest = least(newest, m.mark.left)
	}
	return newest
}

// Charge implements [Limiter]: the TAT moves on as if all n fitted, but at most 2^61 beyond a full
// bucket.
func (m *Bucket) Charge(off *big.Int, n int) ratelimit.Decision {
	if n > 0 {
		m.charge(clamp(off), n)
	}
	return standing(m, off, n)
}

func (m *Bucket) charge(off *big.Int, n int) {
	at := off
	full := product(m.event, big.NewInt(int64(m.limit)))
	base := product(off, m.nano)
	if m.nano.Sign() == 0 {
		if m.tat == nil {
			m.tat = new(big.Int)
		}
	} else if m.tat != nil {
		off = latest(off, m.lastAct())
		base = product(off, m.nano)
	}
	owed := new(big.Int)
	if m.tat != nil {
		owed = latest(owed, minus(m.tat, base))
	}
	most := new(big.Int).Add(power(61), full)
	after := new(big.Int).Add(owed, product(m.event, big.NewInt(int64(n))))
	if after = least(after, latest(most, owed)); after.Cmp(owed) == 0 {
		return
	}
	tat := new(big.Int).Add(base, after)
	if m.nano.Sign() > 0 && after.Cmp(full) > 0 {
		k := &mark{tat: tat, left: off, ticks: minus(after, owed), at: at, under: m.mark}
		switch below := m.mark; {
		case below == nil || below.acted != nil:
		case m.settled(): // nothing but charges was added
			k.ticks, k.at, k.under, k.depth = new(big.Int).Add(below.ticks, k.ticks), latest(below.at, at), below.under, below.depth
		case below.depth >= 16:
			k.under = nil
		default:
			k.depth = below.depth + 1
		}
		m.mark, m.before = k, nil
	}
	m.tat = tat
}

// SetRate implements [Limiter]: at a time from that of the last event on, but not after the TAT,
// the debt in time becomes the debt of as many events at the new rate.
func (m *Bucket) SetRate(off, now *big.Int, rate ratelimit.Rate, burst int) {
	if m.rate == rate && m.burst == burst {
		return
	}
	if m.tat == nil {
		m.set(rate, burst, new(big.Int))
		return
	}
	before := m.Clone().(*Bucket)
	asked := clamp(off)
	if m.nano.Sign() > 0 { // not before the last grant, which was not after the clock
		asked = latest(asked, least(clamp(now), m.newest()))
	}
	at, debt := asked, m.tat
	if m.nano.Sign() > 0 {
		at = least(latest(at, m.lastAct()), ceil(m.tat, m.nano))
		debt = latest(minus(m.tat, product(at, m.nano)), new(big.Int))
		newest := m.newest()
		if m.grants == nil || newest.Cmp(m.grants) > 0 {
			m.grants = newest
		}
	} else if m.changed != nil {
		at = latest(at, m.changed)
	}
	if m.grants == nil {
		m.grants = new(big.Int).Neg(power(63)) // at a rate of 0, only charges
	}
	old := m.event
	m.set(rate, burst, ceil(debt, old))
	if rate.Events > 0 {
		debt = least(latest(one, ceil(product(debt, m.event), old)), power(61)) // at least one: not fresh
	}
	m.changed = at
	m.tat = new(big.Int).Add(product(at, m.nano), debt)
	m.mark = &mark{tat: m.tat, left: at, acted: at}
	m.before, m.asked, m.depth = nil, nil, 0
	if at.Cmp(asked) > 0 {
		m.before, m.asked = before, asked
		if before.before != nil {
			m.depth = before.depth + 1
		}
		if m.depth >= 16 {
			before.before, m.depth = nil, 0
		}
	}
}
