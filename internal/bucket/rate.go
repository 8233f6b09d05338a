package bucket

import (
	"fmt"
	"time"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/internal/frame"
	"github.com/seed-3506548a/ratelimit/internal/timeline"
)

// SetRateAt changes the rate and the burst as of t. Errors are those of Init; and a rate is one at which
// what is owed, or may be, would not drain within 2^61 ns.
func (b *Bucket) SetRateAt(fn, field string, t time.Time, rate ratelimit.Rate, burst int) error {
	return b.setRate(fn, field, timeline.Clamp(b.line.At(t)), rate, burst)
}

// SetRate is SetRateAt by the clock.
func (b *Bucket) SetRate(fn, field string, rate ratelimit.Rate, burst int) error {
	return b.setRate(fn, field, timeline.Bottom, rate, burst)
}

// setRate repeats until its own plan was taken: a turn more means that another caller's was. The clock
// is read after the state that is to be changed.
func (b *Bucket) setRate(fn, field string, t int64, rate ratelimit.Rate, burst int) error {
	if err := check(fn, field, rate, burst); err != nil {
		return err
	}
	for {
		f := b.current.Load()
		if f.Scale.spec.rate == rate && f.Scale.spec.burst == burst {
			return nil
		}
		off := max(t, timeline.Clamp(b.line.Now()))
		_, debt := f.Scale.changes(f.Word.Load()&^frame.Frozen, off)
		owed := max(uint64(f.Scale.spec.limit), ceilDiv(debt, f.Scale.spec.perEvent))
		if rate.Events > 0 && owed > drainable(rate) {
			return &ratelimit.ArgumentError{Func: fn, Field: "rate", Value: rate,
				Want: fmt.Sprintf("one at which the %d events that may be owed drain within 2^61 ns (73 years), or 0", owed)}
		}
		change := &plan{Successor: func(f *bucketFrame, word uint64) *bucketFrame {
			return f.Scale.converted(word, off, rate, burst)
		}}
		if b.current.Replace(f, change) {
			return nil
		}
	}
}

// changes returns when a change of rate takes effect that is asked for at off, and what is owed then.
//
// That is at off; but not before the last event granted so far can be acted on, since its time was
// computed at the old rate; and not after the TAT, so that the change itself does not move the limiter's
// time forward.
func (c *scale) changes(word uint64, off int64) (at int64, debt uint64) {
	if word == 0 || c.perNano == 0 {
		return max(off, c.spec.past.changed), word
	}
	at = min(max(off, c.lastAct(word)), c.start+int64(ceilDiv(word, c.perNano)))
	debt, _ = c.debt(word, at)
	return at, debt
}

// converted returns the frame of another rate that owes as many events as c does when the rate changes: rounded
// up, for each change adds less than a tick. (If the debt were kept in time instead, slowing down would
// hand out events.) For times before that nothing is granted any more.
func (c *scale) converted(word uint64, off int64, rate ratelimit.Rate, burst int) *bucketFrame {
	old := c.spec
	if word == 0 && old.past == noPast {
		return newFreshFrame(newSpec(rate, burst, 0, old.perEvent, noPast), off)
	}
	at, debt := c.changes(word, off)
	grants := old.past.grants
	if old.perNano > 0 {
		grants = max(grants, c.start+floorDiv(int64(word)-int64(old.perEvent), int64(old.perNano)))
	}
	s := newSpec(rate, burst, ceilDiv(debt, old.perEvent), old.perEvent, past{changed: at, grants: grants})
	s.past.owed = debt
	if s.perNano > 0 { // else the size of an event stays, and nothing is rounded
		s.past.owed = min(max(1, mulDivCeil(debt, s.perEvent, old.perEvent)), maxDepth) // 1: not fresh
	}
	return newFrameOwing(s, at, s.past.owed)
}

// floorDiv returns a/b rounded down, for b > 0.
func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}
