package compare

import (
	"math"
	"math/big"
	"time"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/internal/proof/model"
	"github.com/seed-3506548a/ratelimit/limittest"
)

// world is what the operations of one limiter are chosen by.
type world struct {
	source
	rate   ratelimit.Rate
	size   int
	origin time.Time
	clock  *limittest.Clock
	now    time.Time
	n      int
	last   ratelimit.Decision

	grants   [4]time.Time
	reserved [3]reserved
}

func (w *world) offset() *big.Int { return model.Offset(w.origin, w.now) }

// advance moves now: mostly by what the limiter just said and by what its rate makes interesting,
// and by a nanosecond more or less.
func (w *world) advance() {
	var d time.Duration
	switch w.below(16) {
	case 0, 1, 2:
		return
	case 3, 4:
		d = w.last.RetryAfter
	case 5:
		d = w.last.ResetAfter
	case 6:
		d = w.rate.Per
	case 7, 8:
		d = w.rate.Per / time.Duration(max(1, w.rate.Events)) * time.Duration(1+w.below(4))
	case 9:
		d = time.Duration(w.byte())
	case 10:
		d = -time.Duration(w.uint64() >> (1 + w.below(63)))
	case 11:
		d = time.Duration(w.uint64() >> (1 + w.below(63)))
	case 12:
		d = -w.rate.Per
	case 13:
		w.now = w.grants[w.below(len(w.grants))]
		if w.now.IsZero() {
			w.now = w.origin
		}
	case 14:
		if w.below(8) == 0 {
			w.now = extremes[w.below(len(extremes))]
		}
	case 15:
		w.now = w.origin.Add(time.Duration(w.byte()) - 128)
		if w.below(2) == 0 { // before the origin by as long as a full bucket takes to drain
			d = -time.Duration(float64(w.size) * float64(w.rate.Per) / float64(max(1, w.rate.Events)))
			w.now = w.origin
		}
	}
	if d == ratelimit.Never && w.below(16) > 0 { // seldom to the end of time, where nothing happens
		d = 0
	}
	w.now = w.now.Add(d).Add(time.Duration(w.below(3) - 1))
}

// patience returns how long a reservation may have to wait: often just long enough.
func (w *world) patience() time.Duration {
	switch w.below(6) {
	case 0:
		return 0
	case 1:
		return -time.Duration(w.byte())
	case 2:
		return math.MaxInt64
	case 3:
		return time.Duration(w.uint64() >> (1 + w.below(63)))
	default:
		return w.rate.Per/time.Duration(max(1, w.rate.Events))*time.Duration(w.below(8)) + time.Duration(w.below(3)-1)
	}
}

// number returns a number of events: the edges of what can be granted, and of int.
func (w *world) number() int {
	switch w.below(12) {
	case 0:
		return 0
	case 1:
		return w.size
	case 2:
		return w.size + 1
	case 3:
		return w.last.Remaining
	case 4:
		return w.last.Remaining + 1
	case 5:
		return []int{-1, math.MaxInt, math.MinInt, math.MaxInt32}[w.below(4)]
	case 6:
		return 1 + int(w.uint64()%uint64(w.size))
	case 7:
		return w.size / 2
	default:
		return 1
	}
}

// held returns how long ago refunded events were granted: often truly.
func (w *world) held() time.Duration {
	switch w.below(8) {
	case 0, 1, 2:
		return 0
	case 3:
		return time.Duration(w.uint64())
	case 4:
		return time.Duration(w.byte())
	default:
		return w.now.Sub(w.grants[w.below(len(w.grants))])
	}
}
