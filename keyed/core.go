package keyed

import (
	"math/bits"
	"sync/atomic"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/internal/timeline"
)

// outcome is what a key was told, in ticks.
type outcome struct {
	ok        bool
	late      bool   // before the newest time, by more than may be
	present   bool   // the key is in the table, or was put there
	untracked bool   // granted without a charge: see FailOpen
	debt      uint64 // before the decision
	newest    uint64
}

// set returns the place of the first word of the key's set, and the key's tag.
func (c *core) set(hash uint64) (first, tag uint64) {
	high, _ := bits.Mul64(hash, uint64(len(c.words)/setSize))
	return high * setSize, max(hash&(1<<(64-tatBits)-1), 1)
}

// look reads the key's set, until it finds the key, and what it says at now. The newest time is read after the words,
// which are not ahead of it then.
func (c *core) look(first, tag, now uint64) (i int, word uint64, o outcome) {
	words := (*[setSize]uint64)(c.words[first:])
	var set [setSize]uint64
	for i := range words {
		set[i] = atomic.LoadUint64(&words[i])
		if tagOf(set[i]) == tag {
			break
		}
	}
	o.newest = c.newest.Load()
	o.late = now+late < o.newest
	i, o.debt, o.present = find(&set, tag, now, o.newest)
	return i, set[i], o
}

// charge is the rule: see set.go. A lost race means that another caller's change of the set has landed. A refusal stores
// nothing. n is more than 0, and not more than the limit's.
func (c *core) charge(hash, now, n uint64, limit *Limit) outcome {
	first, tag := c.set(hash)
	cost := n * limit.perEvent
	for {
		i, word, o := c.look(first, tag, now)
		switch {
		case o.late || o.debt+cost > limit.depth:
			if c.opens(&o, cost, limit) {
				c.count(hash).untracked.Add(1)
				return o
			}
			if !o.present && !o.late && cost <= limit.depth {
				c.count(hash).saturated.Add(1)
			}
			return o
		case now > o.newest+slack || o.newest == 0:
			c.advance(now)
		case atomic.CompareAndSwapUint64(&c.words[first+uint64(i)], word, pack(tag, now+o.debt+cost)):
			if !o.present && o.debt > 0 {
				c.count(hash).inherited.Add(1)
			}
			o.ok, o.present = true, true
			return o
		default:
			c.count(hash).retries.Add(1)
		}
	}
}

// opens reports whether a key that there is no place for is granted all the same, and makes o tell of that.
func (c *core) opens(o *outcome, cost uint64, limit *Limit) bool {
	if !c.failOpen || o.present || o.late || cost > limit.depth {
		return false
	}
	o.ok, o.untracked = true, true
	return true
}

func (c *core) count(hash uint64) *rare { return &c.rare[hash%uint64(len(c.rare))] }

// take charges n events of the key at off, and sets d to the decision.
func (c *core) take(d *ratelimit.Decision, hash uint64, off int64, n int, limit *Limit) {
	if n <= 0 || n > limit.most || limit.table != c {
		c.peek(d, hash, off, n, limit)
		return
	}
	now := c.scale.at(off)
	o := c.charge(hash, now, uint64(n), limit)
	c.report(d, &o, off, now, n, limit)
}

// peek sets d to what take would decide.
func (c *core) peek(d *ratelimit.Decision, hash uint64, off int64, n int, limit *Limit) {
	if limit.table != c {
		*d = ratelimit.Decision{OK: n == 0}
		if n != 0 {
			d.RetryAfter = ratelimit.Never
		}
		return
	}
	now := c.scale.at(off)
	first, tag := c.set(hash)
	_, _, o := c.look(first, tag, now)
	if n > 0 && n <= limit.most {
		cost := uint64(n) * limit.perEvent
		o.ok = !o.late && o.debt+cost <= limit.depth || c.opens(&o, cost, limit)
	}
	c.report(d, &o, off, now, n, limit)
}

// report sets d to the decision on n events at off, which is now in ticks, for what o says.
func (c *core) report(d *ratelimit.Decision, o *outcome, off int64, now uint64, n int, limit *Limit) {
	*d = ratelimit.Decision{OK: o.ok || n == 0, Limit: limit.most}
	off = timeline.Clamp(off)
	debt := o.debt
	if o.untracked {
		d.Remaining = limit.most
		return
	}
	if o.ok {
		debt += uint64(n) * limit.perEvent
	}
	soonest := now // when all is refused no longer for being late
	if o.late {
		soonest = o.newest - late
	} else if debt < limit.depth {
		d.Remaining = int((limit.depth - debt) / limit.perEvent)
	}
	switch {
	case d.OK:
	case n < 0 || n > limit.most:
		d.RetryAfter = ratelimit.Never
	default:
		least := now + debt + uint64(n)*limit.perEvent - limit.depth
		d.RetryAfter = timeline.Wait(off, c.scale.when(max(least, soonest)))
	}
	if debt > 0 || o.late {
		d.ResetAfter = timeline.Wait(off, c.scale.when(max(now+debt, soonest)))
	}
}

// reset takes the tag off the key's word.
func (c *core) reset(hash uint64) {
	first, tag := c.set(hash)
	for {
		i, word, o := c.look(first, tag, c.newest.Load())
		if !o.present {
			return
		}
		if atomic.CompareAndSwapUint64(&c.words[first+uint64(i)], word, notEmpty(pack(0, word))) {
			return
		}
		c.count(hash).retries.Add(1)
	}
}

// stats counts the live keys in the sets that it looks at.
func (c *core) stats(off int64) (s Stats) {
	const most = 1024
	now, newest := c.scale.at(off), c.newest.Load()
	sets := len(c.words) / setSize
	looked := min(sets, most)
	live := 0
	for i := range looked {
		first := int(int64(i)*int64(sets)/int64(looked)) * setSize
		for j := first; j < first+setSize; j++ {
			if word := atomic.LoadUint64(&c.words[j]); tagOf(word) != 0 && owed(word, now, newest) > 0 {
				live++
			}
		}
	}
	s.Slots = len(c.words)
	s.Live = int(int64(live) * int64(sets) / int64(looked))
	for i := range c.rare {
		r := &c.rare[i]
		s.Inherited += r.inherited.Load()
		s.Saturated += r.saturated.Load()
		s.Untracked += r.untracked.Load()
		s.Retries += r.retries.Load()
	}
	return s
}
