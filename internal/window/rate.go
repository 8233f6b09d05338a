package window

import (
	"time"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/internal/timeline"
)

// SetRateAt changes the number of events of the rate, and the capacity, as of t. Errors are those of
// Init; and another length of time is one, for what it would mean to what has been counted is nowhere
// written.
func (w *Window) SetRateAt(fn, field string, t time.Time, rate ratelimit.Rate, capacity int) error {
	off := w.line.At(t)
	return w.setRate(fn, field, func() int64 { return off }, rate, capacity)
}

// SetRate is SetRateAt by the clock, read after the state that is to be changed.
func (w *Window) SetRate(fn, field string, rate ratelimit.Rate, capacity int) error {
	return w.setRate(fn, field, w.line.Now, rate, capacity)
}

// setRate repeats until its own plan was taken: a turn more means that another caller's was.
func (w *Window) setRate(fn, field string, now func() int64, rate ratelimit.Rate, capacity int) error {
	if err := check(w.current.Load().Scale.spec.kind, fn, field, rate, capacity); err != nil {
		return err
	}
	for {
		f := w.current.Load()
		s := f.Scale.spec
		if rate.Per != s.rate.Per {
			return &ratelimit.ArgumentError{Func: fn, Field: "rate.Per", Value: rate.Per,
				Want: s.rate.Per.String() + ", as the limiter was made: only Events can change"}
		}
		if s.rate == rate && s.capacity == capacity {
			return nil
		}
		off := timeline.Clamp(now())
		change := &plan{Successor: func(f *windowFrame, word uint64) *windowFrame {
			return f.Scale.converted(word, off, rate, capacity)
		}}
		if w.current.Replace(f, change) {
			return nil
		}
	}
}

// converted returns the frame of another rate that counts, as of off, the same events as unexpired:
// lengths that have passed until then count by the old rate, and later ones by the new one. If off is
// before the window's start, that is when the rate changes. For times before the change nothing is
// granted any more, and events of this window and of earlier ones give nothing back.
func (c *scale) converted(word uint64, off int64, rate ratelimit.Rate, capacity int) *windowFrame {
	old, st := c.spec, c.state(word)
	if st.fresh {
		return newFrame(newSpec(old.kind, rate, capacity, 0, old.settled), off, st)
	}
	changed := max(off, st.start, old.changed)
	k := old.passed(st, changed)
	if old.events > 0 {
		if gone := old.expires(st, 0); k >= gone {
			changed = max(old.boundary(st, gone), old.changed)
			k, st.count = gone, 0
		} else {
			st.count -= k * old.events
		}
	}
	st.start += k * old.length
	s := newSpec(old.kind, rate, capacity, st.count, st.start+old.length-1)
	s.changed = changed
	st.start = s.floor(st.start + max(0, old.grid-s.grid)) // a finer grid does not make it end early
	return newFrame(s, st.start, st)
}
