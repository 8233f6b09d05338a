package policy

import (
	"time"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/gcra"
	"github.com/seed-3506548a/ratelimit/internal/window"
	"github.com/seed-3506548a/ratelimit/slidingwindow"
)

// resident is the limiter of one key in a Map. It is made as large as the first bound that it is
// asked by, and grows for larger ones. The Map's lock is held by all who ask it.
//
// A limit of windows needs no other object, and all that it reads of a key is in a cache line.
type resident struct {
	store         *locked
	inner         meter        // nil: it was never asked
	window        window.Plain // which inner asks, if the limit is one of windows
	events, depth int32        // of inner: those of its rate, and what may be owed, in its units
}

// meter is what a resident asks.
type meter interface {
	TakeAt(t time.Time, n int) ratelimit.Decision
	PeekAt(t time.Time, n int) ratelimit.Decision
	ChargeAt(t time.Time, n int) ratelimit.Decision
	RefundAt(t time.Time, n int, held time.Duration)
	Clock() ratelimit.Clock
}

// build makes the limiter as large as the bound. The error is that of a bound which it cannot be
// made for.
func (r *resident) build(b *bound) (err error) {
	s := r.store
	clock := ratelimit.WithClock(s.line.Clock())
	switch s.as {
	case GCRA:
		r.inner, err = gcra.New(s.unit, max(b.depth, 1), clock)
	case Log:
		r.inner, err = slidingwindow.NewLog(b.rate, clock)
	case Counter:
		r.inner, err = slidingwindow.NewCounter(b.rate, s.buckets, clock)
	default:
		kind, field, capacity := s.windows(b)
		r.inner, err = (*windowed)(r), r.window.Init(kind, "policy.New", field, b.rate, capacity)
	}
	if err != nil {
		r.inner = nil
		return err
	}
	r.events, r.depth = int32(b.rate.Events), int32(b.depth)
	return nil
}

// windows returns the kind of a store's windows, and which field of a bound is their capacity.
func (s *locked) windows(b *bound) (kind window.Kind, field string, capacity int) {
	switch s.as {
	case Interval:
		return window.Interval, "capacity", b.burst
	case Aligned:
		kind = window.Aligned
	default:
		kind = window.Anchored
	}
	return kind, "rate.Events", max(b.rate.Events, 1)
}

// grow makes the limiter as large as the bound, as of the clock if that is before t: a look ahead
// must not keep the key from asking until then.
func (r *resident) grow(t time.Time, b *bound) {
	gcra := r.store.as == GCRA // whose units are the same for all bounds
	switch {
	case r.inner == nil:
		_ = r.build(b) // bind has tried it
		return
	case b.depth <= int(r.depth) && (gcra || b.rate.Events <= int(r.events)):
		return
	}
	larger := *b
	larger.depth = max(int(r.depth), b.depth)
	if !gcra {
		larger.rate.Events, larger.burst = max(int(r.events), b.rate.Events), larger.depth
	}
	if now := r.Clock().Now(); now.Before(t) {
		t = now
	}
	if r.resize(t, &larger) == nil {
		r.events, r.depth = int32(larger.rate.Events), int32(larger.depth)
	}
}

// resize changes the limiter, and keeps what it has counted.
func (r *resident) resize(t time.Time, b *bound) error {
	switch l := r.inner.(type) {
	case *gcra.Limiter:
		return l.SetRateAt(t, r.store.unit, b.depth)
	case *slidingwindow.Log:
		return l.SetRateAt(t, b.rate)
	case *slidingwindow.Counter:
		return l.SetRateAt(t, b.rate)
	}
	_, field, capacity := r.store.windows(b)
	return r.window.SetRate("policy.New", field, r.store.line.At(t), b.rate, capacity)
}

// ask asks for n events of a bound, and takes them if take, which is only for 0 < n <= most.
func (r *resident) ask(t time.Time, n int, b *bound, take bool) ratelimit.Decision {
	r.grow(t, b)
	room := int(r.depth) - b.depth // what the bound must leave
	if n < 0 || n > b.most {
		d := r.inner.PeekAt(t, 0)
		d.OK, d.RetryAfter = false, ratelimit.Never
		return b.told(d, room)
	}
	cost := n * b.event
	if n > 0 && room > 0 {
		if d := r.inner.PeekAt(t, cost+room); !d.OK {
			return b.told(d, room)
		}
	}
	if take {
		return b.told(r.inner.TakeAt(t, cost), room)
	}
	return b.told(r.inner.PeekAt(t, cost), room)
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
	return r.store.line.Clock()
}

// Nobody takes without a bound.

func (r *resident) Allow() bool { return false }

func (r *resident) Take(int) ratelimit.Decision {
	return ratelimit.Decision{RetryAfter: ratelimit.Never}
}

func (r *resident) TakeAt(time.Time, int) ratelimit.Decision { return r.Take(0) }

// windowed is a resident as the meter of its window.
type windowed resident

func (w *windowed) off(t time.Time) int64 { return w.store.line.At(t) }

func (w *windowed) TakeAt(t time.Time, n int) (d ratelimit.Decision) {
	w.window.Take(&d, w.off(t), n)
	return d
}

func (w *windowed) PeekAt(t time.Time, n int) (d ratelimit.Decision) {
	w.window.Peek(&d, w.off(t), n)
	return d
}

func (w *windowed) ChargeAt(t time.Time, n int) (d ratelimit.Decision) {
	w.window.Charge(&d, w.off(t), n)
	return d
}

func (w *windowed) RefundAt(t time.Time, n int, held time.Duration) {
	w.window.Refund(w.off(t), w.store.line.Now(), n, held)
}

func (w *windowed) Clock() ratelimit.Clock { return w.store.line.Clock() }
