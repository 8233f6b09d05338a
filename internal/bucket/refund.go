package bucket

import (
	"time"

	"github.com/seed-3506548a/ratelimit/internal/frame"
	"github.com/seed-3506548a/ratelimit/internal/timeline"
)

// made is what a grant has made of a bucket: it charged n events, and skipped the ticks that were
// idle before these can be acted on.
type made struct {
	n    int
	idle uint64
}

// RefundAt gives back, as of t, n events granted held before t.
func (b *Bucket) RefundAt(t time.Time, n int, held time.Duration) { b.refund(t, n, held, nil) }

// refund is RefundAt for a bucket of which events were leased until leased, if that is not nil.
func (b *Bucket) refund(t time.Time, n int, held time.Duration, leased *horizon) {
	off := timeline.Clamp(b.line.At(t))
	if held >= 0 && uint64(held) <= maxDepth+1 { // what was held for longer has drained
		b.giveBack(off, made{n: n}, off-int64(held), leased)
	}
}

// GiveBack gives back, as of off, what was granted, or could be acted on, at granted.
func (b *Bucket) GiveBack(off int64, m made, granted int64) { b.giveBack(off, m, granted, nil) }

// refunding is the claim of a refund to its frame.
var refunding plan

// giveBack is GiveBack as of no earlier than leased.
//
// The step is computed from one load of the word and lands only if the word has not moved since. If
// another caller's change landed first, it is computed again. The clock and leased are read after
// the word, so they are not earlier than any time that went into the word.
//
// Equal words are not enough for that: if the word fell and rose again, a later time went into it.
// So a refund claims the frame, as only refunds lower a word. If another refund has claimed it, a
// new frame takes its place, and the clock and leased are read when the word is frozen.
func (b *Bucket) giveBack(off int64, m made, granted int64, leased *horizon) {
	for m.n > 0 {
		f := b.current.Load()
		if !f.Claim(&refunding) {
			if b.current.Replace(f, b.refundFrozen(off, m, granted, leased)) {
				return
			}
			continue
		}
		word := f.Word.Load()
		after, ok := f.Scale.refunded(word&^frame.Frozen, b.asOf(off, leased), m, granted)
		switch {
		case !ok:
			f.Release(&refunding)
			return
		case after.scale != f.Scale:
			if b.current.Replace(f, b.refundFrozen(off, m, granted, leased)) {
				return
			}
		case word < frame.Frozen && f.Word.CompareAndSwap(word, after.word):
			f.Release(&refunding)
			return
		default:
			f.Release(&refunding)
		}
	}
}

// asOf returns the time of a refund as of off. It is not earlier than any that went into a word
// that was loaded before.
func (b *Bucket) asOf(off int64, leased *horizon) int64 {
	return max(off, timeline.Clamp(b.line.Now()), leased.load())
}

// refundFrozen plans a refund in a frame of its own.
func (b *Bucket) refundFrozen(off int64, m made, granted int64, leased *horizon) *plan {
	return &plan{Successor: func(f *bucketFrame, word uint64) *bucketFrame {
		after, ok := f.Scale.refunded(word, b.asOf(off, leased), m, granted)
		if !ok {
			return frame.New(f.Scale, word)
		}
		return after.frame()
	}}
}

// refunded returns the state after a refund as of as, in the same scale if it can. It is not ok if
// nothing is given back.
//
// Let v be the TAT as if the n events had never been granted, and word the TAT as it is. Right
// after the grant, word-v is n*T; and idle on top of that, if the events had to wait so long that
// the bucket was empty before they could be acted on. From then on only a grant at a time s between
// the two brings them closer, to word-s. As word >= granted + n*T, the distance is at least n*T
// less the time from granted to s. Hence word - (n*T - held) >= v if no grant was at an s later
// than as: that is why as must not be early.
//
// A caller may claim more than is owed, if it read the time of the grant a moment too late. Then
// what is owed is given back: too much by no more than the caller's error.
//
// Of pending reservations, only the last one can be given back. If an earlier one were, another
// event could be acted on at the time of a later one. Nothing was granted since the last one was
// made, so v is exactly word - n*T - idle.
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
		return after, false // a later reservation is pending, whose time counts on these events
	}
	credit := uint64(m.n) * s.perEvent
	switch {
	case granted > as: // pending
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
		if acted { // none is pending, and what was given back may have been charged
			less.past.mark = mark{acted: last}
		}
		s = &less
	}
	if live > credit {
		after = newState(s, c.start, live-credit)
	} else { // the TAT lies before the frame
		after = owing(s, as, owed-credit)
	}
	if settled {
		s.past.owed = after.scale.owes(after.word, s.past.acted)
	}
	return after, true
}
