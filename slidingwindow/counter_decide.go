package slidingwindow

import (
	"time"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/internal/timeline"
)

// decide sets d to the decision on n events at off, in the given bucket, and reports whether they
// are granted. They are if they fit: see [counterSpec].
func (c *counterScale) decide(d *ratelimit.Decision, st counterState, bucket, off int64, n int) bool {
	s := c.spec
	used := s.limit
	if bucket >= s.earliest(st) {
		used = c.counted(st, bucket-s.buckets)
	}
	*d = ratelimit.Decision{OK: n == 0, Limit: int(s.limit)}
	switch {
	case n == 0:
	case n < 0 || int64(n) > s.limit:
		d.RetryAfter = ratelimit.Never
	case used+int64(n) > s.limit:
		d.RetryAfter = c.wait(st, off, s.limit-int64(n))
	default:
		d.OK = true
		d.Remaining = int(s.limit-used) - n
		d.ResetAfter = timeline.Wait(off, (max(bucket, st.bucket)+s.buckets+1)*s.width)
		return true
	}
	d.Remaining = int(max(0, s.limit-used))
	d.ResetAfter = c.wait(st, off, 0)
	return d.OK
}

// wait returns how long it takes from off until at most left events count.
func (c *counterScale) wait(st counterState, off, left int64) time.Duration {
	if st.fresh {
		return 0
	}
	s := c.spec
	low, high := s.earliest(st), st.bucket+s.buckets+1 // where nothing is
	if st.count > left {
		low = high
	}
	for low < high {
		middle := low + (high-low)/2
		if c.counted(st, middle-s.buckets) <= left {
			high = middle
		} else {
			low = middle + 1
		}
	}
	return timeline.Wait(off, low*s.width)
}
