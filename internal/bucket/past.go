package bucket

import (
	"math"
	"math/bits"

	"github.com/seed-3506548a/ratelimit/internal/timeline"
)

// A TAT beyond a full burst has one of three reasons: reservations are pending, that is, still to
// be acted on; or events were charged; or the rate has changed. Refunds and changes of rate must
// wait for pending reservations, and for nothing else. The TAT alone does not say which it is.

// past is what has to be remembered of the time before a spec.
type past struct {
	changed int64 // offset of the last change of rate; the bottom if nothing was granted before it
	grants  int64 // no event was granted before the change at a later offset than this

	mark
	before *before // what the change replaced, while reservations of before it are pending
}

// mark is a TAT, and when the last event at that TAT is acted on. As long as the TAT is not beyond
// the mark, that is, not more than owed ticks are owed at the offset acted, nothing was reserved
// since the mark was left. Then no event is acted on after acted, if a change of rate or a refund
// left the mark. If charges left it, none is acted on later than without the charges.
type mark struct {
	acted   int64
	owed    uint64
	charges *charges // nil if something else left the mark
}

// charges are charges in a row, on top of what the mark under them is about.
type charges struct {
	ticks uint64
	at    int64 // the latest offset of a charge
	under mark
	depth int // how many charges are below
}

// noMark is no mark: the TAT is always beyond it.
var noMark = mark{acted: timeline.Bottom}

// noPast is the past of a bucket that had granted nothing when it got its rate.
var noPast = past{changed: timeline.Bottom, grants: math.MinInt64, mark: noMark}

// none reports whether the rate has not changed since the first grant.
func (p *past) none() bool { return p.grants == math.MinInt64 }

// lastAct returns the earliest offset at which the last granted event can have been, or will be,
// acted on or charged. That is not before the last change of rate. The last event left at most
// depth to drain; a mark may say more. Neither the rate nor word may be 0.
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
// on: it left at least its own emission interval to drain. Neither the rate nor word may be 0.
func (c *scale) newest(word uint64) int64 {
	newest := c.start + timeline.FloorDiv(int64(word)-int64(c.perEvent), int64(c.perNano))
	if c.settled(word) {
		newest = min(newest, c.spec.past.acted)
	}
	return newest
}

// settled reports whether nothing was reserved since the mark was left.
func (c *scale) settled(word uint64) bool { return c.reaches(&c.spec.past.mark, int64(word)) }

// reaches reports whether a TAT, in ticks since the frame's start, is not beyond the mark.
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

// before is a state that a change of rate replaced while reservations were pending.
type before struct {
	state
	asked  int64 // the offset of the change that was asked for
	leased int64 // no lease was out at a later offset
	depth  int   // how many such states lie before this one
}

// mostBefore limits the memory of a bucket whose rate keeps changing while an old reservation is
// pending. What was reserved before that many changes is not given back.
const mostBefore = 16

// refunded returns the state with the rate and the burst of s as if the reservation had been given
// back before these were set. Nothing was granted since.
func (b *before) refunded(s *spec, as int64, m made, granted int64) (after state, ok bool) {
	after, ok = b.scale.refunded(b.word, as, m, granted)
	if _, fits := after.convertible(b.asked, s.rate); !ok || !fits {
		return after, false
	}
	return after.converted(b.asked, b.leased, s.rate, s.burst), true
}

// chain returns what has to be remembered of a state that a change asked for at off replaces.
func chain(st state, off, leased int64) *before {
	b := &before{state: st, asked: off, leased: leased}
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
