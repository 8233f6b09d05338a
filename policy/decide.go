package policy

import (
	"slices"
	"time"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/internal/table"
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

	sight   table.Sight // of the key, if the store is a table,
	allowed bool        // by which it is allowed
	charged bool        // or would be, of a Peek

	beyond int // a test takes off the limit

	until int64      // of a throttle: its end,
	owner *penalties // and whose it is; else nil

	outer *outerLimiter // of the key, if that is in a Store; nil until it is asked
}

// outerLimiter is the limiter of a key in a Store, in a pointer: with it, what is asked fills three
// cache lines.
type outerLimiter struct{ ratelimit.Limiter }

// question is a request that is being decided.
type question struct {
	*Decision
	engine *Engine
	g      *generation
	at     moment
	now    int64 // the same, as all but limits has it
	commit bool

	blocked time.Duration // until the last block ends; 0: there is none
}

func (e *Engine) ask(r *Request, d *Decision, commit bool) {
	g := e.current.Load()
	q := question{Decision: d, engine: e, g: g, at: e.moment(r.Time, g), commit: commit}
	q.now = timeline.Clamp(q.at.off)
	d.clear()
	s := &d.settlement
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
	switch {
	case !q.OK:
		q.refuse()
	case q.g.watching:
		q.watch()
	}
	q.report()
	if q.OK && commit {
		s.generation, s.at = q.g, q.at.t
	}
}

// clear makes d that of a new request, field by field: a copy of the whole would take longer.
func (d *Decision) clear() {
	d.OK, d.Action, d.RetryAfter = false, Granted, 0
	d.Standings, d.Reached = d.Standings[:0], d.Reached[:0]
	d.Binding, d.MoreAfter, d.Shadow, d.Err = -1, ratelimit.Never, false, nil
	s := &d.settlement
	s.generation, s.cost = nil, 0
	s.matched, s.asked, s.throttles = s.matched[:0], s.asked[:0], s.throttles[:0]
}

// moment returns the moment of a time. Now is read as an offset, which costs less, unless something
// goes by the wall clock. If no limit is in a Map, the time itself is left out.
func (e *Engine) moment(t time.Time, g *generation) moment {
	switch {
	case !t.IsZero():
	case g.wall || e.line.Injected != nil:
		t = e.clock.Now()
	default:
		off := e.line.Now()
		if g.locked {
			t = e.line.Origin.Add(time.Duration(off))
		}
		return moment{t, off}
	}
	return moment{t, e.line.At(t)}
}

// of returns the limits of a rule.
func (q *question) of(m *matched) []asked { return q.settlement.asked[m.from:m.to] }

// look asks all limits of rules that enforce, and what penalties there are, and says what refuses.
// The limit of a Map or a Store that is charged first is not asked, as long as nothing else
// refuses: to charge it is to ask it.
func (q *question) look(tests bool) {
	q.OK = true
	if q.g.punishing {
		q.penalties()
		if q.throttled() {
			q.refused(ByThrottle)
		}
	}
	var lead *asked
	if q.g.locked {
		lead = q.lead()
	}
	for i := range q.settlement.matched {
		m := &q.settlement.matched[i]
		if m.rule.mode != Enforce {
			continue
		}
		if m.missing {
			q.refused(ByMissing)
		}
		for j := range q.of(m) {
			if a := &q.of(m)[j]; a != lead && a.limit.class != outer {
				q.lookAt(a, tests)
			}
		}
	}
	if q.g.outer {
		q.lookInStores(lead, tests)
	}
	if lead != nil && lead.limit.class != outer && (!q.OK || !q.commit || tests) {
		q.lookAt(lead, tests)
	}
}

// lookAt asks a limit. How it stands is not needed if it is charged next, which says so.
func (q *question) lookAt(a *asked, tests bool) {
	if q.OK && q.commit && !tests {
		if t := a.limit.table; t != nil {
			t.See(&a.sight, a.hash)
			a.allowed = t.Allows(&a.sight, t.off(&q.at), a.n, &a.bound.ticks)
			a.told.OK = a.allowed
		} else {
			a.told.OK = a.limit.store.fits(q.at, a, a.n)
		}
		if a.told.OK {
			return
		}
	}
	if a.look(&q.at, a.n); !a.told.OK {
		q.refused(ByLimit)
	}
}

// lead returns the limit of a Map or a Store that is charged first, if one is.
func (q *question) lead() (lead *asked) {
	for i := range q.settlement.matched {
		m := &q.settlement.matched[i]
		if m.rule.mode != Enforce {
			continue
		}
		for j := range q.of(m) {
			a := &q.of(m)[j]
			if a.cost != 0 && a.limit.class < last && (lead == nil || a.limit.class < lead.limit.class) {
				lead = a
			}
		}
	}
	return lead
}

func (a *asked) look(at *moment, n int) { a.limit.store.look(&a.told, *at, a, n) }

// precedence is the order in which actions are told, the first first.
var precedence = []Action{ByRevoke, ByBlock, ByMissing, ByLimit, ByThrottle, ByStore, ByTest}

func (q *question) refused(by Action) {
	if q.OK || slices.Index(precedence, by) < slices.Index(precedence, q.Action) {
		q.Action = by
	}
	q.OK = false
}

// charge charges what was looked at, or else nothing: if another caller was faster, what was
// charged is given back.
func (q *question) charge() {
	s := &q.settlement
	for _, of := range q.g.classes {
		for i := range s.matched {
			m := &s.matched[i]
			if m.rule.mode != Enforce {
				continue
			}
			if a := q.take(q.of(m), of); a != nil {
				q.undo(s.asked)
				q.refused(a.refusal())
				return
			}
		}
	}
	if q.take(s.throttles, last) != nil {
		q.undo(s.asked)
		q.refused(ByThrottle)
	}
}

// take charges limits of a class, until one refuses, which it returns. A Peek has seen that none
// does.
func (q *question) take(all []asked, of class) (refused *asked) {
	for i := range all {
		a := &all[i]
		if a.limit.class != of || a.cost == 0 {
			continue
		}
		switch t := a.limit.table; {
		case !q.commit:
			if of == outer { // it was asked how it stands without the request
				a.look(&q.at, a.cost)
			}
		case a.allowed:
			t.TakeSeen(&a.told, &a.sight, a.hash, t.off(&q.at), a.cost, &a.bound.ticks)
		default:
			a.limit.store.take(&a.told, q.at, a, a.cost)
		}
		if a.charged = a.told.OK; !a.charged {
			return a
		}
	}
	return nil
}

// undo gives back what was charged, after a race was lost.
func (q *question) undo(all []asked) {
	now := q.engine.clock.Now()
	if now.Before(q.at.t) {
		now = q.at.t
	}
	for i := range all {
		a := &all[i]
		charged := a.charged
		a.undo(now, now.Sub(q.at.t))
		if charged && a.limit.class == outer {
			a.look(&q.at, 0)
		}
	}
}

func (a *asked) undo(now time.Time, held time.Duration) {
	if a.charged {
		a.limit.store.refund(now, a, a.cost, held)
		a.charged = false
	}
}
