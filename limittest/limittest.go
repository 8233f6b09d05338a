// Package limittest tests implementations of [ratelimit.Limiter], as testing/fstest does file
// systems: for those who write their own, and want it to mean what the others mean.
//
//	func TestLimiter(t *testing.T) {
//		if err := limittest.TestLimiter(func(opts ...ratelimit.Option) (ratelimit.Limiter, error) {
//			return mine.New(ratelimit.PerSecond(10), 5, opts...)
//		}); err != nil {
//			t.Fatal(err)
//		}
//	}
//
// [TestLimiter] holds a limiter to what is the same for all of them, [TestBound] to the bound that
// is its own, and [TestAllocations] to none. They ask it on clocks that they set, and none sleeps.
// Passing them is no proof: they try some thousands of states, and races only as they happen to
// come.
package limittest

import (
	"errors"
	"fmt"
	"math"
	"runtime"
	"time"

	"github.com/seed-3506548a/ratelimit"
)

// New builds the limiter that is to be tested, with the clock that the options choose: a new one at
// each call. It is to grant from 4 to 500 events at once when fresh, and to be fresh again after a
// minute. If it counts in windows that are aligned to a clock's full seconds or minutes, their
// length is to divide a minute.
type New func(opts ...ratelimit.Option) (ratelimit.Limiter, error)

// TestLimiter returns what the limiter does that a [ratelimit.Limiter] must not do, or nil: an
// error that joins one for each of
//
//   - AllOrNothing: n events are charged, or none; n == 0 is granted, n < 0 and n > Limit never are
//   - RefusalChangesNothing: no later decision can tell whether a request was refused before
//   - DecisionIsExact: RetryAfter, Remaining and ResetAfter say what happens then, and a nanosecond
//     earlier
//   - AnyClockOrigin: from the year 1 to 2157, set back, standing still; and in the past, a new
//     limiter is fresh
//   - BadOptions: a nil clock and a nil option are errors of the constructor
//   - Refund: gives back no more than was granted and has not drained, and nothing to those who
//     hand in nonsense
//   - Charge: of a [ratelimit.Charger], counts what does not fit as well, and says what one event
//     more would find
//   - Conservation: callers at one time get what there is, together, and not more
func TestLimiter(build New) error {
	var all []error
	for _, part := range []struct {
		name  string
		check func(New) error
	}{
		{"AllOrNothing", allOrNothing},
		{"RefusalChangesNothing", refusalChangesNothing},
		{"DecisionIsExact", decisionIsExact},
		{"AnyClockOrigin", anyClockOrigin},
		{"BadOptions", badOptions},
		{"Refund", refund},
		{"Charge", charge},
		{"Conservation", conservation},
	} {
		if err := part.check(build); err != nil {
			all = append(all, fmt.Errorf("%s: %w", part.name, err))
		}
	}
	return errors.Join(all...)
}

// start is when the clocks begin at which nothing else matters. Windows begin then.
var start = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// onClock builds a limiter on a clock of its own.
func onClock(build New, at time.Time) (ratelimit.Limiter, *Clock, error) {
	c := NewClock(at)
	l, err := build(ratelimit.WithClock(c))
	if err == nil && l.Clock() != ratelimit.Clock(c) {
		err = errors.New("Clock() is not the one that the limiter was made with")
	}
	return l, c, err
}

func allOrNothing(build New) error {
	l, _, err := onClock(build, start)
	if err != nil {
		return err
	}
	fresh := l.PeekAt(start, 0)
	limit := fresh.Limit
	if want := (ratelimit.Decision{OK: true, Limit: limit, Remaining: limit, By: fresh.By}); fresh != want || limit < 4 || limit > 500 {
		return fmt.Errorf("a new limiter says %+v, want %+v with a Limit from 4 to 500", fresh, want)
	}
	for _, n := range []int{-1, math.MinInt, limit + 1, math.MaxInt} {
		if d := l.TakeAt(start, n); d.OK || d.RetryAfter != ratelimit.Never {
			return fmt.Errorf("TakeAt of n = %d says %+v, want it refused for ever", n, d)
		}
		if now := l.Take(0); now != fresh {
			return fmt.Errorf("after TakeAt of n = %d the limiter says %+v, want %+v", n, now, fresh)
		}
	}
	if d := l.Take(limit - 1); !d.OK || d.Remaining != 1 {
		return fmt.Errorf("Take(%d) of a new limiter says %+v, want it granted and 1 to remain", limit-1, d)
	}
	before := l.TakeAt(start, 0)
	if d := l.Take(2); d.OK {
		return fmt.Errorf("Take(2) is granted, though 1 remains")
	}
	if after := l.TakeAt(start, 0); after != before {
		return fmt.Errorf("a part of a refused request was charged: %+v before, and %+v after it", before, after)
	}
	if !l.Allow() || l.Allow() {
		return errors.New("want Allow to grant the one that remains, and no more")
	}
	if d := l.Take(0); !d.OK || d.Remaining != 0 {
		return fmt.Errorf("Take(0) says %+v when nothing remains, want it granted", d)
	}
	return nil
}

// refund checks that what is given back is never more than was granted, that it leaves no more than
// if that had not been granted, and that what makes no sense gives nothing back.
func refund(build New) error {
	l, _, err := onClock(build, start)
	if err != nil {
		return err
	}
	fresh := l.PeekAt(start, 0)
	l.Take(3)
	for what := range 2 {
		l.RefundAt(start, 3, 0)
		if d := l.PeekAt(start, 0); d.Remaining > fresh.Remaining || d.Remaining < fresh.Remaining-3 {
			return fmt.Errorf("after refund %d of 3 events the limiter says %+v, and when fresh %+v", 1+what, d, fresh)
		}
	}
	l, c, err := onClock(build, start)
	if err != nil {
		return err
	}
	l.Take(2)
	charged := l.PeekAt(start, 1)
	for _, r := range []struct {
		n    int
		held time.Duration
	}{
		{0, 0}, {-1, 0}, {math.MinInt, 0}, {math.MaxInt, 0}, {fresh.Limit + 1, 0},
		{1, -1}, {1, math.MinInt64}, {1, math.MaxInt64}, {1, time.Hour},
	} {
		l.RefundAt(start, r.n, r.held)
		if d := l.PeekAt(start, 1); d != charged {
			return fmt.Errorf("RefundAt of n = %d, held for %v, changes %+v to %+v: want nothing", r.n, r.held, charged, d)
		}
	}
	c.Set(start.Add(time.Hour))
	l.RefundAt(start, 2, 0)
	if d := l.PeekAt(start, 1); d != charged {
		return fmt.Errorf("RefundAt as of an hour before the clock's time changes %+v to %+v: all had drained", charged, d)
	}
	return asIfNeverGranted(build)
}

// asIfNeverGranted compares a limiter with one that has not granted what is given back, with
// another grant in between.
func asIfNeverGranted(build New) error {
	for _, held := range []time.Duration{0, 1, 50 * time.Millisecond, 100 * time.Millisecond, 300 * time.Millisecond, time.Second, 10 * time.Second} {
		for n := 1; n <= 3; n++ {
			l, c, err := onClock(build, start)
			if err != nil {
				return err
			}
			without, err := build(ratelimit.WithClock(c))
			if err != nil {
				return err
			}
			now := start.Add(held)
			l.TakeAt(start, n)
			c.Set(now)
			if other := l.PeekAt(now, 0).Remaining; l.TakeAt(now, other).OK {
				without.TakeAt(now, other)
			}
			l.RefundAt(now, n, held)
			if with, never := l.PeekAt(now, 0), without.PeekAt(now, 0); with.Remaining > never.Remaining {
				return fmt.Errorf("after a refund of %d events, held for %v, %d remain, and %d if they had never been granted", n, held, with.Remaining, never.Remaining)
			}
		}
	}
	return nil
}

// TestAllocations returns an error if a decision, or a refund, allocates, by a clock that is set or
// by the system's: the limiters of this module do not. It counts all allocations of the process
// meanwhile, so tests that run in parallel can make it fail.
func TestAllocations(build New) error {
	l, _, err := onClock(build, start)
	if err != nil {
		return err
	}
	live, err := build()
	if err != nil {
		return err
	}
	now := start
	step := func() time.Time {
		now = now.Add(time.Minute)
		return now
	}
	charger, ok := l.(ratelimit.Charger)
	for _, call := range []struct {
		name string
		call func()
	}{
		{"ChargeAt of what fits", func() {
			if ok {
				charger.ChargeAt(step(), 1)
			}
		}},
		{"PeekAt", func() { l.PeekAt(step(), 1) }},
		{"TakeAt, granted", func() { l.TakeAt(step(), 1) }},
		{"RefundAt", func() { l.TakeAt(step(), 1); l.RefundAt(now, 1, 0) }},
		{"TakeAt, refused", func() { l.TakeAt(now, math.MaxInt) }},
		{"Take, refused", func() { l.Take(1) }},
		{"Allow, refused", func() { l.Allow() }},
		{"Take by the system's clock", func() { live.Take(1) }},
		{"Allow by the system's clock", func() { live.Allow() }},
	} {
		least := uint64(math.MaxUint64) // the runtime's own are counted too, so it may take another run
		for range 10 {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			for range 1000 {
				call.call()
			}
			runtime.ReadMemStats(&after)
			if least = min(least, after.Mallocs-before.Mallocs); least == 0 {
				break
			}
		}
		if least > 0 {
			return fmt.Errorf("%s: %d allocations in 1000 calls", call.name, least)
		}
	}
	return nil
}
