package keyed

import (
	"sync/atomic"
)

// Stats is what a Table has come across since it was made.
type Stats struct {
	Slots int // words; the capacity is half of them
	Live  int // keys that owe something, an estimate if there are more than 8192 words

	Inherited uint64 // times that a key took the word of a live one, with its debt
	Saturated uint64 // requests refused only because of a debt that the key would have inherited
	Untracked uint64 // those that were granted all the same: see FailOpen
	Late      uint64 // requests whose time was too early: see Late
	Ahead     uint64 // requests whose time was too far ahead of the table's clock: see Ahead
	Retries   uint64 // times that a caller lost a race, and looked again
}

// rare counts what seldom happens; there are several, each in a cache line, so that the callers who
// count do not meet.
type rare struct {
	inherited, saturated, untracked, late, ahead, retries atomic.Uint64
	_                                                     [16]byte
}

// add counts what a request was told.
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

// MapStats is what a Map has come across since it was made.
type MapStats struct {
	Len int // keys, as of Map.Len

	Evicted uint64 // keys that were forgotten to make room, also if factory then failed
	Refused uint64 // requests of new keys that there was no place for: see Full
	Late    uint64 // requests that were refused and whose time was late: see Late
	Failed  uint64 // times that factory made no limiter
	Err     error  // why it did not, the last time
}
