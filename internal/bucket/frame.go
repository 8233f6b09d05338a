package bucket

import (
	"math"
	"math/bits"
	"sync/atomic"

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
// leaves at least one tick. Without the frozen bit it stays one depth below 2^63. Any caller moves
// it, by CAS, in three ways:
//
//	grant    word -> max(word, now) + n*perEvent
//	refund   word -> word - credit, not below the time of the refund, and not to 0
//	freeze   word -> word | frozen, after which it never changes
//
// While the word is not frozen, it is the limiter's whole state; that a value may come back does no
// harm, since equal words are equal states.
type frame struct {
	word  atomic.Uint64
	start int64  // offset in nanoseconds
	span  uint64 // the frame holds the offsets start to start+span

	// What Allow needs of spec, in the same cache line.
	perNano, perEvent, depth uint64

	spec *spec
	next atomic.Pointer[plan] // set once: how this frame is to be replaced
}

// plan is a change that needs another frame, for its time lies outside of this one: a grant of n
// events at off; or, with n == 0, a refund at off after which debt ticks are owed, valid only if the
// word was still the given one when it froze.
type plan struct {
	off  int64
	n    int
	word uint64
	debt uint64
}

// newFrame returns the frame that begins at start with the given word. Its span leaves the greatest
// word, that of a full bucket at the frame's end, one depth below 2^63.
func newFrame(s *spec, start int64, word uint64) *frame {
	f := &frame{start: start, perNano: s.perNano, perEvent: s.perEvent, depth: s.depth, spec: s}
	f.span = uint64(timeline.Top - start)
	if s.perNano > 0 {
		f.span = min(f.span, (math.MaxInt64-2*s.depth)/s.perNano)
	}
	f.word.Store(word)
	return f
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

// successor returns the frame after f, whose word is frozen at the given value: one around p.off with
// the change that p plans; or f once more if that is not possible any longer. It is pure, so that
// all who replace f build the same.
func (f *frame) successor(word uint64, p *plan) *frame {
	s := f.spec
	debt, _ := f.debt(word, p.off)
	switch {
	case p.n > 0 && s.fits(debt, p.n):
		debt += uint64(p.n) * s.perEvent
	case p.n == 0 && word == p.word:
		debt = p.debt
	default:
		return newFrame(s, f.start, word)
	}
	start := max(p.off-s.drain, timeline.Bottom) // small steps back in time stay inside
	return newFrame(s, start, uint64(p.off-start)*s.perNano+debt)
}

// lastGrant returns the earliest offset that the last grant can have been at: it left at most depth
// to drain. The rate must not be 0.
func (f *frame) lastGrant(word uint64) int64 {
	if word <= f.depth {
		return f.start - int64((f.depth-word)/f.perNano)
	}
	return f.start + int64(ceilDiv(word-f.depth, f.perNano))
}

// credit returns the ticks that have not drained yet of n events granted held nanoseconds ago.
func (f *frame) credit(n int, held uint64) uint64 {
	if held > uint64(f.spec.drain) {
		return 0
	}
	cost := uint64(n) * f.perEvent
	return cost - min(cost, held*f.perNano)
}
