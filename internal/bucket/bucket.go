// Package bucket is the core that gcra and tokenbucket share: a lock-free bucket that drains
// continuously. Its whole state is one word.
//
// The word is the theoretical arrival time (TAT) of ITU-T I.371: the time at which everything that
// was granted has drained. The debt at a time t is TAT-t, or 0 if the TAT is past. With T the
// emission interval, n events are granted at t if debt + n*T <= burst*T.
//
// A word counts from the start of a frame. From the bottom up:
//
//	spec.go    a rate and a burst, counted in ticks
//	scale.go   a frame: how its word and the time make a debt
//	debt.go    the algorithm: what a debt allows, and what the Decision says of it
//	past.go    what is remembered of reservations, charges and changes of rate
//	bucket.go  Allow, Take, Peek and ReserveAt; other files have the methods they are named for
package bucket

import (
	"time"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/internal/atomics"
	"github.com/seed-3506548a/ratelimit/internal/frame"
	"github.com/seed-3506548a/ratelimit/internal/reservation"
	"github.com/seed-3506548a/ratelimit/internal/timeline"
)

// A frame's word is an atomics.Uint64. The compiler inlines its methods only if their package is
// imported.
var _ atomics.Uint64

// Bucket has the methods of [ratelimit.Limiter]. Those that return a Decision there set one here: a
// Decision has more fields than the compiler keeps in registers, so each layer that returned it by
// value would copy it through memory. Init makes a Bucket; it must not be copied afterwards.
type Bucket struct {
	line timeline.Timeline

	// The frame is replaced when a time lies outside of what it can count, and when the rate
	// changes.
	current frame.Current[scale]
	first   bucketFrame // in a cache line of its own
}

// Init makes b a bucket for burst events in which nothing was ever granted. Errors name the
// function fn, and call burst by the name field.
func (b *Bucket) Init(fn, field string, rate ratelimit.Rate, burst int, opts []ratelimit.Option) error {
	if err := check(fn, field, rate, burst); err != nil {
		return err
	}
	var err error
	if b.line, err = timeline.New(fn, opts); err != nil {
		return err
	}
	s := specs.Get(frame.Arguments{Rate: rate, Most: burst}, func() *spec { return newSpec(rate, burst, 0, 1, noPast) })
	st := fresh(s, 0)
	b.first.Init(st.scale, st.word)
	b.current.Init(&b.first)
	return nil
}

// Allow is Take(1).OK without the arithmetic that only a Decision needs.
//
// Invariant of the loop: the word is the debt left by exactly the requests granted so far. The step
// is computed from one load of the word and lands only if the word has not moved since, so it is
// atomic. If another caller's change landed first, the same step on the new word is right. The time
// that was read before will do, as a late time can only find more debt. A refusal stores nothing.
//
// The clock is chosen here and in the Allow of other cores, and not by a function: a call more
// would make this slower by 1 to 10 %, by a coarse clock by 20 %. It does what
// [timeline.Timeline.Now] does.
func (b *Bucket) Allow() bool {
	var off int64
	switch line := &b.line; {
	case line.Injected == nil:
		off = int64(time.Since(line.Origin))
	case line.Coarse != nil:
		off = int64(line.Coarse.Elapsed()) - line.Ahead
	default:
		off = line.Now()
	}
	for {
		f := b.current.Load()
		since := uint64(off - f.Scale.start)
		if since > f.Scale.span {
			break
		}
		now := since * f.Scale.perNano
		word := f.Word.Load()
		tat := max(word, now) + f.Scale.perEvent
		if tat-now > f.Scale.depth {
			if word >= frame.Frozen {
				break
			}
			return false
		}
		if f.Word.CompareAndSwap(word, tat) {
			return true
		}
		frame.BackOff()
	}
	return b.allowAnywhere(off)
}

// allowAnywhere is Allow for a time outside of the frame, and for a frozen word. It keeps the
// Decision out of Allow's stack frame.
//
//go:noinline
func (b *Bucket) allowAnywhere(off int64) bool {
	var d ratelimit.Decision
	b.take(&d, off, 1, 0)
	return d.OK
}

// Take charges n events now, all or none.
func (b *Bucket) Take(d *ratelimit.Decision, n int) { b.take(d, b.line.Now(), n, 0) }

// TakeAt charges n events as of t, all or none.
func (b *Bucket) TakeAt(d *ratelimit.Decision, t time.Time, n int) { b.take(d, b.line.At(t), n, 0) }

// ReserveAt charges n events as of t that may be acted on at most within later. The reservation is
// one of the limiter owner, and nil if d is a refusal.
func (b *Bucket) ReserveAt(d *ratelimit.Decision, owner any, t time.Time, n int, within time.Duration) ratelimit.Reservation {
	m, delay := b.take(d, b.line.At(t), n, within)
	if !d.OK {
		return nil
	}
	return reservation.New(b, owner, m, t.Add(delay))
}

// take is Allow for any n and any off, with a whole Decision. It also grants what can be acted on
// after a delay of at most patience. It returns the delay, and what it has made of the bucket.
//
// A refusal, and n == 0, may answer from a frozen word: that word was the limiter's state until its
// frame was replaced, which was not before f was loaded.
func (b *Bucket) take(d *ratelimit.Decision, off int64, n int, patience time.Duration) (made, time.Duration) {
	off = timeline.Clamp(off)
	for {
		f := b.current.Load()
		c := &f.Scale
		word := f.Word.Load()
		owed := c.debt(word&^frame.Frozen, off)
		after, delay, ok := c.spec.step(owed, off, n, patience)
		landed := true
		switch act := off + int64(delay); {
		case !ok || n == 0:
		case word >= frame.Frozen:
			b.current.Help(f)
			landed = false
		case c.holds(act):
			landed = f.Word.CompareAndSwap(word, c.ticks(act)+after.ticks)
		default:
			// The frame's last word decides, which may be later than the one just loaded.
			if landed = b.current.Replace(f, grantElsewhere(off, n, patience)); landed {
				owed = c.debt(f.Word.Load()&^frame.Frozen, off)
				after, delay, _ = c.spec.step(owed, off, n, patience)
			}
		}
		if landed {
			c.spec.decide(d, after, off, n, patience, ok)
			return made{n, c.spec.idle(owed, delay)}, delay
		}
	}
}

// grantElsewhere plans a frame around off in which n events are granted there, if they still fit.
func grantElsewhere(off int64, n int, patience time.Duration) *plan {
	return &plan{Successor: func(f *bucketFrame, word uint64) *bucketFrame {
		c := &f.Scale
		if after, delay, ok := c.spec.step(c.debt(word, off), off, n, patience); ok {
			return owing(c.spec, off+int64(delay), after.ticks).frame()
		}
		return nil
	}}
}

// Peek returns what Take would, and charges nothing.
func (b *Bucket) Peek(d *ratelimit.Decision, n int) { b.peek(d, b.line.Now(), n) }

// PeekAt returns what TakeAt would, and charges nothing.
func (b *Bucket) PeekAt(d *ratelimit.Decision, t time.Time, n int) { b.peek(d, b.line.At(t), n) }

func (b *Bucket) peek(d *ratelimit.Decision, off int64, n int) {
	off = timeline.Clamp(off)
	f := b.current.Load()
	c := &f.Scale
	after, _, ok := c.spec.step(c.debt(f.Word.Load()&^frame.Frozen, off), off, n, 0)
	c.spec.decide(d, after, off, n, 0, ok)
}

// Rate returns the rate that the bucket was made with or that it was set to last.
func (b *Bucket) Rate() ratelimit.Rate { return b.current.Load().Scale.spec.rate }

// Burst returns the burst that the bucket was made with or that it was set to last.
func (b *Bucket) Burst() int { return b.current.Load().Scale.spec.burst }

// Clock returns the clock that Allow and Take read. A keyed.Map calls it before it compares keys,
// so that the CPU fetches what it reads next.
func (b *Bucket) Clock() ratelimit.Clock {
	b.first.Fetch()
	return b.line.Clock()
}

// Line returns the timeline that offsets are on.
func (b *Bucket) Line() *timeline.Timeline { return &b.line }
