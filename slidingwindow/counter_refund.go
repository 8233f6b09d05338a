package slidingwindow

import (
	"time"

	"github.com/seed-3506548a/ratelimit/internal/frame"
	"github.com/seed-3506548a/ratelimit/internal/timeline"
)

// RefundAt gives back n events that were granted at t-held, if nothing was granted in a later
// bucket than that of that time, and it still counts at t.
//
// While the newest bucket is that of the grant, the events are in its count: had they not been
// granted, it would be lower by n and all else the same; or, if they began the bucket, an earlier
// one would still be the newest, of which only late callers could make use. The clock is read after
// the word, so that it is not before any time that the word tells of.
func (l *counterCore) RefundAt(t time.Time, n int, held time.Duration) {
	off := timeline.Clamp(l.line.At(t))
	if held < 0 || int64(held) > off-timeline.Bottom {
		return
	}
	for n > 0 {
		f := l.current.Load()
		c := &f.Scale
		word := f.Word.Load()
		st := c.state(word)
		granted := timeline.FloorDiv(off-int64(held), c.width)
		now := timeline.FloorDiv(max(off, timeline.Clamp(l.line.Now())), c.width)
		switch {
		case st.fresh || granted < st.bucket || st.bucket <= c.spec.settled || st.count == 0:
			return
		case int64(n) > c.spec.limit || now-st.bucket > c.spec.buckets:
			return
		case word >= frame.Frozen:
			l.current.Help(f)
		case f.Word.CompareAndSwap(word, word-min(uint64(n), uint64(st.count))):
			return
		}
	}
}
