package policy

import (
	"fmt"
	"math"
	"math/big"
	"sync/atomic"
	"time"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/internal/timeline"
	"github.com/seed-3506548a/ratelimit/keyed"
)

// locked is a store in a keyed.Map, whose shard is locked for a decision. A key's limiter is as
// large as the largest bound that it was asked by so far, since a Log made for the largest override
// of all would waste memory. A smaller bound is judged by what of the limiter it must not use.
type locked struct {
	*keyed.Map[uint64]
	as      Algorithm
	unit    ratelimit.Rate // of a gcra, what its limiter counts: parts of an event
	buckets int            // of a counter
	line    timeline.Timeline

	untracked atomic.Uint64 // charges that there was no place for
}

func newLocked(l *Limit, bounds []*bound, capacity int, line timeline.Timeline) (store, error) {
	s := &locked{as: l.As, buckets: l.burst(), line: line}
	switch l.As {
	case GCRA:
		s.unit = unitOf(bounds)
	case Aligned:
		s.line.Align(l.Rate.Per, time.Unix(0, 0))
	}
	var err error
	s.Map, err = keyed.NewMap(capacity, func(uint64) (ratelimit.Limiter, error) { return &resident{store: s}, nil }, keyed.WithClock(line.Clock()))
	if err != nil {
		return nil, err
	}
	return s, bindAll(s, bounds)
}

func (s *locked) bind(b *bound) error {
	if s.as == Counter && b.burst != s.buckets {
		return &ratelimit.ArgumentError{Func: "policy.New", Field: "buckets", Value: b.burst,
			Want: fmt.Sprintf("%d, as what is counted already is in so many", s.buckets)}
	}
	b.event, b.depth = 1, b.most
	if s.as == GCRA && b.most > 0 {
		event, _ := b.in(s.unit)
		depth := new(big.Int).Mul(event, big.NewInt(int64(b.most)))
		if depth.Cmp(big.NewInt(math.MaxInt32)) > 0 || !b.counts(s.unit) {
			return &ratelimit.ArgumentError{Func: "policy.New", Field: "rate", Value: b.rate,
				Want: "one that can share what is owed with " + s.unit.String() + ": not so much faster or slower"}
		}
		b.event, b.depth = int(event.Int64()), int(depth.Int64())
	}
	return (&resident{store: s}).build(b)
}

func (s *locked) look(d *ratelimit.Decision, at moment, a *asked, n int) {
	b := a.bound
	told, found := s.PeekFunc(at.t, a.hash, func(l ratelimit.Limiter, t time.Time) ratelimit.Decision {
		return l.(*resident).ask(t, n, b, false)
	})
	switch *d = told; {
	case !found:
		*d = s.unseen(at.t, n, b)
	case n == 0: // which the map itself refuses
		d.OK, d.RetryAfter = true, 0
	case n < 0 || n > b.most:
		d.RetryAfter = ratelimit.Never
	}
}

// unseen returns what a key is told that is not there: what a limiter says that is made for the
// purpose, unless it would say the obvious.
func (s *locked) unseen(t time.Time, n int, b *bound) ratelimit.Decision {
	if 0 < n && n <= b.most {
		r := resident{store: s}
		return r.ask(t, n, b, false)
	}
	d := ratelimit.Decision{OK: n == 0, Limit: b.most, Remaining: b.most}
	if n != 0 {
		d.RetryAfter = ratelimit.Never
	}
	return d
}

func (s *locked) fits(at moment, a *asked, n int) bool {
	var d ratelimit.Decision
	s.look(&d, at, a, n)
	return d.OK
}

func (s *locked) take(d *ratelimit.Decision, at moment, a *asked, n int) {
	b := a.bound
	if n < 1 || n > b.most {
		s.look(d, at, a, n)
		return
	}
	*d = s.TakeFunc(at.t, a.hash, func(l ratelimit.Limiter) ratelimit.Decision {
		return l.(*resident).ask(at.t, n, b, true)
	})
}

func (s *locked) charge(at moment, a *asked, n int) {
	if n < 1 {
		return
	}
	b := a.bound
	charged := s.ChargeFunc(at.t, a.hash, func(l ratelimit.Limiter, t time.Time) {
		r := l.(*resident)
		r.grow(t, b)
		r.inner.ChargeAt(t, times(n, b.event))
	})
	if !charged {
		s.untracked.Add(1)
	}
}

func (s *locked) refund(t time.Time, a *asked, n int, held time.Duration) {
	s.RefundAt(t, a.hash, times(n, a.bound.event), held)
}

func (s *locked) class() class {
	if s.as == Log {
		return second
	}
	return first
}

// times returns n*event, or the greatest int if that is less.
func times(n, event int) int {
	if n > math.MaxInt/event {
		return math.MaxInt
	}
	return n * event
}
