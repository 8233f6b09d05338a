package policy

import (
	"time"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/internal/table"
)

// store keeps a limit for each key, as a bound of one request has it: there may be several, and
// what a key has consumed does not depend on them. Of what is asked, a store reads the key and the
// bound. n is in events.
type store interface {
	// bind returns what the store has to know of a rate and a burst, or an error if it cannot keep
	// them beside what it was made for.
	bind(b *bound) error

	// look sets d to what take would, and charges nothing.
	look(d *ratelimit.Decision, at moment, a *asked, n int)

	// fits reports whether look would say yes.
	fits(at moment, a *asked, n int) bool

	// take charges n events, all of them or none.
	take(d *ratelimit.Decision, at moment, a *asked, n int)

	// charge charges n events, whether they fit or not.
	charge(at moment, a *asked, n int)

	// refund gives back n events that were granted held before t, if the store can.
	refund(t time.Time, a *asked, n int, held time.Duration)

	// count sets what the store has counted.
	count(c *Counts)

	// class is when the store is charged.
	class() class
}

// moment is a time, as limits need it.
type moment struct {
	t   time.Time
	off int64 // on the engine's timeline
}

// class is the order in which the limits of a request are charged. Those in a Store come first, so
// that what they refuse, or do not answer, was charged to nothing else. Then come those that give
// back all, and those that give back nothing last, so that a lost race costs the least.
type class uint8

const (
	outer  class = iota // limits in a Store
	first               // windows, counters and buckets of a Map
	second              // Logs, which give back the newest only
	last                // Tables, which give back nothing
)

// bound is a limit as it applies to a request: the limit itself, or as an override has it.
type bound struct {
	rate      ratelimit.Rate
	burst     int
	most      int // the most events at once
	shown     *ratelimit.Rate
	reduced   bool // the rate is lower than the one that is shown
	unlimited bool

	ticks table.Limit // in the ticks of the table, if that is the store
	event int         // in the units of the Map's limiter: an event,
	depth int         // and all that may be owed
	outer Store       // has the limit, if it is in one
}

// newStore returns a store for a limit, for at least capacity live keys, that can keep all bounds.
func (e *Engine) newStore(l *Limit, bounds []*bound, capacity int) (store, error) {
	if l.Of == "" && (l.As == GCRA || l.As == Aligned) {
		capacity := capacity
		for _, b := range bounds {
			if b.most <= 2 { // else too many keys would share a word
				capacity = min(4*capacity, mostCapacity)
				break
			}
		}
		var s *lockFree
		switch l.As {
		case GCRA:
			s = newBucketTable(bounds, capacity, &e.line)
		case Aligned:
			s = newWindowTable(bounds, capacity, &e.line)
		}
		if s != nil {
			return s, nil
		}
	}
	return newLocked(l, bounds, capacity, e.line)
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
