package limittest

import (
	"errors"
	"fmt"
	"time"

	"github.com/seed-3506548a/ratelimit"
)

// From the latest event of a history to when a limiter is asked.
var (
	around = []time.Duration{-time.Second, -1, 0, 1, 50 * time.Millisecond}
	apart  = []time.Duration{-time.Second, 0} // for checks that take long
)

// states calls f with limiters in many states, and with a time. The limiters of a call have the
// same clock and the same history, so that f can change one and compare.
func states(build New, limiters int, asked []time.Duration, f func(alike []ratelimit.Limiter, c *Clock, now time.Time) error) error {
	alike := make([]ratelimit.Limiter, limiters)
	begin := start.Add(7 * time.Second)
	for first := range 4 {
		for _, gap := range []time.Duration{0, 1, 99 * time.Millisecond, 100 * time.Millisecond, time.Second, time.Minute} {
			for second := range 5 {
				for _, later := range asked {
					c := NewClock(start)
					then := begin.Add(gap)
					for i := range alike {
						l, err := build(ratelimit.WithClock(c))
						if err != nil {
							return err
						}
						l.TakeAt(begin, first)
						l.TakeAt(then, l.PeekAt(then, 0).Remaining-second)
						alike[i] = l
					}
					if err := f(alike, c, then.Add(later)); err != nil {
						return fmt.Errorf("%d events at %v, all but %d of the remaining ones at %v, asked at %v: %w",
							first, begin, second, then, then.Add(later), err)
					}
				}
			}
		}
	}
	return nil
}

func refusalChangesNothing(build New) error {
	refusals := 0
	err := states(build, 2, around, func(alike []ratelimit.Limiter, _ *Clock, now time.Time) error {
		a, b := alike[0], alike[1]
		for _, n := range []int{b.PeekAt(now, 0).Remaining + 1, 1000, -1} {
			peeked := b.PeekAt(now, n)
			if d := b.TakeAt(now, n); d.OK || d != peeked {
				return fmt.Errorf("TakeAt(%d) returns %+v, and PeekAt before it %+v, want the same refusal", n, d, peeked)
			}
			refusals++
		}
		if err := sameState(b, a, now); err != nil {
			return fmt.Errorf("after refusals, and without them: %w", err)
		}
		return nil
	})
	if err == nil && refusals == 0 {
		err = errors.New("nothing was refused")
	}
	return err
}

func peekChangesNothing(build New) error {
	return states(build, 2, around, func(alike []ratelimit.Limiter, _ *Clock, now time.Time) error {
		peeked, twin := alike[0], alike[1]
		limit := twin.PeekAt(now, 0).Limit
		for _, at := range []time.Time{now, now.Add(time.Second), now.Add(-1)} {
			for _, n := range []int{1, limit, 0, limit + 1} {
				peeked.PeekAt(at, n)
			}
		}
		for range limit + 1 {
			d, want := peeked.TakeAt(now, 1), twin.TakeAt(now, 1)
			if d != want {
				return fmt.Errorf("TakeAt(%v, 1) returns %+v after PeekAt, and %+v without it, want the same", now, d, want)
			}
			if !want.OK {
				break
			}
		}
		return nil
	})
}

// sameState looks at two limiters at times around now.
func sameState(is, want ratelimit.Limiter, now time.Time) error {
	for _, later := range []time.Duration{-time.Minute, -1, 0, 1, time.Second, time.Minute} {
		at := now.Add(later)
		if d, other := is.PeekAt(at, 1), want.PeekAt(at, 1); d != other {
			return fmt.Errorf("PeekAt(%v, 1) returns %+v and %+v, want the same", at, d, other)
		}
	}
	return nil
}

// callsAgree compares what Take and Allow do with what TakeAt does at the clock's time.
func callsAgree(build New) error {
	return states(build, 2, apart, func(alike []ratelimit.Limiter, c *Clock, now time.Time) error {
		l, twin := alike[0], alike[1]
		c.Set(now)
		left := l.PeekAt(now, 0).Remaining
		for step, n := range []int{left + 1, 1, left - 1, 1, 1, -1} {
			want := twin.TakeAt(now, n)
			call := fmt.Sprintf("Take(%d)", n)
			if step == 1 || step == 4 { // granted if anything remains, and refused
				call = "Allow"
				if ok := l.Allow(); ok != want.OK {
					return fmt.Errorf("%s returns %v, and TakeAt(%v, 1) %+v, want the same", call, ok, now, want)
				}
			} else if d := l.Take(n); d != want {
				return fmt.Errorf("%s returns %+v, and TakeAt(%v, %d) %+v, want the same", call, d, now, n, want)
			}
			if err := sameState(l, twin, now); err != nil {
				return fmt.Errorf("after %s, and after TakeAt(%v, %d): %w", call, now, n, err)
			}
		}
		if l, ok := l.(ratelimit.Allower); ok {
			return allowerAgrees(l, twin, now)
		}
		return nil
	})
}

func allowerAgrees(l ratelimit.Allower, twin ratelimit.Limiter, now time.Time) error {
	for _, later := range []time.Duration{0, 100 * time.Millisecond, time.Minute} {
		at := now.Add(later)
		for range 3 {
			for n, left := 0, twin.PeekAt(at, 0).Remaining; n <= left+1; n++ {
				if ok := l.FitsAt(at, n); ok != (n <= left) {
					return fmt.Errorf("FitsAt(%v, %d) returns %v, and %d remain", at, n, ok, left)
				}
			}
			if ok, want := l.AllowAt(at), twin.TakeAt(at, 1); ok != want.OK {
				return fmt.Errorf("AllowAt(%v) returns %v, and TakeAt of one event %+v, want the same", at, ok, want)
			}
			if err := sameState(l, twin, at); err != nil {
				return fmt.Errorf("after AllowAt(%v), and after TakeAt of one event: %w", at, err)
			}
		}
	}
	return nil
}

// origins are the first times of clocks. Aligned windows begin then: all are full minutes.
var origins = []time.Time{
	time.Unix(0, 0),
	time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC),
	start,
	time.Date(2157, 6, 1, 0, 0, 0, 0, time.UTC),
	time.Unix(-1020, 0),
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
		if err := refusesOption(build, opt); err != nil {
			return fmt.Errorf("for %s %w", name, err)
		}
	}
	return nil
}

func refusesOption(build New, opt ratelimit.Option) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("the constructor panics: %v, want an error", p)
		}
	}()
	if _, err := build(opt); err != nil {
		return nil
	}
	return errors.New("the constructor returns no error")
}
