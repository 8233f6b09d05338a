package keyed

import (
	"fmt"
	"math"
	"reflect"
	"slices"
	"time"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/internal/identity"
)

// Group limits a request by several keys at once, such as its user and its address. It grants what
// all its members grant, and charges all of them or none. Make it once, for a type of requests,
// from which each member takes its key:
//
//	limits, err := keyed.NewGroup(
//		keyed.By(users, func(r request) string { return r.user }),
//		keyed.By(addresses, func(r request) netip.Addr { return r.address }))
//
// A Group is to keys what [ratelimit.All] is to limiters. It first looks at all members, and then
// charges them in their order. So a refusal charges no member, unless the call loses a race: a
// member that had agreed refuses to be charged, because another caller was faster. Then the members
// charged before give back what they can. A [Table] gives nothing back, so there the events of the
// request stay charged. The limit of a member is never exceeded.
//
// A decision costs a look at each member but the first, and a charge to each. It allocates only
// what its members allocate, and is lock-free if they are.
//
// The zero Group is not usable, and its methods may panic: call [NewGroup]. A Group is safe for
// simultaneous use.
type Group[R comparable] struct {
	members []member[R]
	clock   ratelimit.Clock
}

// NewGroup returns a group of the members, which must have the same clock (see [ratelimit.Clock]).
// As with [ratelimit.All], Decision.By is the index of the member that refuses longest, or else has
// least left.
//
// The error is a [*ratelimit.ArgumentError] if there is no member, if a member is nil or was made
// of a nil store or key function, if a store is there twice (members of a member that is a Group
// count too), or if a clock is nil or the clocks differ.
func NewGroup[R comparable](members ...Member[R]) (*Group[R], error) {
	const fn = "keyed.NewGroup"
	refuse := func(field string, value any, want string) (*Group[R], error) {
		return nil, &ratelimit.ArgumentError{Func: fn, Field: field, Value: value, Want: want}
	}
	if len(members) == 0 {
		return refuse("len(members)", 0, "1 or more")
	}
	used := map[any]bool{}
	for i, m := range members {
		field := fmt.Sprintf("members[%d]", i)
		if m == nil || m.keyedStore() == nil {
			return refuse(field, nil, "a store and the key of a request there, as By returns")
		}
		for _, other := range stores(m.keyedStore()) {
			if used[other] {
				return refuse(field, reflect.TypeOf(other), "a store that is not among the members before, as one request may have one key twice in it")
			}
			used[other] = true
		}
		switch clock := m.clock(); {
		case identity.IsNil(clock):
			return refuse(field+".Clock()", nil, "a clock")
		case !identity.Same(clock, members[0].clock()):
			return refuse(field+".Clock()", reflect.TypeOf(clock), "the clock of members[0], which is read for all")
		}
	}
	g := &Group[R]{clock: members[0].clock()}
	for _, m := range members {
		g.members = append(g.members, member[R]{m, m.core()})
	}
	return g, nil
}

// stores returns the store, or those of its members if it is a Group, as far as they can be
// compared.
func stores(store any) (all []any) {
	if group, ok := store.(interface{ stores() []any }); ok {
		return group.stores()
	}
	if identity.Key(store) {
		all = append(all, store)
	}
	return all
}

func (g *Group[R]) stores() (all []any) {
	for _, m := range g.members {
		all = append(all, stores(m.keyedStore())...)
	}
	return all
}

// Allow reports whether one event of the request may happen now, and charges it if so.
func (g *Group[R]) Allow(r R) bool { return g.Take(r, 1).OK }

// Take charges n events of the request now, all of them or none.
func (g *Group[R]) Take(r R, n int) ratelimit.Decision { return g.TakeAt(g.Clock().Now(), r, n) }

// TakeAt is like [Group.Take], as of the time t.
func (g *Group[R]) TakeAt(t time.Time, r R, n int) ratelimit.Decision {
	g.must()
	var d merged
	g.take(&d, t, r, cost{n: n}, nil)
	return d.Decision
}

// TakeEach charges each member its own number of events as of t, all of them or none: for example,
// 1 of 60 requests and 1,500 of 90,000 tokens. A cost of 0 asks nothing of its member.
//
// In the Decision, Limit and Remaining count requests of these costs. TakeEach also sets each[i] to
// the decision of the i-th member, in events; each may be nil.
//
// costs must have a cost for each member, none below 0, and each, if it is not nil, must have the
// same length. Otherwise the request is refused with a RetryAfter of Never, nothing is charged, and
// each is not changed.
func (g *Group[R]) TakeEach(t time.Time, r R, costs []int, each []ratelimit.Decision) ratelimit.Decision {
	g.must()
	if len(costs) != len(g.members) || each != nil && len(each) != len(g.members) || slices.Min(costs) < 0 {
		d := g.PeekAt(t, r, 0)
		d.OK, d.RetryAfter = false, ratelimit.Never
		if len(costs) == len(g.members) {
			d.By = max(0, slices.IndexFunc(costs, func(n int) bool { return n < 0 }))
		}
		return d
	}
	c := cost{each: costs}
	if slices.Max(costs) == 0 { // nothing is asked for
		c = cost{}
	}
	var d merged
	g.take(&d, t, r, c, each)
	return d.Decision
}

// PeekAt returns what TakeAt would, and charges nothing. It may already be outdated.
func (g *Group[R]) PeekAt(t time.Time, r R, n int) ratelimit.Decision {
	g.must()
	var d merged
	c := cost{n: n}
	for i, m := range g.members {
		told := m.peek(t, r, n)
		if !told.OK {
			g.refused(&d, t, r, c, nil, i, &told)
			break
		}
		d.and(i, &told, &c)
	}
	return d.Decision
}

// ChargeAt counts n events of the request as granted at t by every member, even if they exceed a
// limit.
func (g *Group[R]) ChargeAt(t time.Time, r R, n int) ratelimit.Decision {
	g.must()
	var d merged
	for i, m := range g.members {
		told := m.charge(t, r, n)
		d.and(i, &told, &cost{n: 1})
	}
	return d.Decision
}

// RefundAt gives back, as of t, n events of the request that were granted held before t, in every
// member that gives something back. It does nothing if n is more than the Limit of a member.
func (g *Group[R]) RefundAt(t time.Time, r R, n int, held time.Duration) {
	g.must()
	for _, m := range g.members {
		if d := m.peek(t, r, 0); n > d.Limit && d.By != Full && d.By != NoLimiter {
			return // a member with a greater Limit would take it for a grant
		}
	}
	for _, m := range slices.Backward(g.members) {
		m.refund(t, r, n, held)
	}
}

// Reset forgets the key of the request in every member.
func (g *Group[R]) Reset(r R) {
	g.must()
	for _, m := range g.members {
		m.reset(r)
	}
}

// Err returns why a member has no limiter for the key of the request, or nil: see [Map.Err].
func (g *Group[R]) Err(r R) error {
	g.must()
	for _, m := range g.members {
		if err := m.err(r); err != nil {
			return err
		}
	}
	return nil
}

// Limiter returns the limiter of one request, to wait for it ([ratelimit.Wait]). Limiters of the
// same group and request are equal.
func (g *Group[R]) Limiter(r R) ratelimit.Limiter { return groupView[R]{view[R]{g, r}} }

// Clock returns the clock that Allow and Take read.
func (g *Group[R]) Clock() ratelimit.Clock {
	g.must()
	return g.clock
}

func (g *Group[R]) made() bool { return g.members != nil }

func (g *Group[R]) must() {
	if !g.made() {
		panic("keyed: a Group that was not made: call NewGroup")
	}
}

// Capacity returns the smallest capacity of all members.
func (g *Group[R]) Capacity() int {
	g.must()
	least := math.MaxInt
	for _, m := range g.members {
		least = min(least, m.capacity())
	}
	return least
}
