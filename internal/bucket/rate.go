package bucket

import (
	"fmt"
	"math"
	"time"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/internal/frame"
	"github.com/seed-3506548a/ratelimit/internal/timeline"
)

// SetRateAt changes the rate and the burst as of t. Errors are those of Init; and a rate is one at
// which what is owed, or may be, would not drain within 2^61 ns.
func (b *Bucket) SetRateAt(fn, field string, t time.Time, rate ratelimit.Rate, burst int) error {
	off := b.line.At(t)
	return b.setRate(fn, field, func() int64 { return off }, rate, burst)
}

// SetRate is SetRateAt by the clock.
func (b *Bucket) SetRate(fn, field string, rate ratelimit.Rate, burst int) error {
	return b.setRate(fn, field, b.line.Now, rate, burst)
}

// setRate changes the rate as of the time that asked returns. It asks once more, and reads the
// clock, when the word is frozen: what others grant before that, at times after the first, would
// else drain at the new rate before it was granted. Helpers may read different times, and any of
// these will do. Whether the change can be made depends on the first.
func (b *Bucket) setRate(fn, field string, asked func() int64, rate ratelimit.Rate, burst int) error {
	if err := check(fn, field, rate, burst); err != nil {
		return err
	}
	return b.current.Change(func(f *bucketFrame) (*plan, error) {
		if f.Scale.spec.rate == rate && f.Scale.spec.burst == burst {
			return nil, nil
		}
		off := timeline.Clamp(asked())
		events, ok := state{f.Scale, f.Word.Load() &^ frame.Frozen}.convertible(off, rate)
		if !ok {
			return nil, &ratelimit.ArgumentError{Func: fn, Field: "rate", Value: rate,
				Want: fmt.Sprintf("one at which the %d events that may be owed drain within 2^61 ns (73 years), or 0", events)}
		}
		return &plan{Successor: func(f *bucketFrame, word uint64) *bucketFrame {
			st := state{f.Scale, word}
			if _, ok := st.convertible(off, rate); !ok {
				return nil // more is owed by now
			}
			as := st.latest(max(off, timeline.Clamp(asked())), timeline.Clamp(b.line.Now()))
			return st.converted(as, rate, burst).frame()
		}}, nil
	})
}

// latest returns off, or the time of the last event granted so far if that is later. The word says
// between what times that lies, and no caller that goes by the clock has granted after now.
func (st state) latest(off, now int64) int64 {
	if st.word == 0 || st.scale.perNano == 0 { // nothing was granted since the last change
		return off
	}
	return max(off, min(now, st.scale.newest(st.word)))
}

// changes returns when a change of rate takes effect that is asked for at off, and what is owed
// then.
//
// That is at off; but not before the last event granted so far can be acted on, since its time was
// computed at the old rate; and not after the TAT, so that the change itself does not move the
// limiter's time forward.
func (c *scale) changes(word uint64, off int64) (at int64, owed uint64) {
	if word == 0 || c.perNano == 0 {
		return max(off, c.spec.past.changed), word
	}
	at = min(max(off, c.lastAct(word)), c.start+int64(ceilDiv(word, c.perNano)))
	return at, c.owes(word, at)
}

// convertible reports whether all events that are owed, or may be, can be owed at the rate, and
// returns how many these are.
func (st state) convertible(off int64, rate ratelimit.Rate) (events uint64, ok bool) {
	s := st.scale.spec
	if s == nil {
		return 0, false
	}
	_, owed := st.scale.changes(st.word, off)
	events = max(uint64(s.limit), ceilDiv(owed, s.perEvent))
	return events, rate.Events == 0 || events <= drainable(rate)
}

// converted returns the state of another rate that owes as many events as st does when the rate
// changes: rounded up, for each change adds less than a tick. (If the debt were kept in time
// instead, slowing down would hand out events.) For times before that nothing is granted any more.
func (st state) converted(off int64, rate ratelimit.Rate, burst int) state {
	c, word := &st.scale, st.word
	old := c.spec
	if word == 0 && old.past.none() {
		return fresh(newSpec(rate, burst, 0, old.perEvent, noPast), off)
	}
	at, owed := c.changes(word, off)
	grants := max(old.past.grants, math.MinInt64+1)
	if old.perNano > 0 {
		grants = max(grants, c.newest(word))
	}
	s := newSpec(rate, burst, ceilDiv(owed, old.perEvent), old.perEvent,
		past{changed: at, grants: grants, mark: mark{acted: at}})
	s.past.owed = owed
	if s.perNano > 0 { // else the size of an event stays, and nothing is rounded
		s.past.owed = min(max(1, mulDivCeil(owed, s.perEvent, old.perEvent)), maxDepth) // 1: not fresh
	}
	if at > off {
		s.past.before = chain(st, off)
	}
	return owing(s, at, s.past.owed)
}
