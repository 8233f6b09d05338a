package policy_test

import (
	"maps"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/policy"
)

// dossier is what has become of a key. Its times are nanoseconds since the origin, and what has no
// end yet ends before all times. An episode begins a second before its first strike, since requests
// that came at once are refused in any order.
type dossier struct {
	from, episode, block, throttle int64
	slow                           ratelimit.Rate
	tallies                        map[policy.Span]tally
}

type tally struct {
	begin int64
	count int
}

func (m *reference) dossier(of string) dossier {
	if d, ok := m.dossiers[of]; ok {
		d.tallies = maps.Clone(d.tallies)
		return d
	}
	return dossier{math.MinInt64, math.MinInt64, math.MinInt64, math.MinInt64, ratelimit.Rate{}, map[policy.Span]tally{}}
}

func (m *reference) file(of string, d dossier) {
	before, ok := m.dossiers[of]
	m.onUndo(func() {
		if m.dossiers[of] = before; !ok {
			delete(m.dossiers, of)
		}
	})
	m.dossiers[of] = d
}

// Whose a dossier is: a rule's key, or who somebody is in all rules.

func ofRule(r *policy.Rule, key string) string {
	return "rule " + r.Name + " " + strings.Join(r.Key, " ") + ";" + key
}

func ofWho(who []string, key string) string { return "who " + strings.Join(who, " ") + ";" + key }

// hits returns whom a step of a rule hits.
func (q *asking) hits(r *applied, s policy.Step) string {
	if len(s.Who) > 0 && r.Mode != policy.Shadow {
		if key, ok := keyOf(q.request, s.Who, false); ok {
			return ofWho(s.Who, key)
		}
	}
	return ofRule(r.Rule, r.key)
}

// throttling is a throttle that a request is slowed down by.
type throttling struct {
	*table
	bound policy.Limit
	of    string
	until int64
	told  ratelimit.Decision
}

func (m *reference) throttle(of string, to ratelimit.Rate) (*table, policy.Limit) {
	all, _, _ := strings.Cut(of, ";")
	bound := policy.Limit{Rate: to, As: policy.GCRA, Burst: max(1, int(int64(to.Events)*int64(time.Second)/int64(to.Per)))}
	name := all + " to " + to.String()
	t, ok := m.throttles[name]
	if !ok {
		t = m.newTable(bound, nil)
		m.throttles[name] = t
	}
	return t, bound
}

// prepare makes the throttles of a step, whose ticks begin then.
func (m *reference) prepare(r *policy.Rule, s policy.Step) {
	if s.To == nil {
		return
	}
	m.throttle(ofRule(r, ""), *s.To)
	if len(s.Who) > 0 && r.Mode != policy.Shadow {
		m.throttle(ofWho(s.Who, ""), *s.To)
	}
}

func (t *throttling) look(q *asking) { t.told = t.table.look(q.at, t.of, q.cost, t.bound) }

func (t *throttling) take(q *asking) { t.told = t.table.take(q.at, t.of, q.cost, t.bound) }

// slow has the request pass a throttle, in place of the one of the same key.
func (q *asking) slow(of string, to ratelimit.Rate, until int64) {
	q.throttles = slices.DeleteFunc(q.throttles, func(t *throttling) bool { return t.of == of })
	table, bound := q.throttle(of, to)
	q.throttles = append(q.throttles, &throttling{table: table, bound: bound, of: of, until: until})
}

// penalties looks at all dossiers of the request: of its rules' keys, and of who it is.
func (q *asking) penalties() {
	var all []string
	enforced := false
	for _, r := range q.rules {
		if r.Mode == policy.Shadow {
			continue
		}
		enforced = true
		if len(r.Ladder) > 0 && !r.missing {
			all = append(all, ofRule(r.Rule, r.key))
		}
	}
	for i := range q.policy.Rules {
		r := &q.policy.Rules[i]
		for _, s := range r.Ladder {
			if key, ok := keyOf(q.request, s.Who, false); ok && len(s.Who) > 0 && enforced && r.Mode != policy.Shadow {
				all = append(all, ofWho(s.Who, key))
			}
		}
	}
	for _, of := range all {
		if q.revoked[of] {
			q.refused(policy.ByRevoke)
			q.blocked = ratelimit.Never
		}
		d := q.dossier(of)
		if q.now < d.block {
			q.refused(policy.ByBlock)
			q.blocked = max(q.blocked, time.Duration(d.block-q.now))
		}
		if q.now < d.throttle {
			q.slow(of, d.slow, d.throttle)
		}
	}
}

// shadowed reports whether a rule in shadow would refuse by its own block, revocation or throttle;
// if nothing would, it charges the throttle.
func (q *asking) shadowed(r *applied) bool {
	if r.missing || len(r.Ladder) == 0 {
		return false
	}
	of := ofRule(r.Rule, r.key)
	d := q.dossier(of)
	if q.revoked[of] || q.now < d.block {
		r.crossed = true
		return true
	}
	if q.now >= d.throttle {
		return false
	}
	table, bound := q.throttle(of, d.slow)
	if !table.look(q.at, of, q.cost, bound).OK {
		slowed := !r.crossed // else its limits refuse as well, which is a strike
		r.crossed = true
		return slowed
	}
	if !r.crossed {
		table.take(q.at, of, q.cost, bound)
	}
	return false
}

// strike counts a strike of a rule's key, unless it belongs to the last one, and does what its
// ladder has for it.
func (q *asking) strike(r *applied, told time.Duration) {
	if len(r.Ladder) == 0 || owed(r) == 0 {
		return
	}
	of := ofRule(r.Rule, r.key)
	d := q.dossier(of)
	if d.from <= q.now && q.now < d.episode {
		return
	}
	d.from = q.now - int64(time.Second)
	d.episode = q.now + int64(max(told, time.Second))
	counted := map[policy.Span]bool{}
	for _, s := range r.Ladder {
		if s.Within == 0 || counted[s.Within] {
			continue
		}
		counted[s.Within] = true
		t := d.tallies[s.Within]
		if t.count == 0 || q.now < t.begin || q.now >= t.begin+int64(s.Within) {
			t = tally{begin: q.now}
		}
		t.count++
		d.tallies[s.Within] = t
	}
	q.file(of, d)

	acting := -1
	count := func(s policy.Step) int {
		if s.Within == 0 {
			return 1
		}
		return d.tallies[s.Within].count
	}
	for i, s := range r.Ladder {
		if s.Do != "log" && s.Do != "notify" && count(s) >= s.After {
			acting = i
		}
	}
	for i, s := range r.Ladder {
		reports := (s.Do == "log" || s.Do == "notify") && count(s) == s.After
		if reports || i == acting {
			q.Reached = append(q.Reached, policy.Reached{Rule: r.Name, Step: s, Strikes: count(s)})
		}
	}
	if acting >= 0 {
		q.act(r, r.Ladder[acting])
	}
}

// act does what a step says.
func (q *asking) act(r *applied, s policy.Step) {
	of := q.hits(r, s)
	d := q.dossier(of)
	enforces := r.Mode == policy.Enforce
	block := func(length policy.Span) {
		d.block = max(d.block, q.now+int64(length))
		q.file(of, d)
		if enforces {
			q.blocked = max(q.blocked, time.Duration(d.block-q.now))
		}
	}
	switch s.Do {
	case "throttle":
		d.throttle, d.slow = max(d.throttle, q.now+int64(s.For)), *s.To
		q.file(of, d)
		if enforces {
			q.slow(of, *s.To, d.throttle)
		}
	case "block":
		block(s.For)
	case "revoke":
		if !q.revoked[of] && q.revokedBeside(of) >= q.capacity {
			if s.For == 0 {
				s.For = policy.Span(24 * time.Hour)
			}
			block(s.For)
			return
		}
		if !q.revoked[of] {
			q.revoked[of] = true
			q.onUndo(func() { delete(q.revoked, of) })
		}
		if enforces {
			q.blocked = ratelimit.Never
		}
	}
}

// revokedBeside returns how many keys are revoked of the same rule, or of the same who.
func (m *reference) revokedBeside(of string) (n int) {
	whose, _, _ := strings.Cut(of, ";")
	for other := range m.revoked {
		if strings.HasPrefix(other, whose+";") {
			n++
		}
	}
	return n
}

// pardon returns whether there was anything to end, and whether that was nothing but strikes.
func (m *reference) pardon(rule string, attrs []policy.Attr) (there, strikes bool) {
	request := &policy.Request{Attrs: attrs}
	now := int64(m.clock.Now().Sub(m.origin))
	shut := false
	end := func(of string) {
		d, struck := m.dossiers[of]
		there = there || struck || m.revoked[of]
		shut = shut || m.revoked[of] || struck && (now < d.block || now < d.throttle)
		delete(m.dossiers, of)
		delete(m.revoked, of)
	}
	for i := range m.policy.Rules {
		r := &m.policy.Rules[i]
		if r.Name != rule || len(r.Ladder) == 0 {
			continue
		}
		if key, ok := keyOf(request, r.Key, r.Missing == "share"); ok {
			end(ofRule(r, key))
		}
		for _, s := range r.Ladder {
			if key, ok := keyOf(request, s.Who, false); ok && len(s.Who) > 0 && r.Mode != policy.Shadow {
				end(ofWho(s.Who, key))
			}
		}
	}
	return there, there && !shut
}
