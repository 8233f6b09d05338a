package ratelimit

import (
	"fmt"
	"math"
	"reflect"
	"slices"
	"time"

	"github.com/seed-3506548a/ratelimit/internal/identity"
)

// All returns a limiter that grants a request if every one of ls does, and then charges it to all
// of them. It is a [Composite], and a [Charger].
//
// Its Decision has the least Limit and Remaining of all members and the greatest RetryAfter and
// ResetAfter; By is the first member with the longest RetryAfter, or, if none has to be waited for,
// with the least Remaining.
//
// The members must share one clock, which is read once for a decision ([Unlimited] goes with any).
// The error is an [*ArgumentError] if there is no member, if one is nil or there twice, also inside
// of another that is made of limiters and says of which by a method Unwrap() []Limiter, or if their
// clocks differ.
//
// # Guarantee
//
// No member's bound is ever exceeded. A refusal leaves every member as it was, bit for bit, unless
// it has lost a race: all members are asked first, and then charged in their order; if one refuses
// then, since somebody else was faster, those charged already are given back their events, in
// reverse order and as of the time it is by then. Meanwhile others may be refused for them: at most
// n events in each member for each call that is under way. What a member does not give back (see
// its RefundAt) stays charged: at most n events for each race lost. So put last what gives back
// least, as a Log does.
//
// # Cost
//
// A look at every member but the first, and a charge to each. If a member has these methods, which
// say less and can cost less, they are called: FitsAt(t time.Time, n int) bool for PeekAt(t, n).OK,
// and AllowAt(t time.Time) bool for TakeAt(t, 1).OK.
//
// No state of its own, no allocation, and lock-free if the members are: there is no loop over lost
// races.
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
		case leader < 0:
			leader, a.clock = i, clock
		case !identity.Same(clock, a.clock):
			return refuse(i, ".Clock()", reflect.TypeOf(clock), fmt.Sprintf("the clock of ls[%d], which is read for all", leader))
		}
	}
	return a, nil
}

// shared reports whether a and b are, or are made of, the same limiter; one without a state does
// not count.
func shared(a, b Limiter) bool {
	for _, pair := range [][2]Limiter{{a, b}, {b, a}} {
		if whole, ok := pair[0].(interface{ Unwrap() []Limiter }); ok {
			return slices.ContainsFunc(whole.Unwrap(), func(part Limiter) bool { return shared(part, pair[1]) })
		}
	}
	return identity.Same(a, b) && a != Unlimited()
}

// fits returns what tells whether l would grant.
func fits(l Limiter) func(t time.Time, n int) bool {
	if l, ok := l.(interface{ FitsAt(time.Time, int) bool }); ok {
		return l.FitsAt
	}
	return func(t time.Time, n int) bool { return l.PeekAt(t, n).OK }
}

// allow returns what charges one event to l if it grants it.
func allow(l Limiter) func(t time.Time) bool {
	if l, ok := l.(interface{ AllowAt(time.Time) bool }); ok {
		return l.AllowAt
	}
	return func(t time.Time) bool { return l.TakeAt(t, 1).OK }
}

var (
	_ Composite = (*all)(nil)
	_ Charger   = (*all)(nil)
)

// all keeps no state of its own.
type all struct {
	members []Limiter
	fits    []func(t time.Time, n int) bool // for each member, and so is
	allow   []func(t time.Time) bool
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

// undo gives back what the first so many members were charged at t, if any: a race is lost.
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

// refused sets d to the decision if the member with the given index refuses by m.
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

// refusal returns what l says to a request that is not granted: if it would grant it, what it has
// anyway.
func refusal(l Limiter, t time.Time, n int) Decision {
	m := l.PeekAt(t, n)
	if m.OK {
		m = l.PeekAt(t, 0)
	}
	return m
}

func (a *all) RefundAt(t time.Time, n int, held time.Duration) {
	for _, l := range slices.Backward(a.members) {
		l.RefundAt(t, n, held)
	}
}

func (a *all) Clock() Clock { return a.clock }

// Err returns why one of the members grants nothing, if it says so: see [Wait].
func (a *all) Err() error {
	for _, l := range a.members {
		if err := cause(l); err != nil {
			return err
		}
	}
	return nil
}

// unbound is the decision of no member at all.
var unbound = Decision{OK: true, Limit: math.MaxInt, Remaining: math.MaxInt, By: math.MaxInt}

// and makes d the decision of its members and of the next, with the given index, which decided m.
func (d *Decision) and(index int, m *Decision, c cost) {
	limit, remaining := m.Limit, m.Remaining
	if c.each != nil {
		if n := c.each[index]; n > 0 {
			limit, remaining = limit/n, remaining/n
		} else {
			limit, remaining = math.MaxInt, math.MaxInt
		}
	}
	// In their order, so a member is never before one that binds equally.
	if m.RetryAfter > d.RetryAfter || d.RetryAfter == 0 && (remaining < d.Remaining || d.By == unbound.By) {
		d.By = index
	}
	d.OK = d.OK && m.OK
	d.Limit = min(d.Limit, limit)
	d.Remaining = min(d.Remaining, remaining)
	d.RetryAfter = max(d.RetryAfter, m.RetryAfter)
	d.ResetAfter = max(d.ResetAfter, m.ResetAfter)
}
