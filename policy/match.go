package policy

import (
	"slices"

	"github.com/seed-3506548a/ratelimit"
)

// match finds the rules that are for the request, and the limits that apply. It returns false if
// one exempts it.
func (q *question) match(r *Request) bool {
	s := &q.settlement
	var t target
	if q.g.patterned {
		t = newTarget(r.Method, r.Path)
	}
	s.attributes = q.g.names.read(s.attributes, r.Attrs)
	for i := range q.g.rules {
		if q.g.gates[i].rejects(&t) {
			continue // as most rules are for other paths: includes would say the same, by a call
		}
		if rule := &q.g.rules[i]; rule.includes(&t, s.attributes) {
			if rule.mode == Exempt {
				s.matched = s.matched[:0]
				return false
			}
			m := next(&s.matched)
			m.rule, m.crossed = rule, false
		}
	}
	if len(s.matched) == 0 {
		return true
	}
	cost := q.g.cost(r, &t)
	kept := 0
	for i := range s.matched {
		rule := s.matched[i].rule
		hash, ok := rule.key.hash(&q.g.names, s.attributes)
		if !ok && rule.skip {
			continue
		}
		if ok {
			rule.fetch(hash)
		}
		m := &s.matched[kept]
		kept++
		m.rule, m.hash, m.missing, m.from = rule, hash, !ok, len(s.asked)
		for i := range rule.limits {
			if ok {
				q.apply(&rule.limits[i], hash, cost, r, &t)
			}
		}
		m.to = len(s.asked)
	}
	if s.matched = s.matched[:kept]; kept > 0 {
		s.cost = cost
	}
	return true
}

// fetch begins to read what is known of a key, so that it comes from memory all at once.
func (r *rule) fetch(hash uint64) {
	for i := range r.limits {
		if t := r.limits[i].table; t != nil {
			t.Fetch(hash)
		}
	}
	if r.ladder != nil {
		r.ladder.strikes.Fetch(hash)
	}
}

// apply adds a limit that applies, by the override that is for the request, if there is one.
func (q *question) apply(l *limit, hash uint64, cost int, r *Request, t *target) {
	b := &l.own
	if o := l.overrides.of(t, q.settlement.attributes); o != nil {
		if b = o; b.unlimited {
			return
		}
	}
	a := next(&q.settlement.asked)
	a.limit, a.bound, a.hash, a.n, a.cost = l, b, hash, cost, cost
	a.told, a.allowed, a.charged = ratelimit.Decision{}, false, false
	a.beyond, a.owner = 0, nil
	if l.class == outer {
		a.outer, a.told.OK = nil, true // as long as it is not asked, it does not refuse
	}
	switch {
	case cost < 0: // which every limit refuses
	case l.count != nil:
		a.n, a.cost = 1, 0
	case l.of != "":
		n, ok := amount(r.Amounts, l.of)
		if a.n, a.cost = n, n; !ok {
			a.n, a.cost = 1, 0
		}
	}
}

// next returns a further element, which may be as it was used before.
func next[T any](all *[]T) *T {
	n := len(*all)
	if n == cap(*all) {
		*all = slices.Grow(*all, 1)
	}
	*all = (*all)[:n+1]
	return &(*all)[n]
}
