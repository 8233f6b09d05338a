package bucket

import (
	"fmt"
	"math"
	"math/bits"
	"time"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/internal/timeline"
)

const (
	maxEvents = math.MaxInt32

	// maxDepth, in ticks, limits a full bucket, and what a rate change or reservations may owe
	// beyond that. In nanoseconds it limits how long a full bucket may take to drain.
	maxDepth uint64 = 1 << 61
)

// spec is a rate and a burst, counted in ticks: a unit of time so chosen that both a nanosecond and
// the emission interval (the time from one event to the next at the rate) are whole numbers of it.
// All arithmetic is then exact. It is immutable.
//
// With g = gcd(Events, Per in ns), a nanosecond has Events/g ticks and an emission interval Per/g.
// Where a full burst would exceed 2^61 such ticks, newSpec chooses coarser ticks and rounds the
// emission interval up.
type spec struct {
	rate     ratelimit.Rate
	burst    int
	limit    int    // the most events at once: burst, or 0 at a rate of 0
	perNano  uint64 // ticks in a nanosecond; 0 at a rate of 0: nothing ever drains
	perEvent uint64 // ticks in an emission interval, >= 1
	depth    uint64 // limit*perEvent: the most debt after a grant that is acted on at once, <= 2^61
	drain    int64  // nanoseconds, at most one too many, in which depth drains; 0 at a rate of 0
	reach    int64  // nanoseconds in which 2^61 ticks drain: how far ahead events can be reserved
	span     uint64 // nanoseconds that a frame lasts: the greatest debt at its end leaves one depth below 2^63
	lead     int64  // nanoseconds that a frame begins before the time it is made for

	past past
}

// past is what has to be remembered of the time before a spec.
type past struct {
	changed int64 // the offset at which the rate changed; unknowably early if nothing was granted yet
	grants  int64 // all grants before the change were at this offset or before

	mark
	before *before // what a change of rate replaced, while there are reservations of then to act on
}

// mark tells reservations that are still to be acted on from what else is owed beyond a full burst,
// which the TAT alone cannot: what a change of rate left, and what was charged. As long as no more
// than owed ticks are owed at the offset acted, no reservation has been added since. So nobody acts
// after acted, if a change of rate or a refund has left the mark; and if a charge has, nobody acts
// later than without the charges.
type mark struct {
	acted   int64
	owed    uint64
	charges *charges // nil if they did not leave it
}

// charges is what was charged, one after the other, on top of what another mark is about.
type charges struct {
	ticks uint64
	at    int64 // the latest offset that something was charged at
	under mark
	depth int // how many there are below
}

// noMark is none.
var noMark = mark{acted: timeline.Bottom}

// noPast is that of a bucket which had granted nothing when it got its rate.
var noPast = past{changed: timeline.Bottom, grants: math.MinInt64, mark: noMark}

// none reports whether the rate never changed since something was granted.
func (p *past) none() bool { return p.grants == math.MinInt64 }

// check is the constructor's check of its arguments; fn and field are how errors call them.
func check(fn, field string, rate ratelimit.Rate, burst int) error {
	refuse := func(field string, value any, want string) error {
		return &ratelimit.ArgumentError{Func: fn, Field: field, Value: value, Want: want}
	}
	switch {
	case rate.Events < 0 || rate.Events > maxEvents:
		return refuse("rate.Events", rate.Events, "0 to 2147483647")
	case rate.Per <= 0:
		return refuse("rate.Per", rate.Per, "more than 0s")
	case burst < 1 || burst > maxEvents:
		return refuse(field, burst, "1 to 2147483647")
	case rate.Events == 0:
		return nil
	}
	switch most := drainable(rate); {
	case most == 0:
		return refuse("rate.Per", rate.Per, "at most 2^61 ns (73 years) for each event")
	case uint64(burst) > most:
		return refuse(field, burst, fmt.Sprintf("at most %d: %s * ceil(rate.Per/rate.Events) <= 2^61 ns", most, field))
	}
	return nil
}

// drainable returns how many events drain within 2^61 ns, each counted as a whole number of them.
func drainable(rate ratelimit.Rate) uint64 {
	return maxDepth / ceilDiv(uint64(rate.Per), uint64(rate.Events))
}

// newSpec returns the spec for checked arguments. Its ticks are fine enough for burst events and
// for as many as are carried over from another spec; at a rate of 0, it keeps the given size of
// one.
func newSpec(rate ratelimit.Rate, burst int, carried, perEvent uint64, past past) *spec {
	if rate.Events == 0 {
		return &spec{rate: rate, burst: burst, perEvent: perEvent, span: math.MaxUint64, past: past}
	}
	events, per := uint64(rate.Events), uint64(rate.Per)
	g := gcd(events, per)
	s := &spec{rate: rate, burst: burst, limit: burst, perNano: events / g, perEvent: per / g, past: past}
	room := min(max(uint64(burst), carried), drainable(rate))
	if hi, lo := bits.Mul64(room, s.perEvent); hi != 0 || lo > maxDepth {
		s.perNano = coarse(events, per, room)
		s.perEvent = mulDivCeil(s.perNano, per, events)
	}
	s.depth = uint64(burst) * s.perEvent
	s.drain = int64(s.depth/s.perNano) + 1
	s.reach = int64(maxDepth / s.perNano)
	s.span = (math.MaxInt64 - maxDepth - 2*s.depth) / s.perNano
	s.lead = min(s.drain, int64(s.span/2))
	return s
}

// coarse returns the most ticks in a nanosecond with which room emission intervals, rounded up to
// whole ticks, are at most 2^61 ticks: floor((2^61/room - 1) * events/per), but at least 1, which
// suffices if room*ceil(per/events) <= 2^61.
//
// With room < 2^31 it is only called with per > 2^61/room, hence the quotient is below events <
// 2^31, and the emission interval has 2^29 ticks or more: rounding it up slows the limiter by less
// than 2e-9. With a greater room, carried over from a faster rate, the quotient is limited to 2^31.
func coarse(events, per, room uint64) uint64 {
	hi, lo := bits.Mul64(maxDepth/room-1, events)
	if hi >= per {
		return maxEvents
	}
	ticks, _ := bits.Div64(hi, lo, per)
	return min(max(ticks, 1), maxEvents)
}

// step is the algorithm: asked for n > 0 events at off, when debt ticks are owed that begin to
// drain later nanoseconds after off, it grants them if they can be acted on at once, or else with a
// delay of at most patience. After says what is then owed at the time of acting, off+delay.
func (s *spec) step(debt, later uint64, off int64, n int, patience time.Duration) (after uint64, delay time.Duration, ok bool) {
	cost := uint64(n) * s.perEvent
	switch {
	case n <= 0 || n > s.limit || patience < 0:
		return 0, 0, false
	case debt+cost <= s.depth && later == 0:
		return debt + cost, 0, true
	case patience == 0:
		return 0, 0, false
	}
	delay = s.delay(debt+cost, later, off)
	if delay > s.within(patience) {
		return 0, 0, false
	}
	drained := (uint64(delay) - later) * s.perNano // no overflow, for delay <= reach
	return debt - min(debt, drained) + cost, delay, true
}

// idle returns the ticks that drain during a delay, of debt ticks that begin to drain later, after
// nothing is owed any more: what others might have used, if the events to come did not need it.
func (s *spec) idle(debt, later uint64, delay time.Duration) uint64 {
	if delay == 0 {
		return 0
	}
	drained := (uint64(delay) - later) * s.perNano
	return drained - min(drained, debt)
}

// delay returns how long after off it takes until no more than depth of the given ticks is left,
// and they do drain.
func (s *spec) delay(ticks, later uint64, off int64) time.Duration {
	return s.wait(max(ticks, s.depth)-s.depth, later, off)
}

// within returns how much of the patience can be made use of.
func (s *spec) within(patience time.Duration) time.Duration {
	return min(patience, time.Duration(s.reach))
}

// granted sets d to the decision that leaves debt ticks owed.
func (s *spec) granted(d *ratelimit.Decision, debt, later uint64, off int64) {
	d.OK = true
	d.RetryAfter = 0
	s.report(d, debt, later, off)
}

// refused sets d to the decision that n events cannot be granted on top of debt ticks, which begin
// to drain later nanoseconds after off.
func (s *spec) refused(d *ratelimit.Decision, debt, later uint64, off int64, n int, patience time.Duration) {
	d.OK = false
	d.RetryAfter = ratelimit.Never
	if n > 0 && n <= s.limit && patience >= 0 {
		d.RetryAfter = s.delay(debt+uint64(n)*s.perEvent, later, off)
		if d.RetryAfter != ratelimit.Never {
			d.RetryAfter -= s.within(patience)
		}
	}
	s.report(d, debt, later, off)
}

// report sets the fields of d that do not depend on what was asked.
func (s *spec) report(d *ratelimit.Decision, debt, later uint64, off int64) {
	d.Limit = s.limit
	d.Remaining = 0
	if later == 0 {
		d.Remaining = int((s.depth - min(debt, s.depth)) / s.perEvent)
	}
	d.ResetAfter = s.wait(debt, later, off)
}

// wait returns how long after off the given ticks have drained, if they begin to later nanoseconds
// after off; Never if that is beyond the end of the timeline, where time stands still.
func (s *spec) wait(ticks, later uint64, off int64) time.Duration {
	nanos := later
	switch {
	case ticks == 0:
	case s.perNano == 0:
		return ratelimit.Never
	default:
		nanos += ceilDiv(ticks, s.perNano)
	}
	if nanos > uint64(timeline.Top-off) {
		return ratelimit.Never
	}
	return time.Duration(nanos)
}

// ceilDiv returns a/b rounded up; a + b must be below 2^64.
func ceilDiv(a, b uint64) uint64 { return (a + b - 1) / b }

// mulDivCeil returns a*b/c rounded up, or the greatest uint64 if that is not less.
func mulDivCeil(a, b, c uint64) uint64 {
	hi, lo := bits.Mul64(a, b)
	if hi >= c {
		return math.MaxUint64
	}
	quo, rem := bits.Div64(hi, lo, c)
	if rem > 0 && quo < math.MaxUint64 {
		quo++
	}
	return quo
}

func gcd(a, b uint64) uint64 {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}
