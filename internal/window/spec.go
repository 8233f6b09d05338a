package window

import (
	"fmt"
	"math"
	"math/bits"
	"sort"
	"time"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/internal/timeline"
)

const (
	maxEvents  = math.MaxInt32
	maxQuarter = 1 << 60 // nanoseconds
)

// spec is a rate and a capacity: of all that was granted, rate.Events expire at the end of each
// length, counted from the start of a window, and at most capacity may be unexpired. It is immutable.
//
// Starts of windows lie on a grid of 2^grain ns, counted from the limiter's origin, so that the start
// and the count fit into a word. length is rate.Per, rounded up so that a window that starts up to a
// step of the grid early does not end before its time.
type spec struct {
	rate     ratelimit.Rate
	capacity int
	limit    int64 // the most events at once: capacity, or 0 at a rate of 0
	events   int64
	length   int64 // nanoseconds, a multiple of the grid's step
	grain    uint  // the grid's step is 2^grain ns
	bits     uint  // of the count in the word
	quarter  int64 // nanoseconds: a quarter of what the word's start can count

	// Grants up to this offset, of before a change of rate, give nothing back.
	settled int64
}

// check is the constructor's check of its arguments; fn is how errors call it.
func check(fn string, rate ratelimit.Rate, capacity int) error {
	refuse := func(field string, value any, want string) error {
		return &ratelimit.ArgumentError{Func: fn, Field: field, Value: value, Want: want}
	}
	switch {
	case rate.Events < 0 || rate.Events > maxEvents:
		return refuse("rate.Events", rate.Events, "0 to 2147483647")
	case rate.Per <= 0:
		return refuse("rate.Per", rate.Per, "more than 0s")
	case rate.Per > maxQuarter/4:
		return refuse("rate.Per", rate.Per, "at most 2^58 ns (9 years)")
	case capacity < 1 || capacity > maxEvents:
		return refuse("capacity", capacity, "1 to 2147483647")
	}
	if !holds(rate, capacity) {
		most := sort.Search(maxEvents, func(c int) bool { return !holds(rate, c+1) })
		return refuse("capacity", capacity, fmt.Sprintf("at most %d at this rate, or its state does not fit into a word", most))
	}
	return nil
}

// holds reports whether a word holds the capacity, with a grid that is fine enough.
func holds(rate ratelimit.Rate, capacity int) bool {
	s := newSpec(rate, capacity, 0, 0)
	return s.fits(int64(capacity)) && (s.grain == 0 || int64(1)<<s.grain <= int64(rate.Per)/1024)
}

// newSpec returns the spec for checked arguments, that can also count carried events.
func newSpec(rate ratelimit.Rate, capacity int, carried, settled int64) *spec {
	s := &spec{rate: rate, capacity: capacity, limit: int64(capacity), events: int64(rate.Events), settled: settled}
	if rate.Events == 0 {
		s.limit = 0
	}
	s.bits = uint(bits.Len64(uint64(max(int64(capacity), carried))))
	s.setGrain(0)
	for !s.fits(int64(capacity)) && s.grain < s.bits {
		s.setGrain(s.grain + 1)
	}
	return s
}

func (s *spec) setGrain(grain uint) {
	s.grain = grain
	step := int64(1) << grain
	s.length = (int64(s.rate.Per) + 2*step - 2) >> grain << grain
	s.quarter = min(step<<(61-s.bits), maxQuarter)
}

// fits reports whether the time in which a full count expires, and a length more, is at most a
// quarter of what the word can count.
func (s *spec) fits(capacity int64) bool {
	lengths := int64(1)
	if s.events > 0 {
		lengths = ceilDiv(capacity, s.events)
	}
	hi, lo := bits.Mul64(uint64(s.length), uint64(lengths+1))
	return hi == 0 && lo <= uint64(s.quarter)
}

// wait returns how long after off it is to the offset at; Never if that is beyond the end of the
// timeline, where time stands still.
func wait(off, at int64) time.Duration {
	if at <= off {
		return 0
	}
	if at > timeline.Top {
		return ratelimit.Never
	}
	return time.Duration(at - off)
}

// ceilDiv returns a/b rounded up, and floorDiv rounded down, for b > 0.
func ceilDiv(a, b int64) int64 { return -floorDiv(-a, b) }

func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}
