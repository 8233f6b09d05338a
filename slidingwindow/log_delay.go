package slidingwindow

import (
	"time"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/internal/timeline"
)

// DelayAt returns how long after t it takes until n events more can have been granted.
func (l *logCore) DelayAt(t time.Time, n int) time.Duration {
	off := timeline.Clamp(l.line.At(t))
	for {
		f := l.current.Load()
		c := &f.Scale
		switch {
		case n == 0:
			return 0
		case n < 0 || c.limit == 0:
			return ratelimit.Never
		}
		word := f.Word.Load()
		st := c.state(word)
		i, whole := laps(n, int64(c.limit))
		at := max(instant(off), c.at(st, uint64(c.limit)+1-uint64(i))+c.per, c.changed)
		if !still(f, word) {
			continue
		}
		if whole > 0 {
			at = max(at, st.time) // a late event counts from the newest time
		}
		return timeline.Wait(off, after(offsetOf(at), whole, int64(c.per)))
	}
}
