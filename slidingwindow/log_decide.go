package slidingwindow

import (
	"time"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/internal/timeline"
)

// room returns how many events can be granted at now: as many as have expired of the last limit
// ones.
func (c *logScale) room(st logState, now uint64) uint64 {
	if now < c.changed {
		return 0
	}
	limit := uint64(c.limit)
	low, high := uint64(1), limit+1
	for low < high {
		middle := low + (high-low)/2
		if c.at(st, middle) > now-c.per {
			low = middle + 1
		} else {
			high = middle
		}
	}
	return limit + 1 - low
}

// fits reports whether n events can be granted at now. They can if the event has expired that would
// be limit events before the last of them.
func (c *logScale) fits(st logState, now uint64, n int) bool {
	if n < 1 || n > int(c.limit) {
		return n == 0
	}
	return now >= c.changed && c.at(st, uint64(c.limit)+1-uint64(n)) <= now-c.per
}

// decide sets d to the decision on n events at now, and reports whether they are granted. They are
// if they fit.
func (c *logScale) decide(d *ratelimit.Decision, st logState, now uint64, n int) bool {
	*d = ratelimit.Decision{OK: n == 0, Limit: int(c.limit)}
	room := int(c.room(st, now))
	newest := c.at(st, 1)
	switch {
	case n == 0:
	case n < 0 || n > int(c.limit):
		d.RetryAfter = ratelimit.Never
	case n > room:
		d.RetryAfter = c.wait(now, c.at(st, uint64(c.limit)+1-uint64(n)))
	default:
		d.OK = true
		room -= n
		newest = max(now, st.time)
	}
	d.Remaining = room
	d.ResetAfter = c.wait(now, newest)
	return d.OK
}

// wait returns how long it takes from now until an event of the given time has expired, and
// anything can be granted.
func (c *logScale) wait(now, event uint64) time.Duration {
	return timeline.Wait(offsetOf(now), offsetOf(max(event+c.per, c.changed)))
}
