package ratelimit

import (
	"fmt"
	"math"
	"reflect"
	"slices"
	"time"

	"github.com/seed-3506548a/ratelimit/internal/identity"
)

// All returns a limiter that grants a request if every one of ls does, and then charges all of
// them. It is a [Composite], a [Charger], a [Delayer] and a [Failer].
//
// Its Decision has the smallest Limit and Remaining of the members, and the longest RetryAfter and
// ResetAfter. By is the index of the first member with the longest RetryAfter. If no member
// refuses, By is the index of the first with the smallest Remaining.
//
// The members must have the same [Clock], which a decision reads once. [Unlimited] goes with any
// clock.
//
// The error is an [*ArgumentError] if there is no member, if a member or its clock is nil, if a
// member is a [Penalizer], if the clocks of members differ, or if a limiter occurs twice: as a
// member, or inside of one that is a [Wrapper].
//
// # Guarantee
//
// No member ever grants more than it would alone. A call asks all members first, and then charges
// them in order. So a refusal changes no member, unless the call loses a race: a member that had
// agreed refuses to be charged, because another caller was faster. Then the call gives the events
// back to the members that it has charged.
//
// Until it has done so, each of those members may refuse other callers up to n events that it could
// grant. What a member cannot give back stays charged, at most n events for each lost race: see its
// RefundAt. So put the member that gives back least last, such as a slidingwindow.Log.
//
// # Cost
//
// A decision looks at each member but the first, and charges each, by the methods of [Allower] if a
// member has them. There is no other state and no allocation. It is lock-free if the members are,
// because a call that has lost a race does not try again.
func All(ls ...Limiter) (Limiter, error) {
	refuse := func(i int, field string, value any, want string) (Limiter, error) {
		return nil, &ArgumentError{"ratelimit.All", fmt.Sprintf("ls[%d]%s", i, field), value, want}
	}
	if len(ls) == 0 {
		return nil, &ArgumentError{"ratelimit.All", "len(ls)", 0, "1 or more"}
	}
	a := &all{members: slices.Clone(ls), clock: SystemClock{}}
	leader := -1
	for i, l := range ls {
		if identity.IsNil(l) {
			return refuse(i, "", nil, "a limiter")
		}
		if penalizes(l) {
			return refuse(i, "", reflect.TypeOf(l), unpenalized)
		}
		for j, other := range ls[:i] {
			if shared(l, other) {
				return refuse(i, "", reflect.TypeOf(l), fmt.Sprintf("another limiter than in ls[%d]: a request is charged to each once", j))
			}
		}
		a.fits = append(a.fits, fits(l))
		a.allow = append(a.allow, allow(l))
		if l == Unlimited() {
			continue
		}
		switch clock := l.Clock(); {
		case identity.IsNil(clock):
			return refuse(i, ".Clock()", nil, "a clock")
		case leader < 0:
			leader, a.clock = i, clock
		case !identity.Same(clock, a.clock):
			return refuse(i, ".Clock()", reflect.TypeOf(clock), fmt.Sprintf("the clock of ls[%d], which is read for all", leader))
		}
	}
	return a, nil
}

// shared reports whether a and b are the same limiter or have one in common. Unlimited does not
// count, because it has no state.
func shared(a, b Limiter) bool {
	for _, pair := range [][2]Limiter{{a, b}, {b, a}} {
		if whole, ok := pair[0].(Wrapper); ok {
			return slices.ContainsFunc(whole.Unwrap(), func(part Limiter) bool { return shared(part, pair[1]) })
		}
	}
	return identity.Same(a, b) && a != Unlimited()
}

// fits returns the cheapest function that reports whether l would grant n events.
func fits(l Limiter) func(t time.Time, n int) bool {
	if l, ok := l.(Allower); ok {
		return l.FitsAt
	}
	return func(t time.Time, n int) bool { return l.PeekAt(t, n).OK }
}

// allow returns the cheapest function that charges one event to l if l grants it.
func allow(l Limiter) func(t time.Time) bool {
	if l, ok := l.(Allower); ok {
		return l.AllowAt
	}
	return func(t time.Time) bool { return l.TakeAt(t, 1).OK }
}

var (
	_ Composite = (*all)(nil)
	_ Charger   = (*all)(nil)
	_ Delayer   = (*all)(nil)
	_ Failer    = (*all)(nil)
)

// all has no state of its own.
type all struct {
	members []Limiter
	fits    []func(t time.Time, n int) bool // of each member
	allow   []func(t time.Time) bool        // of each member
	clock   Clock
}

// Unwrap returns the members.
func (a *all) Unwrap() []Limiter { return slices.Clone(a.members) }

func (a *all) Allow() bool {
	t := a.clock.Now()
	for _, fits := range a.fits[1:] {
		if !fits(t, 1) {
			return false
		}
	}
	for i, allow := range a.allow {
		if !allow(t) {
			a.undo(t, cost{n: 1}, i)
			return false
		}
	}
	return true
}

func (a *all) Take(n int) Decision { return a.TakeAt(a.clock.Now(), n) }

func (a *all) TakeAt(t time.Time, n int) (d Decision) {
	a.take(&d, t, cost{n: n})
	return d
}

func (a *all) take(d *Decision, t time.Time, c cost) {
	for i := 1; i < len(a.members); i++ {
		if n := c.of(i); !a.fits[i](t, n) {
			if m := a.members[i].PeekAt(t, n); !m.OK {
				a.refused(d, t, c, i, &m)
				return
			}
		}
	}
	*d = unbound
	for i, l := range a.members {
		m := l.TakeAt(t, c.of(i))
		if !m.OK {
			a.undo(t, c, i)
			a.refused(d, t, c, i, &m)
			return
		}
		d.and(i, &m, c)
	}
}

// undo gives back what the first members were charged at t, after a lost race.
func (a *all) undo(t time.Time, c cost, charged int) {
	if charged == 0 {
		return
	}
	now := a.clock.Now()
	if now.Before(t) {
		now = t
	}
	for i, l := range slices.Backward(a.members[:charged]) {
		l.RefundAt(now, c.of(i), now.Sub(t))
	}
}

func (a *all) PeekAt(t time.Time, n int) (d Decision) {
	c := cost{n: n}
	d = unbound
	for i, l := range a.members {
		m := l.PeekAt(t, n)
		if !m.OK {
			a.refused(&d, t, c, i, &m)
			return d
		}
		d.and(i, &m, c)
	}
	return d
}

// refused sets d to the decision when the member with the given index has refused with m.
func (a *all) refused(d *Decision, t time.Time, c cost, index int, m *Decision) {
	*d = unbound
	for i, l := range a.members {
		if i == index {
			d.and(i, m, c)
			continue
		}
		other := refusal(l, t, c.of(i))
		d.and(i, &other, c)
	}
}

// refusal returns the Decision of a member of a request that is not granted: its refusal, or its
// state if it would grant the request.
func refusal(l Limiter, t time.Time, n int) Decision {
	m := l.PeekAt(t, n)
	if m.OK {
		m = l.PeekAt(t, 0)
	}
	return m
}

func (a *all) RefundAt(t time.Time, n int, held time.Duration) {
	if n > a.PeekAt(t, 0).Limit {
		return // a member with a greater Limit would take it for a grant
	}
	for _, l := range slices.Backward(a.members) {
		l.RefundAt(t, n, held)
	}
}

func (a *all) Clock() Clock { return a.clock }

// Err returns the first error of the members that are a [Failer].
func (a *all) Err() error {
	for _, l := range a.members {
		if err := cause(l); err != nil {
			return err
		}
	}
	return nil
}

// unbound is the decision of no members.
var unbound = Decision{OK: true, Limit: math.MaxInt, Remaining: math.MaxInt, By: math.MaxInt}

// and adds the decision m of the next member, which has the given index, to the decision d of those
// before it.
func (d *Decision) and(index int, m *Decision, c cost) {
	limit, remaining := m.Limit, m.Remaining
	if c.each != nil {
		if n := c.each[index]; n > 0 {
			limit, remaining = limit/n, remaining/n
		} else {
			limit, remaining = math.MaxInt, math.MaxInt
		}
	}
	// Members come in order, so of those that bind equally the first stays.
	if m.RetryAfter > d.RetryAfter || d.RetryAfter == 0 && (remaining < d.Remaining || d.By == unbound.By) {
		d.By = index
	}
	d.OK = d.OK && m.OK
	d.Limit = min(d.Limit, limit)
	d.Remaining = min(d.Remaining, remaining)
	d.RetryAfter = max(d.RetryAfter, m.RetryAfter)
	d.ResetAfter = max(d.ResetAfter, m.ResetAfter)
}
