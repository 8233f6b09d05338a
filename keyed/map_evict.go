package keyed

import (
	"math/rand/v2"
	"time"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/internal/timeline"
)

const (
	sample = 8  // keys of a shard that are looked at to evict one
	most   = 63 // other shards that are searched,
	few    = 3  // and in the moment after a search of so many was in vain
	moment = 10 * time.Millisecond

	// memory is how long before an eviction late callers may come. To look further back costs
	// nothing, but must not leave the range of a limiter's time.
	memory = 24 * time.Hour
)

// earlier returns the time as of which a key must be idle to be evicted: t or the clock's,
// whichever is earlier. By a t of the year 3000 all keys are idle. And a key that is idle by the
// clock may not be so by the t of a late caller.
func (m *Map[K]) earlier(t time.Time) time.Time {
	if now := m.line.Clock().Now(); now.Before(t) {
		return now
	}
	return t
}

// evict forgets a key of the shard that is idle, whose place is then the caller's. If there is
// none, it returns how long it is until one may be.
func (m *Map[K]) evict(s *shard[K], as time.Time) time.Duration {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	return m.evictFrom(s, as)
}

// evictFrom is evict where the lock is held.
func (m *Map[K]) evictFrom(s *shard[K], as time.Time) time.Duration {
	victim, age, wait := s.oldest(as)
	if wait == 0 {
		// It was idle all that time, if it answers for the past; else nobody knows but for now.
		if s.index.slots[victim].untilIdle(as.Add(-age)) > 0 {
			age = 0
		}
		s.floor = max(s.floor, timeline.Clamp(m.line.At(as))-int64(age))
		s.index.remove(victim)
		m.evicted.Add(1)
	}
	return wait
}

// elsewhere has look search other shards for a key that can go, as the new key's own has none. It
// returns 0 if look has found one, else how long it is until there may be one, at most wait.
//
// To search many shards takes long. If it was in vain, hardly any key is idle. So for a moment
// afterwards, or until one of the keys that were looked at may be idle, only few are searched.
func (m *Map[K]) elsewhere(hash uint64, as time.Time, wait time.Duration, look func(s *shard[K], as time.Time) time.Duration) time.Duration {
	others := len(m.shards) - 1
	if others == 0 {
		return wait
	}
	off := timeline.Clamp(m.line.At(as))
	visits := min(most, others)
	if left := m.vain.Load() - off; 0 < left && left <= int64(moment) {
		visits = min(few, others)
	}
	from := rand.IntN(others)
	for i := range visits {
		other := hash + 1 + uint64((from+i)%others)
		next := look(m.home(other), as)
		if next == 0 {
			return 0
		}
		wait = min(wait, next)
	}
	if visits >= min(most, others) {
		m.vain.Store(off + int64(min(wait, moment)))
	}
	return wait
}

// search returns 0 if there is a key that can go, else how long it is until one may.
func (m *Map[K]) search(hash uint64, as time.Time) time.Duration {
	wait := m.look(m.home(hash), as)
	if wait > 0 {
		wait = m.elsewhere(hash, as, wait, m.look)
	}
	return wait
}

// look is evict that leaves the key where it is.
func (m *Map[K]) look(s *shard[K], as time.Time) time.Duration {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	_, _, wait := s.oldest(as)
	return wait
}

// oldest looks at some keys, and returns the slot of that which has been idle for longest, and for
// how long; if none is idle, how long it is until one will be. It begins at random. Which keys are
// side by side depends on their hashes alone.
func (s *shard[K]) oldest(as time.Time) (victim int, age, wait time.Duration) {
	wait = ratelimit.Never
	slots, looks := s.index.slots, min(sample, s.index.len)
	for i := rand.IntN(max(len(slots), 1)); looks > 0; i++ {
		slot := &slots[i&(len(slots)-1)]
		if slot.tag == 0 {
			continue
		}
		looks--
		if next := slot.untilIdle(as); next > 0 {
			wait = min(wait, next)
		} else if idle := slot.idleBefore(as); wait > 0 || idle > age {
			victim, age, wait = i&(len(slots)-1), idle, 0
		}
	}
	return victim, age, wait
}
