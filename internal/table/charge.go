package table

import (
	"math/bits"

	"github.com/seed-3506548a/ratelimit"
)

// Owe charges n events of the key at off, whether they fit or not, and sets d to the decision on
// one more.
//
// The rule is that of a grant, without the test: see [set]. A charge is never lost: a late time
// counts as the earliest that is not late, and one too far ahead as the latest that is not. A key
// owes at most maxDepth.
func (t *Table) Owe(d *ratelimit.Decision, hash uint64, off int64, n int, limit *Limit) {
	if limit.table != t {
		t.Peek(d, hash, off, min(n, 1), limit)
		return
	}
	now := t.scale.at(off)
	p := t.place(hash)
	latest := t.latest() // as of now: the charge itself moves it on
	at := now
	for {
		s := t.look(p)
		if t.moves(at, s.newest) {
			at = max(min(at, latest), s.newest)
		}
		at = max(at, s.newest-min(s.newest, late))
		debt := s.debt(at)
		cost := room(debt, n, limit)
		owes := pack(p.tag, at+debt+cost)
		switch {
		case cost == 0:
			t.standing(d, s, off, now, n, limit)
			return
		case t.moves(at, s.newest):
			t.advance(at)
		case s.word.CompareAndSwap(s.was, owes):
			if !s.present && debt > 0 {
				t.count(hash).inherited.Add(1)
			}
			s.was, s.present = owes, true
			t.standing(d, s, off, now, n, limit)
			return
		default:
			t.count(hash).retries.Add(1)
		}
	}
}

// room returns the cost of n more events, as far as a key can owe it on top of debt.
func room(debt uint64, n int, limit *Limit) uint64 {
	most := maxDepth - min(debt, maxDepth)
	if n <= 0 {
		return 0
	}
	if high, cost := bits.Mul64(uint64(n), limit.perEvent); high == 0 {
		return min(cost, most)
	}
	return most
}

// standing sets d to the decision on one more event at off, after n were charged, where s is the
// key's word.
func (t *Table) standing(d *ratelimit.Decision, s slot, off int64, now uint64, n int, limit *Limit) {
	o := outcome{t.judge(s, now, limit.perEvent, limit), s.debt(now), s.newest}
	var next ratelimit.Decision
	t.report(&next, o, off, now, 1, limit)
	if o.told == granted || o.told == crowded || n < 0 && o.told == untracked {
		o.told = refused // of nothing: it reports what there is
	}
	t.report(d, o, off, now, 0, limit)
	d.OK, d.RetryAfter, d.By = next.OK, next.RetryAfter, next.By
	if n < 0 {
		d.OK, d.RetryAfter, d.By = false, ratelimit.Never, 0
	}
}
