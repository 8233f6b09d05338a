package slidingwindow

import (
	"time"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/internal/frame"
	"github.com/seed-3506548a/ratelimit/internal/timeline"
)

// ChargeAt counts n events as granted at t, whether they fit or not, and sets d to what is left for
// one more.
//
// The step is computed from the state that the word refers to, as that of a grant, and lands only
// if the word has not moved since.
func (l *logCore) ChargeAt(d *ratelimit.Decision, t time.Time, n int) {
	now := instant(timeline.Clamp(l.line.At(t)))
	for {
		f := l.current.Load()
		c := &f.Scale
		word := f.Word.Load()
		st := c.state(word)
		charged := c.charged(st, now, n)
		c.standing(d, st, now, n, charged)
		if !still(f, word) {
			continue
		}
		if charged == 0 {
			return
		}
		if word >= frame.Frozen {
			l.current.Help(f)
			continue
		}
		moved, full := c.move(f, word, st, c.granted(st, now, charged))
		if full {
			if moved = l.current.Replace(f, chargeRenewed(now, n)); moved {
				// The frame's last state decides; it may be another than the one just seen.
				st = c.state(f.Word.Load())
				c.standing(d, st, now, n, c.charged(st, now, n))
			}
		}
		if moved {
			return
		}
		frame.BackOff()
	}
}

// charged returns how many of n events are recorded.
func (c *logScale) charged(st logState, now uint64, n int) uint64 {
	room := uint64(c.limit)
	if now <= st.time {
		room -= min(room, st.last)
	}
	return min(uint64(max(n, 0)), room)
}

// chargeRenewed plans a frame with free cells, in which n events more are recorded.
func chargeRenewed(now uint64, n int) *logPlan {
	return &logPlan{Successor: func(f *logFrame, word uint64) *logFrame {
		c := &f.Scale
		st := c.state(word)
		charged := c.charged(st, now, n)
		after := st
		if charged > 0 {
			after = c.granted(st, now, charged)
		}
		return c.renewed(st, after, int64(charged))
	}}
}

// standing sets d to the decision on one more event at now after a charge of n, of which the given
// number was recorded.
func (c *logScale) standing(d *ratelimit.Decision, st logState, now uint64, n int, charged uint64) {
	limit := uint64(c.limit)
	*d = ratelimit.Decision{Limit: int(limit)}
	room := c.room(st, now)
	d.Remaining = int(room - min(room, charged))
	newest := c.at(st, 1)
	if charged > 0 {
		newest = max(now, st.time)
	}
	switch {
	case n < 0 || limit == 0:
		d.RetryAfter = ratelimit.Never
	case charged >= limit:
		d.RetryAfter = c.wait(now, newest)
	default:
		d.RetryAfter = c.wait(now, c.at(st, limit-charged))
	}
	d.OK = d.RetryAfter == 0
	d.ResetAfter = c.wait(now, newest)
}
