package limittest

import (
	"errors"
	"fmt"
	"time"

	"github.com/seed-3506548a/ratelimit"
)

// states calls f with limiters in many states, and with a time. The two limiters of a call have the
// same history, so that f can change one and compare.
func states(build New, f func(a, b ratelimit.Limiter, now time.Time) error) error {
	for first := range 4 {
		for _, gap := range []time.Duration{0, 1, 99 * time.Millisecond, 100 * time.Millisecond, time.Second, time.Minute} {
			for second := range 5 {
				a, c, err := onClock(build, start)
				if err != nil {
					return err
				}
				b, err := build(ratelimit.WithClock(c))
				if err != nil {
					return err
				}
				now := start.Add(7 * time.Second)
				for _, l := range []ratelimit.Limiter{a, b} {
					l.TakeAt(now, first)
					l.TakeAt(now.Add(gap), l.PeekAt(now.Add(gap), 0).Remaining-second)
				}
				for _, late := range []time.Duration{-time.Second, -1, 0, 1, 50 * time.Millisecond} {
					if err := f(a, b, now.Add(gap+late)); err != nil {
						return fmt.Errorf("%d events at 0, all but %d of the remaining ones after %v, asked at %v: %w",
							first, second, gap, gap+late, err)
					}
				}
			}
		}
	}
	return nil
}

func refusalChangesNothing(build New) error {
	refusals := 0
	err := states(build, func(a, b ratelimit.Limiter, now time.Time) error {
		for _, n := range []int{b.PeekAt(now, 0).Remaining + 1, 1000, -1} {
			peeked := b.PeekAt(now, n)
			if d := b.TakeAt(now, n); d.OK || d != peeked {
				return fmt.Errorf("TakeAt(%d) returns %+v, and PeekAt before it %+v, want the same refusal", n, d, peeked)
			}
			refusals++
		}
		for _, later := range []time.Duration{-time.Minute, -1, 0, 1, time.Second, time.Minute} {
			if without, with := a.PeekAt(now.Add(later), 1), b.PeekAt(now.Add(later), 1); with != without {
				return fmt.Errorf("after refusals PeekAt at %v later returns %+v, and without them %+v", later, with, without)
			}
		}
		return nil
	})
	if err == nil && refusals == 0 {
		err = errors.New("nothing was refused")
	}
	return err
}

// decisionIsExact checks every field of a Decision against other decisions.
func decisionIsExact(build New) error {
	fresh, _, err := onClock(build, start)
	if err != nil {
		return err
	}
	limit := fresh.PeekAt(start, 0).Limit
	return states(build, func(a, _ ratelimit.Limiter, now time.Time) error {
		d := a.PeekAt(now, 0)
		if d.Limit != limit {
			return fmt.Errorf("its Limit is %d, want %d as for a new limiter", d.Limit, limit)
		}
		if !a.PeekAt(now, d.Remaining).OK || a.PeekAt(now, d.Remaining+1).OK {
			return fmt.Errorf("its Remaining is %d, want the most events that are granted", d.Remaining)
		}
		for n := d.Remaining + 1; n <= d.Limit; n++ {
			wait := a.PeekAt(now, n).RetryAfter
			if wait <= 0 || !a.PeekAt(now.Add(wait), n).OK || a.PeekAt(now.Add(wait-1), n).OK {
				return fmt.Errorf("RetryAfter is %v for n = %d, want the request granted then and not a nanosecond earlier", wait, n)
			}
		}
		for _, later := range []time.Duration{0, 1, time.Second} {
			at := now.Add(d.ResetAfter + later)
			if is, want := a.PeekAt(at, 1), fresh.PeekAt(at, 1); is != want {
				return fmt.Errorf("ResetAfter is %v, but %v after that PeekAt returns %+v, and for a new limiter %+v", d.ResetAfter, later, is, want)
			}
		}
		if at := now.Add(d.ResetAfter - 1); d.ResetAfter > 0 && a.PeekAt(at, 1) == fresh.PeekAt(at, 1) {
			return fmt.Errorf("ResetAfter is %v, but the limiter is full again a nanosecond earlier", d.ResetAfter)
		}
		return nil
	})
}

// origins are the first times of clocks. Aligned windows begin then.
var origins = []time.Time{
	time.Unix(0, 0),
	time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC),
	start,
	time.Date(2157, 6, 1, 0, 0, 0, 0, time.UTC),
	time.Unix(-1000, 0),
	{},
}

// anyClockOrigin checks that limiters act the same on clocks with different first times, also if
// the clock is set back or stands still. It also replays the past, with a limiter on the system's
// clock.
func anyClockOrigin(build New) error {
	var first []ratelimit.Decision
	for _, origin := range origins {
		l, c, err := onClock(build, origin)
		if err != nil {
			return err
		}
		var trace []ratelimit.Decision
		for _, after := range []time.Duration{0, 0, 0, 1, time.Second, time.Second, -time.Second, -time.Hour, time.Hour, 40 * 365 * 24 * time.Hour, 0} {
			c.Set(origin.Add(after))
			for _, n := range []int{1, 2, 1, 1, 0, 4} {
				trace = append(trace, l.TakeAt(origin.Add(after), n), l.Take(n), l.PeekAt(origin.Add(after), 1))
			}
		}
		if first == nil {
			first = trace
		}
		for i := range trace {
			if trace[i] != first[i] {
				return fmt.Errorf("decision %d of a limiter made at %v is %+v, and of one made at %v %+v", i, origin, trace[i], origins[0], first[i])
			}
		}
	}
	l, c, err := onClock(build, time.Unix(0, 0))
	if err != nil {
		return err
	}
	if !l.Allow() {
		return errors.New("a new limiter grants nothing at the Unix epoch")
	}
	c.Set(time.Unix(-1e9, 0))
	if l.Take(0).ResetAfter == 0 {
		return errors.New("grants are forgotten when the clock is set back")
	}
	c.Set(time.Unix(1e9, 0))
	if !l.Allow() {
		return errors.New("it grants nothing 30 years after its grants")
	}
	replay, err := build()
	if err != nil {
		return err
	}
	old := time.Date(1995, 7, 1, 0, 0, 1, 0, time.UTC)
	limit := replay.PeekAt(old, 0).Limit
	if !replay.TakeAt(old, limit).OK || replay.TakeAt(old, 1).OK || !replay.TakeAt(old.Add(time.Minute), limit).OK || !replay.Allow() {
		return errors.New("on the system's clock it does not replay 1995 and go on in the present: a new limiter is full at every time")
	}
	return nil
}

func badOptions(build New) error {
	for name, opt := range map[string]ratelimit.Option{
		"a nil option": nil,
		"a nil clock":  ratelimit.WithClock(nil),
	} {
		if _, err := build(opt); err == nil {
			return fmt.Errorf("the constructor returns no error for %s", name)
		}
	}
	return nil
}
