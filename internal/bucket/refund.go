package bucket

import (
	"time"

	"github.com/seed-3506548a/ratelimit/internal/frame"
	"github.com/seed-3506548a/ratelimit/internal/timeline"
)

// made is what a grant has made of a bucket: it has charged n events, and lost the ticks that were
// idle before they can be acted on.
type made struct {
	n    int
	idle uint64
}

// RefundAt gives back, as of t, n events granted held before t.
func (b *Bucket) RefundAt(t time.Time, n int, held time.Duration) {
	off := timeline.Clamp(b.line.At(t))
	if held >= 0 && uint64(held) <= maxDepth+1 { // what was held for longer has drained
		b.GiveBack(off, made{n: n}, off-int64(held))
	}
}

// GiveBack gives back, as of off, what was granted, or could be acted on, at granted.
//
// The step is computed from one load of the word and lands only if it has not moved since; a lost
// race means that another caller's change landed, and the step is computed anew. The clock is read
// after the word, so that it is not before any time that the word tells of.
func (b *Bucket) GiveBack(off int64, m made, granted int64) {
	for m.n > 0 {
		f := b.current.Load()
		c := &f.Scale
		word := f.Word.Load()
		live := word &^ frame.Frozen
		as := max(off, timeline.Clamp(b.line.Now()))
		after, ok := c.refunded(live, as, m, granted)
		switch {
		case !ok:
			return
		case word >= frame.Frozen:
			b.current.Help(f)
		case after.scale == *c:
			if f.Word.CompareAndSwap(word, after.word) {
				return
			}
		default:
			refund := &plan{Successor: func(_ *bucketFrame, last uint64) *bucketFrame {
				if last != word {
					return nil
				}
				return after.frame()
			}}
			if b.current.Replace(f, refund) {
				return
			}
		}
	}
}

// refunded returns the state after a refund as of as, in the same scale if it can; not ok, if
// nothing is given back.
//
// Let v be the TAT if those n events had never been granted, and word the TAT as it is. Right after
// the grant word-v is n*T, and idle besides, if the events had to wait for so long that the bucket
// was empty before they could be acted on. From then on only a grant at a time s between the two
// shrinks their distance, to word-s; and word >= granted + n*T, so that distance is at least n*T
// less the time from granted to s. Hence word - (n*T - held) >= v, if no grant was at an s later
// than as: that is why as must not be early. If more is claimed than is owed, as with a time of the
// grant that was read a moment too late, what is owed is given back: that is more than it should be
// by no more than the caller's error.
//
// With reservations that are yet to be acted on, only the last one can be given back: for what lies
// before it, somebody else might act at the time of one that is still to come. Nobody has acted
// since the last one was made, so v is exactly word - n*T - idle.
func (c *scale) refunded(live uint64, as int64, m made, granted int64) (after state, ok bool) {
	s := c.spec
	if live == 0 {
		return after, false
	}
	if granted <= s.past.grants {
		if as <= granted && s.past.before != nil && c.settled(live) {
			return s.past.before.refunded(s, as, m, granted)
		}
		return after, false
	}
	if m.n > s.limit {
		return after, false
	}
	last, acted := c.lastAct(live), granted <= as
	if last > as && granted < last {
		return after, false // somebody will act later, at a time that counts on these events
	}
	credit := uint64(m.n) * s.perEvent
	switch {
	case granted > as: // to be acted on
		as = max(as, s.past.changed, granted-2*s.reach)
		credit += m.idle
	case uint64(as-granted) > uint64(s.drain): // the difference may exceed an int64
		return after, false
	default:
		credit -= min(credit, uint64(as-granted)*s.perNano)
	}
	owed := c.owes(live, as)
	credit = min(credit, owed)
	if credit == 0 {
		return after, false
	}
	settled := c.settled(live)
	if settled {
		less := *s
		less.past.before = nil
		if acted { // all have been, and what was given back may have been charged
			less.past.mark = mark{acted: last}
		}
		s = &less
	}
	if live > credit {
		after = newState(s, c.start, live-credit)
	} else { // it begins before the frame
		after = owing(s, as, owed-credit)
	}
	if settled {
		s.past.owed = after.scale.owes(after.word, s.past.acted)
	}
	return after, true
}
