package table

import (
	"math"
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
