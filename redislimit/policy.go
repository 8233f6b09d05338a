package redislimit

import (
	"sync"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/policy"
)

// ForPolicy returns what keeps limits of a policy on the engine, for [policy.WithStore]:
//
//	shared := redislimit.ForPolicy(engine, "shop", redislimit.FailClosed)
//	limits, err := policy.New(p, 100_000, policy.WithStore("api/minute", shared))
//
// All processes that have the same limit of a policy under the same prefix share it. Its keys are
// such as "shop:api/minute:gcra:1m0s:{user=7}". The parts are the rule's and the limit's name, the
// algorithm, the period, and the key.
//
// Limits as gcra, aligned and log can be kept; other algorithms are an error of policy.New, as are
// rates that [NewGCRA], [NewAlignedWindow] or [NewLog] refuse, and the option [Lease]. What a gcra
// owes is a number of events: where overrides have other rates for the same key, it drains at the
// rate of the request that came last.
//
// If the engine does not answer, otherwise decides. FailTo asks one limiter for all keys.
func ForPolicy(engine Engine, prefix string, otherwise OnError, opts ...Option) policy.OpenStore {
	m := &memories{of: map[string]*memory{}}
	return func(name string, l policy.Limit) (policy.Store, error) {
		s, err := open(engine, prefix+":"+name, l, opts)
		if err != nil {
			return nil, err
		}
		s.memory = m.share(name, s.memory)
		return keyedBy{s, otherwise}, nil
	}
}

// open returns a store of the limit.
func open(engine Engine, name string, l policy.Limit, opts []Option) (*Store, error) {
	const fn = "redislimit.ForPolicy"
	o, err := choose(fn, opts)
	if err != nil {
		return nil, err
	}
	if o.chunk > 0 {
		return nil, &ratelimit.ArgumentError{Func: fn, Field: "Lease", Value: o.chunk, Want: "no such option: what was leased cannot be given back"}
	}
	switch l.As {
	case policy.GCRA:
		g, err := NewGCRA(engine, name, l.Rate, l.Burst, opts...)
		if err != nil {
			return nil, err
		}
		return &g.Store, nil
	case policy.Aligned:
		w, err := NewAlignedWindow(engine, name, l.Rate, opts...)
		if err != nil {
			return nil, err
		}
		return &w.Store, nil
	case policy.Log:
		w, err := NewLog(engine, name, l.Rate, opts...)
		if err != nil {
			return nil, err
		}
		return &w.Store, nil
	default:
		return nil, &ratelimit.ArgumentError{Func: fn, Field: "as", Value: l.As, Want: "gcra, aligned or log"}
	}
}

// memories are the remembered refusals of limits, by name. Stores of one limit with different rates
// have one in common, as what one of them is told of a key holds for the others.
type memories struct {
	mutex sync.Mutex
	of    map[string]*memory
}

// share returns the memory of a name, which is the given one if there is none.
func (m *memories) share(name string, made *memory) *memory {
	m.mutex.Lock()
	defer m.mutex.Unlock()
	if m.of[name] == nil {
		m.of[name] = made
	}
	return m.of[name]
}

// keyedBy is a limit of a policy.
type keyedBy struct {
	store     *Store
	otherwise OnError
}

func (k keyedBy) Limiter(key string) ratelimit.Limiter { return k.store.Limiter(key, k.otherwise) }
