package policy

import (
	"fmt"
	"math"
	"math/big"
	"sync/atomic"
	"time"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/fixedwindow"
	"github.com/seed-3506548a/ratelimit/gcra"
	"github.com/seed-3506548a/ratelimit/keyed"
	"github.com/seed-3506548a/ratelimit/slidingwindow"
	"github.com/seed-3506548a/ratelimit/tokenbucket"
)

// locked is a store in a keyed.Map, whose shard is locked for a decision. A key's limiter is as
// large as the largest bound that it was asked by so far, since a Log made for the largest override
// of all would waste memory. A smaller bound is judged by what of the limiter it must not use.
type locked struct {
	*keyed.Map[uint64]
	as      Algorithm
	unit    ratelimit.Rate // of a gcra, what its limiter counts: parts of an event
	buckets int            // of a counter
	clock   ratelimit.Clock

	untracked atomic.Uint64 // charges that there was no place for
}

func newLocked(l *Limit, bounds []*bound, capacity int, clock ratelimit.Clock) (store, error) {
	s := &locked{as: l.As, buckets: l.burst(), clock: clock}
	if l.As == GCRA {
		s.unit = unitOf(bounds)
	}
	var err error
	s.Map, err = keyed.NewMap(capacity, func(uint64) (ratelimit.Limiter, error) { return &resident{clock: clock}, nil }, keyed.WithClock(clock))
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
	_, err := s.build(b)
	return err
}

// build returns a limiter as large as the bound.
func (s *locked) build(b *bound) (meter, error) {
	clock := ratelimit.WithClock(s.clock)
	switch s.as {
	case GCRA:
		return gcra.New(s.unit, max(b.depth, 1), clock)
	case Interval:
		return tokenbucket.NewInterval(b.rate, b.burst, clock)
	case Anchored:
		return fixedwindow.NewAnchored(b.rate, clock)
	case Aligned:
		return fixedwindow.NewAligned(b.rate, clock)
	case Log:
		return slidingwindow.NewLog(b.rate, clock)
	default:
		return slidingwindow.NewCounter(b.rate, s.buckets, clock)
	}
}

func (s *locked) look(d *ratelimit.Decision, at moment, a *asked, n int) {
	b := a.bound
	told, found := s.PeekFunc(at.t, a.hash, func(l ratelimit.Limiter, t time.Time) ratelimit.Decision {
		r := l.(*resident)
		return r.ask(s, t, n, b, ratelimit.Limiter.PeekAt)
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
		r := resident{clock: s.clock}
		return r.ask(s, t, n, b, ratelimit.Limiter.PeekAt)
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
		r := l.(*resident)
		return r.ask(s, at.t, n, b, ratelimit.Limiter.TakeAt)
	})
}

func (s *locked) charge(at moment, a *asked, n int) {
	if n < 1 {
		return
	}
	b := a.bound
	charged := s.ChargeFunc(at.t, a.hash, func(l ratelimit.Limiter, t time.Time) {
		r := l.(*resident)
		r.grow(s, t, b)
		r.inner.ChargeAt(t, times(n, b.event))
	})
	if !charged {
		s.untracked.Add(1)
	}
}

func (s *locked) refund(t time.Time, a *asked, n int, held time.Duration) {
	if n > 0 {
		s.RefundAt(t, a.hash, times(n, a.bound.event), held)
	}
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

// resident is the limiter of one key in a Map. It is made as large as the first bound that it is
// asked by, and grows for larger ones. The Map's lock is held by all who ask it.
type resident struct {
	clock ratelimit.Clock
	inner meter // nil: it was never asked
	rate  ratelimit.Rate
	depth int // of inner, in its units
}

// meter is what all limiters here have in common.
type meter interface {
	ratelimit.Limiter
	ratelimit.Charger
}

// grow makes the limiter as large as the bound, as of the clock if that is before t: a look ahead
// must not keep the key from asking until then.
func (r *resident) grow(s *locked, t time.Time, b *bound) {
	larger := *b
	larger.depth = max(r.depth, b.depth)
	if s.as != GCRA { // whose units are the same for all bounds
		larger.rate.Events, larger.burst = max(r.rate.Events, b.rate.Events), larger.depth
	}
	switch {
	case r.inner == nil:
		l, err := s.build(b)
		if err != nil {
			return // bind has tried it
		}
		r.inner = l
	case larger.depth == r.depth && (s.as == GCRA || larger.rate.Events == r.rate.Events):
		return
	default:
		if now := r.clock.Now(); now.Before(t) {
			t = now
		}
		if err := r.resize(s, t, &larger); err != nil {
			return
		}
	}
	r.rate, r.depth = larger.rate, larger.depth
}

// resize changes the limiter, and keeps what it has counted.
func (r *resident) resize(s *locked, t time.Time, b *bound) error {
	switch l := r.inner.(type) {
	case *gcra.Limiter:
		return l.SetRateAt(t, s.unit, b.depth)
	case *tokenbucket.Interval:
		return l.SetRateAt(t, b.rate, b.burst)
	case *fixedwindow.Limiter:
		return l.SetRateAt(t, b.rate)
	case *slidingwindow.Log:
		return l.SetRateAt(t, b.rate)
	case *slidingwindow.Counter:
		return l.SetRateAt(t, b.rate)
	}
	return nil
}

// ask asks for n events of a bound: PeekAt, or TakeAt if 0 < n <= most.
func (r *resident) ask(s *locked, t time.Time, n int, b *bound, how func(ratelimit.Limiter, time.Time, int) ratelimit.Decision) ratelimit.Decision {
	r.grow(s, t, b)
	room := r.depth - b.depth // what the bound must leave
	if n < 0 || n > b.most {
		d := r.inner.PeekAt(t, 0)
		d.OK, d.RetryAfter = false, ratelimit.Never
		return b.told(d, room)
	}
	cost := n * b.event
	if n > 0 && room > 0 {
		if d := r.inner.PeekAt(t, cost+room); !d.OK {
			d.Remaining = max(d.Remaining, 0)
			return b.told(d, room)
		}
	}
	return b.told(how(r.inner, t, cost), room)
}

// told returns the decision of a limiter in events of the bound.
func (b *bound) told(d ratelimit.Decision, room int) ratelimit.Decision {
	d.Limit = b.most
	d.Remaining = min(b.most, max(0, d.Remaining-room)/b.event)
	return d
}

// What the Map asks: whether the limiter can be told from a new one, and what it gives back.

func (r *resident) PeekAt(t time.Time, n int) ratelimit.Decision {
	if r.inner == nil {
		return ratelimit.Decision{OK: true}
	}
	return r.inner.PeekAt(t, n)
}

func (r *resident) RefundAt(t time.Time, n int, held time.Duration) {
	if r.inner != nil {
		r.inner.RefundAt(t, n, held)
	}
}

// Clock asks the limiter, which the Map has the CPU fetch that way.
func (r *resident) Clock() ratelimit.Clock {
	if r.inner != nil {
		return r.inner.Clock()
	}
	return r.clock
}

// Nobody takes without a bound.

func (r *resident) Allow() bool { return false }

func (r *resident) Take(int) ratelimit.Decision {
	return ratelimit.Decision{RetryAfter: ratelimit.Never}
}

func (r *resident) TakeAt(time.Time, int) ratelimit.Decision { return r.Take(0) }
