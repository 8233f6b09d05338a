package bucket

import (
	"math"
	"math/bits"

	"github.com/seed-3506548a/ratelimit/internal/timeline"
)

// past is what has to be remembered of the time before a spec.
type past struct {
	changed int64 // the offset at which the rate changed; unknowably early if nothing was granted yet
	grants  int64 // all grants before the change were at this offset or before

	mark
	before *before // what a change of rate replaced, while there are reservations of then to act on
}

// mark tells reservations that are still to be acted on from what else is owed beyond a full burst,
// which the TAT alone cannot: what a change of rate left, and what was charged. As long as no more
// than owed ticks are owed at the offset acted, no reservation has been added since. So nobody acts
// after acted, if a change of rate or a refund has left the mark; and if a charge has, nobody acts
// later than without the charges.
type mark struct {
	acted   int64
	owed    uint64
	charges *charges // nil if they did not leave it
}

// charges is what was charged, one after the other, on top of what another mark is about.
type charges struct {
	ticks uint64
	at    int64 // the latest offset that something was charged at
	under mark
	depth int // how many there are below
}

// noMark is none.
var noMark = mark{acted: timeline.Bottom}

// noPast is that of a bucket which had granted nothing when it got its rate.
var noPast = past{changed: timeline.Bottom, grants: math.MinInt64, mark: noMark}

// none reports whether the rate never changed since something was granted.
func (p *past) none() bool { return p.grants == math.MinInt64 }

// lastAct returns the earliest offset at which the last granted event can have been, or will be,
// acted on, or was charged: not before the last change of rate, and that left at most depth to
// drain, unless a mark knows better. The rate must not be 0, nor word.
func (c *scale) lastAct(word uint64) int64 {
	last, tat := c.spec.past.changed, int64(word)
	for m := &c.spec.past.mark; c.reaches(m, tat); {
		if m.charges == nil {
			return max(last, m.acted)
		}
		last = max(last, m.charges.at)
		tat -= int64(m.charges.ticks)
		m = &m.charges.under
	}
	late := -timeline.FloorDiv(int64(c.depth)-tat, int64(c.perNano)) // after the frame's start, rounded up
	return max(last, c.start+max(late, timeline.Bottom-c.start))
}

// newest returns the latest offset at which the last granted event can have been, or will be, acted
// on: that left at least its own emission interval to drain. The rate must not be 0, nor word.
func (c *scale) newest(word uint64) int64 {
	newest := c.start + timeline.FloorDiv(int64(word)-int64(c.perEvent), int64(c.perNano))
	if c.settled(word) {
		newest = min(newest, c.spec.past.acted)
	}
	return newest
}

// settled reports whether no reservation has been added since the mark was left.
func (c *scale) settled(word uint64) bool { return c.reaches(&c.spec.past.mark, int64(word)) }

// reaches reports whether the mark is not before a TAT, in ticks since the frame's start.
func (c *scale) reaches(m *mark, tat int64) bool {
	if m.acted >= c.start {
		now := c.ticks(m.acted)
		return tat < 0 || max(uint64(tat), now)-now <= m.owed
	}
	hi, lo := bits.Mul64(uint64(c.start-m.acted), c.perNano)
	if hi != 0 {
		return false
	}
	if tat < 0 {
		return lo <= m.owed+uint64(-tat)
	}
	return lo <= m.owed && uint64(tat) <= m.owed-lo
}

// before is a state that a change of rate has replaced, the offset as of which it was asked for,
// and how many such states lie before it.
type before struct {
	state
	asked int64
	depth int
}

// mostBefore limits the memory of a bucket whose rate changes all the time while somebody is to act
// who reserved long ago. What was reserved before so many changes is given back no more.
const mostBefore = 16

// refunded returns the state that there would be with the rate and the burst of s, if the
// reservation had been given back before they were set. Nothing was granted since.
func (b *before) refunded(s *spec, as int64, m made, granted int64) (after state, ok bool) {
	after, ok = b.scale.refunded(b.word, as, m, granted)
	if _, fits := after.convertible(b.asked, s.rate); !ok || !fits {
		return after, false
	}
	return after.converted(b.asked, s.rate, s.burst), true
}

// chain returns what is to be remembered of the state that a change asked for at off replaces.
func chain(st state, off int64) *before {
	b := &before{state: st, asked: off}
	if last := st.scale.spec.past.before; last != nil {
		b.depth = last.depth + 1
	}
	if b.depth >= mostBefore {
		forgetful := *st.scale.spec
		forgetful.past.before = nil
		b.scale.spec, b.depth = &forgetful, 0
	}
	return b
}
