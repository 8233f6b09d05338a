package window

import (
	"time"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/internal/frame"
	"github.com/seed-3506548a/ratelimit/internal/timeline"
)

// scale says what a frame's word means. From high to low:
//
//	1 bit   frozen: see package frame
//	63-bits start of a window, in steps of its grid since the frame's start, >= 1
//	bits    count of events
//
// At an offset t, k = floor((t - start)/length) lengths have passed since the window's start, or,
// if negative, lie before it. Of the count, max(0, count - k*events) have not expired. A word of 0
// means that nothing was ever granted. Callers move the word in two ways:
//
//	grant   what is unexpired at t, and n more, counted from the latest start that is not after t
//	        (or not before the window's, if t is); if nothing is unexpired, a window starts at t
//	refund  count -> count - n; the window's start may move to the time of the refund
type scale struct {
	start  int64  // offset in nanoseconds, a point of the grid
	span   uint64 // the frame holds the offsets start+grid to start+grid+span: beyond, it can count as far as can be reserved, and a length more
	grid   int64  // as in spec, and so are these; Allow finds them in the word's cache line
	length uint64 // but 0 if times before the change of rate lie in the window: Allow leaves them to take
	limit  uint32
	bits   uint8
	wall   bool // of aligned windows

	spec *spec
}

type (
	windowFrame = frame.Frame[scale]
	plan        = frame.Plan[scale]
)

// state is a word of which the scale has been taken out: a window's start, as an offset, and a
// count; or fresh.
type state struct {
	start, count int64
	fresh        bool
}

// newFrame returns a frame for off, and for times around it, with the given state.
func newFrame(s *spec, off int64, st state) *windowFrame {
	c := scale{start: s.floor(off - s.quarter), span: uint64(3*s.quarter - 3*s.grid - s.length), grid: s.grid,
		length: uint64(s.length), limit: uint32(s.limit), bits: uint8(s.bits), wall: s.kind == Aligned, spec: s}
	if !st.fresh && st.start < s.changed {
		c.length = 0
	}
	if first := c.start + s.grid; first <= timeline.Top {
		c.span = min(c.span, uint64(timeline.Top-first))
	}
	return frame.New(c, c.word(st))
}

func (c *scale) holds(off int64) bool { return uint64(off-c.start-c.grid) <= c.span }

// counts reports whether the word can count the state, which the frame then means as it is.
func (c *scale) counts(st state) bool {
	return st.fresh || c.holds(st.start) && st.count>>c.bits == 0 && (c.length > 0) == (st.start >= c.spec.changed)
}

// word packs a state, whose start the word can count.
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

// boundary returns the offset k lengths after the window's start; beyond the top, if it is.
func (s *spec) boundary(st state, k int64) int64 {
	if k > 0 && uint64(k) > uint64(timeline.Top-st.start)/uint64(s.length) {
		return timeline.Top + 1
	}
	return st.start + k*s.length
}

// passed returns how many lengths lie between the window's start and off: whole ones, or, if off is
// before the start, begun ones, as a negative number. The difference may exceed an int64, for an
// aligned window may start before the bottom.
func (s *spec) passed(st state, off int64) int64 {
	if off >= st.start {
		return int64(uint64(off-st.start) / uint64(s.length))
	}
	return -int64((uint64(st.start-off) + uint64(s.length) - 1) / uint64(s.length))
}

// expires returns after how many lengths at most left of the count are unexpired: the least k with
// count - k*events <= left.
func (s *spec) expires(st state, left int64) int64 { return ceilDiv(st.count-left, s.events) }

// opens returns the offset from which on n more events fit, for 0 < n <= limit.
func (s *spec) opens(st state, n int64) int64 {
	if st.fresh {
		return timeline.Bottom
	}
	return max(s.boundary(st, s.expires(st, s.limit-n)), s.changed)
}

// as returns the state at off, which describes the same: with the latest start that is not after
// off, or the window's own if off is before it; and with a start at off if nothing is unexpired
// then.
func (s *spec) as(st state, off int64) state {
	begun := state{start: s.floor(off)}
	if st.fresh {
		return begun
	}
	k := max(0, s.passed(st, off))
	switch {
	case s.events > 0 && off >= s.boundary(st, s.expires(st, 0)), s.events == 0 && st.count == 0:
		return begun
	case s.events > 0:
		st.count -= k * s.events
	}
	st.start += k * s.length
	return st
}

// step is the algorithm: asked for n events at off, it grants them if they fit then, or else after
// a delay of at most patience. After is the state then; without ok, or for n == 0, it is the old
// one.
//
// Events that are to be acted on after a delay are counted as if they were asked for then.
func (s *spec) step(st state, off int64, n int, patience time.Duration) (after state, delay time.Duration, ok bool) {
	switch {
	case n == 0:
		return st, 0, true
	case n < 0 || int64(n) > s.limit || patience < 0:
		return st, 0, false
	}
	delay = timeline.Wait(off, s.opens(st, int64(n)))
	if delay > s.within(patience) {
		return st, 0, false
	}
	after = s.as(st, off+int64(delay))
	after.count += int64(n)
	return after, delay, true
}

// within returns how much of the patience can be made use of.
func (s *spec) within(patience time.Duration) time.Duration {
	return min(patience, time.Duration(s.quarter))
}

// decide sets d to the decision that left the state after, for a request that was granted or not.
func (s *spec) decide(d *ratelimit.Decision, after state, off int64, n int, patience time.Duration, ok bool) {
	d.OK = ok
	d.Limit = int(s.limit)
	d.RetryAfter = 0
	if !ok {
		d.RetryAfter = ratelimit.Never
		if n > 0 && int64(n) <= s.limit && patience >= 0 {
			d.RetryAfter = timeline.Wait(off, s.opens(after, int64(n)))
			if d.RetryAfter != ratelimit.Never {
				d.RetryAfter -= s.within(patience)
			}
		}
	}
	d.Remaining = int(s.remaining(after, off))
	d.ResetAfter = s.reset(after, off)
}

// remaining returns how many events fit at off.
func (s *spec) remaining(st state, off int64) int64 {
	switch {
	case st.fresh || s.limit == 0:
		return s.limit
	case off < s.opens(st, 1): // which is not before the last change of rate
		return 0
	case off >= s.boundary(st, s.expires(st, 0)):
		return s.limit
	}
	return s.limit - st.count + s.events*s.passed(st, off)
}

// reset returns how long it takes until nothing is unexpired.
func (s *spec) reset(st state, off int64) time.Duration {
	switch {
	case st.fresh || s.events == 0 && st.count == 0:
		return 0
	case s.events == 0:
		return ratelimit.Never
	}
	return timeline.Wait(off, max(s.boundary(st, s.expires(st, 0)), s.changed))
}
