package keyed

import (
	"fmt"
	"math"
	"math/big"
	"math/bits"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/internal/timeline"
)

const (
	tatBits = 40
	tatMask = 1<<tatBits - 1

	// firstTick is the number of the first tick of all: what lies 2^39 before a time is a number
	// too.
	firstTick uint64 = 1 << tatBits

	// maxDepth, in ticks, limits what one key may owe.
	maxDepth uint64 = 1 << 38

	// finest is how many ticks an emission interval has, if they are not shorter than a nanosecond
	// then.
	finest = 256

	// maxWindow limits the events of a window, so that what may be late is a few windows at least.
	maxWindow = 1 << 22

	maxEvents = math.MaxInt32
)

// scale turns offsets into ticks, whose number is at least 2^40 and never falls. There are two
// kinds:
//
//	gcra     m ticks are an emission interval, Per/Events. m is 256, or less if a tick were
//	         shorter than a nanosecond. A time is rounded down to whole ticks, of which one begins
//	         at the origin.
//	window   A time is the number of its window, times Events. So the ticks go forward by Events
//	         at once, and a debt in ticks is a count of events, which are gone in the next window.
type scale struct {
	rate ratelimit.Rate

	// In length nanoseconds, of which one begins at the origin and bias before it, there are so
	// many ticks. They go by one by one, or, of windows, all at once.
	length, ticks uint64
	bias          uint64
	aligned       bool

	top uint64 // ticks at the end of the timeline
}

// newGCRA returns the scale for a checked rate. At a rate of 0 a tick is a nanosecond.
func newGCRA(rate ratelimit.Rate) scale {
	if rate.Events == 0 {
		return newScale(rate, 1, 1, false)
	}
	return newScale(rate, ticksPerEvent(rate)*uint64(rate.Events), uint64(rate.Per), false)
}

// ticksPerEvent returns the ticks of an emission interval, for a checked rate. At a rate of 0 it is
// one nanosecond.
func ticksPerEvent(rate ratelimit.Rate) uint64 {
	if rate.Events == 0 {
		return 1
	}
	return uint64(min(finest, int64(rate.Per)/int64(rate.Events)))
}

// newWindow returns the scale of aligned windows of a checked rate.
func newWindow(rate ratelimit.Rate) scale {
	return newScale(rate, uint64(max(rate.Events, 1)), uint64(rate.Per), true)
}

func newScale(rate ratelimit.Rate, ticks, length uint64, aligned bool) scale {
	before := uint64(-timeline.Bottom)
	s := scale{rate: rate, length: length, ticks: ticks, bias: (before + length - 1) / length * length, aligned: aligned}
	s.top = s.at(timeline.Top)
	return s
}

// at returns the ticks at an offset. There are no more of them than nanoseconds, so nothing
// overflows.
func (s *scale) at(off int64) uint64 {
	nanos := uint64(timeline.Clamp(off)) + s.bias
	if s.aligned {
		return nanos/s.length*s.ticks + firstTick
	}
	high, low := bits.Mul64(nanos, s.ticks)
	ticks, _ := bits.Div64(high, low, s.length)
	return ticks + firstTick
}

// when returns the first offset at which it is so many ticks; beyond the top, if it never is.
func (s *scale) when(ticks uint64) int64 {
	if ticks > s.top {
		return timeline.Top + 1
	}
	ticks -= min(ticks, firstTick)
	var nanos uint64
	if s.aligned {
		nanos = (ticks + s.ticks - 1) / s.ticks * s.length
	} else {
		high, low := bits.Mul64(ticks, s.length)
		low, carry := bits.Add64(low, s.ticks-1, 0)
		nanos, _ = bits.Div64(high+carry, low, s.ticks)
	}
	return max(int64(nanos-s.bias), timeline.Bottom)
}

// fastest says which rate of a limit has an emission interval of 16 ticks.
func (s *scale) fastest() string {
	own := ticksPerEvent(s.rate)
	if s.rate.Events == 0 {
		return ratelimit.Every(16).String()
	}
	high, low := bits.Mul64(own, uint64(s.rate.Events))
	events, _ := bits.Div64(high, low, 16)
	fastest := ratelimit.Per(int(min(events, maxEvents)), s.rate.Per).String()
	if own < 16 {
		fastest += ", or " + s.rate.String() + " as the table"
	}
	return fastest
}

// Limit is a rate and a burst for keys of a [Table], other than the table's own. [Table.Limit]
// makes one. The zero Limit refuses every event.
type Limit struct {
	table    *core
	rate     ratelimit.Rate
	burst    int
	most     int    // the most events at once: burst, or 0 at a rate of 0
	perEvent uint64 // ticks
	depth    uint64 // most * perEvent: the most debt after a grant
}

// Rate returns the rate that the limit was made with.
func (l Limit) Rate() ratelimit.Rate { return l.rate }

// Burst returns the burst that the limit was made with.
func (l Limit) Burst() int { return l.burst }

// limit returns the limit in the table's ticks; fn is the function in errors.
func (c *core) limit(fn string, rate ratelimit.Rate, burst int) (Limit, error) {
	s := &c.scale
	refuse := func(field string, value any, format string, args ...any) (Limit, error) {
		return Limit{}, &ratelimit.ArgumentError{Func: fn, Field: field, Value: value, Want: fmt.Sprintf(format, args...)}
	}
	if err := checkRate(fn, rate); err != nil {
		return Limit{}, err
	}
	if burst < 1 || burst > maxEvents {
		return refuse("burst", burst, "1 to %d", maxEvents)
	}
	l := Limit{table: c, rate: rate, burst: burst, most: burst, perEvent: 1}
	switch {
	case s.aligned && rate.Per != s.rate.Per:
		return refuse("rate.Per", rate.Per, "%v, the table's windows", s.rate.Per)
	case s.aligned && rate.Events > s.rate.Events:
		return refuse("rate.Events", rate.Events, "at most %d, as the table was made", s.rate.Events)
	case s.aligned && burst != max(rate.Events, 1):
		return refuse("burst", burst, "%d, the events of a window", max(rate.Events, 1))
	}
	if rate.Events == 0 {
		l.most = 0
		return l, nil
	}
	if !s.aligned {
		// Per/Events in ticks: of the table's rate, ticksPerEvent are Per/Events; without one, a
		// tick is a ns.
		interval := big.NewRat(int64(rate.Per), int64(rate.Events))
		if s.rate.Events > 0 {
			interval.Mul(interval, big.NewRat(int64(s.rate.Events), int64(s.rate.Per)))
			interval.Mul(interval, new(big.Rat).SetInt64(int64(ticksPerEvent(s.rate))))
		}
		up := new(big.Int).Add(interval.Num(), new(big.Int).Sub(interval.Denom(), big.NewInt(1)))
		up.Quo(up, interval.Denom())
		if !up.IsUint64() || up.Uint64() > maxDepth {
			return refuse("rate", rate, "a rate at which an event drains within 2^38 of the table's ticks")
		}
		l.perEvent = up.Uint64()
		if own := ticksPerEvent(s.rate); l.perEvent < 16 && (!interval.IsInt() || l.perEvent < own) {
			return refuse("rate", rate, "at most %s: make the table for the fastest limit", s.fastest())
		}
	}
	if most := maxDepth / l.perEvent; uint64(burst) > most {
		return refuse("burst", burst, "at most %d at this rate: 2^38 of the table's ticks", most)
	}
	l.depth = uint64(burst) * l.perEvent
	return l, nil
}

// checkRate checks what both kinds of tables demand of a rate.
func checkRate(fn string, rate ratelimit.Rate) error {
	switch {
	case rate.Events < 0 || rate.Events > maxEvents:
		return &ratelimit.ArgumentError{Func: fn, Field: "rate.Events", Value: rate.Events, Want: fmt.Sprintf("0 to %d", maxEvents)}
	case rate.Per <= 0:
		return &ratelimit.ArgumentError{Func: fn, Field: "rate.Per", Value: rate.Per, Want: "more than 0s"}
	case int64(rate.Events) > int64(rate.Per):
		return &ratelimit.ArgumentError{Func: fn, Field: "rate", Value: rate, Want: "at most one event a nanosecond"}
	}
	return nil
}
