package policy

import "github.com/seed-3506548a/ratelimit/internal/timeline"

// Pardon ends what has become of a key by a rule's ladder: blocks, throttles and revocation, and it
// forgets the strikes. It does so for the rule's key, and for whom its steps hit, as far as attrs
// has the attributes of these. It reports whether there was anything to end. What the limits of the
// key have counted stays.
func (e *Engine) Pardon(rule string, attrs ...Attr) bool {
	g := e.current.Load()
	values := g.names.read(nil, attrs)
	pardoned := false
	for i := range g.rules {
		r := &g.rules[i]
		if r.name != rule || r.ladder == nil {
			continue
		}
		if hash, ok := r.key.hash(&g.names, values); ok {
			pardoned = e.pardon(r.ladder.culprit(hash)) || pardoned
		}
		for j := range r.ladder.steps {
			w := r.ladder.steps[j].who
			if w == nil {
				continue
			}
			if hash, ok := w.key.hash(&g.names, values); ok {
				pardoned = e.pardon(culprit{w.penalties, w.throttles, hash}) || pardoned
			}
		}
	}
	return pardoned
}

func (e *Engine) pardon(c culprit) bool {
	struck := c.strikes.Pardon(c.hash, timeline.Clamp(e.line.Now()))
	return e.revoked.Remove(c.revocation()) || struck
}
