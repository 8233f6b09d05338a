package simulate

import (
	"strings"
	"time"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/internal/identity"
	"github.com/seed-3506548a/ratelimit/policy"
)

// Judge decides about requests in virtual time. [Run] gives it requests in order of time, one at a
// time.
type Judge interface {
	Judge(r *Request, v *Verdict)
}

// Verdict is what became of a request.
type Verdict struct {
	OK         bool
	RetryAfter time.Duration // 0 if OK; ratelimit.Never: it is never granted
	Cost       int           // in events
	Action     policy.Action // what decided, of a policy; else "" and [policy.ByLimit]

	// Decision is that of a policy's engine, else nil. It is valid until the next request.
	Decision *policy.Decision
}

// instant is a clock that shows the time it is set to, of the one goroutine that has it.
type instant struct{ now time.Time }

func (i *instant) Now() time.Time { return i.now }

// Policy is a [Judge] that asks a [policy.Engine]. The response to a request that is granted comes
// at once: its status and its amounts are what the trace says they turned out to be.
type Policy struct {
	policy   policy.Policy
	capacity int
	clock    instant
	engine   *policy.Engine
	request  policy.Request
	decision policy.Decision
	settles  bool // a limit counts what is known after the response only
}

// NewPolicy returns a judge for a policy with room for capacity live keys of each limit. The errors
// are those of [policy.New]. The engine is made at the first request, and begins at its time.
func NewPolicy(p policy.Policy, capacity int) (*Policy, error) {
	j := &Policy{policy: p, capacity: capacity}
	if _, err := policy.New(p, capacity, policy.WithClock(&j.clock)); err != nil {
		return nil, err
	}
	for _, rule := range p.Rules {
		for _, l := range rule.Limits {
			j.settles = j.settles || l.Of != "" || len(l.Count) > 0
		}
	}
	return j, nil
}

// Policy returns a copy of the policy.
func (j *Policy) Policy() policy.Policy { return j.policy }

// Stats returns what the engine has counted, as [policy.Engine.Stats]: whether decisions depended
// on other keys, since there was no room for all of them.
func (j *Policy) Stats() policy.Stats {
	if j.engine == nil {
		return policy.Stats{}
	}
	return j.engine.Stats()
}

// Judge implements [Judge].
func (j *Policy) Judge(r *Request, v *Verdict) {
	j.clock.now = r.At
	if j.engine == nil {
		j.engine = ratelimit.Must(policy.New(j.policy, j.capacity, policy.WithClock(&j.clock))) // as NewPolicy has tried
	}
	q := &j.request
	q.Time, q.Method, q.Path, q.Cost, q.Attrs, q.Amounts = r.At, r.Method, r.Path, r.Cost, r.Attrs, r.Amounts
	d := &j.decision
	j.engine.Decide(q, d)
	if d.OK && j.settles {
		j.engine.Done(d, policy.Outcome{Time: r.At, Status: r.Status, Amounts: r.Amounts})
	}
	v.OK, v.RetryAfter, v.Action, v.Decision, v.Cost = d.OK, d.RetryAfter, d.Action, d, d.Cost()
	if len(d.Standings) == 0 && v.Cost == 0 { // no rule has asked what it costs
		v.Cost = max(r.Cost, 1)
	}
}

// Store is what [NewStore] replays: a keyed.Table[string], a keyed.Map[string], or anything else
// with a limit for each key.
type Store interface {
	TakeAt(t time.Time, key string, n int) ratelimit.Decision
}

// Stored is a [Judge] that asks a store. A request without a cost costs 1.
type Stored struct {
	store Store
	limit policy.Limit
}

// NewStore returns a judge that takes the requests of each key from a store. The error is a
// [*ratelimit.ArgumentError] if that is nil.
//
// Make the store with a clock that shows the time of the first request, as for [Replay].
func NewStore(store Store) (*Stored, error) {
	if identity.IsNil(store) {
		return nil, &ratelimit.ArgumentError{Func: "simulate.NewStore", Field: "store", Value: nil, Want: "a table, a map, or another store"}
	}
	return &Stored{store: store}, nil
}

// NewLimit returns a judge with a limiter of its own for each key, which is exact. The errors are
// those of [policy.Limit.New]. The judge is for one Run, and keeps the limiters of all its keys.
func NewLimit(l policy.Limit) (*Stored, error) {
	if _, err := l.New(); err != nil {
		return nil, err
	}
	if l.Of != "" || len(l.Count) > 0 {
		return nil, &ratelimit.ArgumentError{Func: "simulate.NewLimit", Field: "limit", Value: l, Want: "one of requests: a policy can have this one"}
	}
	return &Stored{store: &limiters{limit: l, of: map[string]ratelimit.Limiter{}}, limit: l}, nil
}

// Judge implements [Judge].
func (j *Stored) Judge(r *Request, v *Verdict) {
	v.Cost = r.Cost
	if r.Cost == 0 {
		v.Cost = 1
	}
	var d ratelimit.Decision
	if own, ok := j.store.(*limiters); ok && r.key > 0 {
		d = own.numbered(r).TakeAt(r.At, v.Cost)
	} else {
		d = j.store.TakeAt(r.At, r.Key, v.Cost)
	}
	v.OK, v.RetryAfter, v.Action, v.Decision = d.OK, d.RetryAfter, policy.Granted, nil
	if !d.OK {
		v.Action = policy.ByLimit
	}
}

// limiters are those of all keys there were, each made at its first request.
type limiters struct {
	limit policy.Limit
	clock instant
	all   []ratelimit.Limiter // by the numbers of keys that a Run has given them
	of    map[string]ratelimit.Limiter
}

func (s *limiters) TakeAt(t time.Time, key string, n int) ratelimit.Decision {
	l := s.of[key]
	if l == nil {
		l = s.make(t)
		s.of[strings.Clone(key)] = l // it may be a part of a line
	}
	return l.TakeAt(t, n)
}

// numbered returns the limiter of the request's key.
func (s *limiters) numbered(r *Request) ratelimit.Limiter {
	for int(r.key) >= len(s.all) {
		s.all = append(s.all, nil)
	}
	l := s.all[r.key]
	if l == nil {
		l = s.make(r.At)
		s.all[r.key] = l
	}
	return l
}

func (s *limiters) make(t time.Time) ratelimit.Limiter {
	s.clock.now = t
	return ratelimit.Must(s.limit.New(ratelimit.WithClock(&s.clock)))
}
