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
	maxEvents        = math.MaxInt32
	maxDepth  uint64 = 1 << 61 // ticks; also the longest time to drain a full bucket, in nanoseconds
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
	depth    uint64 // limit*perEvent: the most debt that a grant may leave, <= 2^61
	drain    int64  // nanoseconds, at most one too many, in which depth drains; 0 at a rate of 0
}

// newSpec is the constructor's check of its arguments; fn and field are how errors call them.
func newSpec(fn, field string, rate ratelimit.Rate, burst int) (spec, error) {
	refuse := func(field string, value any, want string) (spec, error) {
		return spec{}, &ratelimit.ArgumentError{Func: fn, Field: field, Value: value, Want: want}
	}
	switch {
	case rate.Events < 0 || rate.Events > maxEvents:
		return refuse("rate.Events", rate.Events, "0 to 2147483647")
	case rate.Per <= 0:
		return refuse("rate.Per", rate.Per, "more than 0s")
	case burst < 1 || burst > maxEvents:
		return refuse(field, burst, "1 to 2147483647")
	case rate.Events == 0:
		return spec{rate: rate, burst: burst, perEvent: 1}, nil
	}
	events, per := uint64(rate.Events), uint64(rate.Per)
	switch most := maxDepth / ceilDiv(per, events); {
	case most == 0:
		return refuse("rate.Per", rate.Per, "at most 2^61 ns (73 years) for each event")
	case uint64(burst) > most:
		return refuse(field, burst, fmt.Sprintf("at most %d: %s * ceil(rate.Per/rate.Events) <= 2^61 ns", most, field))
	}
	g := gcd(events, per)
	s := spec{rate: rate, burst: burst, limit: burst, perNano: events / g, perEvent: per / g}
	if hi, lo := bits.Mul64(uint64(burst), s.perEvent); hi != 0 || lo > maxDepth {
		s.perNano = coarse(events, per, uint64(burst))
		hi, lo = bits.Mul64(s.perNano, per) // < 2^94: perNano < 2^31, per < 2^63
		quo, rem := bits.Div64(hi, lo, events)
		s.perEvent = quo + min(rem, 1)
	}
	s.depth = uint64(burst) * s.perEvent
	s.drain = int64(s.depth/s.perNano) + 1
	return s, nil
}

// coarse returns the most ticks in a nanosecond with which burst emission intervals, rounded up to
// whole ticks, are at most 2^61 ticks: floor((2^61/burst - 1) * events/per), but at least 1, which
// suffices because newSpec has checked that burst*ceil(per/events) <= 2^61.
//
// It is only called with per > 2^61/burst, hence the quotient is below events < 2^31, and the
// emission interval has 2^29 ticks or more: rounding it up slows the limiter by less than 2e-9.
func coarse(events, per, burst uint64) uint64 {
	hi, lo := bits.Mul64(maxDepth/burst-1, events)
	ticks, _ := bits.Div64(hi, lo, per)
	return max(ticks, 1)
}

// fits reports whether n events may be granted when debt ticks are owed.
func (s *spec) fits(debt uint64, n int) bool {
	return n == 0 || n > 0 && n <= s.limit && debt+uint64(n)*s.perEvent <= s.depth
}

// granted sets d to the decision that leaves debt ticks owed.
func (s *spec) granted(d *ratelimit.Decision, debt, later uint64, off int64) {
	d.OK = true
	d.RetryAfter = 0
	s.report(d, debt, later, off)
}

// refused sets d to the decision that n events do not fit on top of debt ticks, which begin to
// drain later nanoseconds after off.
func (s *spec) refused(d *ratelimit.Decision, debt, later uint64, off int64, n int) {
	d.OK = false
	d.RetryAfter = ratelimit.Never
	if n > 0 && n <= s.limit {
		d.RetryAfter = s.wait(debt+uint64(n)*s.perEvent-s.depth, later, off)
	}
	s.report(d, debt, later, off)
}

// report sets the fields of d that do not depend on what was asked.
func (s *spec) report(d *ratelimit.Decision, debt, later uint64, off int64) {
	d.Limit = s.limit
	d.Remaining = int((s.depth - min(debt, s.depth)) / s.perEvent)
	d.ResetAfter = s.wait(debt, later, off)
}

// wait returns how long after off the given ticks have drained, if they begin to later nanoseconds
// after off; Never if that is beyond the end of the timeline, where time stands still.
func (s *spec) wait(ticks, later uint64, off int64) time.Duration {
	if ticks == 0 {
		return 0
	}
	if s.perNano == 0 {
		return ratelimit.Never
	}
	nanos := later + ceilDiv(ticks, s.perNano)
	if nanos > uint64(timeline.Top-off) {
		return ratelimit.Never
	}
	return time.Duration(nanos)
}

// ceilDiv returns a/b rounded up; a + b must be below 2^64.
func ceilDiv(a, b uint64) uint64 { return (a + b - 1) / b }

func gcd(a, b uint64) uint64 {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}
