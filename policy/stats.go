package policy

import (
	"sync/atomic"

	"github.com/seed-3506548a/ratelimit/keyed"
)

// Stats is what an engine has counted of the limits and ladders that its policy has. Unless it says
// otherwise, a field is a count of requests since the limit or ladder was first in the policy.
//
// As long as Inherited, Saturated, Full, Late, Ahead, Untracked, Forgotten, Unrecorded and
// Unrevoked are 0, no decision has depended on the requests of other keys, except that a table
// takes about one key of 4 million for another: see package keyed.
type Stats struct {
	Counts // of all limits, and of the throttles of ladders

	// Limits are the counts of each limit, in the order of the policy.
	Limits []LimitStats

	// Forgotten is how many keys a ladder has forgotten to make room for others, although their
	// strikes still counted. Blocks and throttles are never forgotten.
	Forgotten uint64

	// Unrecorded is how many strikes, blocks and throttles were not recorded, because there was no
	// room for them: all keys of that part of the table were blocked or throttled.
	Unrecorded uint64

	// Revoked is how many keys are revoked now: at most the engine's capacity in each rule with a
	// ladder that revokes, and for each Who of such steps.
	Revoked int

	// Unrevoked is how often a key was blocked in place of being revoked, because as many
	// were revoked as there is room for.
	Unrevoked uint64
}

// LimitStats is what one limit has counted.
type LimitStats struct {
	Rule, Name string
	Counts
}

// Counts is what a limit has counted, as in [keyed.Stats] and [keyed.MapStats]. A limit that is
// gcra or aligned, and has no Of, is in a [keyed.Table], unless its overrides are too far apart for
// one, as 1/day beside 997/s; others are in a [keyed.Map], unless [WithStore] keeps them elsewhere.
type Counts struct {
	// Live is the number of keys that the limit remembers now: of a table those that owe something,
	// which is an estimate in large ones; of a map all of them.
	Live int

	Inherited uint64 // granted to new keys that took the place of another, with what that owed
	Saturated uint64 // refused to new keys for what another owed, in a table without room
	Full      uint64 // refused to new keys, in a map without room
	Late      uint64 // refused because their time was too old: see Request.Time
	Ahead     uint64 // refused because their time was too far in the future: see Request.Time
	Untracked uint64 // granted, but Done could not charge them, in a map without room or a store that did not answer

	// Unanswered is how often the limit's store was asked and did not answer: see WithStore.
	Unanswered uint64
}

// tally counts the refusals of a limit for other reasons than what a key owes.
type tally struct{ saturated, full, late, ahead atomic.Uint64 }

// Stats returns what was counted. It may already be outdated. It allocates the list of the limits,
// and reads up to 8192 words of each table to estimate Live; it takes no lock.
func (e *Engine) Stats() Stats {
	g := e.current.Load()
	s := Stats{Unrevoked: e.unrevoked.Load()}
	for i := range g.rules {
		r := &g.rules[i]
		for j := range r.limits {
			l := &r.limits[j]
			counts := l.stats()
			s.Limits = append(s.Limits, LimitStats{r.name, l.name, counts})
			s.add(counts)
		}
		if r.ladder != nil {
			s.penalties(r.ladder.penalties)
		}
	}
	for _, w := range g.whos {
		s.penalties(w.penalties)
	}
	return s
}

func (s *Stats) penalties(p *penalties) {
	struck := p.strikes.Stats()
	s.Forgotten += uint64(struck.Forgotten)
	s.Unrecorded += uint64(struck.Unrecorded)
	if p.revoked != nil {
		s.Revoked += p.revoked.Len()
	}
	for i := range p.throttles {
		s.add(p.throttles[i].limit.stats())
	}
}

func (c *Counts) add(more Counts) {
	c.Live += more.Live
	c.Inherited += more.Inherited
	c.Saturated += more.Saturated
	c.Full += more.Full
	c.Late += more.Late
	c.Ahead += more.Ahead
	c.Untracked += more.Untracked
	c.Unanswered += more.Unanswered
}

func (l *limit) stats() Counts {
	t := l.tally
	c := Counts{Saturated: t.saturated.Load(), Full: t.full.Load(), Late: t.late.Load(), Ahead: t.ahead.Load()}
	l.store.count(&c)
	return c
}

// count adds what a table has counted of its own. What it has refused is in the tally: an engine
// looks at most limits before it charges any, and a Table does not count looks.
func (s *lockFree) count(c *Counts) {
	stats := s.Stats(s.Line().Now())
	c.Live, c.Inherited = stats.Live, stats.Inherited
}

func (s *locked) count(c *Counts) { c.Live, c.Untracked = s.Len(), s.untracked.Load() }

// count counts the limits that refuse the request for other reasons than what its key owes.
func (q *question) count(all []asked) {
	if !q.commit {
		return
	}
	for i := range all {
		a := &all[i]
		if a.told.OK {
			continue
		}
		switch a.told.By {
		case keyed.Inherited:
			a.limit.tally.saturated.Add(1)
		case keyed.Full:
			a.limit.tally.full.Add(1)
		case keyed.Late:
			a.limit.tally.late.Add(1)
		case keyed.Ahead:
			a.limit.tally.ahead.Add(1)
		}
	}
}
