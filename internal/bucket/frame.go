package bucket

import (
	"math"
	"math/bits"

	"github.com/seed-3506548a/ratelimit/internal/atomics"
	"github.com/seed-3506548a/ratelimit/internal/timeline"
)

// frozen marks the word of a frame that is being replaced. As a number it is a debt beyond every
// tolerance, so the granting path needs no test of its own for it.
const frozen = 1 << 63

// frame is a stretch of the timeline within which times are small enough to be counted in ticks.
// Everything but word and next is immutable. It fills one cache line.
//
// word is the theoretical arrival time (TAT) of the next event, in ticks since start: the time at
// which all that was granted will have drained. 0 means that nothing was ever granted; every grant
// leaves at least one tick. (At a rate of 0, no time passes in ticks, and word is the debt.) Without
// the frozen bit it stays one depth below 2^63. Any caller moves it, by CAS, in three ways:
//
//	grant    word -> max(word, now) + n*perEvent
//	refund   word -> word - credit, not below the time of the refund, and not to 0
//	freeze   word -> word | frozen, after which it never changes
//
// While the word is not frozen, it is the limiter's whole state; that a value may come back does no
// harm, since equal words are equal states.
type frame struct {
	word  atomics.Uint64
	start int64  // offset in nanoseconds
	span  uint64 // the frame holds the offsets start to start+span

	// What Allow needs of spec, in the same cache line.
	perNano, perEvent, depth uint64

	spec *spec
	next atomics.Pointer[plan] // set once: how this frame is to be replaced
}

// plan is a change that needs another frame: its successor, as a pure function of the frame and its
// last word, so that whoever replaces the frame builds the same.
type plan struct {
	successor func(f *frame, word uint64) *frame
}

// newFrame returns the frame that begins at start with the given word.
func newFrame(s *spec, start int64, word uint64) *frame {
	f := &frame{start: start, span: min(s.span, uint64(timeline.Top-start)),
		perNano: s.perNano, perEvent: s.perEvent, depth: s.depth, spec: s}
	f.word.Init(word)
	return f
}

// newFreshFrame returns a frame for off, and for small steps back in time from there, in which
// nothing was ever granted.
func newFreshFrame(s *spec, off int64) *frame {
	return newFrame(s, max(off-s.lead, timeline.Bottom), 0)
}

// newFrameOwing returns such a frame that owes debt at off.
func newFrameOwing(s *spec, off int64, debt uint64) *frame {
	start := max(off-s.lead, timeline.Bottom)
	return newFrame(s, start, uint64(off-start)*s.perNano+debt)
}

// holds reports whether the frame can count off in ticks.
func (f *frame) holds(off int64) bool { return uint64(off-f.start) <= f.span }

// ticks returns off, which is not before the frame's start, in ticks since then; beyond the frame's
// end it may saturate at a number that no live word reaches.
func (f *frame) ticks(off int64) uint64 {
	hi, lo := bits.Mul64(uint64(off-f.start), f.perNano)
	if hi != 0 {
		return math.MaxUint64
	}
	return lo
}

// debt returns the ticks that word owes at off, and how many nanoseconds after off they begin to
// drain. The latter is 0, except for an off so long before the frame that the ticks until its start
// would not fit into the former; it then owes more than depth.
func (f *frame) debt(word uint64, off int64) (debt, later uint64) {
	if word == 0 {
		return 0, 0 // nothing was ever granted: fresh at every instant
	}
	if off >= f.start {
		now := f.ticks(off)
		return max(word, now) - now, 0
	}
	ahead := uint64(f.start - off)
	counted := min(ahead, uint64(f.spec.drain))
	return word + counted*f.perNano, ahead - counted
}

// lastAct returns the earliest offset at which the last granted event can have been, or will be,
// acted on: that left at most depth to drain. With no grant since a change of rate, it is that of
// the change. The rate must not be 0, nor word.
func (f *frame) lastAct(word uint64) int64 {
	if debt, later := f.debt(word, f.spec.past.changed); later == 0 && debt <= f.spec.past.owed {
		return f.spec.past.changed
	}
	if word <= f.depth {
		return f.start - int64((f.depth-word)/f.perNano)
	}
	return f.start + int64(ceilDiv(word-f.depth, f.perNano))
}
