package policy

import (
	"slices"
	"time"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/internal/timeline"
)

// matched is a rule that is for a request, and what it has in mind for the key.
type matched struct {
	rule    *rule
	hash    uint64
	from    int // its limits are asked[from:to]
	to      int
	missing bool // there is no key
	crossed bool // a limit of a rule that watches, or is in shadow, does not grant
}

// asked is a limit that applies to a request, or a throttle.
type asked struct {
	limit *limit
	bound *bound
	hash  uint64
	n     int // must fit
	cost  int // is charged then
	told  ratelimit.Decision

	beyond int // a test takes off the limit

	until   int64      // of a throttle: its end,
	owner   *penalties // and whose it is; else nil
	charged bool       // or would be, of a Peek
}

// question is a request that is being decided.
type question struct {
	*Decision
	engine *Engine
	g      *generation
	t      time.Time
	now    int64 // t, in nanoseconds since the engine was made
	commit bool

	blocked time.Duration // until the last block ends; 0: there is none
}

func (e *Engine) ask(r *Request, d *Decision, commit bool) {
	q := question{Decision: d, engine: e, g: e.current.Load(), t: e.now(r.Time), commit: commit}
	q.now = timeline.Clamp(e.line.At(q.t))
	s := &d.settlement
	*d = Decision{Binding: -1, MoreAfter: ratelimit.Never, Standings: d.Standings[:0], Reached: d.Reached[:0],
		settlement: settlement{matched: s.matched[:0], asked: s.asked[:0], throttles: s.throttles[:0], attributes: s.attributes}}
	if !q.match(r) {
		d.OK, d.Action = true, ByExempt
		return
	}
	q.look(r.Refuse || len(r.Tighten) > 0)
	if q.OK {
		q.test(r)
	}
	if q.OK {
		q.charge()
	}
	if q.OK {
		q.watch()
	} else {
		q.refuse()
	}
	q.report()
	if q.OK && commit {
		s.generation, s.at = q.g, q.t
	}
}

// match finds the rules that are for the request, and the limits that apply. It returns false if one
// exempts it.
func (q *question) match(r *Request) bool {
	s := &q.settlement
	var t target
	if q.g.patterned {
		t = newTarget(r.Method, r.Path)
	}
	s.attributes = q.g.names.read(s.attributes, r.Attrs)
	for i := range q.g.rules {
		rule := &q.g.rules[i]
		if rule.includes(&t, s.attributes) {
			if rule.mode == Exempt {
				s.matched = s.matched[:0]
				return false
			}
			s.matched = append(s.matched, matched{rule: rule})
		}
	}
	if len(s.matched) == 0 {
		return true
	}
	cost := q.g.cost(r, &t)
	s.cost = cost
	kept := s.matched[:0]
	for _, m := range s.matched {
		hash, ok := m.rule.key.hash(&q.g.names, s.attributes)
		if !ok && m.rule.skip {
			continue
		}
		m.hash, m.missing = hash, !ok
		m.from = len(s.asked)
		for i := range m.rule.limits {
			if l := &m.rule.limits[i]; ok {
				q.apply(l, hash, cost, r, &t)
			}
		}
		m.to = len(s.asked)
		kept = append(kept, m)
	}
	s.matched = kept
	return true
}

// apply adds a limit that applies, by the override that is for the request, if there is one.
func (q *question) apply(l *limit, hash uint64, cost int, r *Request, t *target) {
	a := asked{limit: l, bound: &l.own, hash: hash, n: cost, cost: cost}
	if b := l.overrides.of(t, q.settlement.attributes); b != nil {
		a.bound = b
		if b.unlimited {
			return
		}
	}
	switch {
	case l.count != nil:
		a.n, a.cost = 1, 0
	case l.of != "":
		n, ok := amount(r.Amounts, l.of)
		if a.n, a.cost = n, n; !ok {
			a.n, a.cost = 1, 0
		}
	}
	q.settlement.asked = append(q.settlement.asked, a)
}

// of returns the limits of a rule.
func (q *question) of(m *matched) []asked { return q.settlement.asked[m.from:m.to] }

// look asks all limits of rules that enforce, and what penalties there are, and says what refuses.
// The limit that is charged first is not asked, as long as nothing else refuses: to charge it is to
// ask it.
func (q *question) look(tests bool) {
	q.OK = true
	q.penalties()
	if q.throttled() {
		q.refused(ByThrottle)
	}
	lead := q.lead()
	for i := range q.settlement.matched {
		m := &q.settlement.matched[i]
		if m.rule.mode != Enforce {
			continue
		}
		if m.missing {
			q.refused(ByMissing)
		}
		for j := range q.of(m) {
			if a := &q.of(m)[j]; a != lead {
				q.lookAt(a, tests)
			}
		}
	}
	if lead != nil && (!q.OK || !q.commit || tests) {
		q.lookAt(lead, tests)
	}
}

// lookAt asks a limit. How it stands is not needed if it is charged next, which says so.
func (q *question) lookAt(a *asked, tests bool) {
	if q.OK && q.commit && !tests {
		if a.told.OK = a.limit.store.fits(q.t, a.hash, a.n, a.bound); a.told.OK {
			return
		}
	}
	if a.look(q.t, a.n); !a.told.OK {
		q.refused(ByLimit)
	}
}

// lead returns the limit that is charged first, if one is.
func (q *question) lead() (lead *asked) {
	for i := range q.settlement.matched {
		m := &q.settlement.matched[i]
		if m.rule.mode != Enforce {
			continue
		}
		for j := range q.of(m) {
			if a := &q.of(m)[j]; a.cost != 0 && (lead == nil || a.limit.class < lead.limit.class) {
				lead = a
			}
		}
	}
	return lead
}

func (a *asked) look(t time.Time, n int) { a.limit.store.look(&a.told, t, a.hash, n, a.bound) }

// precedence is the order in which actions are told, the first first.
var precedence = []Action{ByRevoke, ByBlock, ByMissing, ByLimit, ByThrottle, ByTest}

func (q *question) refused(by Action) {
	if q.OK || slices.Index(precedence, by) < slices.Index(precedence, q.Action) {
		q.Action = by
	}
	q.OK = false
}

// charge charges what was looked at, or else nothing: if another caller was faster, what was charged
// is given back.
func (q *question) charge() {
	s := &q.settlement
	for of := first; of < classes; of++ {
		if of < last && !q.g.locked {
			continue
		}
		for i := range s.matched {
			if m := &s.matched[i]; m.rule.mode == Enforce && !q.take(q.of(m), of) {
				q.undo(s.asked)
				q.refused(ByLimit)
				return
			}
		}
	}
	if !q.take(s.throttles, last) {
		q.undo(s.asked)
		q.refused(ByThrottle)
	}
}

// take charges limits of a class, until one refuses. A Peek has seen that they do not.
func (q *question) take(all []asked, of class) bool {
	for i := range all {
		a := &all[i]
		if a.limit.class != of || a.cost == 0 {
			continue
		}
		if q.commit {
			a.limit.store.take(&a.told, q.t, a.hash, a.cost, a.bound)
		}
		if a.charged = a.told.OK; !a.charged {
			return false
		}
	}
	return true
}

// undo gives back what was charged, after a race was lost.
func (q *question) undo(all []asked) {
	now := q.engine.clock.Now()
	if now.Before(q.t) {
		now = q.t
	}
	for i := range all {
		all[i].undo(now, now.Sub(q.t))
	}
}

func (a *asked) undo(now time.Time, held time.Duration) {
	if a.charged {
		a.limit.store.refund(now, a.hash, a.cost, held, a.bound)
		a.charged = false
	}
}
