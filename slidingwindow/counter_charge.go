package slidingwindow

import (
	"time"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/internal/frame"
	"github.com/seed-3506548a/ratelimit/internal/timeline"
)

// ChargeAt counts n events as granted at t, whether they fit or not, and sets d to what is left for
// one more.
//
// The step is computed from one load of the word and from a settled ring, as that of a grant, and
// lands only if the word has not moved since.
func (l *counterCore) ChargeAt(d *ratelimit.Decision, t time.Time, n int) {
	off := timeline.Clamp(l.line.At(t))
	for {
		f := l.current.Load()
		c := &f.Scale
		word := f.Word.Load()
		c.settle(word)
		st := c.state(word)
		bucket := timeline.FloorDiv(off, c.width)
		charge := c.charge(st, bucket, n)
		c.standing(d, st, bucket, off, n, charge)
		landed := false
		switch {
		case charge.n == 0:
			landed = c.state(f.Word.Load()).bucket == st.bucket
		case word >= frame.Frozen:
			l.current.Help(f)
		case charge.wide || bucket > st.bucket && !c.holds(bucket):
			// The frame's last word decides; it may be another than the one just seen.
			if landed = l.current.Replace(f, chargeElsewhere(bucket, n)); landed {
				st = c.state(f.Word.Load())
				c.standing(d, st, bucket, off, n, c.charge(st, bucket, n))
			}
		case bucket <= st.bucket:
			landed = f.Word.CompareAndSwap(word, word+uint64(charge.n))
		default:
			after := c.word(counterState{bucket: bucket, before: st.before + st.count, count: charge.n})
			if landed = f.Word.CompareAndSwap(word, after); landed {
				c.settle(after)
			}
		}
		if landed {
			return
		}
	}
}

// counterCharge is how many events are charged, and in which bucket.
type counterCharge struct {
	n, bucket int64
	wide      bool // the word has no room for them
}

// charge returns the charge of n events in the given bucket, as far as they can be counted.
func (c *counterScale) charge(st counterState, bucket int64, n int) counterCharge {
	newest := max(bucket, st.bucket)
	used := c.counted(st, newest-c.spec.buckets)
	room := max(0, int64(mostCounted(int(c.spec.buckets)))-used)
	charge := counterCharge{n: max(0, min(int64(n), room)), bucket: newest}
	charge.wide = uint64(used+charge.n) > c.mask()>>1
	return charge
}

// chargeElsewhere plans a frame around a bucket that has room for n events more in its word.
func chargeElsewhere(bucket int64, n int) *counterPlan {
	return &counterPlan{Successor: func(f *counterFrame, word uint64) *counterFrame {
		c := &f.Scale
		c.settle(word)
		st := c.state(word)
		charge := c.charge(st, bucket, n)
		counts := c.counts(st, charge.bucket)
		counts[len(counts)-1] += charge.n
		return newCounterFrame(c.spec, charge.bucket, counts)
	}}
}

// standing sets d to the decision on one more event at off after the charge, which was of n.
func (c *counterScale) standing(d *ratelimit.Decision, st counterState, bucket, off int64, n int, charge counterCharge) {
	s := c.spec
	*d = ratelimit.Decision{Limit: int(s.limit)}
	if bucket >= max(st.bucket-s.buckets, s.changed) {
		d.Remaining = int(max(0, s.limit-c.counted(st, bucket-s.buckets)-charge.n))
	}
	over := timeline.Wait(off, (charge.bucket+s.buckets+1)*s.width)
	switch left := s.limit - 1 - charge.n; {
	case n < 0 || s.limit == 0:
		d.RetryAfter = ratelimit.Never
	case left < 0:
		d.RetryAfter = over
	default:
		d.RetryAfter = c.wait(st, off, left)
	}
	d.OK = d.RetryAfter == 0
	if d.ResetAfter = c.wait(st, off, 0); charge.n > 0 {
		d.ResetAfter = over
	}
}
