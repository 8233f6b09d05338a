package bucket

import (
	"math"
	"math/bits"

	"github.com/seed-3506548a/ratelimit/internal/frame"
	"github.com/seed-3506548a/ratelimit/internal/timeline"
)

// scale says what a frame's word means. A frame is a stretch of the timeline that is short enough
// to count its times in ticks. With its scale, a frame fills one cache line.
//
// The word is the TAT, in ticks since start. A word of 0 means that nothing was ever granted; every
// grant leaves at least one tick. (At a rate of 0 no time passes in ticks, and the word is the
// debt.) Without the frozen bit, it stays one depth below 2^63. Callers move it in three ways:
//
//	grant    word -> max(word, now) + n*perEvent
//	charge   as a grant; beyond depth in another frame, whose spec has a mark of it
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

// newState returns the state with the given word, in a frame that starts at start.
func newState(s *spec, start int64, word uint64) state {
	return state{scale{start: start, span: min(s.span, uint64(timeline.Top-start)),
		perNano: s.perNano, perEvent: s.perEvent, depth: s.depth, spec: s}, word}
}

// fresh returns a state in which nothing was ever granted, in a frame for off and for some time
// before it.
func fresh(s *spec, off int64) state {
	return newState(s, max(off-s.lead, timeline.Bottom), 0)
}

// owing returns a state that owes so many ticks at off, in such a frame.
func owing(s *spec, off int64, ticks uint64) state {
	start := max(off-s.lead, s.past.changed) // at least the bottom
	word := uint64(off-start)*s.perNano + ticks
	if word == 0 && !s.past.none() && s.perNano > 0 {
		word = 1 // not fresh
	}
	return newState(s, start, word)
}

// holds reports whether the frame can count off in ticks.
func (c *scale) holds(off int64) bool { return uint64(off-c.start) <= c.span }

// ticks returns off in ticks since the frame's start, before which it must not be. Beyond the
// frame's end the result may saturate, at a number that no live word reaches.
func (c *scale) ticks(off int64) uint64 {
	hi, lo := bits.Mul64(uint64(off-c.start), c.perNano)
	if hi != 0 {
		return math.MaxUint64
	}
	return lo
}

// debt returns what is owed at off.
func (c *scale) debt(word uint64, off int64) debt {
	if off < c.start {
		return c.debtBefore(word, off)
	}
	now := c.ticks(off)
	return debt{max(word, now) - now, 0}
}

// debtBefore is debt for times before the frame. The time until the frame's start is owed too. It
// is counted as a time and not in ticks if the ticks would not fit; and before the last change of
// rate, as it is not known what drained then. (No frame starts before that change.)
func (c *scale) debtBefore(word uint64, off int64) debt {
	if word == 0 {
		return debt{} // nothing was ever granted
	}
	from := max(off, c.spec.past.changed)
	ahead := uint64(c.start - from)
	counted := min(ahead, uint64(c.spec.drain))
	return debt{word + counted*c.perNano, uint64(from-off) + ahead - counted}
}

// owes returns the ticks that are owed at off. That must not be before the last change of rate, nor
// so long before the frame that the ticks would not fit: at most as long as a reservation reaches,
// or not before lastAct.
func (c *scale) owes(word uint64, off int64) uint64 {
	if off < c.start {
		return word + uint64(c.start-off)*c.perNano
	}
	now := c.ticks(off)
	return max(word, now) - now
}
