package bucket

import (
	"math/bits"
	"time"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/internal/atomics"
	"github.com/seed-3506548a/ratelimit/internal/frame"
	"github.com/seed-3506548a/ratelimit/internal/timeline"
)

// mostStripes keeps shares small enough to count in ticks.
const mostStripes = 1 << 13

// Striped is a Bucket from which callers lease events, each stripe its own. So most grants move a
// word of the caller's stripe, and not the one that all callers share.
//
// The core is charged for a lease before any of its events is granted. What is left of leases is
// known to their stripes only.
type Striped struct {
	core    Bucket
	stripes []stripe
	shift   uint8  // of here, to a stripe's index: below 64
	share   uint64 // leases take one of so many parts of what there is room for
	leased  *horizon

	_ [16]byte // so that it is whole cache lines, and what changes in the core is in another than the rest
}

// horizon is the latest offset at which an event of a lease may be granted. It is in order of
// unsigned numbers, and in a cache line of its own: it moves once in a grain.
//
// It is raised before the core is charged. So a caller that loads it after the core's word has the
// last instant of every lease in that word.
type horizon struct {
	at atomics.Uint64
	_  [56]byte
}

func (h *horizon) raise(off int64) { h.at.Max(uint64(off) ^ 1<<63) }

// load returns the horizon; a nil one is that of a bucket without leases.
func (h *horizon) load() int64 {
	if h == nil {
		return noLease
	}
	return max(int64(h.at.Load()^1<<63), noLease)
}

// Init makes b a bucket for burst events in which nothing was ever granted, with at least so many
// stripes, and two or more. Errors are those of [Bucket.Init].
func (b *Striped) Init(fn, field string, rate ratelimit.Rate, burst, stripes int, opts []ratelimit.Option) error {
	if err := b.core.Init(fn, field, rate, burst, opts); err != nil {
		return err
	}
	log := max(bits.Len(uint(min(stripes, mostStripes)-1)), 1)
	b.stripes = make([]stripe, 1<<log)
	for i := range b.stripes {
		b.stripes[i].init()
	}
	b.shift = uint8(64 - log)
	b.share = 2 << log
	b.leased = &horizon{}
	b.leased.at.Init(0)
	return nil
}

// stripe returns the caller's. The mask changes nothing, and spares the code for shifts of 64.
func (b *Striped) stripe() *stripe { return &b.stripes[here()>>(b.shift&63)] }

// Allow is Take(1).OK. It grants an event of the caller's lease by one CAS of the lease. This is
// [stripe.take], tried once: whatever is not granted by it is left to allow.
//
// The clock is chosen here for the reason that [Bucket.Allow] has.
func (b *Striped) Allow() bool {
	var off int64
	switch line := &b.core.line; {
	case line.Injected == nil:
		off = int64(time.Since(line.Origin))
	case line.Coarse != nil:
		off = int64(line.Coarse.Elapsed()) - line.Ahead
	default:
		off = line.Now()
	}
	s := b.stripe()
	held := lease(s.lease.Load())
	if held.covers(off) && held.left() > 0 && s.lease.CompareAndSwap(uint64(held), uint64(held)-1) {
		return true
	}
	return b.allow(s, off)
}

// allow grants one event at off: of the stripe's lease, or else of the core, and then leases more.
//
// Invariant of the loop: the core's word is the debt left by what it has granted and by all leases,
// each charged as if granted at its last instant. The step is computed from one load of the word,
// and lands only if the word has not moved since. If another caller's change landed first, the same
// step on the new word is right, and so is the time that was read. A refusal stores nothing; only
// the horizon may have been raised before a race was lost, which refuses nothing.
func (b *Striped) allow(s *stripe, off int64) bool {
	for {
		if s.take(off, 1) {
			return true
		}
		f := b.core.current.Load()
		c := &f.Scale
		since := uint64(off - c.start)
		if since > c.span {
			break
		}
		now := since * c.perNano
		word := f.Word.Load()
		tat := max(word, now) + c.perEvent
		if tat-now > c.depth {
			if word >= frame.Frozen {
				break
			}
			return false
		}
		held := lease(s.lease.Load())
		o := c.offers(word, held, off, b.share)
		if o.most == 0 {
			if f.Word.CompareAndSwap(word, tat) {
				return true
			}
			frame.BackOff()
			continue
		}
		habit := s.expects(held)
		n := min(habit/thrift, o.most)
		if n > 1 {
			b.leased.raise(o.last())
			tat = o.from + n*c.perEvent
		}
		n = max(n, 1)
		if f.Word.CompareAndSwap(word, tat) {
			s.deposit(o.first, n-1)
			s.learn(habit, held, off, n)
			return true
		}
		frame.BackOff()
	}
	return b.core.allowAnywhere(off)
}

// Take charges n events now, all or none.
func (b *Striped) Take(d *ratelimit.Decision, n int) { b.take(d, b.stripe(), b.core.line.Now(), n) }

// TakeAt charges n events as of t, all or none.
func (b *Striped) TakeAt(d *ratelimit.Decision, t time.Time, n int) {
	b.take(d, b.stripe(), b.core.line.At(t), n)
}

// take charges n events, and then looks at what is left. If it did not charge them, but they fit
// when it looks, another caller's change has landed in between, and it tries again.
func (b *Striped) take(d *ratelimit.Decision, s *stripe, off int64, n int) {
	off = timeline.Clamp(off)
	for {
		if n > 0 && b.charge(s, off, n) {
			b.peek(d, s, off, 0)
			return
		}
		if b.peek(d, s, off, n); !d.OK || n == 0 {
			return
		}
	}
}

// charge charges n > 0 events if they fit. More than one are granted by the stripe or by the core,
// and not by both: two words do not change in one step.
func (b *Striped) charge(s *stripe, off int64, n int) bool {
	switch limit := b.core.current.Load().Scale.spec.limit; {
	case n > limit:
		return false
	case n == 1:
		return b.allow(s, off)
	case n <= mostLeft && s.take(off, uint64(n)):
		return true
	}
	var d ratelimit.Decision
	b.core.take(&d, off, n, 0)
	return d.OK
}

// Peek returns what Take would, and charges nothing.
func (b *Striped) Peek(d *ratelimit.Decision, n int) { b.peek(d, b.stripe(), b.core.line.Now(), n) }

// PeekAt returns what TakeAt would, and charges nothing.
func (b *Striped) PeekAt(d *ratelimit.Decision, t time.Time, n int) {
	b.peek(d, b.stripe(), b.core.line.At(t), n)
}

// peek sets d to what take would return. (If take leases events, what remains is less after it.)
func (b *Striped) peek(d *ratelimit.Decision, s *stripe, off int64, n int) {
	off = timeline.Clamp(off)
	held := lease(s.lease.Load())
	left := min(int(held.left()), b.core.current.Load().Scale.spec.limit)
	if !held.covers(off) {
		b.core.peek(d, off, n)
		if !d.OK && 0 < n && n <= left && off < held.first() {
			d.RetryAfter = min(d.RetryAfter, timeline.Wait(off, held.first()))
		}
		return
	}
	if 0 < n && n <= left {
		left -= n
		n = 0
	}
	b.core.peek(d, off, n)
	d.Remaining = max(d.Remaining, left)
}

// ChargeAt is [Bucket.ChargeAt]. The Decision has what is left to the caller's stripe.
func (b *Striped) ChargeAt(d *ratelimit.Decision, t time.Time, n int) {
	b.core.ChargeAt(d, t, n)
	var next ratelimit.Decision
	if n >= 0 {
		n = 1
	}
	b.PeekAt(&next, t, n)
	b.PeekAt(d, t, 0)
	d.OK, d.RetryAfter = next.OK, next.RetryAfter
}

// DelayAt is [Bucket.DelayAt] for what the caller's stripe does not grant.
func (b *Striped) DelayAt(t time.Time, n int) time.Duration {
	off := timeline.Clamp(b.core.line.At(t))
	if held := lease(b.stripe().lease.Load()); n > 0 && held.covers(off) {
		n = max(n-int(held.left()), 0)
	}
	return b.core.DelayAt(t, n)
}

// RefundAt gives back, as of t, n events granted held before t. The refund is as of the end of the
// last lease, if that is later: events may be granted until then.
func (b *Striped) RefundAt(t time.Time, n int, held time.Duration) {
	b.core.refund(t, n, held, b.leased)
}

// SetRateAt is [Bucket.SetRateAt], but the change takes effect not before the end of the last
// lease.
func (b *Striped) SetRateAt(fn, field string, t time.Time, rate ratelimit.Rate, burst int) error {
	off := b.core.line.At(t)
	return b.core.setRate(fn, field, func() int64 { return off }, b.leased, rate, burst)
}

// SetRate is SetRateAt by the clock.
func (b *Striped) SetRate(fn, field string, rate ratelimit.Rate, burst int) error {
	return b.core.setRate(fn, field, b.core.line.Now, b.leased, rate, burst)
}

// Rate returns the rate that the bucket was made with or that it was set to last.
func (b *Striped) Rate() ratelimit.Rate { return b.core.Rate() }

// Burst returns the burst that the bucket was made with or that it was set to last.
func (b *Striped) Burst() int { return b.core.Burst() }

// Clock returns the clock that Allow and Take read.
func (b *Striped) Clock() ratelimit.Clock { return b.core.Clock() }
