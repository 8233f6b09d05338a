package policy

import (
	"slices"
	"strings"

	"github.com/seed-3506548a/ratelimit"
)

// Clock returns the clock that the engine reads, for callers that tell clients times.
func (e *Engine) Clock() ratelimit.Clock { return e.clock }

// Version returns what [Engine.Replace] changes: two values of one engine are equal unless the
// policy was replaced in between. It costs a load, so it can be asked for each request.
func (e *Engine) Version() any { return e.current.Load() }

// Attributes returns the names of the attributes that the policy asks for in its conditions and
// keys, sorted, each once.
func (p Policy) Attributes() []string {
	var names []string
	key := func(parts []string) {
		for _, part := range parts {
			names = append(names, strings.Split(part, "|")...)
		}
	}
	when := func(conditions []string) {
		for _, text := range conditions {
			c, _ := compileCondition(text)
			names = append(names, c.attribute)
		}
	}
	for _, r := range p.Rules {
		when(r.When)
		key(r.Key)
		for _, s := range r.Ladder {
			key(s.Who)
		}
	}
	for _, o := range p.Overrides {
		when(o.When)
	}
	slices.Sort(names)
	return slices.Compact(names)
}
