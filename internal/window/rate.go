package window

import (
	"time"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/internal/timeline"
)

// SetRateAt changes the number of events of the rate, and the capacity, as of t. Errors are those
// of Init. Another rate.Per is an error too: there is no standard for what it would mean for the
// events that were counted.
func (w *Window) SetRateAt(fn, field string, t time.Time, rate ratelimit.Rate, capacity int) error {
	off := w.line.At(t)
	return w.setRate(fn, field, func() int64 { return off }, rate, capacity)
}

// SetRate is SetRateAt by the clock.
func (w *Window) SetRate(fn, field string, rate ratelimit.Rate, capacity int) error {
	return w.setRate(fn, field, w.line.Now, rate, capacity)
}

func (w *Window) setRate(fn, field string, asked func() int64, rate ratelimit.Rate, capacity int) error {
	if err := w.current.Load().Scale.spec.accepts(fn, field, rate, capacity); err != nil {
		return err
	}
	return w.current.Change(func(f *windowFrame) (*plan, error) {
		s := f.Scale.spec
		if s.rate == rate && s.capacity == capacity {
			return nil, nil
		}
		off := timeline.Clamp(asked())
		return &plan{Successor: func(f *windowFrame, word uint64) *windowFrame {
			st := f.Scale.state(word)
			s, after := f.Scale.spec.converted(st, off, rate, capacity)
			if st.fresh {
				return newFrame(s, off, after)
			}
			return newFrame(s, after.start, after)
		}}, nil
	})
}

// converted returns the spec of another rate, and a state that has the same events unexpired at
// off. Lengths that end until then count by the old rate, and later ones by the new rate. If off is
// before the window's start, the rate changes at the start. So a time that is earlier than the last
// grant does no harm: no length ends between the start and that grant.
//
// Nothing is granted any more for times before the change. Events of this window and of earlier
// ones give nothing back, unless they are still pending.
func (old *spec) converted(st state, off int64, rate ratelimit.Rate, capacity int) (*spec, state) {
	if st.fresh {
		return newSpec(old.kind, rate, capacity, 0, old.settled), st
	}
	var pending *before
	if st.start > off || old.changed > off {
		pending = chain(old, st, off)
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
	if pending != nil {
		pending.left = st
		s.before = pending
	}
	return s, st
}
