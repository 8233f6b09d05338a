package bucket

import (
	"time"

	"github.com/seed-3506548a/ratelimit/internal/frame"
	"github.com/seed-3506548a/ratelimit/internal/timeline"
)

// RefundAt gives back, as of t, n events granted held before t.
func (b *Bucket) RefundAt(t time.Time, n int, held time.Duration) {
	off := timeline.Clamp(b.line.At(t))
	if held >= 0 && uint64(held) <= maxDepth+1 { // what was held for longer has drained
		b.refund(off, n, off-int64(held))
	}
}

// refund gives back, as of off, n events that were granted, or could be acted on, at granted.
//
// Let v be the TAT if those n events had never been granted, and word the TAT as it is. Right after
// the grant word-v >= n*T; from then on only a grant at a time s between the two shrinks their
// distance, to word-s; and word >= granted + n*T, so that distance is at least n*T less the time
// from granted to s. Hence word - (n*T - held) >= v, if no grant was at an s later than off: that is
// why off must not be early, and is moved to the limiter's clock. With a reservation that is yet to be
// acted on, only the last one can be given back; giving back what lies before it would also lose from
// the word when it will be acted on.
//
// The clock is read after the word, so that it is not before any time that the word tells of.
func (b *Bucket) refund(off int64, n int, granted int64) {
	for n > 0 {
		f := b.current.Load()
		c := &f.Scale
		word := f.Word.Load()
		live := word &^ frame.Frozen
		if n > c.spec.limit || live == 0 || granted <= c.spec.past.grants {
			return
		}
		as := max(off, timeline.Clamp(b.line.Now()))
		if last := c.lastAct(live); last > as {
			if granted < last {
				return // somebody will act later, at a time that counts on these events
			}
			as = last
		}
		debt, _ := c.debt(live, as)
		credit := c.spec.credit(n, granted, as)
		if credit == 0 || credit > debt { // drained; or such a grant would have left more debt
			return
		}
		switch {
		case word >= frame.Frozen:
			b.current.Help(f)
		case word > credit:
			if f.Word.CompareAndSwap(word, word-credit) {
				return
			}
		default: // the debt would begin before the frame
			refund := &plan{Successor: func(f *bucketFrame, last uint64) *bucketFrame {
				if last != word {
					return newFrame(f.Scale.spec, f.Scale.start, last)
				}
				return newFrameOwing(f.Scale.spec, as, debt-credit)
			}}
			if b.current.Replace(f, refund) && f.Word.Load()&^frame.Frozen == word {
				return
			}
		}
	}
}

// credit returns the ticks that have not drained by off of n events granted at granted.
func (s *spec) credit(n int, granted, off int64) uint64 {
	cost := uint64(n) * s.perEvent
	if granted >= off { // reserved, and not acted on yet
		return cost
	}
	held := uint64(off - granted) // the difference may exceed an int64
	if held > uint64(s.drain) {
		return 0
	}
	return cost - min(cost, held*s.perNano)
}
