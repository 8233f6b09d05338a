package slidingwindow

import (
	"math/bits"

	"github.com/seed-3506548a/ratelimit/internal/timeline"
)

// A caller takes n events one by one, each as soon as it fits. The first ones, as many as the
// limit, wait for what was granted before: the i-th fits when that leaves room for i. Each later
// event waits for the one of its own that is the limit before it to expire. So the n-th fits whole
// lengths after the i-th, where n = i + whole*limit.

// laps returns i, which is from 1 to the limit, and whole.
func laps(n int, limit int64) (i int, whole int64) {
	whole = (int64(n) - 1) / limit
	return int(int64(n) - whole*limit), whole
}

// after returns off + times*length, or an offset beyond the top if that is beyond it.
func after(off, times, length int64) int64 {
	high, low := bits.Mul64(uint64(times), uint64(length))
	if high > 0 || off > timeline.Top || low > uint64(timeline.Top-off) {
		return timeline.Top + 1
	}
	return off + int64(low)
}
