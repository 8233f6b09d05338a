package slidingwindow

import (
	"math/bits"
	"time"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/internal/atomics"
	"github.com/seed-3506548a/ratelimit/internal/frame"
	"github.com/seed-3506548a/ratelimit/internal/timeline"
)

// logScale says what a frame's word means. From high to low:
//
//	1 bit    frozen: see package frame
//	47 bits  version, one more with each change of state
//	16 bits  the cell that has the state
//
// A state is more than a word holds, so it lies in a cell, which nobody writes to while the word refers
// to it. To change it, a caller claims a free cell, writes the new state there, and moves the word to it
// by CAS. Then the old cell is the caller's, and it sets that free. If the CAS fails, the caller sets
// its own free. So a cell has one owner at a time: the word, or the caller that claimed it.
//
// No value of the word comes back, because of the version. Therefore whoever has read a cell and finds the
// word the same afterwards has read the state as it was when the word was loaded, and a CAS of the word
// succeeds only if nothing has happened since.
type logScale struct {
	ring  []atomics.Uint64 // see logState; its length is a power of two, and at least the limit
	cells []cell

	limit   uint64 // as in spec, and so are the others
	per     uint64
	changed uint64
	spec    *logSpec
}

const (
	cellBits   = 16
	firstCells = 8 // of a new limiter: enough for so many callers at once, less one
)

// cell has a logState, or is free.
type cell struct {
	prior, first, count, before, time atomics.Uint64
}

// free is what a free cell has in the place of prior.
const free = ^uint64(0)

type (
	logFrame = frame.Frame[logScale]
	logPlan  = frame.Plan[logScale]
)

// logState is the list of events that were granted, which are numbered in the order in which they were.
// Those from first to count-1, the newest, were recorded at the time; those from prior to first-1 at the
// time before; and earlier ones have theirs in the ring, event p in slot p mod len(ring). Times do not fall
// from event to event. Callers change the list in three ways:
//
//	grant of n events, no later than the time   count += n
//	grant of n events, later                    prior = first, first = count, count += n; before = time, time = that
//	refund of n of the newest events            count -= n
//
// To do the second, the events from prior to first-1 are written into the ring before, by whoever comes to
// it: all write the same. They cannot be refunded any more, so the times that they replace, of events
// len(ring) earlier, are not needed again. They are written by an atomic maximum. A slot's times do not
// fall, so a late writer changes nothing.
type logState struct {
	prior, first, count, before, time uint64
}

// Times in states are offsets with the highest bit turned around, so that they are ordered as unsigned
// numbers, and 0 is long ago: expired at every time, and the newest time of a fresh limiter.
func instant(off int64) uint64   { return uint64(off) ^ 1<<63 }
func offsetOf(time uint64) int64 { return int64(time ^ 1<<63) }

// newLogFrame returns a frame with the state, and with the times of so many events before first as at
// tells them. (If the newest were written into the ring too, a refund would find other times gone.)
func newLogFrame(s *logSpec, cells int, st logState, held int, at func(event uint64) uint64) *logFrame {
	size := 1 << bits.Len64(uint64(max(s.rate.Events, held, 1)-1)) // the least power of two that holds all
	c := logScale{ring: atomics.NewUint64s(size), cells: make([]cell, cells),
		limit: uint64(s.rate.Events), per: uint64(s.rate.Per), changed: s.changed, spec: s}
	for event := st.first - uint64(held); event < st.first; event++ {
		c.ring[event&uint64(size-1)].Init(at(event))
	}
	for i := range c.cells {
		c.cells[i].prior.Init(free)
	}
	c.cells[0].prior.Init(st.prior)
	c.cells[0].first.Init(st.first)
	c.cells[0].count.Init(st.count)
	c.cells[0].before.Init(st.before)
	c.cells[0].time.Init(st.time)
	return frame.New(c, 1<<cellBits)
}

// cell returns the cell that the word refers to.
func (c *logScale) cell(word uint64) *cell { return &c.cells[word&(1<<cellBits-1)] }

// load returns the state that the word refers to. It is right if the word is the same afterwards.
func (c *logScale) load(word uint64) logState {
	cell := c.cell(word)
	return logState{cell.prior.Load(), cell.first.Load(), cell.count.Load(), cell.before.Load(), cell.time.Load()}
}

// still reports whether f's word refers to the same state as word.
func still(f *logFrame, word uint64) bool {
	return (f.Word.Load()^word)&^frame.Frozen == 0
}

// at returns the time of one of the newest len(ring) events.
func (c *logScale) at(st logState, event uint64) uint64 {
	switch {
	case event < st.prior:
		return c.ring[event&uint64(len(c.ring)-1)].Load()
	case event < st.first:
		return st.before
	}
	return st.time
}

// granted returns the state after a grant of n events at now.
func (c *logScale) granted(st logState, now, n uint64) logState {
	if now > st.time {
		for event := st.prior; event < st.first; event++ {
			c.ring[event&uint64(len(c.ring)-1)].Max(st.before)
		}
		st.prior, st.first, st.before, st.time = st.first, st.count, st.time, now
	}
	st.count += n
	return st
}

// move moves f's word from the given value, to the state after. It is full if there is no free cell, or no
// version: then the frame must be replaced.
func (c *logScale) move(f *logFrame, word uint64, after logState) (moved, full bool) {
	next := word>>cellBits + 1
	if next >= frame.Frozen>>cellBits {
		return false, true
	}
	old := word & (1<<cellBits - 1)
	for i := range uint64(len(c.cells)) {
		claimed := (old + 1 + i) & uint64(len(c.cells)-1)
		cell := &c.cells[claimed]
		if cell.prior.Load() != free || !cell.prior.CompareAndSwap(free, after.prior) {
			continue
		}
		cell.first.Store(after.first)
		cell.count.Store(after.count)
		cell.before.Store(after.before)
		cell.time.Store(after.time)
		if moved = f.Word.CompareAndSwap(word, next<<cellBits|claimed); moved {
			cell = &c.cells[old]
		}
		cell.prior.Store(free)
		return moved, false
	}
	return false, true
}

// expired returns how many of the newest limit events have expired at now: that many can be granted.
func (c *logScale) expired(st logState, now uint64) uint64 {
	low, high := st.count-c.limit, st.count
	for low < high {
		middle := low + (high-low)/2
		if c.at(st, middle) > now-c.per {
			high = middle
		} else {
			low = middle + 1
		}
	}
	return low - (st.count - c.limit)
}

// decide sets d to the decision on n events at now, and reports whether they are granted: they are if
// the event has expired that is limit before the last of them.
func (c *logScale) decide(d *ratelimit.Decision, st logState, now uint64, n int) bool {
	*d = ratelimit.Decision{OK: n == 0, Limit: int(c.limit)}
	room := 0
	if now >= c.changed {
		room = int(c.expired(st, now))
	}
	newest := c.at(st, st.count-1)
	switch {
	case n == 0:
	case n < 0 || n > int(c.limit):
		d.RetryAfter = ratelimit.Never
	case n > room:
		d.RetryAfter = c.wait(now, c.at(st, st.count+uint64(n)-1-c.limit))
	default:
		d.OK = true
		room -= n
		newest = max(now, st.time)
	}
	d.Remaining = room
	d.ResetAfter = c.wait(now, newest)
	return d.OK
}

// wait returns how long after now an event of the given time has expired, and something can be granted.
func (c *logScale) wait(now, event uint64) time.Duration {
	return timeline.Wait(offsetOf(now), offsetOf(max(event+c.per, c.changed)))
}
