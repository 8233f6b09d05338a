package slidingwindow

import (
	"math/bits"
	"time"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/internal/timeline"
)

// Whoever takes events one by one, each as soon as it fits, is granted the i-th of them, up to the
// limit, when what was granted before leaves room for i. Each later one fits when that which was
// granted the limit before it has expired.

// laps returns i, from 1 to the limit, and how many times the limit come before the i-th, for the
// n-th of all.
func laps(n int, limit int64) (i int, whole int64) {
	whole = (int64(n) - 1) / limit
	return int(int64(n) - whole*limit), whole
}

// after returns the offset so many times the length after off; beyond the top, if it is.
func after(off, times, length int64) int64 {
	high, low := bits.Mul64(uint64(times), uint64(length))
	if high > 0 || off > timeline.Top || low > uint64(timeline.Top-off) {
		return timeline.Top + 1
	}
	return off + int64(low)
}

// DelayAt returns how long after t it takes until n events more can have been granted, in requests
// of any size and with no other traffic; n may exceed the limit. It is exact for events that are
// asked for one by one, charges nothing, and may already be outdated. See [ratelimit.Delayer].
func (l *Log) DelayAt(t time.Time, n int) time.Duration {
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

// DelayAt returns how long after t it takes until n events more can have been granted, in requests
// of any size and with no other traffic; n may exceed the limit. It is exact for events that are
// asked for one by one, charges nothing, and may already be outdated. See [ratelimit.Delayer].
func (l *Counter) DelayAt(t time.Time, n int) time.Duration {
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
