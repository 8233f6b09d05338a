package bucket

import (
	"math/bits"
	"time"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/internal/frame"
	"github.com/seed-3506548a/ratelimit/internal/timeline"
)

// ChargeAt counts n events as granted at t, whether they fit or not, and sets d to what is left for
// one more.
//
// The step is computed from one load of the word and lands only if it has not moved since; a lost
// race means that another caller's change landed, and the step is computed anew.
func (b *Bucket) ChargeAt(d *ratelimit.Decision, t time.Time, n int) {
	off := timeline.Clamp(b.line.At(t))
	for {
		f := b.current.Load()
		c := &f.Scale
		word := f.Word.Load()
		live := word &^ frame.Frozen
		after, ok := c.charged(live, off, n)
		switch {
		case !ok:
			c.standing(d, live, off, n)
			return
		case word >= frame.Frozen:
			b.current.Help(f)
			continue
		case after.scale == *c:
			if f.Word.CompareAndSwap(word, after.word) {
				c.standing(d, after.word, off, n)
				return
			}
			continue
		}
		charge := &plan{Successor: func(f *bucketFrame, word uint64) *bucketFrame {
			if charged, more := f.Scale.charged(word, off, n); more {
				return charged.frame()
			}
			return nil
		}}
		if b.current.Replace(f, charge) {
			after, _ = c.charged(f.Word.Load()&^frame.Frozen, off, n)
			after.scale.standing(d, after.word, off, n)
			return
		}
	}
}

// charged returns the state in which n events more were granted at off, in the same scale if it
// can; not ok, if nothing is to be charged.
//
// An off before the last grant's counts as that, as the TAT would be the same. Beyond a full burst,
// 2^61 ticks can be owed, as many as can be reserved. The TAT does not tell then whether somebody
// is to act later, so a mark does.
func (c *scale) charged(word uint64, off int64, n int) (after state, ok bool) {
	s := c.spec
	if n <= 0 {
		return after, false
	}
	at := off
	owed := word // at a rate of 0
	if s.perNano > 0 {
		if owed = 0; word != 0 {
			off = max(off, c.lastAct(word))
			owed = c.owes(word, off)
		}
	}
	most := maxDepth + s.depth
	high, cost := bits.Mul64(uint64(n), s.perEvent)
	if high != 0 || cost > most {
		cost = most
	}
	cost = min(cost, max(owed, most)-owed)
	switch {
	case cost == 0:
		return after, false
	case s.perNano == 0:
		return state{*c, word + cost}, true
	case owed+cost > s.depth:
		more := *s
		more.past.before = nil
		more.past.mark = mark{off, owed + cost, c.charges(word, at, cost)}
		return owing(&more, off, owed+cost), true
	case owed > 0 && off <= c.start: // the frame may begin later
		return state{*c, word + cost}, true
	case c.holds(off):
		return state{*c, c.ticks(off) + owed + cost}, true
	}
	return owing(s, off, owed+cost), true
}

// charges returns what was charged, with cost at an offset, on top of word.
func (c *scale) charges(word uint64, at int64, cost uint64) *charges {
	last := c.spec.past.mark
	switch before := last.charges; {
	case before == nil:
		return &charges{cost, at, last, 0}
	case c.settled(word): // nothing but charges was added
		return &charges{before.ticks + cost, max(before.at, at), before.under, before.depth}
	case before.depth >= mostBefore:
		return &charges{cost, at, noMark, 0} // it is not known any more what lies below
	default:
		return &charges{cost, at, last, before.depth + 1}
	}
}

// standing sets d to what a word says of one event more at off, after n were charged.
func (c *scale) standing(d *ratelimit.Decision, word uint64, off int64, n int) {
	owed := c.debt(word, off)
	if n < 0 {
		c.spec.decide(d, owed, off, n, 0, false)
		return
	}
	_, _, ok := c.spec.step(owed, off, 1, 0)
	c.spec.decide(d, owed, off, 1, 0, ok)
}
