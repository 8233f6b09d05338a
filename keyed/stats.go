package keyed

import (
	"sync/atomic"
)

// Stats is what a [Table] has counted since it was made.
//
// Three fields are about new keys whose set has only live keys: see Capacity in the package
// documentation. Inherited counts their grants and charges. Saturated counts their refusals, which
// have the constant [Inherited] in Decision.By. Untracked counts what [FailOpen] granted instead.
type Stats struct {
	Slots int // words of the table: twice the capacity, rounded up to a multiple of 8
	Live  int // keys that are not idle; an estimate in tables of more than 8192 words

	Inherited uint64 // grants and charges to a new key that took the word of a live key
	Saturated uint64 // requests refused only because of what that key owed
	Untracked uint64 // requests granted in spite of that, by the option FailOpen
	Late      uint64 // requests refused because their time was too old: see the constant Late
	Ahead     uint64 // requests refused because their time was too far in the future: see Ahead
	Retries   uint64 // times that a caller lost a race and looked again
}

// MapStats is what a [Map] has counted since it was made. The factory is the function given to
// [NewMap].
type MapStats struct {
	Len int // keys, as Map.Len returns it

	Evicted uint64 // keys evicted to make room for others, also if the factory then failed
	Refused uint64 // requests of new keys refused because there was no room: see Full
	Late    uint64 // requests refused because their time was too old: see the constant Late
	Failed  uint64 // times that the factory made no limiter: see NoLimiter
	Err     error  // why it did not, the last time
}

// rare counts what seldom happens. There are several, each in a cache line, so that callers that
// count do not meet.
type rare struct {
	inherited, saturated, untracked, late, ahead, retries atomic.Uint64
	_                                                     [16]byte
}

// add counts a verdict.
func (r *rare) add(told verdict) {
	switch told {
	case crowded:
		r.saturated.Add(1)
	case untracked:
		r.untracked.Add(1)
	case tooLate:
		r.late.Add(1)
	case tooEarly:
		r.ahead.Add(1)
	}
}

// stats counts the live keys in the sets that it looks at.
func (c *core) stats(off int64) (s Stats) {
	const most = 1024
	now, newest := c.scale.at(off), c.newest.Load()
	sets := len(c.sets)
	looked := min(sets, most)
	live := 0
	for i := range looked {
		seen := &c.sets[int64(i)*int64(sets)/int64(looked)]
		for j := range seen {
			if word := seen[j].Load(); tagOf(word) != 0 && owed(word, now, newest) > 0 {
				live++
			}
		}
	}
	s.Slots = sets * setSize
	s.Live = int(int64(live) * int64(sets) / int64(looked))
	for i := range c.rare {
		r := &c.rare[i]
		s.Inherited += r.inherited.Load()
		s.Saturated += r.saturated.Load()
		s.Untracked += r.untracked.Load()
		s.Late += r.late.Load()
		s.Ahead += r.ahead.Load()
		s.Retries += r.retries.Load()
	}
	return s
}
