package table

import (
	"time"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/internal/timeline"
)

// Sight is what a caller has seen of a key, and what came of it: a Take in steps. A caller that
// asks several tables first sees its key in each, so that it waits for the memory of all at once.
// Then it asks whether all allow the request, and then takes.
//
// To take by a sight is a turn of the loop of Take whose look was earlier. So it lands only if the
// key's word is still what was seen; if not, or if the key is new, the loop looks again.
type Sight struct {
	slot    slot
	now     uint64 // of the request, in ticks
	outcome outcome
}

// Fetch has the processor fetch the word where the key is looked for first, without waiting for it.
func (t *Table) Fetch(hash uint64) { t.place(hash).word(0).Load() }

// See looks at the key.
func (t *Table) See(s *Sight, hash uint64) { s.slot = t.look(t.place(hash)) }

// Allows reports whether Take would grant n events at off to the key, as it was seen.
func (t *Table) Allows(s *Sight, off int64, n int, limit *Limit) bool {
	s.now = t.scale.at(off)
	if limit.table != t || n <= 0 || n > limit.most {
		return n == 0
	}
	return t.judge(s.slot, s.now, uint64(n)*limit.perEvent, limit) >= untracked
}

// TakeSeen is Take of the key that was seen, which Allows has granted n events, more than 0.
func (t *Table) TakeSeen(d *ratelimit.Decision, s *Sight, hash uint64, off int64, n int, limit *Limit) {
	s.outcome = t.land(&s.slot, hash, s.now, uint64(n), limit)
	t.report(d, s.outcome, off, s.now, n, limit)
	s.outcome.debt += uint64(n) * limit.perEvent
}

// land is charge, of a key that was seen in s. It does by itself what most requests need: to charge
// a key that is there, while the newest time stays. (A loop for both would cost each Take of one
// table a call more.)
func (t *Table) land(s *slot, hash, now, n uint64, limit *Limit) outcome {
	debt := s.debt(now)
	owes := debt + n*limit.perEvent
	if s.present && owes <= limit.depth && now+late >= s.newest && !t.moves(now, s.newest) {
		if s.word.CompareAndSwap(s.was, pack(tagOf(s.was), now+owes)) {
			return outcome{granted, debt, s.newest}
		}
		t.count(hash).retries.Add(1)
	}
	return t.charge(hash, now, n, limit)
}

// MoreAfter returns how long after off the key will have one event more than has remained by d,
// which TakeSeen has granted.
func (t *Table) MoreAfter(d *ratelimit.Decision, s *Sight, off int64, limit *Limit) time.Duration {
	due := s.now + s.outcome.debt + uint64(d.Remaining+1)*limit.perEvent - limit.depth
	return timeline.Wait(timeline.Clamp(off), t.scale.when(due))
}
