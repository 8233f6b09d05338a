package bucket

import (
	"fmt"
	"math"
	"time"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/internal/frame"
	"github.com/seed-3506548a/ratelimit/internal/timeline"
)

// SetRateAt changes the rate and the burst as of t. Errors are those of Init. It is also an error
// if what is owed, or may be owed, would not drain within 2^61 ns at the new rate.
func (b *Bucket) SetRateAt(fn, field string, t time.Time, rate ratelimit.Rate, burst int) error {
	off := b.line.At(t)
	return b.setRate(fn, field, func() int64 { return off }, nil, rate, burst)
}

// SetRate is SetRateAt by the clock.
func (b *Bucket) SetRate(fn, field string, rate ratelimit.Rate, burst int) error {
	return b.setRate(fn, field, b.line.Now, nil, rate, burst)
}

// setRate changes the rate as of the time that asked returns. When the word is frozen, it asks once
// more, and reads the clock: otherwise events that others grant in between would drain at the new
// rate before they were granted. Helpers may read different times, and any of them will do. Whether
// the change can be made depends on the first time only.
//
// Events of a lease may be granted until leased, if that is not nil. They drain at the old rate
// until then, so the change waits for it.
func (b *Bucket) setRate(fn, field string, asked func() int64, leased *horizon, rate ratelimit.Rate, burst int) error {
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
			until := leased.load()
			as := st.latest(max(off, timeline.Clamp(asked()), until), timeline.Clamp(b.line.Now()))
			return st.converted(as, until, rate, burst).frame()
		}}, nil
	})
}

// noLease is the time until which events are leased of a bucket that has no leases.
const noLease = math.MinInt64 + 1

// latest returns off, or the time of the last grant if that is later. It is not known exactly: the
// word allows no later time than newest, and callers that go by the clock, none later than now.
func (st state) latest(off, now int64) int64 {
	if st.word == 0 || st.scale.perNano == 0 { // at a rate of 0, nothing is granted
		return off
	}
	return max(off, min(now, st.scale.newest(st.word)))
}

// changes returns when a change of rate that is asked for at off takes effect, and what is owed
// then.
//
// It takes effect at off, with two limits. It waits for pending reservations, as their times were
// computed at the old rate. And it is not later than the TAT, so that a change alone does not move
// the limiter's time forward.
func (c *scale) changes(word uint64, off int64) (at int64, owed uint64) {
	if word == 0 || c.perNano == 0 {
		return max(off, c.spec.past.changed), word
	}
	at = min(max(off, c.lastAct(word)), c.start+int64(ceilDiv(word, c.perNano)))
	return at, c.owes(word, at)
}

// convertible returns how many events are owed, or may be owed, and whether the rate allows so
// many.
func (st state) convertible(off int64, rate ratelimit.Rate) (events uint64, ok bool) {
	s := st.scale.spec
	if s == nil {
		return 0, false
	}
	_, owed := st.scale.changes(st.word, off)
	events = max(uint64(s.limit), ceilDiv(owed, s.perEvent))
	return events, rate.Events == 0 || events <= drainable(rate)
}

// converted returns the state of another rate that owes as many events as st does at the change,
// rounded up by a tick at most. (If the debt were kept as a time instead, a slower rate would
// hand out events.) Nothing is granted any more for times before the change. Events were granted by
// leases until leased at the latest.
func (st state) converted(off, leased int64, rate ratelimit.Rate, burst int) state {
	c, word := &st.scale, st.word
	old := c.spec
	if word == 0 && old.past.none() {
		return fresh(newSpec(rate, burst, 0, old.perEvent, noPast), off)
	}
	at, owed := c.changes(word, off)
	grants := max(old.past.grants, leased)
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
		s.past.before = chain(st, off, leased)
	}
	return owing(s, at, s.past.owed)
}
