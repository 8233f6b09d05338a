package window

import (
	"time"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/internal/timeline"
)

// state is the start of a window, as an offset, and a count; or it is fresh: nothing was ever
// granted.
//
// At an offset t, k = floor((t - start)/length) lengths have passed since the window's start; k is
// negative before it. Of the count, max(0, count - k*events) have not expired. Callers change the
// state in three ways:
//
//	grant    if nothing is unexpired at t, a window starts at t with the n events; otherwise the
//	         start moves on by the lengths that have passed, the count is what is unexpired, and n
//	         more
//	charge   as a grant
//	refund   count -> count - n; the start may move to the time of the refund
type state struct {
	start, count int64
	fresh        bool
}

// boundary returns the offset k lengths after the window's start, or one beyond the top.
func (s *spec) boundary(st state, k int64) int64 {
	if k > 0 && uint64(k) > uint64(timeline.Top-st.start)/uint64(s.length) {
		return timeline.Top + 1
	}
	return st.start + k*s.length
}

// passed returns how many whole lengths lie between the window's start and off. Before the start it
// is negative, and counts lengths that have begun. The difference of the two may exceed an int64,
// as an aligned window may start before the bottom.
func (s *spec) passed(st state, off int64) int64 {
	if off >= st.start {
		return int64(uint64(off-st.start) / uint64(s.length))
	}
	return -int64((uint64(st.start-off) + uint64(s.length) - 1) / uint64(s.length))
}

// expires returns after how many lengths at most left of the count are unexpired: the least k with
// count - k*events <= left.
func (s *spec) expires(st state, left int64) int64 { return ceilDiv(st.count-left, s.events) }

// opens returns the first offset at which n more events fit, for 0 < n <= limit.
func (s *spec) opens(st state, n int64) int64 {
	if st.fresh {
		return timeline.Bottom
	}
	return max(s.boundary(st, s.expires(st, s.limit-n)), s.changed)
}

// as returns a state that is the same from off on, and to which events granted at off can be added:
// its start has moved on by the lengths that have passed, or is at off if nothing is unexpired.
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
// a delay of at most patience. Events that are acted on after a delay count as if they were asked
// for then. After is the state with them; without ok, or for n == 0, it is the old state.
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
