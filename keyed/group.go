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

// Group limits a request by several keys at once, such as its user and its address: it grants what
// all its members grant, and charges all of them, or none. It is made once, for requests of a type
// R, of which each member takes its key:
//
//	limits, err := keyed.NewGroup(
//		keyed.By(users, func(r request) string { return r.user }),
//		keyed.By(addresses, func(r request) netip.Addr { return r.address }))
//
// It is for many keys what [ratelimit.All] is for limiters, and all that is said there of races
// holds: all members are looked at, and then charged in their order; if one refuses then, since
// somebody else was faster, those charged before give back what they can. A Table gives nothing
// back, so at most the cost of the request stays charged for each race lost. No member's limit is
// ever exceeded.
//
// A decision allocates nothing that its members do not, and is lock-free if they are. It costs a
// look at each member but the first, and a charge to each.
//
// Its zero value is of no use, and its methods may panic on it: call [NewGroup]. It is safe for
// simultaneous use.
type Group[R comparable] struct {
	members []member[R]
	clock   ratelimit.Clock
}

// NewGroup returns a group of the members, which must share one clock. By in its Decisions is the
// index of the member that binds, as of [ratelimit.All].
//
// The error is a [*ratelimit.ArgumentError] if there is no member, if one is nil or has no store or
// no key, if a store is there twice, also in a member that is a Group, or if their clocks differ.
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
		if clock := m.clock(); !identity.Same(clock, members[0].clock()) {
			return refuse(field+".Clock()", reflect.TypeOf(clock), "the clock of members[0], which is read for all")
		}
	}
	g := &Group[R]{clock: members[0].clock()}
	for _, m := range members {
		g.members = append(g.members, member[R]{m, m.core()})
	}
	return g, nil
}

// stores returns the store, or those of its members if it is a Group, which can be told apart.
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

// TakeAt charges n events of the request as of t, all of them or none; t may be any time.
func (g *Group[R]) TakeAt(t time.Time, r R, n int) ratelimit.Decision {
	g.must()
	var d merged
	g.take(&d, t, r, cost{n: n}, nil)
	return d.Decision
}

// TakeEach charges each member a cost of its own as of t, all of them or none: 1 of 60 requests and
// 1,500 of 90,000 tokens. A cost of 0 asks nothing of its member. It also sets each[i] to what the
// i-th member says; each may be nil.
//
// The Decision is that of such requests: Limit and Remaining say how many of them, with these
// costs, can be granted at once; each tells them in events. There must be a cost for each member
// and none below 0, and a place in each for each, if it is not nil; else the request is refused for
// ever and charges nothing, and each is left alone.
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

// ChargeAt charges n events of the request to every member as of t, whether they fit or not.
func (g *Group[R]) ChargeAt(t time.Time, r R, n int) ratelimit.Decision {
	g.must()
	var d merged
	for i, m := range g.members {
		told := m.charge(t, r, n)
		d.and(i, &told, &cost{n: 1})
	}
	return d.Decision
}

// RefundAt gives back, as of t, n events of the request to every member that does.
func (g *Group[R]) RefundAt(t time.Time, r R, n int, held time.Duration) {
	g.must()
	for _, m := range slices.Backward(g.members) {
		m.refund(t, r, n, held)
	}
}

// Reset forgets the request's key in every member.
func (g *Group[R]) Reset(r R) {
	g.must()
	for _, m := range g.members {
		m.reset(r)
	}
}

// Err returns why a member has no limiter for the request's key, or nil: see [Map.Err].
func (g *Group[R]) Err(r R) error {
	g.must()
	for _, m := range g.members {
		if err := m.err(r); err != nil {
			return err
		}
	}
	return nil
}

// Limiter returns the limiter of one request: to wait ([ratelimit.Wait]). Two of the same group and
// request are equal.
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

// Capacity returns the least capacity of all members.
func (g *Group[R]) Capacity() int {
	g.must()
	least := math.MaxInt
	for _, m := range g.members {
		least = min(least, m.capacity())
	}
	return least
}
