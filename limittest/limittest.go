// Package limittest tests implementations of [ratelimit.Limiter], as testing/fstest tests file
// systems. It is for limiters that you write yourself.
//
//	func TestLimiter(t *testing.T) {
//		build := func(opts ...ratelimit.Option) (ratelimit.Limiter, error) {
//			return mine.New(ratelimit.PerSecond(10), 5, opts...)
//		}
//		if err := limittest.TestLimiter(build); err != nil {
//			t.Fatal(err)
//		}
//	}
//
// [TestLimiter] checks what holds for every limiter, [TestBound] checks the limiter's own bound,
// and [TestAllocations] checks that decisions do not allocate. They use clocks that they set, and
// none sleeps. Passing them is no proof: they try some thousands of states, and only the races that
// happen to occur.
//
// The example OwnLimiter is a whole limiter with its tests.
//
// [Clock] shows the time that it is set or advanced to. Use it in your own tests of code with
// limiters.
package limittest

import (
	"errors"
	"fmt"
	"math"
	"runtime"
	"time"

	"github.com/seed-3506548a/ratelimit"
)

// New makes a new limiter to test at each call, with the clock that the options choose.
//
// The limiter must have a Limit from 1 to 500, and be full again after a minute. Windows that are
// aligned to the wall clock must have a length that divides a minute.
type New func(opts ...ratelimit.Option) (ratelimit.Limiter, error)

// TestLimiter returns nil if the limiter does what a [ratelimit.Limiter] must do.
//
// Give your constructor unexported parameters, and test a small sibling of a limiter with hours or
// thousands of events: see [New] for what the tests can take. They follow a limiter for about 50
// grants, so a limit that shows only after more is not tested. They expect that Remaining is n less
// after Take(n).
//
// Otherwise it returns one joined error for each of these that fails:
//
//   - AllOrNothing: a request charges all n events or none; n == 0 is granted, and n < 0 and n >
//     Limit are refused with a RetryAfter of Never
//   - RefusalChangesNothing: a refusal has no effect on later decisions
//   - PeekChangesNothing: PeekAt has no effect on later decisions
//   - CallsAgree: Take and Allow decide and charge as TakeAt does at the clock's time, and so do
//     AllowAt and FitsAt of a [ratelimit.Allower] as TakeAt and PeekAt
//   - DecisionIsExact: RetryAfter, Remaining and ResetAfter are right to the nanosecond. From
//     ResetAfter on the limiter decides as a new one does
//   - AnyClockOrigin: the limiter works on clocks from the year 1 to 2157, even if they are set
//     back or stand still, and a new limiter is full at any time, even in the past
//   - BadOptions: the constructor returns an error for a nil clock and for a nil option
//   - Refund: a refund gives back at most what was granted and still counts, and nothing for
//     arguments that make no sense
//   - Charge: for a [ratelimit.Charger], events that do not fit are charged too, and the Decision
//     is about one more event
//   - Conservation: simultaneous callers together get exactly what there is
//
// It does not test the methods of a [ratelimit.Reserver], [ratelimit.Delayer] or
// [ratelimit.Failer].
func TestLimiter(build New) error {
	var all []error
	for _, part := range []struct {
		name  string
		check func(New) error
	}{
		{"AllOrNothing", allOrNothing},
		{"RefusalChangesNothing", refusalChangesNothing},
		{"PeekChangesNothing", peekChangesNothing},
		{"CallsAgree", callsAgree},
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

// start is the first time of most clocks here. Aligned windows begin then.
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
	if limit < 1 || limit > 500 {
		return fmt.Errorf("its Limit is %d, want 1 to 500: see limittest.New", limit)
	}
	if want := (ratelimit.Decision{OK: true, Limit: limit, Remaining: limit, By: fresh.By}); fresh != want {
		return fmt.Errorf("a new limiter returns %+v, want %+v", fresh, want)
	}
	for _, n := range []int{-1, math.MinInt, limit + 1, math.MaxInt} {
		if d := l.TakeAt(start, n); d.OK || d.RetryAfter != ratelimit.Never {
			return fmt.Errorf("TakeAt of n = %d returns %+v, want it refused for ever", n, d)
		}
		if now := l.Take(0); now != fresh {
			return fmt.Errorf("after TakeAt of n = %d the state is %+v, want %+v", n, now, fresh)
		}
	}
	if d := l.Take(limit - 1); !d.OK || d.Remaining != 1 {
		return fmt.Errorf("Take(%d) of a new limiter returns %+v, want it granted with 1 remaining", limit-1, d)
	}
	before := l.TakeAt(start, 0)
	if d := l.Take(2); d.OK {
		return fmt.Errorf("Take(2) is granted although 1 remains")
	}
	if after := l.TakeAt(start, 0); after != before {
		return fmt.Errorf("a refused request was charged in part: %+v before, %+v after it", before, after)
	}
	if !l.Allow() || l.Allow() {
		return errors.New("want Allow to grant the one event that remains, and no more")
	}
	if d := l.Take(0); !d.OK || d.Remaining != 0 {
		return fmt.Errorf("Take(0) returns %+v when nothing remains, want it granted", d)
	}
	return nil
}

// TestAllocations returns an error if a decision, a charge or a refund allocates, on a clock that
// is set or on the system's. It counts all allocations of the process, so tests that run in
// parallel can make it fail.
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
		least := uint64(math.MaxUint64) // the runtime allocates too, so it may take several runs
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
