package window

import (
	"time"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/internal/timeline"
)

// SetRateAt changes the number of events of the rate, and the capacity, as of t. Errors are those
// of Init; and another length of time is one, for what it would mean to what has been counted is
// nowhere written.
func (w *Window) SetRateAt(fn, field string, t time.Time, rate ratelimit.Rate, capacity int) error {
	off := w.line.At(t)
	return w.setRate(fn, field, func() int64 { return off }, rate, capacity)
}

// SetRate is SetRateAt by the clock, read after the state that is to be changed.
func (w *Window) SetRate(fn, field string, rate ratelimit.Rate, capacity int) error {
	return w.setRate(fn, field, w.line.Now, rate, capacity)
}

func (w *Window) setRate(fn, field string, now func() int64, rate ratelimit.Rate, capacity int) error {
	if err := check(w.current.Load().Scale.spec.kind, fn, field, rate, capacity); err != nil {
		return err
	}
	return w.current.Change(func(f *windowFrame) (*plan, error) {
		s := f.Scale.spec
		if rate.Per != s.rate.Per {
			return nil, &ratelimit.ArgumentError{Func: fn, Field: "rate.Per", Value: rate.Per,
				Want: s.rate.Per.String() + ", as the limiter was made: only Events can change"}
		}
		if s.rate == rate && s.capacity == capacity {
			return nil, nil
		}
		off := timeline.Clamp(now())
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

// before is a state that a change of rate has replaced, its spec, the offset as of which the change
// was asked for, how many such states lie before it, and the state that it left.
type before struct {
	spec  *spec
	state state
	asked int64
	depth int
	left  state // what the change left
}

// mostBefore limits the memory of a window whose rate changes all the time while somebody is to act
// who reserved long ago. What was reserved before so many changes is given back no more.
const mostBefore = 16

// refunded returns the state that there would be with the rate and the capacity of s, if the
// reservation had been given back before they were set. Nothing was granted since.
func (b *before) refunded(s *spec, as int64, m made, granted int64) (*spec, state, bool) {
	old, after, ok := b.spec.refunded(b.state, as, m, granted)
	if !ok {
		return s, after, false
	}
	s, after = old.converted(after, b.asked, s.rate, s.capacity)
	return s, after, true
}

// converted returns the spec of another rate, and a state that counts, as of off, the same events
// as unexpired: lengths that have passed until then count by the old rate, and later ones by the
// new one. If off is before the window's start, that is when the rate changes. For times before the
// change nothing is granted any more, and events of this window and of earlier ones give nothing
// back, unless they are yet to be acted on.
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

// chain returns what is to be remembered of a state that a change asked for at off replaces.
func chain(s *spec, st state, off int64) *before {
	b := &before{spec: s, state: st, asked: off}
	if last := s.before; last != nil {
		b.depth = last.depth + 1
	}
	if b.depth >= mostBefore {
		forgetful := *s
		forgetful.before = nil
		b.spec, b.depth = &forgetful, 0
	}
	return b
}
