package policy_test

import (
	"slices"
	"time"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/policy"
)

// decide answers a request, and says what there is to settle.
func (m *reference) decide(r *policy.Request) (answer, *settled) {
	m.undo = nil
	q := &asking{reference: m, request: r, at: r.Time}
	a := q.run()
	return a, &settled{over: !q.OK, at: q.at, cost: q.cost, rules: q.rules}
}

// peek is decide, of which all is undone.
func (m *reference) peek(r *policy.Request) answer {
	a, _ := m.decide(r)
	for _, f := range slices.Backward(m.undo) {
		f()
	}
	m.undo = nil
	return a
}

// asking is a request on its way.
type asking struct {
	*reference
	answer
	request   *policy.Request
	at        time.Time
	now       int64 // at, since the origin
	cost      int
	rules     []*applied
	throttles []*throttling
	blocked   time.Duration // until all blocks end
	tested    bool          // by Refuse
}

func (q *asking) run() answer {
	if q.at.IsZero() {
		q.at = q.clock.Now()
	}
	q.now = int64(q.at.Sub(q.origin))
	q.OK, q.Binding, q.MoreAfter = true, -1, ratelimit.Never
	if q.exempt() {
		q.Action = policy.ByExempt
		return q.answer
	}
	q.apply()
	q.penalties()
	q.look()
	if q.OK {
		q.test()
	}
	if q.OK {
		q.charge()
		q.watch()
	} else {
		q.refuse()
	}
	q.stand()
	return q.answer
}

func (q *asking) exempt() bool {
	return slices.ContainsFunc(q.policy.Rules, func(r policy.Rule) bool {
		return r.Mode == policy.Exempt && includes(q.request, r.Match, r.When)
	})
}

// apply finds the rules and the limits that the request is for.
func (q *asking) apply() {
	q.cost = 1
	for _, c := range q.policy.Costs {
		if includes(q.request, c.Match, nil) {
			q.cost = c.N
		}
	}
	if q.request.Cost != 0 {
		q.cost = q.request.Cost
	}
	for i := range q.policy.Rules {
		r := &q.policy.Rules[i]
		if !includes(q.request, r.Match, r.When) {
			continue
		}
		key, ok := keyOf(q.request, r.Key, r.Missing == "share")
		if !ok && r.Missing == "skip" {
			continue
		}
		of := &applied{Rule: r, key: key, missing: !ok}
		for _, l := range r.Limits {
			if a := q.asked(r, l, key); ok && a != nil {
				of.limits = append(of.limits, a)
			}
		}
		q.rules = append(q.rules, of)
	}
}

// asked returns what is asked of a limit; nil if it is unlimited for the request.
func (q *asking) asked(r *policy.Rule, l policy.Limit, key string) *asked {
	a := &asked{rule: r, own: l, bound: l, meter: q.meters[identity(r, l)], key: key, n: q.cost, cost: q.cost}
	unlimited := false
	for i := range q.policy.Overrides {
		if o := &q.policy.Overrides[i]; names(o.Limit, r, l) && includes(q.request, o.Match, o.When) {
			a.bound, unlimited = changed(l, o), o.Unlimited
		}
	}
	if unlimited {
		return nil
	}
	switch {
	case q.cost < 0: // which every limit refuses
	case len(l.Count) > 0:
		a.n, a.cost = 1, 0
	case l.Of != "":
		n, ok := amountOf(q.request.Amounts, l.Of)
		if a.n, a.cost = n, n; !ok {
			a.n, a.cost = 1, 0
		}
	}
	return a
}

func (q *asking) look() {
	for _, r := range q.rules {
		if r.Mode != policy.Enforce {
			continue
		}
		if r.missing {
			q.refused(policy.ByMissing)
		}
		for _, a := range r.limits {
			if a.told = a.meter.look(q.at, a.key, a.n, a.bound); !a.told.OK {
				q.refused(policy.ByLimit)
			}
		}
	}
	for _, t := range q.throttles {
		if t.look(q); !t.told.OK {
			q.refused(policy.ByThrottle)
		}
	}
}

func (q *asking) refused(by policy.Action) {
	order := []policy.Action{policy.ByRevoke, policy.ByBlock, policy.ByMissing, policy.ByLimit, policy.ByThrottle, policy.ByTest}
	if q.OK || slices.Index(order, by) < slices.Index(order, q.Action) {
		q.Action = by
	}
	q.OK = false
}

// test lowers limits for the request, or refuses it.
func (q *asking) test() {
	for _, t := range q.request.Tighten {
		for _, r := range q.rules {
			for _, a := range r.limits {
				to := max(t.To, 0)
				beyond := mostOf(a.bound) - to
				if r.Mode != policy.Enforce || !names(t.Limit, r.Rule, a.own) || beyond <= 0 || !a.told.OK {
					continue
				}
				if told := a.meter.look(q.at, a.key, a.n+beyond, a.bound); !told.OK {
					told.Limit, told.Remaining = to, max(told.Remaining-beyond, 0)
					a.told, a.beyond = told, beyond
					q.refused(policy.ByTest)
				}
			}
		}
	}
	if q.OK && q.request.Refuse {
		q.tested = true
		q.refused(policy.ByTest)
	}
}

func (q *asking) charge() {
	for _, r := range q.rules {
		if r.Mode == policy.Enforce {
			q.chargeAll(r)
		}
	}
	for _, t := range q.throttles {
		t.take(q)
	}
}

func (q *asking) chargeAll(r *applied) {
	for _, a := range r.limits {
		if a.cost != 0 {
			a.told = a.meter.take(q.at, a.key, a.cost, a.bound)
			a.charged = true
		}
	}
}

// watch judges rules that refuse nothing, each alone.
func (q *asking) watch() {
	for _, r := range q.rules {
		if r.Mode != policy.Watch && r.Mode != policy.Shadow {
			continue
		}
		for _, a := range r.limits {
			a.told = a.meter.look(q.at, a.key, a.n, a.bound)
			r.crossed = r.crossed || !a.told.OK
		}
		switch {
		case r.Mode == policy.Shadow && q.shadowed(r): // by its own block or throttle
		case r.missing:
			r.crossed = true
		case r.crossed:
			q.strike(r, owed(r))
		default:
			q.chargeAll(r)
		}
		q.Shadow = q.Shadow || r.Mode == policy.Shadow && r.crossed
	}
}

// owed returns the longest wait for what a rule's own key owes.
func owed(r *applied) (longest time.Duration) {
	for _, a := range r.limits {
		if d := a.told; !d.OK && d.RetryAfter != ratelimit.Never && d.By >= 0 {
			longest = max(longest, d.RetryAfter)
		}
	}
	return longest
}

func (q *asking) refuse() {
	for _, r := range q.rules {
		for _, a := range r.limits {
			a.told.OK = a.told.OK || r.Mode != policy.Enforce // which nobody asks about this request
		}
	}
	q.RetryAfter = q.wait()
	if q.Action == policy.ByLimit || q.Action == policy.ByMissing {
		for _, r := range q.rules {
			if told := q.RetryAfter; r.Mode == policy.Enforce {
				if told == ratelimit.Never { // that is no time that an episode could last
					told = owed(r)
				}
				q.strike(r, told)
			}
		}
	}
	for _, t := range q.throttles {
		t.look(q)
	}
	q.RetryAfter = q.wait()
}

// wait returns the longest wait of all that refuse.
func (q *asking) wait() time.Duration {
	longest := q.blocked
	if q.tested {
		longest = max(longest, time.Second)
	}
	for _, r := range q.rules {
		if r.Mode != policy.Enforce {
			continue
		}
		if r.missing {
			return ratelimit.Never
		}
		for _, a := range r.limits {
			longest = max(longest, a.told.RetryAfter)
		}
	}
	for _, t := range q.throttles {
		longest = max(longest, min(t.told.RetryAfter, time.Duration(t.until-q.now)))
	}
	return longest
}

// stand fills in the standings, and which of them binds.
func (q *asking) stand() {
	var all []*asked
	for _, r := range q.rules {
		for _, a := range r.limits {
			if a.told.OK && !a.charged { // then it stands as without the request
				a.told = a.meter.look(q.at, a.key, 0, a.bound)
			}
			all = append(all, a)
			s := policy.Standing{Rule: r.Name, Name: a.own.Name, Rate: a.bound.Rate, Limit: a.told.Limit, Remaining: a.told.Remaining,
				RetryAfter: a.told.RetryAfter, ResetAfter: a.told.ResetAfter, Crossed: !a.told.OK, Hidden: a.own.Hidden, Shadow: r.Mode == policy.Shadow}
			if shown := a.bound.Shown; shown != nil {
				s.Rate, s.Limit = *shown, shown.Events
				s.Reduced = float64(a.bound.Rate.Events)/float64(a.bound.Rate.Per) < float64(shown.Events)/float64(shown.Per)
				s.Remaining = min(max(a.told.Remaining+shown.Events-a.told.Limit, 0), shown.Events)
			}
			q.Standings = append(q.Standings, s)
		}
	}
	if q.Binding = q.binds(all); q.Binding >= 0 {
		a := all[q.Binding]
		if a.told.Remaining < a.told.Limit {
			q.MoreAfter = a.meter.look(q.at, a.key, a.told.Remaining+1+a.beyond, a.bound).RetryAfter
		}
	}
}

// binds returns the limit that a client is told of.
func (q *asking) binds(all []*asked) int {
	refusing := q.Action == policy.ByLimit || q.Action == policy.ByTest && !q.tested
	binding := -1
	for i, a := range all {
		s := q.Standings[i]
		switch {
		case refusing && s.Crossed && a.rule.Mode == policy.Enforce:
			if binding < 0 || s.RetryAfter > q.Standings[binding].RetryAfter {
				binding = i
			}
		case !refusing && !s.Hidden && !s.Shadow && len(a.own.Count) == 0:
			if binding < 0 || s.Remaining < q.Standings[binding].Remaining {
				binding = i
			}
		}
	}
	if binding < 0 || !q.Standings[binding].Hidden {
		return binding
	}
	for i, a := range all { // in place of the hidden one
		if s := q.Standings[i]; a.rule == all[binding].rule && !s.Hidden && (len(a.own.Count) == 0 || s.Crossed) {
			return i
		}
	}
	return -1
}
