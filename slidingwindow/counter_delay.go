package slidingwindow

import (
	"time"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/internal/timeline"
)

// DelayAt returns how long after t it takes until n events more can have been granted.
func (l *counterCore) DelayAt(t time.Time, n int) time.Duration {
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
		c.settle(word)
		st := c.state(word)
		i, whole := laps(n, int64(c.limit))
		wait := c.wait(st, off, int64(c.limit)-int64(i))
		if c.state(f.Word.Load()).bucket != st.bucket {
			continue
		}
		if wait == ratelimit.Never || whole == 0 {
			return wait
		}
		bucket := timeline.FloorDiv(off+int64(wait), c.width)
		bucket = max(bucket, st.bucket) // a late event counts in the newest bucket
		return timeline.Wait(off, after(bucket*c.width, whole, (int64(c.buckets)+1)*c.width))
	}
}
