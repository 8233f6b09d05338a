package window

import (
	"github.com/seed-3506548a/ratelimit/internal/frame"
	"github.com/seed-3506548a/ratelimit/internal/timeline"
)

// scale says what a frame's word means. From high to low:
//
//	1 bit   frozen: see package frame
//	63-bits start of a window, in steps of its grid since the frame's start, >= 1
//	bits    count of events
//
// A word of 0 means that nothing was ever granted. What start and count mean is said at [state].
type scale struct {
	start int64  // offset in nanoseconds, a point of the grid
	span  uint64 // the frame holds the offsets start+grid to start+grid+span; the word can count further, for reservations

	// What Allow needs of spec, in the word's cache line. The length is 0 if the last change of
	// rate lies in the window: Allow leaves the times before it to take.
	grid   int64
	length uint64
	limit  uint32
	bits   uint8
	wall   bool // aligned windows, by the wall clock

	spec *spec
}

type (
	windowFrame = frame.Frame[scale]
	plan        = frame.Plan[scale]
)

// newFrame returns a frame with the given state, for off and for times around it.
func newFrame(s *spec, off int64, st state) *windowFrame {
	c := newScale(s, off, st)
	return frame.New(c, c.word(st))
}

// newScale returns the scale of such a frame.
func newScale(s *spec, off int64, st state) scale {
	c := scale{start: s.floor(off - s.quarter), span: uint64(3*s.quarter - 3*s.grid - s.length), grid: s.grid,
		length: uint64(s.length), limit: uint32(s.limit), bits: uint8(s.bits), wall: s.kind == Aligned, spec: s}
	if !st.fresh && st.start < s.changed {
		c.length = 0
	}
	if first := c.start + s.grid; first <= timeline.Top {
		c.span = min(c.span, uint64(timeline.Top-first))
	}
	return c
}

func (c *scale) holds(off int64) bool { return uint64(off-c.start-c.grid) <= c.span }

// counts reports whether a word of this frame can mean the state.
func (c *scale) counts(st state) bool {
	return st.fresh || c.holds(st.start) && st.count>>c.bits == 0 && (c.length > 0) == (st.start >= c.spec.changed)
}

// word packs a state, which it must be able to count.
func (c *scale) word(st state) uint64 {
	if st.fresh {
		return 0
	}
	return uint64(st.start-c.start)/uint64(c.grid)<<c.bits | uint64(st.count)
}

// state unpacks a word, frozen or not.
func (c *scale) state(word uint64) state {
	word &^= frame.Frozen
	return state{
		start: c.start + int64(word>>c.bits)*c.grid,
		count: int64(word & (1<<c.bits - 1)),
		fresh: word == 0,
	}
}
