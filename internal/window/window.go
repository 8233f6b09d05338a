// Package window is the core of tokenbucket.NewInterval and of fixedwindow: a lock-free count of
// events in windows of a fixed length. The start of a window and the count are in one word.
//
// A window starts with an event that is granted when none is unexpired, or at a multiple of its
// length. At the end of each length since the start, some of the granted events expire, or all of
// them. n events are granted if the unexpired ones and these n are together at most the capacity.
// From the bottom up:
//
//	spec.go    a rate and a capacity, and the grid on which windows start
//	scale.go   a frame: how its word is packed
//	state.go   the algorithm: what a start and a count allow, and what the Decision says of it
//	past.go    what is remembered of the state before a change of rate
//	window.go  Allow, Take, Peek and ReserveAt; other files have the methods they are named for
//	plain.go   the same for callers that hold a lock: no word, and no frames
package window

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

// Window has the methods of [ratelimit.Limiter]. Those that return a Decision there set one here,
// as those of package bucket do. Init makes a Window; it must not be copied afterwards.
type Window struct {
	line timeline.Timeline

	// The frame is replaced when a time lies outside of what it can count, and when the rate
	// changes.
	current frame.Current[scale]
	first   windowFrame // in a cache line of its own
}

// Init makes w a window in which nothing was ever granted. Errors name the function fn, and call
// the capacity by the name field. [Window.InitAligned] makes aligned windows.
func (w *Window) Init(kind Kind, fn, field string, rate ratelimit.Rate, capacity int, opts []ratelimit.Option) error {
	if err := check(kind, fn, field, rate, capacity); err != nil {
		return err
	}
	var err error
	if w.line, err = timeline.New(fn, opts); err != nil {
		return err
	}
	fresh := state{fresh: true}
	c := newScale(shared(kind, rate, capacity), 0, fresh)
	w.first.Init(c, c.word(fresh))
	w.current.Init(&w.first)
	return nil
}

// InitAligned is Init for windows that start at multiples of rate.Per from the given instant,
// before it and after it.
func (w *Window) InitAligned(fn, field string, rate ratelimit.Rate, capacity int, from time.Time, opts []ratelimit.Option) error {
	if err := w.Init(Aligned, fn, field, rate, capacity, opts); err != nil {
		return err
	}
	w.line.Align(rate.Per, from)
	return nil
}

// Allow is Take(1).OK. Within the first length of a window it does not divide.
//
// Invariant of the loop: the word counts exactly the events that were granted and have not expired.
// The step is computed from one load of the word and lands only if the word has not moved since, so
// it is atomic. If another caller's change landed first, the same step on the new word is right.
// The time that was read before will do, as what is unexpired later is unexpired at that time. A
// refusal stores nothing. About the choice of a clock see [bucket.Bucket.Allow].
func (w *Window) Allow() bool {
	var off int64
	switch line := &w.line; {
	case line.Coarse != nil:
		off = int64(line.Coarse.Elapsed()) - line.Ahead
	case w.current.Load().Scale.wall: // time.Since would do the same, with more checks than it needs
		switch clock := line.Injected.(type) {
		case nil:
			off = time.Now().UnixNano() - line.Ahead
		case *ratelimit.CoarseClock:
			off = clock.UnixNano() - line.Ahead
		default:
			off = line.Now()
		}
	case line.Injected != nil:
		off = line.Now()
	default:
		off = int64(time.Since(line.Origin))
	}
	for {
		f := w.current.Load()
		c := &f.Scale
		word := f.Word.Load()
		count := word & (1<<(c.bits&63) - 1)
		passed := uint64(off - c.start - int64(word>>(c.bits&63))*c.grid)
		if count == 0 || passed >= c.length || word >= frame.Frozen || !c.holds(off) {
			break // fresh, or not in the first length of the window
		}
		if count >= uint64(c.limit) {
			return false
		}
		if f.Word.CompareAndSwap(word, word+1) {
			return true
		}
		frame.BackOff()
	}
	return w.allowAnywhere(off)
}

// allowAnywhere is Allow for all other times and words. It keeps the Decision out of Allow's stack
// frame.
//
//go:noinline
func (w *Window) allowAnywhere(off int64) bool {
	var d ratelimit.Decision
	w.take(&d, off, 1, 0)
	return d.OK
}

// Take charges n events now, all or none.
func (w *Window) Take(d *ratelimit.Decision, n int) { w.take(d, w.line.Now(), n, 0) }

// TakeAt charges n events as of t, all or none.
func (w *Window) TakeAt(d *ratelimit.Decision, t time.Time, n int) { w.take(d, w.line.At(t), n, 0) }

// ReserveAt charges n events as of t that may be acted on at most within later. The reservation is
// one of the limiter owner, and nil if d is a refusal.
func (w *Window) ReserveAt(d *ratelimit.Decision, owner any, t time.Time, n int, within time.Duration) ratelimit.Reservation {
	m, delay := w.take(d, w.line.At(t), n, within)
	if !d.OK {
		return nil
	}
	return reservation.New(w, owner, m, t.Add(delay))
}

// take is Allow for any n and any off, with a whole Decision. It also grants what can be acted on
// after a delay of at most patience. It returns the delay, and what it has made of the window.
//
// A refusal, and n == 0, may answer from a frozen word: that word was the limiter's state until its
// frame was replaced, which was not before f was loaded.
func (w *Window) take(d *ratelimit.Decision, off int64, n int, patience time.Duration) (made, time.Duration) {
	off = timeline.Clamp(off)
	for {
		f := w.current.Load()
		c := &f.Scale
		word := f.Word.Load()
		st := c.state(word)
		after, delay, ok := c.spec.step(st, off, n, patience)
		landed := true
		switch {
		case !ok || n == 0:
		case word >= frame.Frozen:
			w.current.Help(f)
			landed = false
		case c.holds(off) && (c.length > 0 || after.start < c.spec.changed):
			landed = f.Word.CompareAndSwap(word, c.word(after))
		default:
			// The frame's last word decides, which may be later than the one just loaded.
			if landed = w.current.Replace(f, grantElsewhere(off, n, patience)); landed {
				st = c.state(f.Word.Load())
				after, delay, _ = c.spec.step(st, off, n, patience)
			}
		}
		if landed {
			c.spec.decide(d, after, off, n, patience, ok)
			return made{n, st, after}, delay
		}
	}
}

// grantElsewhere plans a frame around off in which n events are granted there, if they still fit.
func grantElsewhere(off int64, n int, patience time.Duration) *plan {
	return &plan{Successor: func(f *windowFrame, word uint64) *windowFrame {
		c := &f.Scale
		if after, _, ok := c.spec.step(c.state(word), off, n, patience); ok {
			return newFrame(c.spec, off, after)
		}
		return nil
	}}
}

// Peek returns what Take would, and charges nothing.
func (w *Window) Peek(d *ratelimit.Decision, n int) { w.peek(d, w.line.Now(), n) }

// PeekAt returns what TakeAt would, and charges nothing.
func (w *Window) PeekAt(d *ratelimit.Decision, t time.Time, n int) { w.peek(d, w.line.At(t), n) }

func (w *Window) peek(d *ratelimit.Decision, off int64, n int) {
	off = timeline.Clamp(off)
	f := w.current.Load()
	c := &f.Scale
	after, _, ok := c.spec.step(c.state(f.Word.Load()), off, n, 0)
	c.spec.decide(d, after, off, n, 0, ok)
}

// Rate returns the rate that the window was made with or that it was set to last.
func (w *Window) Rate() ratelimit.Rate { return w.current.Load().Scale.spec.rate }

// Capacity returns the capacity that the window was made with or that it was set to last.
func (w *Window) Capacity() int { return w.current.Load().Scale.spec.capacity }

// Clock returns the clock that Allow and Take read. A keyed.Map calls it before it compares keys,
// so that the CPU fetches what it reads next.
func (w *Window) Clock() ratelimit.Clock {
	w.first.Fetch()
	return w.line.Clock()
}

// Line returns the timeline that offsets are on.
func (w *Window) Line() *timeline.Timeline { return &w.line }
