package policy

import "github.com/seed-3506548a/ratelimit/internal/timeline"

// Pardon ends what a rule's ladder has done to a key: its blocks, its throttles and its revocation.
// It also forgets the key's strikes. It does so for the rule's own key, and for the keys that its
// steps hit by Who, as far as attrs has their attributes. It reports whether there was anything to
// end. What the limits have counted stays.
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
				pardoned = e.pardon(culprit{w.penalties, hash}) || pardoned
			}
		}
	}
	return pardoned
}

func (e *Engine) pardon(c culprit) bool {
	struck := c.strikes.Pardon(c.hash, timeline.Clamp(e.line.Now()))
	return c.revoked != nil && c.revoked.Remove(c.hash) || struck
}
