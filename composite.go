package ratelimit

import (
	"slices"
	"time"
)

// Composite is a Limiter made of other limiters, its members. One request can cost each member a
// different number of events: 1 of 60 requests a minute, and 1,500 of 90,000 tokens. [All] returns
// a Composite, and the limiters of package burst are Composites.
type Composite interface {
	Wrapper

	// TakeEach charges, as of t, the first cost to the first member, the second to the second, and
	// so on: all of them or none. A cost of 0 does not charge its member. If there is not one cost
	// for each member, or one is negative, the request is refused with RetryAfter == [Never].
	//
	// Limit and Remaining count requests of these costs: how many can be granted at once. They
	// count events, as those of PeekAt(t, 0) do, if all costs are 0, or if the costs are not valid.
	// Then By is the member of the first negative cost, if there is one.
	//
	// With costs in a slice that you keep, as in TakeEach(t, costs...), the call allocates nothing.
	TakeEach(t time.Time, costs ...int) Decision

	// RefundEach gives back, as of t, the costs that TakeEach charged at t-held, to each member as
	// its RefundAt does. It does nothing for costs that are not valid there.
	RefundEach(t time.Time, held time.Duration, costs ...int)
}

func (a *all) TakeEach(t time.Time, costs ...int) (d Decision) {
	complete := len(costs) == len(a.members)
	negative := slices.IndexFunc(costs, func(n int) bool { return n < 0 })
	if complete && negative < 0 && slices.Max(costs) > 0 {
		a.take(&d, t, cost{each: costs})
		return d
	}
	d = a.PeekAt(t, 0) // the state: the costs are all 0, or are refused
	if !complete || negative >= 0 {
		d.OK, d.RetryAfter = false, Never
	}
	if complete && negative >= 0 {
		d.By = negative
	}
	return d
}

// cost is what a request costs the members: n events each, unless each has a number for every
// member.
type cost struct {
	n    int
	each []int
}

// of returns the cost for the member with the given index.
func (c *cost) of(index int) int {
	if c.each == nil {
		return c.n
	}
	return c.each[index]
}

func (a *all) RefundEach(t time.Time, held time.Duration, costs ...int) {
	if len(costs) != len(a.members) || slices.Min(costs) < 0 {
		return // no such request was granted
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
