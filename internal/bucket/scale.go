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
// Without the frozen bit it stays one depth below 2^63. Callers move it in three ways:
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

// owing returns such a state that owes so many ticks at off.
func owing(s *spec, off int64, ticks uint64) state {
	start := max(off-s.lead, s.past.changed) // which is at the bottom, if the rate never changed
	word := uint64(off-start)*s.perNano + ticks
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

// debt returns what is owed at off.
func (c *scale) debt(word uint64, off int64) debt {
	if off < c.start {
		return c.debtBefore(word, off)
	}
	now := c.ticks(off)
	return debt{max(word, now) - now, 0}
}

// debtBefore is debt for times before the frame. The ticks until the frame's start are owed too; as
// far as they would not fit, or are of the time before the last change of rate, of which it is not
// known what drained then, they are counted as time. (No frame begins before that change.)
func (c *scale) debtBefore(word uint64, off int64) debt {
	if word == 0 {
		return debt{} // nothing was ever granted: fresh at every instant
	}
	from := max(off, c.spec.past.changed)
	ahead := uint64(c.start - from)
	counted := min(ahead, uint64(c.spec.drain))
	return debt{word + counted*c.perNano, uint64(from-off) + ahead - counted}
}

// owes returns the ticks that are owed at off. That must not be before the last change of rate, nor
// so long before the frame that the ticks would not fit: it is not before lastAct, or not further
// back than a reservation reaches.
func (c *scale) owes(word uint64, off int64) uint64 {
	if off < c.start {
		return word + uint64(c.start-off)*c.perNano
	}
	now := c.ticks(off)
	return max(word, now) - now
}
