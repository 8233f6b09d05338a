package ratelimit

import (
	"slices"
	"time"
)

// Composite is a Limiter made of other limiters, its members, of which a request may cost each a
// number of events of its own: it is 1 of 60 requests a minute, and 1,500 of 90,000 tokens. What
// [All] returns is a Composite, and so is a limiter of package burst.
type Composite interface {
	Wrapper

	// TakeEach charges as of t the first cost to the first member, the second to the second, and so
	// on: all of them or none. A cost of 0 asks nothing of its member. There must be a cost for
	// each member, and none below 0; else the request is refused for ever and charges nothing.
	//
	// The Decision is that of such requests: Limit and Remaining say how many of them, with these
	// costs, can be granted at once. If all costs are 0, or the request is refused for costs that
	// cannot be, it is that of PeekAt(t, 0), and By is the member of the first negative cost.
	//
	// A call with costs that are written out allocates their list; where that matters, keep a slice
	// and pass it as costs... Nothing else allocates.
	TakeEach(t time.Time, costs ...int) Decision

	// RefundEach gives back, as of t, what TakeEach has charged held before t, to each member as
	// its RefundAt does. Costs that TakeEach refuses for ever give nothing back.
	RefundEach(t time.Time, held time.Duration, costs ...int)
}

func (a *all) TakeEach(t time.Time, costs ...int) (d Decision) {
	complete := len(costs) == len(a.members)
	negative := slices.IndexFunc(costs, func(n int) bool { return n < 0 })
	if complete && negative < 0 && slices.Max(costs) > 0 {
		a.take(&d, t, cost{each: costs})
		return d
	}
	d = a.PeekAt(t, 0) // the state: nothing is asked, or nothing that can be
	if !complete || negative >= 0 {
		d.OK, d.RetryAfter = false, Never
	}
	if complete && negative >= 0 {
		d.By = negative
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
