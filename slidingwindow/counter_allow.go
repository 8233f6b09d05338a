package slidingwindow

import (
	"time"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/internal/frame"
)

// Allow reports whether one event may happen now, and charges it if so.
func (l *Counter) Allow() bool {
	// It decides the common cases itself: the time is in the newest bucket, or in a later one in
	// which nothing fits either. It leaves the others to take. It is not a method of the core,
	// which would be one more call for callers that have an interface.
	//
	// Invariant of the loop: word and ring count exactly the events granted so far. The step is
	// computed from one load of the word, and from a word of the ring that never changes (see
	// counterScale), and lands only if the word has not moved since, so it is atomic. A lost race
	// means that another caller's change landed. Then the same step on the new word is right, with
	// the time as read before. A refusal stores nothing, except that it may settle the ring for a
	// grant that is under way.
	core := &l.core
	var off int64
	switch line := &core.line; {
	case line.Injected == nil:
		off = int64(time.Since(line.Origin))
	case line.Coarse != nil:
		off = int64(line.Coarse.Elapsed()) - line.Ahead
	default:
		off = line.Now()
	}
	for {
		f := core.current.Load()
		c := &f.Scale
		word := f.Word.Load()
		if int64(word) <= 0 {
			break // fresh, or frozen
		}
		newest := c.newest(word)
		oldest := newest - int64(c.buckets)
		passed := uint64(off - (c.first+newest)*c.width)
		if passed >= uint64(c.width) {
			if int64(passed) < 0 {
				break // before the newest bucket
			}
			if oldest += int64(passed) / c.width; oldest > newest {
				break // all has expired
			}
		}
		began := c.slot(oldest).Load()
		if c.newest(began) != oldest {
			break // not settled yet, or moved on
		}
		if c.since(word, began) >= uint64(c.limit) {
			return false
		}
		if passed >= uint64(c.width) {
			break // a new bucket
		}
		if f.Word.CompareAndSwap(word, word+1) {
			return true
		}
		frame.BackOff()
	}
	return core.allowAnywhere(off)
}

// allowAnywhere keeps the Decision that Allow has no use for out of its stack frame.
//
//go:noinline
func (l *counterCore) allowAnywhere(off int64) bool {
	var d ratelimit.Decision
	l.take(&d, off, 1)
	return d.OK
}
