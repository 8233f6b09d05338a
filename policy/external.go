package policy

import "github.com/seed-3506548a/ratelimit"

// Store keeps a limit for each key outside of an engine, where other processes can share it: see
// [WithStore]. It must be safe for simultaneous use. A *keyed.Map[string] is one as well.
type Store interface {
	// Limiter returns the limit of a key. It should be a [ratelimit.Charger]; a [Rememberer] if it
	// knows some answers without asking for them; and a [ratelimit.Failer] if it may not answer.
	// Then it refuses with RetryAfter [ratelimit.Never] and a negative Decision.By, unless
	// something stands in for it.
	Limiter(key string) ratelimit.Limiter
}

// Rememberer is a limiter of a [Store] that remembers refusals, which cost nothing to repeat.
type Rememberer interface {
	// Remembered returns the refusal of n events, if it is known without asking the store that this
	// refuses them now. It changes nothing.
	Remembered(n int) (refusal ratelimit.Decision, ok bool)
}

// OpenStore returns a store for a limit of a policy. Of l, it must heed Rate, As and Burst; a
// Burst of 0 has been replaced by its default. Stores of one name share what was consumed, whatever
// their rate and burst. The name has letters, digits and any of ".-_/:,=".
type OpenStore func(name string, l Limit) (Store, error)

// WithStore keeps a limit of the policy in the store that open returns, such as
// redislimit.ForPolicy's, so that all processes with the store share it. limit is the limit's name,
// or rule/name. It must be in the policy, and stay there after [Engine.Replace].
//
// Keys are strings such as "user=7" or "user=7&ip=192.0.2.1": values are in them as they are, but
// for "%" and "&", which are written as "%25" and "%26".
//
// [New] and [Engine.Replace] open a store for each different rate and burst that the limit and its
// overrides have. Their errors are those of open; and a [*ratelimit.ArgumentError] if the policy
// does not have the limit, if it has a store already, or if open or what it returns is nil.
//
// # Guarantee
//
// A request is charged to all limits or to none, in stores as elsewhere. What a store has charged
// for a request that another limit refuses then is given back by RefundAt, as is what [Engine.Undo]
// undoes. Bounds are those of the store. Ladders, with their strikes, throttles and blocks, stay in
// this process.
//
// Stores go by their own time: [Request].Time does not matter to them, but for how long ago it is
// when events are given back.
//
// If the store does not answer, the request is refused by [ByStore], unless the store has something
// to stand in. It makes no strike, and what other limits were charged is given back.
//
// # Cost
//
// A granted request asks one limit in a store once, and each further one twice: to look, and to
// charge. A limit with Count is asked once before the request. Once something refuses, limits in
// stores are not asked: their standings are Unanswered, and are not part of Decision.RetryAfter.
// Refusals that stores remember come first: see [Rememberer].
//
// Decision.MoreAfter of a gcra is exact up to a nanosecond, and that of a log is until it is empty.
func WithStore(limit string, open OpenStore) Option {
	return func(o *options) { o.outer = append(o.outer, placement{limit, open}) }
}

// placement is which limit a store has.
type placement struct {
	limit string
	open  OpenStore
}

// findStores finds the limits that are in stores.
func (g *generation) findStores(fn string) error {
	refuse := func(field string, value any, want string) error {
		return &ratelimit.ArgumentError{Func: fn, Field: field, Value: value, Want: want}
	}
	g.opens = map[place]OpenStore{}
	named := g.policy.places()
	for _, p := range g.engine.outer {
		at, want := named.find(&Override{Limit: p.limit}, g.policy.Rules)
		switch {
		case want != "":
			return refuse("WithStore limit", p.limit, want)
		case p.open == nil:
			return refuse("WithStore open", nil, "a function that opens a store")
		case g.opens[at] != nil:
			return refuse("WithStore limit", p.limit, "one store for a limit")
		}
		g.opens[at] = p.open
	}
	return nil
}
