package bucket

import (
	"time"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/internal/timeline"
)

// debt is what is owed at an offset: so many ticks, which begin to drain later nanoseconds after
// it. Nothing is granted until then. Later is 0 but for times long before what was granted, or
// before the last change of rate: see [scale.debtBefore].
type debt struct {
	ticks, later uint64
}

// step is the algorithm: asked for n events at off, it grants them if they can be acted on then, or
// else after a delay of at most patience. After is what is then owed: its ticks at off+delay, as
// none of them drains before. Without ok, or for n == 0, it is the old debt.
func (s *spec) step(owed debt, off int64, n int, patience time.Duration) (after debt, delay time.Duration, ok bool) {
	switch {
	case n == 0:
		return owed, 0, true
	case n < 0 || n > s.limit || patience < 0:
		return owed, 0, false
	}
	ticks := owed.ticks + uint64(n)*s.perEvent
	if ticks <= s.depth && owed.later == 0 {
		return debt{ticks, 0}, 0, true
	}
	if patience == 0 {
		return owed, 0, false
	}
	delay = s.fits(owed, off, n)
	if delay > s.within(patience) {
		return owed, 0, false
	}
	drained := (uint64(delay) - owed.later) * s.perNano // no overflow, for delay <= reach
	return debt{ticks - min(owed.ticks, drained), uint64(delay)}, delay, true
}

// idle returns the ticks that drain until delay after nothing is owed any more: what others might
// have used, if the events to come did not need it.
func (s *spec) idle(owed debt, delay time.Duration) uint64 {
	if delay == 0 {
		return 0
	}
	drained := (uint64(delay) - owed.later) * s.perNano
	return drained - min(drained, owed.ticks)
}

// fits returns how long after off n events fit, for 0 < n <= limit.
func (s *spec) fits(owed debt, off int64, n int) time.Duration {
	owed.ticks += uint64(n) * s.perEvent
	owed.ticks -= min(owed.ticks, s.depth)
	return s.wait(owed, off)
}

// within returns how much of the patience can be made use of.
func (s *spec) within(patience time.Duration) time.Duration {
	return min(patience, time.Duration(s.reach))
}

// decide sets d to the decision that left the debt after, for a request that was granted or not.
func (s *spec) decide(d *ratelimit.Decision, after debt, off int64, n int, patience time.Duration, ok bool) {
	d.OK = ok
	d.Limit = s.limit
	d.RetryAfter = 0
	if !ok {
		d.RetryAfter = ratelimit.Never
		if n > 0 && n <= s.limit && patience >= 0 {
			d.RetryAfter = s.fits(after, off, n)
			if d.RetryAfter != ratelimit.Never {
				d.RetryAfter -= s.within(patience)
			}
		}
	}
	d.Remaining = 0
	if after.later == 0 {
		d.Remaining = int((s.depth - min(after.ticks, s.depth)) / s.perEvent)
	}
	d.ResetAfter = s.wait(after, off)
}

// wait returns how long after off the debt has drained; Never if that is beyond the end of the
// timeline, where time stands still.
func (s *spec) wait(owed debt, off int64) time.Duration {
	nanos := owed.later
	switch {
	case owed.ticks == 0:
	case s.perNano == 0:
		return ratelimit.Never
	default:
		nanos += ceilDiv(owed.ticks, s.perNano)
	}
	if nanos > uint64(timeline.Top-off) {
		return ratelimit.Never
	}
	return time.Duration(nanos)
}
