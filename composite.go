package ratelimit

import (
	"slices"
	"time"
)

// Composite is a Limiter made of other limiters, its members, of which a request may cost each a number of
// events of its own: it is 1 of 60 requests a minute, and 1,500 of 90,000 tokens. What [All] returns is a
// Composite, and so is a limiter of package burst.
type Composite interface {
	Limiter

	// Unwrap returns the members.
	Unwrap() []Limiter

	// TakeEach charges as of t the first cost to the first member, the second to the second, and so on:
	// all of them or none. A cost of 0 asks nothing of its member. There must be a cost for each member,
	// and none below 0; else the request is refused for ever and charges nothing.
	//
	// The Decision is that of such requests: Limit and Remaining say how many of them, with these costs,
	// can be granted at once.
	TakeEach(t time.Time, costs ...int) Decision

	// RefundEach gives back, as of t, what TakeEach has charged held before t, to each member as its
	// RefundAt does.
	RefundEach(t time.Time, held time.Duration, costs ...int)
}

func (a *all) TakeEach(t time.Time, costs ...int) (d Decision) {
	if c := (cost{each: costs}); a.sensible(&d, t, c) {
		a.take(&d, t, c)
	}
	return d
}

// cost is what a request costs the members: n events of each, or those of each.
type cost struct {
	n    int
	each []int
}

// of returns what it costs the member with the given index.
func (c *cost) of(index int) int {
	if c.each == nil {
		return c.n
	}
	return c.each[index]
}

// sensible reports whether costs can be asked for; if not, it sets d to the decision.
func (a *all) sensible(d *Decision, t time.Time, c cost) bool {
	*d = a.PeekAt(t, 0)
	if len(c.each) != len(a.members) {
		d.OK, d.RetryAfter = false, Never
		return false
	}
	for i, n := range c.each {
		if n < 0 {
			d.OK, d.RetryAfter, d.By = false, Never, i
			return false
		}
	}
	return slices.Max(c.each) > 0 // or the state has been reported
}

func (a *all) RefundEach(t time.Time, held time.Duration, costs ...int) {
	if len(costs) != len(a.members) {
		return
	}
	for i, l := range slices.Backward(a.members) {
		l.RefundAt(t, costs[i], held)
	}
}

// ChargeAt charges every member, as [Charge] does.
func (a *all) ChargeAt(t time.Time, n int) (d Decision) {
	d = unbound
	for i, l := range a.members {
		m := Charge(l, t, n)
		d.and(i, &m, cost{n: 1})
	}
	return d
}
