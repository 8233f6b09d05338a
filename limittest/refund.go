package limittest

import (
	"fmt"
	"math"
	"time"

	"github.com/seed-3506548a/ratelimit"
)

// refund checks that a refund gives back at most what was granted, that it leaves no more than if
// that had not been granted, and that arguments that make no sense give nothing back.
func refund(build New) error {
	l, _, err := onClock(build, start)
	if err != nil {
		return err
	}
	fresh := l.PeekAt(start, 0)
	n := min(3, fresh.Limit)
	l.Take(n)
	for what := range 2 {
		l.RefundAt(start, n, 0)
		if d := l.PeekAt(start, 0); d.Remaining > fresh.Remaining || d.Remaining < fresh.Remaining-n {
			return fmt.Errorf("after refund %d of %d events the state is %+v, of a new limiter it is %+v", 1+what, n, d, fresh)
		}
	}
	l, c, err := onClock(build, start)
	if err != nil {
		return err
	}
	n = min(2, fresh.Limit)
	l.Take(n)
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
			return fmt.Errorf("RefundAt of n = %d, held for %v, changes the state from %+v to %+v, want no change", r.n, r.held, charged, d)
		}
	}
	c.Set(start.Add(time.Hour))
	l.RefundAt(start, n, 0)
	if d := l.PeekAt(start, 1); d != charged {
		return fmt.Errorf("RefundAt as of an hour before the clock's time changes the state from %+v to %+v, want no change: all had drained", charged, d)
	}
	return asIfNeverGranted(build, fresh.Limit)
}

// asIfNeverGranted compares a limiter after a refund with one that has never granted these events.
// There is another grant before them, or between them and the refund.
func asIfNeverGranted(build New, limit int) error {
	lengths := []time.Duration{0, 1, 50 * time.Millisecond, 100 * time.Millisecond, 300 * time.Millisecond, time.Second, 10 * time.Second}
	for _, before := range []int{0, 1} {
		for _, length := range lengths {
			for n := 1; n <= min(3, limit); n++ {
				l, c, err := onClock(build, start)
				if err != nil {
					return err
				}
				without, err := build(ratelimit.WithClock(c))
				if err != nil {
					return err
				}
				at, now := start, start.Add(length)
				if before > 0 { // there, the length is how long before
					at = now
					l.TakeAt(start, before)
					without.TakeAt(start, before)
				}
				granted := l.TakeAt(at, n).OK
				c.Set(now)
				if other := l.PeekAt(now, 0).Remaining; before == 0 && l.TakeAt(now, other).OK {
					without.TakeAt(now, other)
				}
				if !granted {
					continue
				}
				l.RefundAt(now, n, now.Sub(at))
				for _, asked := range []time.Time{start.Add(-time.Second), start, now.Add(-1), now} {
					if before == 0 && asked != now {
						continue
					}
					if with, never := l.PeekAt(asked, 0), without.PeekAt(asked, 0); with.Remaining > never.Remaining {
						return fmt.Errorf("%d events at %v, %d at %v, and a refund of these at %v: at %v PeekAt returns %+v, and without these %+v, want no more Remaining",
							before, start, n, at, now, asked, with, never)
					}
				}
			}
		}
	}
	return nil
}
