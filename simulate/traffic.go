package simulate

import (
	"iter"
	"math"
	"math/bits"
	"math/rand/v2"
	"time"

	"github.com/seed-3506548a/ratelimit"
)

// Until returns the events of a sequence that come before the first one at or after end.
func Until(events iter.Seq[Event], end time.Time) iter.Seq[Event] {
	return func(yield func(Event) bool) {
		for e := range events {
			if !e.At.Before(end) || !yield(e) {
				return
			}
		}
	}
}

// Constant returns events at equal intervals, the first at start. At a rate of 3/s, they come 0,
// 333,333,333 and 666,666,666 ns after start, and so on.
func Constant(start time.Time, rate ratelimit.Rate) (iter.Seq[Event], error) {
	if err := check("simulate.Constant", "rate", rate); err != nil {
		return nil, err
	}
	per, events := uint64(rate.Per), uint64(rate.Events)
	return func(yield func(Event) bool) {
		for k := uint64(0); events > 0; k++ {
			high, low := bits.Mul64(k, per)
			if high >= events {
				return
			}
			off, _ := bits.Div64(high, low, events)
			if off > math.MaxInt64 || !yield(Event{At: start.Add(time.Duration(off)), N: 1}) {
				return
			}
		}
	}, nil
}

// Poisson returns independent events with the given average rate. The intervals between them are
// exponentially distributed. Many independent clients together make such traffic.
func Poisson(start time.Time, rate ratelimit.Rate, seed uint64) (iter.Seq[Event], error) {
	if err := check("simulate.Poisson", "rate", rate); err != nil {
		return nil, err
	}
	return generate(start, seed, func(random *rand.Rand, t *walk) bool {
		t.forward(random.ExpFloat64() * distance(rate))
		return true
	}), nil
}

// OnOff returns events as Poisson does while it is on, and none while it is off. It begins by being
// on. The lengths of both are exponentially distributed, with averages of on and off. Clients that
// come for a session or a batch make such traffic.
//
// It is an error if on is not more than a millionth of the average interval between events. Such
// traffic would take long to generate, since hardly anything happens while it is on.
func OnOff(start time.Time, rate ratelimit.Rate, on, off time.Duration, seed uint64) (iter.Seq[Event], error) {
	const fn = "simulate.OnOff"
	if err := check(fn, "rate", rate); err != nil {
		return nil, err
	}
	least := rate.Per/time.Duration(max(rate.Events, 1))/1_000_000 + 1
	if on < least {
		return nil, &ratelimit.ArgumentError{Func: fn, Field: "on", Value: on, Want: least.String() + " or more"}
	}
	if off < 0 {
		return nil, &ratelimit.ArgumentError{Func: fn, Field: "off", Value: off, Want: "0s or more"}
	}
	if rate.Events == 0 {
		return Poisson(start, rate, seed)
	}
	return func(yield func(Event) bool) {
		left := -1.0 // ns until it goes off
		for e := range generate(start, seed, func(random *rand.Rand, t *walk) bool {
			if left < 0 {
				left = random.ExpFloat64() * float64(on)
			}
			gap := random.ExpFloat64() * distance(rate)
			for gap > left && !t.ended() {
				gap -= left
				t.forward(left + random.ExpFloat64()*float64(off))
				left = random.ExpFloat64() * float64(on)
			}
			left -= gap
			t.forward(gap)
			return true
		}) {
			if !yield(e) {
				return
			}
		}
	}, nil
}

// Crowd describes a flash crowd: a rate that rises to a peak and decays.
type Crowd struct {
	Usual ratelimit.Rate // the rate before, and long after
	Peak  ratelimit.Rate // the highest rate
	After time.Duration  // from the start until the rate begins to rise
	Rise  time.Duration  // from then until the peak; the rate rises linearly
	Decay time.Duration  // the excess over Usual falls to 1/e in this time, again and again
}

// FlashCrowd returns independent events whose rate rises to a peak and decays. A site that a larger
// one has linked to sees such traffic. It is an error if the peak is less than the usual rate.
func FlashCrowd(start time.Time, crowd Crowd, seed uint64) (iter.Seq[Event], error) {
	const fn = "simulate.FlashCrowd"
	if err := check(fn, "crowd.Usual", crowd.Usual); err != nil {
		return nil, err
	}
	if err := check(fn, "crowd.Peak", crowd.Peak); err != nil {
		return nil, err
	}
	for _, length := range []struct {
		name  string
		value time.Duration
	}{{"After", crowd.After}, {"Rise", crowd.Rise}, {"Decay", crowd.Decay}} {
		if length.value < 0 {
			return nil, &ratelimit.ArgumentError{Func: fn, Field: "crowd." + length.name, Value: length.value, Want: "0s or more"}
		}
	}
	usual, excess := perNano(crowd.Usual), perNano(crowd.Peak)-perNano(crowd.Usual)
	if excess < 0 {
		return nil, &ratelimit.ArgumentError{Func: fn, Field: "crowd.Peak", Value: crowd.Peak, Want: "the usual rate or more: " + crowd.Usual.String()}
	}
	rise := int64(crowd.After)
	top := rise + min(int64(crowd.Rise), math.MaxInt64-rise)
	decay := float64(crowd.Decay)
	// The next event comes when the integral of the rate from now on reaches a number that is
	// exponentially distributed. If that is beyond the end of a stage, the next stage begins with
	// another number: the distribution has no memory.
	return generate(start, seed, func(random *rand.Rand, t *walk) bool {
		sum, end := random.ExpFloat64(), int64(math.MaxInt64)
		var gap float64
		switch {
		case t.off < rise:
			end = rise
			gap = sum / usual
		case t.off < top:
			end = top
			slope := excess / float64(top-rise)
			now := usual + slope*(float64(t.off-rise)+t.part)
			gap = 2 * sum / (now + math.Sqrt(now*now+2*slope*sum)) // of now*gap + slope*gap²/2 = sum, the positive solution
		default: // whoever comes first, of the usual and the others
			gap = sum / usual
			left := excess * math.Exp(-(float64(t.off-top)+t.part)/decay) * decay // how many others are still to come
			if others := random.ExpFloat64(); others < left {
				gap = min(gap, -decay*math.Log1p(-others/left))
			}
		}
		if gap < float64(end-t.off)-t.part {
			t.forward(gap)
			return true
		}
		*t = walk{off: end}
		return false
	}), nil
}

// walk is a time that moves forward by fractions of nanoseconds.
type walk struct {
	off  int64 // since the start
	part float64
}

// forward moves the walk by d ns, up to the end of what an int64 holds.
func (w *walk) forward(d float64) {
	d += w.part
	if whole := math.Floor(d); whole < float64(math.MaxInt64-w.off) {
		w.off += int64(whole)
		w.part = d - whole
		return
	}
	w.off = math.MaxInt64 // also if d is not a number, which 0 times infinity is
}

func (w *walk) ended() bool { return w.off == math.MaxInt64 }

// generate returns an event for each time that next moves the walk to, if next returns true.
func generate(start time.Time, seed uint64, next func(random *rand.Rand, t *walk) bool) iter.Seq[Event] {
	return func(yield func(Event) bool) {
		random := rand.New(rand.NewPCG(seed, 0))
		var t walk
		for {
			happens := next(random, &t)
			if t.ended() || happens && !yield(Event{At: start.Add(time.Duration(t.off)), N: 1}) {
				return
			}
		}
	}
}

// distance returns the average interval between events of the rate, in ns.
func distance(rate ratelimit.Rate) float64 { return float64(rate.Per) / float64(rate.Events) }

// perNano returns the rate in events per ns.
func perNano(rate ratelimit.Rate) float64 { return float64(rate.Events) / float64(rate.Per) }

func check(fn, field string, rate ratelimit.Rate) error {
	switch {
	case rate.Events < 0:
		return &ratelimit.ArgumentError{Func: fn, Field: field + ".Events", Value: rate.Events, Want: "0 or more"}
	case rate.Per <= 0:
		return &ratelimit.ArgumentError{Func: fn, Field: field + ".Per", Value: rate.Per, Want: "more than 0s"}
	}
	return nil
}
