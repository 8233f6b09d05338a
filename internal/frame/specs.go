package frame

import (
	"sync/atomic"

	"github.com/seed-3506548a/ratelimit"
)

// Specs has specs that limiters were made with, each at a place that its arguments choose. So the
// limiters of many keys share a spec: it takes memory once, and it is in the cache of the CPU when
// any of them is asked. Other arguments may take the place. Then equal specs are not shared, which
// changes nothing else.
type Specs[Spec any] struct {
	places [64]atomic.Pointer[made[Spec]]
}

// Arguments are what a limiter is made for.
type Arguments struct {
	Rate ratelimit.Rate
	Most int // events at once
	Kind int
}

type made[Spec any] struct {
	with Arguments
	spec *Spec
}

// Get returns the spec for the arguments. If it is not there, build makes it. It is immutable.
func (s *Specs[Spec]) Get(a Arguments, build func() *Spec) *Spec {
	const odd = 0x9e3779b97f4a7c15
	mixed := ((uint64(a.Rate.Events)*odd+uint64(a.Rate.Per))*odd+uint64(a.Most))*odd + uint64(a.Kind)
	place := &s.places[mixed*odd>>58]
	m := place.Load()
	if m == nil || m.with != a {
		m = &made[Spec]{a, build()}
		place.Store(m)
	}
	return m.spec
}
