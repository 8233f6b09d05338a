package keyed

import "github.com/seed-3506548a/ratelimit"

// groupView is the limiter of one request, composed of those of its keys.
type groupView[R comparable] struct{ view[R] }

// Unwrap returns the members' limiters: see [ratelimit.Wait].
func (v groupView[R]) Unwrap() []ratelimit.Limiter {
	g := v.store.(*Group[R])
	parts := make([]ratelimit.Limiter, len(g.members))
	for i, m := range g.members {
		parts[i] = m.limiter(v.key)
	}
	return parts
}
