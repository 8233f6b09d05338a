package keyed

import (
	"math/bits"
	"sync/atomic"

	"github.com/seed-3506548a/ratelimit"
)

// owe charges n events of the key at off, whether they fit or not, and sets d to what one more
// finds.
//
// The rule is that of a grant, without the test: see set.go. A charge is never lost: a time that is
// late counts as the earliest that is not, and one too far ahead as the latest that is not. A key
// owes at most maxDepth.
func (c *core) owe(d *ratelimit.Decision, hash uint64, off int64, n int, limit *Limit) {
	if limit.table != c {
		c.peek(d, hash, off, min(n, 1), limit)
		return
	}
	now := c.scale.at(off)
	p := c.place(hash)
	latest := c.latest() // as of now: the charge itself moves it on
	at := now
	for {
		i, word, _, newest, present := c.look(p, now)
		if c.moves(at, newest) {
			at = max(min(at, latest), newest)
		}
		at = max(at, newest-min(newest, late))
		debt := owed(word, at, newest)
		cost := room(debt, n, limit)
		switch {
		case cost == 0:
			c.standing(d, owed(word, now, newest), newest, present, off, now, n, limit)
			return
		case c.moves(at, newest):
			c.advance(at)
		case atomic.CompareAndSwapUint64(p.word(i), word, pack(p.tag, at+debt+cost)):
			if !present && debt > 0 {
				c.count(hash).inherited.Add(1)
			}
			c.standing(d, max(at+debt+cost, now)-now, newest, true, off, now, n, limit)
			return
		default:
			c.count(hash).retries.Add(1)
		}
	}
}

// room returns the cost of n events more, as far as a key can owe it on top of debt.
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

// standing sets d to what one event more at off finds, where the key's word owes debt, after n were
// charged.
func (c *core) standing(d *ratelimit.Decision, debt, newest uint64, present bool, off int64, now uint64, n int, limit *Limit) {
	o := outcome{c.judge(debt, limit.perEvent, newest, now, present, limit), debt, newest}
	var next ratelimit.Decision
	c.report(&next, o, off, now, 1, limit)
	if o.told == granted || o.told == crowded || n < 0 && o.told == untracked {
		o.told = refused // of nothing: it reports what there is
	}
	c.report(d, o, off, now, 0, limit)
	d.OK, d.RetryAfter, d.By = next.OK, next.RetryAfter, next.By
	if n < 0 {
		d.OK, d.RetryAfter, d.By = false, ratelimit.Never, 0
	}
}
