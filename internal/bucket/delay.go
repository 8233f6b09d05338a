package bucket

import (
	"math/bits"
	"time"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/internal/frame"
	"github.com/seed-3506548a/ratelimit/internal/timeline"
)

// DelayAt returns how long after t it takes until n events more can have been granted: until all
// but a full bucket has drained of what is owed and of theirs. That is exact if whoever takes them
// one by one loses nothing while waiting for a whole nanosecond: if (burst-1)*T is a nanosecond, or
// T a whole number of them.
func (b *Bucket) DelayAt(t time.Time, n int) time.Duration {
	off := timeline.Clamp(b.line.At(t))
	f := b.current.Load()
	s := f.Scale.spec
	owed := f.Scale.debt(f.Word.Load()&^frame.Frozen, off)
	switch {
	case n == 0:
		return 0
	case n < 0 || s.limit == 0:
		return ratelimit.Never
	}
	high, low := bits.Mul64(uint64(n), s.perEvent)
	low, carry := bits.Add64(low, owed.ticks, 0)
	high += carry
	if high == 0 && low <= s.depth {
		return s.wait(debt{later: owed.later}, off)
	}
	low, borrow := bits.Sub64(low, s.depth, 0)
	high -= borrow
	if high >= s.perNano {
		return ratelimit.Never
	}
	nanos, rest := bits.Div64(high, low, s.perNano)
	if nanos > uint64(timeline.Top) {
		return ratelimit.Never
	}
	if rest > 0 {
		nanos++
	}
	if nanos += owed.later; nanos > uint64(timeline.Top-off) {
		return ratelimit.Never
	}
	return time.Duration(nanos)
}
