package policy

import (
	"fmt"
	"hash/maphash"
	"maps"
	"sync"
	"sync/atomic"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/internal/timeline"
)

// Engine decides about requests by a policy. Its zero value is not usable: call [New]. It is safe
// for simultaneous use.
//
// # Guarantee
//
// A request is charged to all limits of all rules that are for it, or to none. No limit is ever
// exceeded for any key, whatever the times of the requests, under load, and while the policy is
// replaced. A refusal changes nothing but strikes and what these lead to.
//
// Two requests at once may both look at what only one of them can have. Then one is refused, and
// what it was charged is given back. Limits in a table give nothing back (see [Counts]), so its
// cost may stay charged there: at most once for each race that it lost.
//
// A limit with Count is looked at before the request, and charged by Done. So with k requests under
// way at once, up to k-1 responses more than its limit can be counted.
//
// All this holds for each key, even when there are more keys than the engine has room for. Then new
// keys may be refused for what others owe: see [Stats].
//
// # Cost
//
// Decide, Peek and Done allocate nothing for keys that were seen before. Limits in tables, and
// ladders, take no lock; other limits lock a shard of a [keyed.Map]. Only a strike allocates: two
// small objects, and up to three more if it revokes or hits a Who.
//
// A key of a limit in a table takes 16 bytes, and four times that if it grants only one or two at
// once. Of other limits a key takes 150 or more. A ladder takes 2 bytes for each key of the
// capacity, and 160 to 288 for one with strikes; each rate of its throttles 2 more, or 8 if that
// grants one or two at once; and if it revokes, 8 more, and 16 for a key that is revoked. So does
// each Who of its steps.
type Engine struct {
	clock    ratelimit.Clock
	line     timeline.Timeline
	capacity int
	observe  func(*Request, *Decision)
	outer    []placement

	current atomic.Pointer[generation]

	replacing sync.Mutex // guards what follows
	seeds     map[string]maphash.Seed
	stores    map[stateID]store
	tallies   map[stateID]*tally
	ladders   map[string]*penalties
	whos      map[string]*penalties

	unrevoked atomic.Uint64 // revocations that there was no room for
}

// Option adjusts an engine under construction.
type Option func(*options)

type options struct {
	clock   ratelimit.Clock
	observe func(*Request, *Decision)
	outer   []placement
}

// WithClock makes an engine read the time from c. A nil c is an error of [New].
func WithClock(c ratelimit.Clock) Option { return func(o *options) { o.clock = c } }

// Observe makes an engine call f with each decision of Decide, except refusals by tests. The
// request and the decision are valid during the call only. f must not change or keep them. It is
// called by as many goroutines at once as call Decide.
func Observe(f func(*Request, *Decision)) Option { return func(o *options) { o.observe = f } }

const mostCapacity = 1 << 28

// New returns an engine for a copy of the policy, with room for capacity live keys of each limit:
// keys that owe something. It reads the system's clock unless [WithClock] sets another: aligned
// limits go by the wall clock, all others by the monotonic one.
//
// The error is a [*Faults] if the policy is not valid; a [*ratelimit.ArgumentError] unless capacity
// is 1 to 2^28 and no option is nil; or else one that says which limit cannot be kept beside its
// overrides, as their rates are too far apart.
func New(p Policy, capacity int, opts ...Option) (*Engine, error) {
	const fn = "policy.New"
	if err := p.Validate(); err != nil {
		return nil, err
	}
	if capacity < 1 || capacity > mostCapacity {
		return nil, &ratelimit.ArgumentError{Func: fn, Field: "capacity", Value: capacity, Want: fmt.Sprintf("1 to %d", mostCapacity)}
	}
	chosen := options{clock: ratelimit.SystemClock{}}
	for i, opt := range opts {
		if opt == nil {
			return nil, &ratelimit.ArgumentError{Func: fn, Field: fmt.Sprintf("opts[%d]", i), Value: nil, Want: "an option"}
		}
		opt(&chosen)
	}
	line, err := timeline.New(fn, []ratelimit.Option{ratelimit.WithClock(chosen.clock)})
	if err != nil {
		return nil, err
	}
	e := &Engine{
		clock: chosen.clock, line: line, capacity: capacity, observe: chosen.observe, outer: chosen.outer,
		seeds: map[string]maphash.Seed{}, stores: map[stateID]store{}, tallies: map[stateID]*tally{}, ladders: map[string]*penalties{}, whos: map[string]*penalties{},
	}
	g, err := e.compile(p.clone(), fn)
	if err != nil {
		return nil, err
	}
	e.current.Store(g)
	return e, nil
}

// Replace makes p the policy, in one step: each request is decided by the old one or the new one.
// What was consumed stays consumed in limits that are in both: whose rule has the same name and
// key, and which have the same name, As, Of, Count and period, whatever their rate and burst.
// Strikes, blocks, throttles and revocations stay in rules that have the same name and key and a
// ladder in both, and so do those of keys by the same Who. Strikes stay in spans of the same
// length: a step with another Within begins to count at 0. What a rule without such a ladder in p
// has done is forgotten, also its revocations: to keep these, keep the rule and its ladder.
//
// A gcra keeps what a key owes as a time. If its rate changes again and again, a key is granted at
// most (d + t) * rate in an interval of length t, with the fastest rate, and d the longest
// burst/rate. So change the burst with the rate, or a slower rate grants a part of its burst anew.
//
// Done and Undo of a request that the old policy has decided count in limits that are kept.
//
// Replace takes time in proportion to all rules and overrides of p, whatever has changed. Requests
// are decided meanwhile.
//
// The error is a [*Faults] if p is not valid; or says what cannot be kept, as a rate that is too
// much faster or slower than that which the limit was made for: rename the limit to begin anew.
// Then the old policy stays.
func (e *Engine) Replace(p Policy) error {
	if err := p.Validate(); err != nil {
		return err
	}
	e.replacing.Lock()
	defer e.replacing.Unlock()
	seeds, stores, ladders, whos := maps.Clone(e.seeds), maps.Clone(e.stores), maps.Clone(e.ladders), maps.Clone(e.whos)
	g, err := e.compile(p.clone(), "policy.Engine.Replace")
	if err != nil {
		e.seeds, e.stores, e.ladders, e.whos = seeds, stores, ladders, whos
		return err
	}
	e.drop(g)
	e.current.Store(g)
	return nil
}

// drop forgets the state of what is not in the policy any more.
func (e *Engine) drop(g *generation) {
	used, held := map[store]bool{}, map[*penalties]bool{}
	for i := range g.rules {
		for j := range g.rules[i].limits {
			l := &g.rules[i].limits[j]
			used[l.store] = true
			if s, ok := l.store.(*external); ok {
				s.keep(l)
			}
		}
		if l := g.rules[i].ladder; l != nil {
			held[l.penalties] = true
		}
	}
	for _, w := range g.whos {
		held[w.penalties] = true
	}
	unheld := func(_ string, p *penalties) bool { return !held[p] }
	maps.DeleteFunc(e.ladders, unheld)
	maps.DeleteFunc(e.whos, unheld)
	maps.DeleteFunc(e.stores, func(_ stateID, s store) bool { return !used[s] })
	maps.DeleteFunc(e.tallies, func(id stateID, _ *tally) bool { return e.stores[id] == nil })
}

// Policy returns a copy of the policy.
func (e *Engine) Policy() Policy { return e.current.Load().policy.clone() }

// Decide decides about the request, and fills in d: it charges all limits, or refuses. d may be one
// that was used before; then its slices are used again.
func (e *Engine) Decide(r *Request, d *Decision) {
	e.ask(r, d, true)
	if e.observe != nil && d.Action != ByTest {
		e.observe(r, d)
	}
}

// Peek fills in d with what Decide would say, and changes nothing that is counted. It may already
// be outdated. Done and Undo do nothing with d. If the request would be granted, Remaining of a
// [Standing] is what is left after it. To ask for what is left now, give the policy a [Cost] with
// an N of 0 for a path of its own, and ask about that path.
//
// A limiter in a [keyed.Map] grows when a larger limit than before is asked for a key, also by
// Peek. Then it refuses times before its last grant, and gives back nothing that it granted until
// then.
func (e *Engine) Peek(r *Request, d *Decision) { e.ask(r, d, false) }
