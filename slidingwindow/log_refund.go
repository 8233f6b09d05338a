package slidingwindow

import (
	"time"

	"github.com/seed-3506548a/ratelimit/internal/frame"
	"github.com/seed-3506548a/ratelimit/internal/timeline"
)

// RefundAt gives back n events that were granted at t-held, if they have not expired at t, nothing
// has been granted at a later time, and the rate has not changed since.
//
// While the newest time is that of the grant, the events are among the last ones, which all have
// that time. Had they not been granted, as many events would be left as are now, at times no later
// than these. The clock is read after the word, so that it is not before any time that the word
// tells of.
func (l *logCore) RefundAt(t time.Time, n int, held time.Duration) {
	off := timeline.Clamp(l.line.At(t))
	if n < 1 || held < 0 || int64(held) > off-timeline.Bottom {
		return
	}
	granted := instant(off - int64(held))
	for {
		f := l.current.Load()
		c := &f.Scale
		word := f.Word.Load()
		st := c.state(word)
		now := instant(max(off, timeline.Clamp(l.line.Now())))
		after, ok := c.refunded(st, granted, uint64(n))
		if !still(f, word) {
			continue
		}
		if !ok || now-st.time >= c.per {
			return
		}
		if word >= frame.Frozen {
			l.current.Help(f)
			continue
		}
		moved, full := c.move(f, word, st, after)
		if full {
			moved = l.current.Replace(f, refundRenewed(granted, n))
		}
		if moved {
			return
		}
	}
}

// refunded returns the state after a refund of n events granted at the given time, and whether they
// can be given back. A time later than the newest one was read a moment too late. Then, and if n is
// more than the last events, the last ones are given back. They expire later than those that were
// meant, but only by the caller's error.
func (c *logScale) refunded(st logState, granted, n uint64) (logState, bool) {
	if granted < st.time || st.time <= c.spec.settled || st.last == 0 || n > uint64(c.limit) {
		return st, false
	}
	n = min(n, st.last)
	st.next = c.slot(st.next, n)
	st.last -= n
	return st, true
}

// refundRenewed plans a frame with free cells, in which n events are given back if they still can
// be.
func refundRenewed(granted uint64, n int) *logPlan {
	return &logPlan{Successor: func(f *logFrame, word uint64) *logFrame {
		c := &f.Scale
		st := c.state(word)
		after, ok := c.refunded(st, granted, uint64(n))
		if !ok {
			return c.renewed(st, st, 0)
		}
		return c.renewed(st, after, int64(after.last)-int64(st.last))
	}}
}
