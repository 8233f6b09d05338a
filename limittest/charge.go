package limittest

import (
	"fmt"
	"math"
	"time"

	"github.com/seed-3506548a/ratelimit"
)

// charge checks a limiter that is a [ratelimit.Charger]: charged events count as granted, whether
// they fit or not, and the Decision is about one more event.
func charge(build New) error {
	l, _, err := onClock(build, start)
	if err != nil {
		return err
	}
	charger, ok := l.(ratelimit.Charger)
	if !ok {
		return nil
	}
	fresh := l.PeekAt(start, 0)
	for _, n := range []int{0, -1, math.MinInt} {
		d := charger.ChargeAt(start, n)
		if now := l.PeekAt(start, 0); now != fresh {
			return fmt.Errorf("ChargeAt of n = %d changes the state from %+v to %+v, want no change", n, fresh, now)
		}
		if want := n == 0; d.OK != want || !want && d.RetryAfter != ratelimit.Never {
			return fmt.Errorf("ChargeAt of n = %d returns %+v, want OK for 0, and RetryAfter Never for less", n, d)
		}
	}
	if err := asGranted(build); err != nil {
		return err
	}
	for _, n := range []int{1, fresh.Limit - 1, 1, 1, fresh.Limit, 1} {
		before := l.PeekAt(start, 0)
		d := charger.ChargeAt(start, n)
		if err := standing(l, d, start); err != nil {
			return fmt.Errorf("ChargeAt of n = %d after %+v: %w", n, before, err)
		}
		if d.Remaining != max(0, before.Remaining-n) {
			return fmt.Errorf("ChargeAt of n = %d leaves %d of %d events", n, d.Remaining, before.Remaining)
		}
		if d.Remaining > 0 {
			continue
		}
		if wait := d.RetryAfter; l.PeekAt(start.Add(wait-1), 1).OK || wait < time.Hour && !l.PeekAt(start.Add(wait), 1).OK {
			return fmt.Errorf("ChargeAt of n = %d returns a RetryAfter of %v, want one more event granted exactly then", n, wait)
		}
	}
	if d := charger.ChargeAt(start, math.MaxInt); d.OK || d.Remaining > 0 {
		return fmt.Errorf("ChargeAt of %d returns %+v, want the next event refused", math.MaxInt, d)
	}
	return nil
}

// standing compares the Decision of a charge with what the limiter does.
func standing(l ratelimit.Limiter, d ratelimit.Decision, at time.Time) error {
	want := l.PeekAt(at, 0)
	next := l.PeekAt(at, 1)
	want.OK, want.RetryAfter, want.By = next.OK, next.RetryAfter, d.By
	if d != want {
		return fmt.Errorf("it returns %+v, and PeekAt %+v", d, want)
	}
	return nil
}

// asGranted compares a limiter that is charged for events that fit with one that grants them.
func asGranted(build New) error {
	charged, c, err := onClock(build, start)
	if err != nil {
		return err
	}
	granted, err := build(ratelimit.WithClock(c))
	if err != nil {
		return err
	}
	now := start
	for i, gap := range []time.Duration{0, time.Millisecond, time.Second, 3 * time.Second, time.Minute} {
		now = now.Add(gap)
		n := min(1+i%2, granted.PeekAt(now, 0).Limit)
		d := granted.TakeAt(now, n)
		if !d.OK { // so it is too early
			now = now.Add(d.RetryAfter)
			d = granted.TakeAt(now, n)
		}
		if !d.OK {
			return fmt.Errorf("TakeAt(%v, %d) returns %+v after a wait of RetryAfter, want it granted", now, n, d)
		}
		charged.(ratelimit.Charger).ChargeAt(now, n)
		for _, later := range []time.Duration{-time.Second, 0, 1, time.Second, time.Minute} {
			if is, want := charged.PeekAt(now.Add(later), 1), granted.PeekAt(now.Add(later), 1); is != want {
				return fmt.Errorf("%d events charged after %v: PeekAt returns %+v, and after a grant of them %+v", n, gap, is, want)
			}
		}
	}
	return nil
}
