package bucket

import (
	"math"
	"math/bits"

	"github.com/seed-3506548a/ratelimit/internal/frame"
	"github.com/seed-3506548a/ratelimit/internal/timeline"
)

// scale says what a frame's word means: a stretch of the timeline within which times are small
// enough to be counted in ticks. With it, a frame fills one cache line.
//
// The word is the theoretical arrival time (TAT) of the next event, in ticks since start: the time
// at which all that was granted will have drained. 0 means that nothing was ever granted; every
// grant leaves at least one tick. (At a rate of 0, no time passes in ticks, and word is the debt.)
// Without the frozen bit it stays one depth below 2^63. Callers move it in two ways:
//
//	grant    word -> max(word, now) + n*perEvent
//	charge   as a grant, and beyond depth in another frame, whose spec knows of it
//	refund   word -> word - credit, not below the time of the refund
type scale struct {
	start int64  // offset in nanoseconds
	span  uint64 // the frame holds the offsets start to start+span

	// What Allow needs of spec, in the same cache line.
	perNano, perEvent, depth uint64

	spec *spec
}

type (
	bucketFrame = frame.Frame[scale]
	plan        = frame.Plan[scale]
)

// state is all that a frame says: what its word means, and the word.
type state struct {
	scale scale
	word  uint64
}

func (st state) frame() *bucketFrame { return frame.New(st.scale, st.word) }

// newState returns the state that begins at start with the given word.
func newState(s *spec, start int64, word uint64) state {
	return state{scale{start: start, span: min(s.span, uint64(timeline.Top-start)),
		perNano: s.perNano, perEvent: s.perEvent, depth: s.depth, spec: s}, word}
}

// fresh returns a state for off, and for small steps back in time from there, in which nothing was
// ever granted.
func fresh(s *spec, off int64) state {
	return newState(s, max(off-s.lead, timeline.Bottom), 0)
}

// owing returns such a state that owes debt at off.
func owing(s *spec, off int64, debt uint64) state {
	start := max(off-s.lead, s.past.changed) // which is at the bottom, if the rate never changed
	word := uint64(off-start)*s.perNano + debt
	if word == 0 && !s.past.none() && s.perNano > 0 {
		word = 1 // not fresh
	}
	return newState(s, start, word)
}

// holds reports whether the frame can count off in ticks.
func (c *scale) holds(off int64) bool { return uint64(off-c.start) <= c.span }

// ticks returns off, which is not before the frame's start, in ticks since then; beyond the frame's
// end it may saturate at a number that no live word reaches.
func (c *scale) ticks(off int64) uint64 {
	hi, lo := bits.Mul64(uint64(off-c.start), c.perNano)
	if hi != 0 {
		return math.MaxUint64
	}
	return lo
}

// debt returns the ticks that word owes at off, and how many nanoseconds after off they begin to
// drain, and events to be granted. The latter is 0, except for an off so long before the frame that
// the ticks until its start would not fit into the former; and before the last change of rate, for
// it is not known what drained then. No frame holds such times.
func (c *scale) debt(word uint64, off int64) (debt, later uint64) {
	if word == 0 {
		return 0, 0 // nothing was ever granted: fresh at every instant
	}
	if changed := c.spec.past.changed; off < changed {
		debt, later = c.debt(word, changed)
		return debt, later + uint64(changed-off)
	}
	if off >= c.start {
		now := c.ticks(off)
		return max(word, now) - now, 0
	}
	ahead := uint64(c.start - off)
	counted := min(ahead, uint64(c.spec.drain))
	return word + counted*c.perNano, ahead - counted
}

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

// owes is debt for a time that is not before the last change of rate, and not so long before the
// frame that the ticks would not fit: as one that is not before lastAct, or that a reservation
// reaches back.
func (c *scale) owes(word uint64, off int64) uint64 {
	if off < c.start {
		return word + uint64(c.start-off)*c.perNano
	}
	now := c.ticks(off)
	return max(word, now) - now
}
