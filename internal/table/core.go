package table

import (
	"math/bits"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/internal/atomics"
	"github.com/seed-3506548a/ratelimit/internal/timeline"
)

// outcome is a verdict, and its reasons: what the key owed before, and the newest time, in ticks.
type outcome struct {
	told         verdict
	debt, newest uint64
}

type verdict uint8

const (
	refused   verdict = iota
	crowded           // refused for what another key owes, whose word it would take
	tooLate           // before the newest time, by more than may be
	tooEarly          // after the clock's time, by more than may be
	untracked         // granted without a charge, as there is no place for the key: see FailOpen
	granted
)

func (o outcome) ok() bool { return o.told >= untracked }

// refuser is By in the Decision of each verdict.
var refuser = [...]int{crowded: Inherited, tooLate: Late, tooEarly: Ahead, granted: 0}

// place is where a key belongs: its set, and its tag there.
type place struct {
	set *set
	tag uint64
}

func (t *Table) place(hash uint64) place {
	i, _ := bits.Mul64(hash, uint64(len(t.sets)))
	return place{&t.sets[i], max(hash&(1<<(64-tatBits)-1), 1)}
}

// word returns the i-th word that is looked at. Which is the first depends on the key, so that most
// keys are found at the first look, which the processor can foresee.
func (p place) word(i uint64) *atomics.Uint64 { return &p.set[(p.tag+i)%setSize] }

// slot is what look has found: the key's word, or else the one that it would take.
type slot struct {
	word    *atomics.Uint64
	was     uint64 // the word, as it was read
	newest  uint64 // the newest time, read after the words, none of which is ahead of it then
	present bool   // it is the key's
}

// debt returns what the key owes at now, or would inherit.
func (s slot) debt(now uint64) uint64 { return owed(s.was, now, s.newest) }

// look finds the key, or the word that it would take.
func (t *Table) look(p place) slot {
	word := p.word(0)
	if was := word.Load(); tagOf(was) == p.tag {
		return slot{word, was, t.newest.Load(), true}
	}
	return t.search(p)
}

// search is look, beyond the first word.
func (t *Table) search(p place) slot {
	var seen [setSize]uint64
	for i := range uint64(setSize) {
		word := p.word(i)
		if seen[i] = word.Load(); tagOf(seen[i]) == p.tag {
			return slot{word, seen[i], t.newest.Load(), true}
		}
	}
	newest := t.newest.Load()
	i := least(&seen, newest)
	return slot{p.word(i), seen[i], newest, false}
}

// charge is the rule: see [set]. A lost race means that another caller's change of the set has
// landed. A refusal stores nothing. n is from 1 to the most of the limit.
func (t *Table) charge(hash, now, n uint64, limit *Limit) outcome {
	p := t.place(hash)
	cost := n * limit.perEvent
	for {
		s := t.look(p)
		debt := s.debt(now)
		fits := debt+cost <= limit.depth
		switch {
		case now+late < s.newest || t.moves(now, s.newest) || !fits && !s.present:
			if told := t.seldom(hash, s, now, cost, limit); told != granted {
				return outcome{told, debt, s.newest}
			}
		case !fits:
			return outcome{refused, debt, s.newest}
		case s.word.CompareAndSwap(s.was, pack(p.tag, now+debt+cost)):
			if !s.present && debt > 0 {
				t.count(hash).inherited.Add(1)
			}
			return outcome{granted, debt, s.newest}
		default:
			t.count(hash).retries.Add(1)
		}
	}
}

// seldom counts what is not granted, and if it is, moves the newest time for it.
func (t *Table) seldom(hash uint64, s slot, now, cost uint64, limit *Limit) verdict {
	told := t.judge(s, now, cost, limit)
	if told == granted {
		t.advance(now)
	} else {
		t.count(hash).add(told)
	}
	return told
}

// judge returns the verdict on a request of that cost at now.
func (t *Table) judge(s slot, now, cost uint64, limit *Limit) verdict {
	switch {
	case now+late < s.newest:
		return tooLate
	case t.moves(now, s.newest) && now > t.latest():
		return tooEarly
	case s.debt(now)+cost <= limit.depth:
		return granted
	case s.present || cost > limit.depth:
		return refused
	case t.failOpen:
		return untracked
	}
	return crowded
}

// moves reports whether a grant at now moves the newest time.
func (t *Table) moves(now, newest uint64) bool { return now > newest+slack || newest == 0 }

// latest returns the latest time that may move the newest one: see [Ahead]. If the clock is a
// caller's own, and has not moved since the table was made, a time may also be up to slack after
// the newest grant. So a replay works without moving the clock, if its grants are no further apart.
// But while the clock stands still, each wrong time within that moves the newest time further
// ahead. While it goes, none does.
func (t *Table) latest() uint64 {
	off := t.line.Now()
	now := t.scale.at(off)
	if newest := t.newest.Load(); t.replays && off == t.made && newest > 0 {
		now = max(now, newest+slack)
	}
	return now + slack
}

func (t *Table) count(hash uint64) *rare { return &t.rare[hash%uint64(len(t.rare))] }

// Allow charges one event of the key at off, by the table's own limit, and reports whether it did.
func (t *Table) Allow(hash uint64, off int64) bool {
	return t.charge(hash, t.scale.at(off), 1, &t.limited).ok()
}

// Take charges n events of the key at off, and sets d to the decision.
func (t *Table) Take(d *ratelimit.Decision, hash uint64, off int64, n int, limit *Limit) {
	if n <= 0 || n > limit.most || limit.table != t {
		t.Peek(d, hash, off, n, limit)
		return
	}
	now := t.scale.at(off)
	o := t.charge(hash, now, uint64(n), limit)
	t.report(d, o, off, now, n, limit)
}

// Peek sets d to what Take would decide.
func (t *Table) Peek(d *ratelimit.Decision, hash uint64, off int64, n int, limit *Limit) {
	if limit.table != t {
		*d = ratelimit.Decision{OK: n == 0}
		if n != 0 {
			d.RetryAfter = ratelimit.Never
		}
		return
	}
	now := t.scale.at(off)
	s := t.look(t.place(hash))
	o := outcome{refused, s.debt(now), s.newest}
	if n > 0 && n <= limit.most {
		o.told = t.judge(s, now, uint64(n)*limit.perEvent, limit)
	} else if told := t.judge(s, now, 0, limit); told == tooLate || told == tooEarly {
		o.told = told
	}
	t.report(d, o, off, now, n, limit)
}

// Fits reports whether Take would grant n events of the key at off.
func (t *Table) Fits(hash uint64, off int64, n int, limit *Limit) bool {
	if limit.table != t || n <= 0 || n > limit.most {
		return n == 0
	}
	now := t.scale.at(off)
	return t.judge(t.look(t.place(hash)), now, uint64(n)*limit.perEvent, limit) >= untracked
}

// report sets d to the decision on n events at off, which is now in ticks, from the outcome.
func (t *Table) report(d *ratelimit.Decision, o outcome, off int64, now uint64, n int, limit *Limit) {
	*d = ratelimit.Decision{OK: o.ok() || n == 0, Limit: limit.most}
	off = timeline.Clamp(off)
	debt := o.debt
	if o.told == untracked {
		d.Remaining = limit.most
		return
	}
	if o.told == granted {
		debt += uint64(n) * limit.perEvent
	}
	soonest := now // the first time that is not late
	if o.told == tooLate {
		soonest = o.newest - late
	} else if debt < limit.depth && o.told != tooEarly {
		d.Remaining = int((limit.depth - debt) / limit.perEvent)
	}
	switch {
	case d.OK:
	case n < 0 || n > limit.most:
		d.RetryAfter = ratelimit.Never
	case o.told == tooEarly: // a later time is no better
		d.RetryAfter, d.By = ratelimit.Never, Ahead
	default:
		d.By = refuser[o.told]
		least := now + debt + uint64(n)*limit.perEvent - limit.depth
		d.RetryAfter = timeline.Wait(off, t.scale.when(max(least, soonest)))
	}
	if debt > 0 || o.told == tooLate {
		d.ResetAfter = timeline.Wait(off, t.scale.when(max(now+debt, soonest)))
	}
}
