package slidingwindow

import (
	"time"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/internal/frame"
	"github.com/seed-3506548a/ratelimit/internal/timeline"
)

// Allow reports whether one event may happen now, and charges it if so.
func (l *Log) Allow() bool {
	// It is not a method of the core, which would be one more call.
	switch line := &l.core.line; {
	case line.Injected == nil:
		return l.core.allow(int64(time.Since(line.Origin)))
	case line.Coarse != nil:
		return l.core.allow(int64(line.Coarse.Elapsed()) - line.Ahead)
	default:
		return l.core.allow(timeline.Clamp(line.Now()))
	}
}

// AllowAt is Allow as of t. It does what TakeAt(t, 1) does, and costs less. See
// [ratelimit.Allower].
func (l *Log) AllowAt(t time.Time) bool {
	return l.core.allow(timeline.Clamp(l.core.line.At(t)))
}

// allow is take for one event, and without a Decision.
//
// Invariant of the loop: the state that the word refers to lists the events that were granted and
// not given back, as far as they may count. The step is computed from that state and lands only if
// the word has not moved since, so it is atomic. A lost race means that another caller's change
// landed; then the same step on the new state is right, with the time as read before. A refusal
// stores nothing, unless it first lost a race for what was left.
func (l *logCore) allow(off int64) bool {
	now := instant(off)
	for {
		f := l.current.Load()
		c := &f.Scale
		word := f.Word.Load()
		st := c.state(word)
		refused := c.at(st, uint64(c.limit)) > now-c.per
		if !still(f, word) {
			continue
		}
		if refused {
			return false
		}
		if word >= frame.Frozen || now < c.changed || c.limit == 0 {
			break
		}
		moved, full := c.move(f, word, st, c.granted(st, now, 1))
		if moved {
			return true
		}
		if full {
			break
		}
		frame.BackOff()
	}
	return l.allowAnyway(off)
}

// allowAnyway keeps the Decision that Allow has no use for out of its stack frame.
//
//go:noinline
func (l *logCore) allowAnyway(off int64) bool {
	var d ratelimit.Decision
	l.take(&d, off, 1)
	return d.OK
}
