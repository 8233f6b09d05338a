package redislimit

import (
	"fmt"
	"slices"
	"strings"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/internal/identity"
)

// GCRA is a bucket for each key: events spread at a rate, and a burst of some at once. Its
// decisions agree in every field with those of package gcra.
type GCRA struct {
	Store
	withheld int // of the burst, for leases
}

// NewGCRA returns a limit of the given rate and burst for each key. The name is what the engine's
// keys begin with; limits of the same name share what was consumed.
//
// # Guarantee
//
// In every closed interval [a, b] of the engine's clock, whatever the clocks of the nodes show,
//
//	granted <= burst + floor((b-a) * rate)
//
// for each key. Time is counted in whole microseconds.
//
// The error is a [*ratelimit.ArgumentError] unless the engine is not nil, the name is not empty and
// has no braces, and
//
//	0 <= rate.Events <= 2^31-1, rate.Per > 0, 1 <= burst <= 2^31-1, and
//	burst * ceil(rate.Per in us / rate.Events) <= 2^51 (71 years) if rate.Events > 0
//
// If a burst would be more than 2^51 ticks (see package gcra), the emission interval is rounded up,
// by less than burst/2^49 of it. At a rate of 0 every event is refused, and the engine is not
// asked.
func NewGCRA(engine Engine, name string, rate ratelimit.Rate, burst int, opts ...Option) (*GCRA, error) {
	const fn = "redislimit.NewGCRA"
	if err := checkBucket(fn, "", rate, burst); err != nil {
		return nil, err
	}
	o, err := choose(fn, opts)
	if err != nil {
		return nil, err
	}
	g := &GCRA{withheld: o.nodes * o.chunk}
	if o.chunk > 0 {
		if err = g.leasable(fn, burst, o.chunk); err != nil {
			return nil, err
		}
		g.leases = &leases{chunk: o.chunk, of: map[string]*lease{}}
	}
	b := newBucket(rate, burst-g.withheld)
	o.chunk = 0
	if err = g.init(fn, engine, name, newBuckets([]bucket{b}), o); err != nil {
		return nil, err
	}
	return g, nil
}

// SetRate changes the rate and the burst, on this node. Change them on all nodes that have the
// limit.
//
// What a key owes is kept as a number of events, rounded up by less than a tick, and drains at the
// new rate from the first request on. Until all nodes have the same rate, a key is granted at most
// the larger burst and the faster rate. Errors are those of [NewGCRA]; and a rate so slow that what
// may be owed cannot be counted. Requests that wait by [ratelimit.Wait] ask again when they would
// have without the change. Setting the present rate does nothing.
func (g *GCRA) SetRate(rate ratelimit.Rate, burst int) error {
	const fn = "redislimit.GCRA.SetRate"
	if err := checkBucket(fn, "", rate, burst); err != nil {
		return err
	}
	if g.leases != nil {
		if err := g.leasable(fn, burst, g.leases.chunk); err != nil {
			return err
		}
	}
	b := newBucket(rate, burst-g.withheld)
	if err := b.keeps(fn, "", &g.buckets()[0]); err != nil {
		return err
	}
	g.setBuckets([]bucket{b})
	return nil
}

// Rate returns the rate that was set last.
func (g *GCRA) Rate() ratelimit.Rate { return g.buckets()[0].rate }

// Burst returns the burst that was set last.
func (g *GCRA) Burst() int { return g.buckets()[0].burst + g.withheld }

// leasable returns an error unless the burst leaves room for leases.
func (g *GCRA) leasable(fn string, burst, chunk int) error {
	if least := g.withheld + chunk; burst < least {
		return &ratelimit.ArgumentError{Func: fn, Field: "burst", Value: burst,
			Want: fmt.Sprintf("%d or more: a chunk for each node of Lease, and one more", least)}
	}
	return nil
}

func (s *Store) buckets() []bucket { return (*s.algorithm.Load()).(*buckets).all }

// init makes s a store of the algorithm. Errors name the function fn.
func (s *Store) init(fn string, engine Engine, name string, a algorithm, o options) error {
	switch {
	case identity.IsNil(engine):
		return &ratelimit.ArgumentError{Func: fn, Field: "engine", Value: nil, Want: "an engine, such as goredis.New returns"}
	case name == "" || strings.ContainsAny(name, "{}"):
		return &ratelimit.ArgumentError{Func: fn, Field: "name", Value: name, Want: "a name without braces"}
	}
	if o.chunk > 0 {
		return &ratelimit.ArgumentError{Func: fn, Field: "Lease", Value: o.chunk, Want: "no such option: it is for NewGCRA"}
	}
	if o.combine {
		s.groups = &batches{next: map[string]*batch{}}
	}
	s.engine, s.prefix, s.clock, s.timeout = engine, name+":{", o.clock, o.timeout
	s.memory = newMemory(o.remember)
	s.algorithm.Store(&a)
	return nil
}

// set makes the store one of another rate.
func (s *Store) set(a algorithm) { s.algorithm.Store(&a) }

// setBuckets makes the store one of other buckets, if they are others.
func (s *Store) setBuckets(all []bucket) {
	if slices.Equal(all, s.buckets()) {
		return
	}
	b := newBuckets(all)
	b.since = s.clock.Now()
	s.set(b)
}
