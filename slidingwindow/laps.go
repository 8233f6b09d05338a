package slidingwindow

import (
	"math/bits"

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
