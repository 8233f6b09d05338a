package policy

import (
	"math"
	"time"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/keyed"
)

// store keeps a limit for each key, as a bound of one request has it: there may be several, and
// what a key has consumed does not depend on them. n is in events.
type store interface {
	// bind returns what the store has to know of a rate and a burst, or an error if it cannot keep
	// them beside what it was made for.
	bind(b *bound) error

	// look sets d to what take would, and charges nothing.
	look(d *ratelimit.Decision, t time.Time, key uint64, n int, b *bound)

	// fits reports whether look would say yes.
	fits(t time.Time, key uint64, n int, b *bound) bool

	// take charges n events, all of them or none.
	take(d *ratelimit.Decision, t time.Time, key uint64, n int, b *bound)

	// charge charges n events, whether they fit or not.
	charge(t time.Time, key uint64, n int, b *bound)

	// refund gives back n events that were granted held before t, if the store can.
	refund(t time.Time, key uint64, n int, held time.Duration, b *bound)

	// count sets what the store has counted.
	count(c *Counts)

	// class is when the store is charged.
	class() class
}

// class is the order in which the limits of a request are charged. Those that give back all come
// first, and those that give back nothing last, so that a lost race costs the least.
type class uint8

const (
	first  class = iota // windows, counters and buckets of a Map
	second              // Logs, which give back the newest only
	last                // Tables, which give back nothing
	classes
)

// bound is a limit as it applies to a request: the limit itself, or as an override has it.
type bound struct {
	rate      ratelimit.Rate
	burst     int
	most      int // the most events at once
	shown     *ratelimit.Rate
	reduced   bool // the rate is lower than the one that is shown
	unlimited bool

	table keyed.Limit // in the ticks of the Table, if that is the store
	event int         // in the units of the Map's limiter: an event,
	depth int         // and all that may be owed
}

// newStore returns a store for a limit, for at least capacity live keys, that can keep all bounds.
func newStore(l *Limit, bounds []*bound, capacity int, clock ratelimit.Clock) (store, error) {
	if l.Of == "" {
		for _, b := range bounds {
			if b.most <= 2 { // else too many keys would share a word
				capacity = min(4*capacity, mostCapacity)
				break
			}
		}
		var s store
		switch l.As {
		case GCRA:
			s = newBucketTable(bounds, capacity, clock)
		case Aligned:
			s = newWindowTable(bounds, capacity, clock)
		}
		if s != nil {
			return s, nil
		}
	}
	return newLocked(l, bounds, capacity, clock)
}

// bindAll returns the first error of a bound that the store cannot keep.
func bindAll(s store, bounds []*bound) error {
	for _, b := range bounds {
		if !b.unlimited {
			if err := s.bind(b); err != nil {
				return err
			}
		}
	}
	return nil
}

// table is a store in a keyed.Table.
type table struct {
	*keyed.Table[uint64]
	window keyed.Limit // all that a window can count; of windows only
}

// A bucket's Table is made for a rate times 2^k, so that a tick is a small fraction of an event,
// and other rates are rounded by less: the greatest k with ticks of 600 ns and more, since a caller
// is late after 2^24 ticks (10 s), and a burst of 2^37 ticks at most. If that cannot keep all
// bounds, ticks may be shorter.
const (
	finest   = 256 // ticks of an event of the Table's own rate
	minTick  = 600 // nanoseconds
	maxDepth = 1 << 37
)

// newBucketTable returns nil if no Table can keep all bounds.
func newBucketTable(bounds []*bound, capacity int, clock ratelimit.Clock) store {
	base := *bounds[0]
	for _, b := range bounds[1:] {
		if base.rate.Events == 0 {
			base = *b
		}
	}
	if base.rate.Events == 0 {
		base.rate.Events, base.burst = 1, 1
	}
	rates := func(k int) (ratelimit.Rate, bool) {
		events := base.rate.Events << k
		return ratelimit.Per(events, base.rate.Per), events > 0 && events <= math.MaxInt32 && events>>k == base.rate.Events &&
			int64(base.burst) <= maxDepth>>k/finest
	}
	best := 0
	for k := 1; ; k++ {
		rate, ok := rates(k)
		if !ok || int64(rate.Per)/int64(rate.Events) < minTick*finest {
			break
		}
		best = k
	}
	for k := best; ; k++ {
		rate, ok := rates(k)
		if !ok && k > best {
			return nil
		}
		made, err := keyed.NewGCRA[uint64](rate, 1, capacity, keyed.WithClock(clock))
		if err != nil {
			return nil
		}
		if s := (table{Table: made}); bindAll(s, bounds) == nil {
			return s
		}
	}
}

// The Table of a window is as wide as can be, so that a Replace may raise the limit.
const widest = 1 << 22

// newWindowTable returns nil if no Table can keep all bounds.
func newWindowTable(bounds []*bound, capacity int, clock ratelimit.Clock) store {
	rate := ratelimit.Per(widest, bounds[0].rate.Per)
	made, err := keyed.NewAlignedWindow[uint64](rate, capacity, keyed.WithClock(clock))
	if err != nil {
		return nil
	}
	s := table{Table: made}
	if s.window, err = made.Limit(rate, widest); err != nil {
		return nil
	}
	if bindAll(s, bounds) != nil {
		return nil
	}
	return s
}

func (s table) bind(b *bound) (err error) {
	b.table, err = s.Limit(b.rate, max(b.most, 1))
	return err
}

func (s table) look(d *ratelimit.Decision, t time.Time, key uint64, n int, b *bound) {
	*d = s.PeekLimitAt(t, key, n, b.table)
}

func (s table) fits(t time.Time, key uint64, n int, b *bound) bool {
	return s.FitsLimitAt(t, key, n, b.table)
}

func (s table) take(d *ratelimit.Decision, t time.Time, key uint64, n int, b *bound) {
	*d = s.TakeLimitAt(t, key, n, b.table)
}

func (s table) charge(t time.Time, key uint64, n int, b *bound) {
	if s.window.Burst() > 0 {
		n = min(n, s.room(t, key))
	}
	s.ChargeLimitAt(t, key, n, b.table)
}

// room returns how many events a window can count yet, or the last one that has counted some: more
// would be counted in the next. Where a charge is made at another time than t, that is not known.
func (s table) room(t time.Time, key uint64) int {
	if d := s.PeekLimitAt(t, key, 1, s.window); d.By == keyed.Late || d.By == keyed.Ahead {
		return widest
	}
	d := s.PeekLimitAt(t, key, 0, s.window)
	if d.ResetAfter > 0 {
		d = s.PeekLimitAt(t.Add(d.ResetAfter-1), key, 0, s.window)
	}
	return d.Remaining
}

func (s table) refund(time.Time, uint64, int, time.Duration, *bound) {}

func (s table) class() class { return last }
