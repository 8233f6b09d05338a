package window

import (
	"time"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/internal/frame"
	"github.com/seed-3506548a/ratelimit/internal/timeline"
)

// ChargeAt counts n events as granted at t, whether they fit or not, and sets d to what is left for
// one more.
//
// The step is computed from one load of the word and lands only if the word has not moved since. If
// another caller's change landed first, it is computed again.
func (w *Window) ChargeAt(d *ratelimit.Decision, t time.Time, n int) {
	off := timeline.Clamp(w.line.At(t))
	for {
		f := w.current.Load()
		c := &f.Scale
		word := f.Word.Load()
		st := c.state(word)
		s, after := c.spec.charged(st, off, n)
		landed := true
		switch {
		case after == st:
		case word >= frame.Frozen:
			w.current.Help(f)
			landed = false
		case s == c.spec && c.counts(after):
			landed = f.Word.CompareAndSwap(word, c.word(after))
		default:
			charge := &plan{Successor: func(f *windowFrame, word uint64) *windowFrame {
				wide, charged := f.Scale.spec.charged(f.Scale.state(word), off, n)
				return newFrame(wide, charged.start, charged)
			}}
			if landed = w.current.Replace(f, charge); landed {
				s, after = c.spec.charged(c.state(f.Word.Load()), off, n)
			}
		}
		if landed {
			s.standing(d, after, off, n)
			return
		}
	}
}

// charged returns the state after n more events were granted at off, or as many as can be counted,
// and the spec of a word that has room for it. At a time before the last change of rate, they count
// as of the change.
func (s *spec) charged(st state, off int64, n int) (*spec, state) {
	if n <= 0 {
		return s, st
	}
	after := s.as(st, max(off, s.changed))
	after.count += min(int64(n), max(maxEvents-after.count, 0))
	if after.count>>s.bits == 0 {
		return s, after
	}
	wide := newSpec(s.kind, s.rate, s.capacity, after.count, s.settled)
	wide.changed = s.changed
	after.start = wide.floor(after.start)
	return wide, after
}

// standing sets d to the decision on one more event at off, after n were charged.
func (s *spec) standing(d *ratelimit.Decision, st state, off int64, n int) {
	if n < 0 {
		s.decide(d, st, off, n, 0, false)
		return
	}
	_, _, ok := s.step(st, off, 1, 0)
	s.decide(d, st, off, 1, 0, ok)
}
