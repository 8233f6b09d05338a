package policy

// watch judges rules that watch or are in shadow, each alone, for a request that all others grant.
func (q *question) watch() {
	for i := range q.settlement.matched {
		m := &q.settlement.matched[i]
		if m.rule.mode == Enforce {
			continue
		}
		q.judge(m)
		q.Shadow = q.Shadow || m.crossed && m.rule.mode == Shadow
	}
}

// judge charges a rule that refuses nothing, if it would grant the request. If it would not, that
// is a strike, unless the key was shut out already: as it would be if the rule enforced.
func (q *question) judge(m *matched) {
	s := &q.settlement
	enforced := len(s.throttles)
	shut := q.shadowed(m)
	all, throttles := q.of(m), s.throttles[enforced:]
	m.crossed = m.missing || shut
	for i := range all {
		if a := &all[i]; a.limit.class == outer {
			q.lookInStore(m, a)
		} else {
			a.look(&q.at, a.n)
		}
		m.crossed = m.crossed || !all[i].told.OK
	}
	for i := range throttles {
		m.crossed = m.crossed || !throttles[i].told.OK
	}
	for _, of := range q.g.classes {
		m.crossed = m.crossed || q.take(all, of) != nil
	}
	m.crossed = m.crossed || q.take(throttles, last) != nil
	if m.crossed {
		q.count(all)
		q.count(throttles)
		q.undo(all)
	}
	if m.crossed && !shut {
		q.strike(m, longestOwed(all))
	}
}

// shadowed reports whether the key of a rule in shadow is shut out, and asks the throttle that it
// has to pass, if there is one. What has become of the keys of other rules was seen before.
func (q *question) shadowed(m *matched) (shut bool) {
	l := m.rule.ladder
	if m.rule.mode != Shadow || l == nil || m.missing {
		return false
	}
	c := l.culprit(m.hash)
	if c.isRevoked() {
		return true
	}
	d := c.strikes.Held(c.hash, q.now)
	if d == nil {
		return false
	}
	if until, slow, ok := d.Throttled(q.now); ok {
		q.slow(c, until, slow)
		q.throttled()
	}
	_, shut = d.Blocked(q.now)
	return shut
}
