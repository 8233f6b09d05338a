package bucket

import (
	"fmt"
	"math"
	"math/bits"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/internal/frame"
)

const (
	maxEvents = math.MaxInt32

	// maxDepth limits, in ticks, a full bucket, and what may be owed beyond that. It limits, in
	// nanoseconds, how long a full bucket may take to drain.
	maxDepth uint64 = 1 << 61
)

// spec is a rate and a burst, counted in ticks. A tick is a unit of time of which a nanosecond and
// the emission interval, the time from one event to the next at the rate, are whole numbers. So all
// arithmetic is exact. A spec is immutable.
//
// With g = gcd(Events, Per in ns), a nanosecond has Events/g ticks and an emission interval Per/g.
// If a full burst would exceed 2^61 such ticks, newSpec chooses coarser ticks and rounds the
// emission interval up.
type spec struct {
	rate     ratelimit.Rate
	burst    int
	limit    int    // the most events at once: burst, or 0 at a rate of 0
	perNano  uint64 // ticks in a nanosecond; 0 at a rate of 0: nothing ever drains
	perEvent uint64 // ticks in an emission interval, >= 1
	depth    uint64 // limit*perEvent: the most debt after a grant that is acted on at once, <= 2^61
	drain    int64  // nanoseconds in which depth drains, at most one too many; 0 at a rate of 0
	reach    int64  // nanoseconds in which 2^61 ticks drain: how far ahead events can be reserved
	span     uint64 // nanoseconds that a frame lasts, so that its words stay one depth below 2^63
	lead     int64  // nanoseconds that a frame starts before the time that it is made for

	past past
}

// specs has the specs of buckets that have no past.
var specs frame.Specs[spec]

// check checks a constructor's arguments. Errors name the function fn, and call burst field.
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

// drainable returns how many events drain within 2^61 ns, if each takes a whole number of them.
func drainable(rate ratelimit.Rate) uint64 {
	return maxDepth / ceilDiv(uint64(rate.Per), uint64(rate.Events))
}

// newSpec returns the spec for checked arguments. Its ticks are coarse enough to count burst
// events, and the events carried over from another spec. At a rate of 0, events keep the size
// perEvent.
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

// coarse returns the most ticks of a nanosecond with which room emission intervals, each rounded up
// to whole ticks, are at most 2^61 ticks: floor((2^61/room - 1) * events/per). It is at least 1,
// which suffices if room*ceil(per/events) <= 2^61.
//
// With room < 2^31 it is only called with per > 2^61/room. So the quotient is below events < 2^31,
// and the emission interval has at least 2^29 ticks: rounding it up slows the limiter by less than
// 2e-9. With a greater room, carried over from a faster rate, the quotient is limited to 2^31-1.
func coarse(events, per, room uint64) uint64 {
	hi, lo := bits.Mul64(maxDepth/room-1, events)
	if hi >= per {
		return maxEvents
	}
	ticks, _ := bits.Div64(hi, lo, per)
	return min(max(ticks, 1), maxEvents)
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
