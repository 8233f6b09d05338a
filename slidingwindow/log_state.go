package slidingwindow

import (
	"math/bits"

	"github.com/seed-3506548a/ratelimit/internal/atomics"
	"github.com/seed-3506548a/ratelimit/internal/frame"
)

// logScale is the meaning of a frame's word. From high to low:
//
//	1 bit            frozen: see package frame
//	59-2*bits bits   version, one more with each change of the word
//	3 bits           the cell that has the newest time
//	bits+1           slot of the ring that is next
//	bits             how many of the last events were recorded at the newest time
//
// The newest time does not fit into the word, so it is in a cell. Nobody writes to that cell while
// the word refers to it. To move the word to a later time, a caller claims a free cell by a CAS
// that writes the time into it, and then moves the word by another CAS. If that succeeds, the
// caller owns the old cell and sets it free. If it fails, the caller sets its own cell free. So
// each cell has one owner at a time: the word, or the caller that claimed it.
//
// The version keeps values of the word from coming back. Therefore a caller that reads a cell and
// slots of the ring, and finds the word unchanged afterwards, has read the state as it was when the
// word was loaded. A CAS of the word succeeds only if nothing has happened since.
type logScale struct {
	cells [cells]atomics.Uint64 // times, or free; they fill the word's cache line

	ring    []atomics.Uint64 // see logState; twice as long as the most events that must be known
	per     uint64           // as in spec, and so are changed and limit
	changed uint64
	limit   uint32
	bits    uint8
	spec    *logSpec
}

const (
	cellBits = 3
	cells    = 7
	free     = ^uint64(0)
)

type (
	logFrame = frame.Frame[logScale]
	logPlan  = frame.Plan[logScale]
)

// logState is the list of events that were granted. The last events have the newest time. The times
// of those before are in the ring, in the slots before next. Times do not fall along the list.
// Callers change it in three ways:
//
//	grant of n events, no later than time   next += n, last += n
//	grant of n events, later                next += n, last = n, time = that
//	refund of n of the last events          next -= n, last -= n
//
// Before the second, the last events' times are written into the ring. Any caller can do that,
// since all write the same. They write by an atomic maximum. The times of a slot do not fall, even
// if a refund lets the slot be used again, so a late writer changes nothing. The times that are
// replaced are of events a ring's length before the last ones. Decisions look at half a ring before
// the last events, so a refund of these still finds all times that count.
type logState struct {
	next uint64 // slot
	last uint64 // how many events
	time uint64
	cell uint64 // that has time
}

// Times are offsets with the highest bit inverted, so that they are ordered as unsigned numbers. 0
// is long ago: it has expired at every time. It is the newest time if nothing was ever granted.
func instant(off int64) uint64   { return uint64(off) ^ 1<<63 }
func offsetOf(time uint64) int64 { return int64(time ^ 1<<63) }

// newLogFrame returns a frame that holds the given number of events before the last ones. at
// returns the time of the last event but ago-1.
func newLogFrame(s *logSpec, st logState, held uint64, at func(ago uint64) uint64) *logFrame {
	most := max(uint64(s.rate.Events), held, 1)
	f := &logFrame{Scale: logScale{ring: atomics.NewUint64s(int(2 * most)), per: uint64(s.rate.Per), changed: s.changed,
		limit: uint32(s.rate.Events), bits: uint8(bits.Len64(most)), spec: s}}
	c := &f.Scale
	st.next, st.cell = st.last, 0
	for ago := st.last + 1; ago <= st.last+held; ago++ {
		c.ring[c.slot(st.next, ago)].Init(at(ago))
	}
	f.Word.Init(c.word(1, st))
	for i := range c.cells {
		c.cells[i].Init(free)
	}
	c.cells[0].Init(st.time)
	return f
}

// version returns the word's version.
func (c *logScale) version(word uint64) uint64 { return word >> (2*c.bits + 1 + cellBits) }

// word packs a state, except for its time.
func (c *logScale) word(version uint64, st logState) uint64 {
	return ((version<<cellBits|st.cell)<<(c.bits+1)|st.next)<<c.bits | st.last
}

// state returns the state that a word refers to, frozen or not. It is right if the word is
// unchanged afterwards.
func (c *logScale) state(word uint64) logState {
	st := logState{
		last: word & (1<<(c.bits&63) - 1),
		next: word >> (c.bits & 63) & (2<<(c.bits&63) - 1),
		cell: word >> (2*c.bits + 1) & (1<<cellBits - 1),
	}
	st.time = c.cells[st.cell].Load()
	return st
}

// still reports whether f's word refers to the same state as word.
func still(f *logFrame, word uint64) bool { return (f.Word.Load()^word)&^frame.Frozen == 0 }

// slot returns the slot of the ring that is ago slots before next.
func (c *logScale) slot(next, ago uint64) uint64 {
	if next < ago {
		next += uint64(len(c.ring))
	}
	return next - ago
}

// at returns the time of the last event but ago-1: the last for 1, and so on.
func (c *logScale) at(st logState, ago uint64) uint64 {
	if ago <= st.last {
		return st.time
	}
	return c.ring[c.slot(st.next, ago)].Load()
}

// granted returns the state after a grant of n events at now.
func (c *logScale) granted(st logState, now, n uint64) logState {
	if now > st.time {
		st.last, st.time = 0, now
	}
	st.last += n
	st.next += n
	if st.next >= uint64(len(c.ring)) {
		st.next -= uint64(len(c.ring))
	}
	return st
}

// move moves f's word from the given one, with its state st, to the state after. If there is no
// free cell or no version left, it is full: then the frame must be replaced.
func (c *logScale) move(f *logFrame, word uint64, st, after logState) (moved, full bool) {
	version := c.version(word) + 1
	if version >= 1<<(59-2*c.bits) {
		return false, true
	}
	if after.time == st.time {
		return f.Word.CompareAndSwap(word, c.word(version, after)), false
	}
	for ago := st.last; ago > 0; ago-- {
		c.ring[c.slot(st.next, ago)].Max(st.time)
	}
	if !still(f, word) {
		return false, false // do not claim a cell in vain
	}
	var ok bool
	if after.cell, ok = c.claim(st.cell, after.time); !ok {
		return false, true
	}
	if f.Word.CompareAndSwap(word, c.word(version, after)) {
		c.cells[st.cell].Store(free)
		return true, false
	}
	c.cells[after.cell].Store(free)
	return false, false
}

// claim returns a cell that it has written the time into, if any but the current one is free.
func (c *logScale) claim(current, time uint64) (cell uint64, ok bool) {
	for i := range c.cells {
		if uint64(i) != current && c.cells[i].Load() == free && c.cells[i].CompareAndSwap(free, time) {
			return uint64(i), true
		}
	}
	return 0, false
}

// renewed returns a frame with all cells free but one. It has the events of after, which has n more
// last events than st, or fewer if n is negative.
func (c *logScale) renewed(st, after logState, n int64) *logFrame {
	return newLogFrame(c.spec, after, max(uint64(c.limit), c.held(st, st.time)), func(ago uint64) uint64 {
		return c.at(st, uint64(int64(ago)-n))
	})
}

// held returns how many events have not expired at now, which must not be before the newest time.
func (c *logScale) held(st logState, now uint64) (n uint64) {
	for n < uint64(len(c.ring)/2) && c.at(st, n+1) > now-c.per {
		n++
	}
	return n
}
