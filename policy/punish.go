package policy

import (
	"time"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/internal/strikes"
)

// culprit is whom penalties hit: a key, of a rule or of who it is.
type culprit struct {
	*penalties
	hash uint64
}

func (l *ladder) culprit(hash uint64) culprit { return culprit{l.penalties, hash} }

// isRevoked reports whether the culprit is revoked.
func (c *culprit) isRevoked() bool {
	return c.revoked != nil && c.revoked.Len() > 0 && c.revoked.Has(c.hash)
}

// penalties looks whether the request's keys are revoked or blocked, and by which throttles they
// are slowed down: its keys in the rules that are for it, and who it is in any rule.
func (q *question) penalties() {
	enforced := false
	for i := range q.settlement.matched {
		m := &q.settlement.matched[i]
		if m.rule.mode == Shadow {
			continue
		}
		enforced = true
		if l := m.rule.ladder; l != nil && !m.missing {
			q.punish(l.culprit(m.hash))
		}
	}
	if !enforced {
		return
	}
	for _, w := range q.g.whos {
		if hash, ok := w.key.hash(&q.g.names, q.settlement.attributes); ok {
			q.punish(culprit{w.penalties, hash})
		}
	}
}

func (q *question) punish(c culprit) {
	if c.isRevoked() {
		q.refused(ByRevoke)
		q.blocked = ratelimit.Never
	}
	d := c.strikes.Held(c.hash, q.now)
	if d == nil {
		return
	}
	if until, ok := d.Blocked(q.now); ok {
		q.refused(ByBlock)
		q.blocked = max(q.blocked, time.Duration(until-q.now))
	}
	if until, slow, ok := d.Throttled(q.now); ok {
		q.slow(c, until, slow)
	}
}

// slow has the request ask a throttle, in place of the one that the culprit had, which lasts as
// long as the longer one.
func (q *question) slow(c culprit, until int64, slow int32) {
	if int(slow) >= len(c.throttles) || c.throttles[slow].limit == nil {
		return // a Replace has added it, and this request is of the policy before
	}
	l := c.throttles[slow].limit
	n := q.settlement.cost
	a := asked{limit: l, bound: &l.own, hash: c.hash, n: n, cost: n, until: until, owner: c.penalties}
	s := &q.settlement
	for i := range s.throttles {
		if t := &s.throttles[i]; t.owner == c.penalties && t.hash == c.hash {
			a.until = max(a.until, t.until)
			*t = a
			return
		}
	}
	s.throttles = append(s.throttles, a)
}

// throttled asks the throttles, and reports whether one refuses.
func (q *question) throttled() (refused bool) {
	for i := range q.settlement.throttles {
		a := &q.settlement.throttles[i]
		a.look(&q.at, a.n)
		refused = refused || !a.told.OK
	}
	return refused
}

// wait returns the longest wait of what refuses. A throttle's is over with the throttle.
func (q *question) wait() time.Duration {
	longest := q.blocked
	for i := range q.settlement.matched {
		m := &q.settlement.matched[i]
		if m.rule.mode != Enforce {
			continue
		}
		if m.missing {
			return ratelimit.Never
		}
		longest = max(longest, longestWait(q.of(m)))
	}
	for i := range q.settlement.throttles {
		a := &q.settlement.throttles[i]
		longest = max(longest, min(a.told.RetryAfter, time.Duration(a.until-q.now)))
	}
	return longest
}

func longestWait(all []asked) (longest time.Duration) {
	for i := range all {
		longest = max(longest, all[i].told.RetryAfter)
	}
	return longest
}

// refuse finds how long the request has to wait, and whether that is a strike. Limits that would
// grant it stand as without it.
func (q *question) refuse() {
	q.count(q.settlement.throttles)
	for i := range q.settlement.matched {
		m := &q.settlement.matched[i]
		if m.rule.mode == Enforce {
			q.count(q.of(m))
		}
		for j := range q.of(m) {
			if a := &q.of(m)[j]; (a.told.OK || m.rule.mode != Enforce) && a.limit.class != outer {
				a.look(&q.at, 0)
			}
		}
	}
	q.RetryAfter = q.wait()
	if q.Action == ByStore {
		q.Err = q.storeError()
	}
	if q.Action != ByLimit && q.Action != ByThrottle && q.Action != ByMissing {
		return
	}
	told := q.RetryAfter
	for i := range q.settlement.matched {
		m := &q.settlement.matched[i]
		switch {
		case m.rule.mode != Enforce:
		case told == ratelimit.Never: // by something else
			q.strike(m, longestOwed(q.of(m)))
		default:
			q.strike(m, told)
		}
	}
	q.throttled()
	q.RetryAfter = q.wait()
}

// longestOwed returns the longest wait of those limits that refuse by what the key itself owes: not
// for what they could never grant, and not because others have left no place for the key, or time
// has run away.
func longestOwed(all []asked) (longest time.Duration) {
	for i := range all {
		if d := &all[i].told; !d.OK && d.RetryAfter != ratelimit.Never && d.By >= 0 {
			longest = max(longest, d.RetryAfter)
		}
	}
	return longest
}

// strike counts a strike of a rule's key, if its limits refuse by what it owes, unless it belongs
// to the last one; and does what the ladder has for it. told is how long the key was told to wait.
func (q *question) strike(m *matched, told time.Duration) {
	l := m.rule.ladder
	if l == nil || longestOwed(q.of(m)) == 0 {
		return
	}
	var elsewhere uint16 // steps that hit who it is, and not the key
	for i := range l.steps {
		if q.who(&l.steps[i]) {
			elsewhere |= 1 << i
		}
	}
	var known strikes.Dossier
	d, s := &known, strikes.Struck{}
	if q.commit {
		d, s = l.strikes.Strike(m.hash, q.now, told, &l.compiled, elsewhere)
	} else {
		s = l.strikes.Peek(d, m.hash, q.now, told, &l.compiled, elsewhere)
	}
	if !s.Counted {
		return
	}
	for i := range l.steps {
		if step := &l.steps[i]; i == s.Acts || s.Reached>>i&1 != 0 {
			q.Reached = append(q.Reached, Reached{m.rule.name, step.Step, d.Strikes(time.Duration(step.Within))})
		}
	}
	if s.Acts >= 0 {
		q.act(m, d, &s)
	}
}

// who reports whether the request has a value of whom the step hits.
func (q *question) who(s *step) bool {
	if s.who == nil {
		return false
	}
	_, ok := s.who.key.hash(&q.g.names, q.settlement.attributes)
	return ok
}

// act does what a strike has led to, as far as the strike itself has not: d is what is known of the
// rule's key now. Of several throttles or blocks of a key, the longest holds.
func (q *question) act(m *matched, d *strikes.Dossier, s *strikes.Struck) {
	step := &m.rule.ladder.steps[s.Acts]
	c, slow := m.rule.ladder.culprit(m.hash), step.slow
	do, until := deeds[step.Do], s.Until
	raised := do != strikes.Revoke
	if q.who(step) {
		hash, _ := step.who.key.hash(&q.g.names, q.settlement.attributes)
		c, raised = culprit{step.who.penalties, hash}, false
		d = c.strikes.Look(hash)
	} else if do == strikes.Throttle {
		_, slow, _ = d.Throttled(q.now)
	}
	if do == strikes.Revoke {
		if q.revoke(&c) {
			if m.rule.mode == Enforce {
				q.blocked = ratelimit.Never
			}
			return
		}
		if do = strikes.Block; step.For == 0 {
			until = q.now + int64(24*time.Hour)
		}
	}
	if !raised && q.commit {
		c.strikes.Raise(c.hash, q.now, do, until, slow)
	}
	if m.rule.mode != Enforce {
		return
	}
	if do == strikes.Throttle {
		if d != nil {
			if end, _, ok := d.Throttled(q.now); ok {
				until = max(until, end)
			}
		}
		q.slow(c, until, slow)
		return
	}
	if d != nil {
		if end, ok := d.Blocked(q.now); ok {
			until = max(until, end)
		}
	}
	q.blocked = max(q.blocked, time.Duration(until-q.now))
}

// revoke reports whether the culprit is revoked, or would be: whether there is room.
func (q *question) revoke(c *culprit) bool {
	if q.commit {
		added := c.revoked.Add(c.hash)
		if !added {
			q.engine.unrevoked.Add(1)
		}
		return added
	}
	return c.revoked.Has(c.hash) || c.revoked.Len() < q.engine.capacity
}
