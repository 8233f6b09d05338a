package policy

import (
	"time"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/keyed"
)

// test lowers limits, or refuses, as the request of a client's test wants it: when all else grants,
// or a header would evade strikes.
func (q *question) test(r *Request) {
	for i := range r.Tighten {
		for j := range q.settlement.matched {
			m := &q.settlement.matched[j]
			if m.rule.mode != Enforce {
				continue
			}
			for k := range q.of(m) {
				if a := &q.of(m)[k]; r.Tighten[i].names(m.rule, a.limit) {
					q.tighten(a, max(r.Tighten[i].To, 0))
				}
			}
		}
	}
	if r.Refuse && q.OK {
		q.refused(ByTest)
		q.blocked = time.Second
	}
}

// names reports whether the tightening is of the limit.
func (t *Tightening) names(r *rule, l *limit) bool {
	name := t.Limit
	if n := len(r.name); len(name) > n && name[n] == '/' && name[:n] == r.name {
		name = name[n+1:]
	}
	return name == l.name
}

// tighten refuses if more than to events were used then: if what the limit has beyond that does not
// fit as well.
func (q *question) tighten(a *asked, to int) {
	beyond := a.bound.most - to
	if beyond <= 0 || !a.told.OK {
		return
	}
	told := &q.settlement.told
	a.limit.store.look(told, q.at, a, a.n+beyond)
	if told.OK {
		return
	}
	told.Limit, told.Remaining = to, max(0, told.Remaining-beyond)
	a.told, a.beyond = *told, beyond
	q.refused(ByTest)
}

// report fills in the standings, and which of them binds.
func (q *question) report() {
	s := &q.settlement
	binding := -1
	for i := range s.matched {
		m := &s.matched[i]
		for j := m.from; j < m.to; j++ {
			a := &s.asked[j]
			if q.OK && a.told.OK && !a.charged && a.limit.class != outer {
				a.look(&q.at, 0)
			}
			a.standing(next(&q.Standings), m.rule)
			if q.candidate(m.rule, a) && (binding < 0 || q.binds(j, binding)) {
				binding = j
			}
		}
	}
	if binding >= 0 && s.asked[binding].limit.hidden {
		binding = q.shownFor(binding)
	}
	q.Binding = binding
	if binding >= 0 {
		q.MoreAfter = q.moreAfter(&s.asked[binding])
	}
}

// standing sets s to how the limit stands, as it is shown.
func (a *asked) standing(s *Standing, r *rule) {
	s.Rule, s.Name, s.Rate = r.name, a.limit.name, a.bound.rate
	s.Limit, s.Remaining = a.told.Limit, a.told.Remaining
	if s.Limit == 0 && a.beyond == 0 { // the limiter was not asked
		s.Limit = a.bound.most
	}
	if shown := a.bound.shown; shown != nil {
		s.Remaining = min(max(s.Remaining+shown.Events-s.Limit, 0), shown.Events)
		s.Limit, s.Rate = shown.Events, *shown
	}
	s.RetryAfter, s.ResetAfter, s.Full = a.told.RetryAfter, a.told.ResetAfter, a.told.By == keyed.Full
	s.Crossed, s.Hidden, s.Shadow, s.Reduced, s.Unanswered = !a.told.OK, a.limit.hidden, r.mode == Shadow, a.bound.reduced, a.unanswered()
}

// refusing reports whether the limits decide what is told: then those that refuse are.
func (q *question) refusing() bool {
	return q.Action == ByLimit || q.Action == ByTest && q.blocked == 0
}

// candidate reports whether a limit may bind.
func (q *question) candidate(r *rule, a *asked) bool {
	switch {
	case r.mode == Shadow:
		return false
	case q.refusing():
		return !a.told.OK && r.mode == Enforce
	default: // a limit that counts responses is told of only when it refuses
		return !a.limit.hidden && a.limit.count == nil && !a.unanswered()
	}
}

// binds reports whether asked[j] binds more than asked[i], which comes before it.
func (q *question) binds(j, i int) bool {
	if q.refusing() {
		return q.Standings[j].RetryAfter > q.Standings[i].RetryAfter
	}
	return q.Standings[j].Remaining < q.Standings[i].Remaining
}

// shownFor returns the limit that is told in place of a hidden one: the first of its rule that may
// be, or -1. One that counts responses may be if it refuses.
func (q *question) shownFor(hidden int) int {
	for i := range q.settlement.matched {
		m := &q.settlement.matched[i]
		for j := m.from; j < m.to && m.from <= hidden && hidden < m.to; j++ {
			if a := &q.settlement.asked[j]; !a.limit.hidden && (a.limit.count == nil || !a.told.OK) {
				return j
			}
		}
	}
	return -1
}

// moreAfter returns when one more than remains is granted.
func (q *question) moreAfter(a *asked) time.Duration {
	n := a.told.Remaining + 1 + a.beyond
	switch {
	case n > a.bound.most:
		return ratelimit.Never
	case a.told.Limit == 0 && a.beyond == 0: // the limiter was not asked
		return a.told.RetryAfter
	case a.limit.class == outer && a.beyond == 0:
		return a.limit.store.(*external).moreAfter(a)
	case !a.told.OK && n == a.n: // as that is what it was asked for
		return a.told.RetryAfter
	case a.charged && a.allowed:
		t := a.limit.table
		return t.MoreAfter(&a.told, &a.sight, t.off(&q.at), &a.bound.ticks)
	}
	if a.charged && q.commit && a.limit.window {
		return a.told.ResetAfter
	}
	told := &q.settlement.told
	if a.charged && !q.commit { // what the request would be charged comes first
		n += a.cost
	}
	if n > a.bound.most { // one more than there is in a full limiter: when one event is back
		a.limit.store.look(told, q.at, a, 1)
		return told.ResetAfter
	}
	a.limit.store.look(told, q.at, a, n)
	return told.RetryAfter
}
