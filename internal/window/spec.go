package window

import (
	"fmt"
	"math"
	"math/bits"
	"sort"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/internal/frame"
	"github.com/seed-3506548a/ratelimit/internal/timeline"
)

const (
	maxEvents  = math.MaxInt32
	maxQuarter = 1 << 60 // nanoseconds
)

// Kind says what expires at the end of a length, and from when lengths are counted.
type Kind int

// The kinds of windows.
const (
	Interval Kind = iota // rate.Events expire; from an event granted when nothing was unexpired
	Anchored             // all expire; from an event granted when nothing was unexpired
	Aligned              // all expire; at multiples of rate.Per from an instant, by the wall clock
)

// spec is a rate and a capacity: some events expire at the end of each length, counted from the
// start of a window, and at most capacity may be unexpired. A spec is immutable.
//
// Windows start on a grid that is counted from the limiter's origin, so that a start and a count
// fit into a word. The steps of the grid are 2^j ns. The length is then rate.Per, rounded up so
// that a window that starts up to a step early does not end early. Of aligned windows, the steps
// and the length are rate.Per.
type spec struct {
	kind     Kind
	rate     ratelimit.Rate
	capacity int
	limit    int64 // the most events at once: capacity, or 0 at a rate of 0
	events   int64 // that expire at the end of a length
	length   int64 // nanoseconds, a multiple of the grid's step
	grid     int64 // nanoseconds, the grid's step
	bits     uint  // of the count in the word
	quarter  int64 // nanoseconds: a quarter of what the word's start can count

	// Nothing is granted before the last change of rate, if anything was ever granted. Grants up to
	// settled are of before that change, or of its window, and give nothing back.
	changed, settled int64

	before *before // what the change replaced, while reservations of before it are pending
}

// specs are those that shared has returned.
var specs frame.Specs[spec]

// shared returns the spec of windows whose rate has not changed.
func shared(kind Kind, rate ratelimit.Rate, capacity int) *spec {
	return specs.Get(frame.Arguments{Rate: rate, Most: capacity, Kind: int(kind)}, func() *spec {
		return newSpec(kind, rate, capacity, 0, math.MinInt64)
	})
}

// check checks a constructor's arguments. Errors name the function fn, and call the capacity field.
func check(kind Kind, fn, field string, rate ratelimit.Rate, capacity int) error {
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
		return refuse(field, capacity, "1 to 2147483647")
	}
	if !holds(kind, rate, capacity) {
		most := sort.Search(maxEvents, func(c int) bool { return !holds(kind, rate, c+1) })
		return refuse(field, capacity, fmt.Sprintf("at most %d at this rate, or its state does not fit into a word", most))
	}
	return nil
}

// accepts returns the error of a change to a rate and a capacity, or nil.
func (s *spec) accepts(fn, field string, rate ratelimit.Rate, capacity int) error {
	if err := check(s.kind, fn, field, rate, capacity); err != nil {
		return err
	}
	if rate.Per != s.rate.Per {
		return &ratelimit.ArgumentError{Func: fn, Field: "rate.Per", Value: rate.Per,
			Want: s.rate.Per.String() + ", as the limiter was made: only Events can change"}
	}
	return nil
}

// holds reports whether a word holds the capacity, with a grid that is fine enough.
func holds(kind Kind, rate ratelimit.Rate, capacity int) bool {
	s := newSpec(kind, rate, capacity, 0, 0)
	return s.fits(int64(capacity)) && (kind == Aligned || s.grid == 1 || s.grid <= int64(rate.Per)/1024)
}

// newSpec returns the spec for checked arguments. It can also count the events carried over from
// another spec.
func newSpec(kind Kind, rate ratelimit.Rate, capacity int, carried, settled int64) *spec {
	s := &spec{kind: kind, rate: rate, capacity: capacity, limit: int64(capacity), events: int64(rate.Events), changed: timeline.Bottom, settled: settled}
	if kind != Interval {
		s.events = maxEvents // all that can be counted
	}
	if rate.Events == 0 {
		s.limit = 0
	}
	s.bits = uint(bits.Len64(uint64(max(int64(capacity), carried))))
	if kind == Aligned {
		s.setGrid(int64(rate.Per), int64(rate.Per))
		return s
	}
	for j := uint(0); j <= s.bits; j++ {
		step := int64(1) << j
		s.setGrid(step, ceilDiv(int64(rate.Per)+step-1, step)*step)
		if s.fits(int64(capacity)) {
			break
		}
	}
	return s
}

func (s *spec) setGrid(grid, length int64) {
	s.grid, s.length = grid, length
	s.quarter = maxQuarter
	if hi, lo := bits.Mul64(uint64(grid), 1<<(61-s.bits)); hi == 0 && lo < maxQuarter {
		s.quarter = int64(lo)
	}
}

// floor returns the last point of the grid that is not after off.
func (s *spec) floor(off int64) int64 { return timeline.FloorDiv(off, s.grid) * s.grid }

// fits reports whether the time in which a full count expires, plus one length, is at most a
// quarter of what the word can count.
func (s *spec) fits(capacity int64) bool {
	lengths := int64(1)
	if s.events > 0 {
		lengths = ceilDiv(capacity, s.events)
	}
	hi, lo := bits.Mul64(uint64(s.length), uint64(lengths+1))
	return hi == 0 && lo <= uint64(s.quarter)
}

// ceilDiv returns a/b rounded up, for b > 0.
func ceilDiv(a, b int64) int64 { return -timeline.FloorDiv(-a, b) }
