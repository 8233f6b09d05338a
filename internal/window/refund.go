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

// GiveBack gives back, as of off, what was granted, or could be acted on, at granted.
//
// The step is computed from one load of the word and lands only if the word has not moved since. If
// another caller's change landed first, it is computed again. The clock is read after the word, so
// it is not earlier than any time of the clock that went into the word.
func (w *Window) GiveBack(off int64, m made, granted int64) {
	for m.n > 0 {
		f := w.current.Load()
		c := &f.Scale
		word := f.Word.Load()
		st := c.state(word)
		s, after, ok := c.spec.refunded(st, max(off, timeline.Clamp(w.line.Now())), m, granted)
		switch {
		case !ok:
			return
		case word >= frame.Frozen:
			w.current.Help(f)
		case s == c.spec && c.counts(after):
			if f.Word.CompareAndSwap(word, c.word(after)) {
				return
			}
		default:
			refund := &plan{Successor: func(_ *windowFrame, last uint64) *windowFrame {
				if last != word {
					return nil
				}
				return newFrame(s, after.start, after)
			}}
			if w.current.Replace(f, refund) {
				return
			}
		}
	}
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
