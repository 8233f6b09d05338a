package simulate

import (
	"iter"
	"math"
	"math/bits"
	"math/rand/v2"
	"time"

	"github.com/seed-3506548a/ratelimit"
)

// Until returns the events before the first that is not before end.
func Until(events iter.Seq[Event], end time.Time) iter.Seq[Event] {
	return func(yield func(Event) bool) {
		for e := range events {
			if !e.At.Before(end) || !yield(e) {
				return
			}
		}
	}
}

// Constant makes events in equal distances, the first at start: of rate 3/s at 0, 333333333 and
// 666666666 ns, and so on.
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

// Poisson makes events that know nothing of each other, the rate on average: the distances are
// exponentially distributed. So do many independent clients.
func Poisson(start time.Time, rate ratelimit.Rate, seed uint64) (iter.Seq[Event], error) {
	if err := check("simulate.Poisson", "rate", rate); err != nil {
		return nil, err
	}
	return generate(start, seed, func(random *rand.Rand, t *walk) bool {
		t.forward(random.ExpFloat64() * distance(rate))
		return true
	}), nil
}

// OnOff makes events as Poisson does while it is on, and none while it is off. It is on first; both
// last for exponentially distributed times, on and off on average. So do clients that come for a
// session, or for a batch. It is also an error if on is less than a millionth of what events are
// apart: most of the time it would do nothing.
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
		left := -1.0 // ns that it is still on
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

// Crowd is how many come, and when.
type Crowd struct {
	Usual ratelimit.Rate // before and long afterwards
	Peak  ratelimit.Rate
	After time.Duration // from the start until more begin to come
	Rise  time.Duration // from then to the peak, in a straight line
	Decay time.Duration // from the peak until what is above the usual has fallen to 1/e of it, and so on
}

// FlashCrowd makes events that know nothing of each other, at a rate that rises to a peak and
// decays: what a site sees that was linked to from a larger one. It is also an error if the peak is
// less than the usual rate.
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
	// An event comes when the rate, summed up from now on, is a number that is exponentially
	// distributed. Nothing is known of that behind the end of a stage: there the next begins, with
	// another number.
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

// walk is a time that goes forward by parts of nanoseconds.
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
	w.off = math.MaxInt64 // also from what is not a number: no distance times one without end
}

func (w *walk) ended() bool { return w.off == math.MaxInt64 }

// generate makes an event wherever next has moved the walk to, if next says so.
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

// distance returns how many ns events of the rate are apart, on average.
func distance(rate ratelimit.Rate) float64 { return float64(rate.Per) / float64(rate.Events) }

// perNano returns how many events of the rate there are in a ns.
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
