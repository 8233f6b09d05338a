package window

import (
	"time"

	"github.com/seed-3506548a/ratelimit/internal/frame"
	"github.com/seed-3506548a/ratelimit/internal/timeline"
)

// made is what a grant has made of a window: it charged n events, which led from a state to
// another.
type made struct {
	n           int
	from, after state
}

// RefundAt gives back, as of t, n events granted held before t.
func (w *Window) RefundAt(t time.Time, n int, held time.Duration) {
	off := timeline.Clamp(w.line.At(t))
	if held >= 0 && held <= maxQuarter { // what was held for longer has expired
		w.GiveBack(off, made{n: n}, off-int64(held))
	}
}

// refunding is the claim of a refund to its frame.
var refunding plan

// GiveBack gives back, as of off, what was granted, or could be acted on, at granted.
//
// The step is computed from one load of the word and lands only if the word has not moved since. If
// another caller's change landed first, it is computed again. The clock is read after the word, so
// it is not earlier than any time of the clock that went into the word.
//
// Equal words are not enough for that: if the word fell and rose again, a later time went into it.
// So a refund claims the frame, as only refunds lower a count. If another refund has claimed it, a
// new frame takes its place, and the clock is read when the word is frozen.
func (w *Window) GiveBack(off int64, m made, granted int64) {
	for m.n > 0 {
		f := w.current.Load()
		if !f.Claim(&refunding) {
			if w.current.Replace(f, w.refundFrozen(off, m, granted)) {
				return
			}
			continue
		}
		c := &f.Scale
		word := f.Word.Load()
		s, after, ok := c.spec.refunded(c.state(word), w.asOf(off), m, granted)
		switch {
		case !ok:
			f.Release(&refunding)
			return
		case s != c.spec || !c.counts(after):
			if w.current.Replace(f, w.refundFrozen(off, m, granted)) {
				return
			}
		case word < frame.Frozen && f.Word.CompareAndSwap(word, c.word(after)):
			f.Release(&refunding)
			return
		default:
			f.Release(&refunding)
		}
	}
}

// asOf returns the time of a refund as of off. It is not earlier than any time of the clock that
// went into a word that was loaded before.
func (w *Window) asOf(off int64) int64 { return max(off, timeline.Clamp(w.line.Now())) }

// refundFrozen plans a refund in a frame of its own.
func (w *Window) refundFrozen(off int64, m made, granted int64) *plan {
	return &plan{Successor: func(f *windowFrame, word uint64) *windowFrame {
		s, after, ok := f.Scale.spec.refunded(f.Scale.state(word), w.asOf(off), m, granted)
		if !ok {
			return frame.New(f.Scale, word)
		}
		return newFrame(s, after.start, after)
	}}
}

// refunded returns the state after a refund as of as, and its spec. It is not ok if nothing is
// given back.
//
// If the state is the one that a reservation left, nothing was granted after it, or it is as if
// nothing had been. So without the reservation, the state would be the one that it came from.
//
// Otherwise events are given back only while the window that counted them is the current one. If
// they had not been granted, the count would be lower by n, and all else the same. There is one
// exception: a window that started with them would have started later, and would expire later. It
// is not known when, so its start moves to the time of the refund.
func (s *spec) refunded(st state, as int64, m made, granted int64) (*spec, state, bool) {
	switch {
	case st.fresh:
		return s, st, false
	case granted <= s.settled && as <= granted && s.before != nil && st == s.before.left:
		return s.before.refunded(s, as, m, granted)
	case granted <= s.settled, int64(m.n) > s.limit:
		return s, st, false
	case m.after.count > 0 && st == m.after:
		return s, m.from, true
	}
	as = max(as, st.start)
	switch {
	case st.count == 0 || granted < st.start || as >= st.start+s.length || granted >= st.start+s.length:
		return s, st, false
	case granted < st.start+s.grid:
		st.start = s.floor(as) // of aligned windows, the same
	}
	st.count -= min(int64(m.n), st.count)
	return s, st, true
}
