package keyed

import (
	"time"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/internal/timeline"
)

// resident is the limiter of a key in a Map. The lock of its shard is held by all that asks it.
type resident struct {
	limiter ratelimit.Limiter
	since   int64 // the shard's floor when it was made: of earlier times it knows nothing
}

// deed is what is done to a key's limiter: events are taken if they fit, or owed in any case.
type deed bool

const (
	taking deed = false
	owing  deed = true
)

// charge takes events from the limiter if t is not late, or has them owed, as of the first time
// that is not late.
func (e resident) charge(line *timeline.Timeline, t time.Time, n int, what deed) (d ratelimit.Decision, late bool) {
	early := lateness(line, t, e.since)
	switch {
	case early > 0 && what == taking:
		return e.peek(line, t, n), true
	case early > 0:
		ratelimit.Charge(e.limiter, t.Add(early), n)
		return standing(e.peek(line, t, 0), e.peek(line, t, 1)), false
	case what == owing:
		return ratelimit.Charge(e.limiter, t, n), false
	}
	return e.limiter.TakeAt(t, n), false
}

// peek asks the limiter. At a late time the answer is that of a limiter that grants nothing before
// the first time that is not late.
func (e resident) peek(line *timeline.Timeline, t time.Time, n int) ratelimit.Decision {
	early := lateness(line, t, e.since)
	d := e.limiter.PeekAt(t.Add(early), n)
	if early == 0 {
		return d
	}
	if d.OK { // then, but not now: what is left is what there is without it
		d = e.limiter.PeekAt(t.Add(early), 0)
	}
	d.OK = n == 0
	d.Remaining = 0
	d.ResetAfter = later(d.ResetAfter, early)
	if n != 0 {
		d.RetryAfter = later(d.RetryAfter, early)
	}
	if d.RetryAfter != ratelimit.Never {
		d.By = Late
	}
	return d
}

// refund gives back to the limiter, if it has granted the events. What was granted at a late time
// was granted by a predecessor, which was idle when it was evicted.
func (e resident) refund(line *timeline.Timeline, t time.Time, n int, held time.Duration) {
	if held >= 0 && lateness(line, t.Add(-held), e.since) == 0 {
		e.limiter.RefundAt(t, n, held)
	}
}

// delay asks the limiter, if it is a Delayer. Otherwise it is 0.
func (e resident) delay(line *timeline.Timeline, t time.Time, n int) time.Duration {
	l, ok := e.limiter.(ratelimit.Delayer)
	if !ok || n == 0 {
		return 0
	}
	early := lateness(line, t, e.since)
	return later(l.DelayAt(t.Add(early), n), early)
}

// untilIdle returns how long it takes from t until the limiter is idle, so that it cannot be told
// from a new one; 0 if it is idle at t.
func (e resident) untilIdle(t time.Time) time.Duration {
	d := e.limiter.PeekAt(t, 0)
	if d.ResetAfter == 0 && d.Remaining == d.Limit {
		return 0
	}
	return max(d.ResetAfter, 1)
}

// idleBefore returns for how long before t, at which it is idle, the limiter has been so, as far as
// memory goes.
func (e resident) idleBefore(t time.Time) time.Duration {
	return memory - min(e.limiter.PeekAt(t.Add(-memory), 0).ResetAfter, memory)
}

// lateness returns how long before since t is; 0 if it is not.
func lateness(line *timeline.Timeline, t time.Time, since int64) time.Duration {
	if since == timeline.Bottom { // nothing was evicted yet
		return 0
	}
	return time.Duration(max(since-timeline.Clamp(line.At(t)), 0))
}

// standing is the state that d reports, with the answer to the next request.
func standing(d, next ratelimit.Decision) ratelimit.Decision {
	d.OK, d.RetryAfter, d.By = next.OK, next.RetryAfter, next.By
	return d
}

// refusal is the map's own refusal of n events, until after has passed.
func refusal(n int, after time.Duration, by int) ratelimit.Decision {
	d := ratelimit.Decision{OK: n == 0, ResetAfter: after, By: by}
	switch {
	case n < 0:
		d.RetryAfter = ratelimit.Never
	case n > 0:
		d.RetryAfter = after
	}
	return d
}

// later adds two waits.
func later(a, b time.Duration) time.Duration {
	if a > ratelimit.Never-b {
		return ratelimit.Never
	}
	return a + b
}
