package keyed

import (
	"maps"
	"slices"
	"sync"
	"time"
	"unsafe"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/internal/timeline"
)

// shard has a part of the keys, in cache lines (two, which are fetched together) of its own.
type shard[K comparable] struct {
	mutex   sync.Mutex
	entries map[K]resident

	// floor is the time since which all that were evicted here had been as new.
	floor int64
	_     [112 - unsafe.Sizeof(uintptr(0))]byte
}

// resident is a key's limiter.
type resident struct {
	limiter ratelimit.Limiter
	since   int64 // the shard's floor when it was made: of earlier times it knows nothing
}

const (
	maxShards = 64
	perShard  = 64 // keys, at least, if there is more than one shard
	sample    = 8  // keys of a shard that are looked at to evict one

	// memory is how long before an eviction late callers may come. To look further back costs
	// nothing, but must not leave the range of a limiter's time.
	memory = 24 * time.Hour
)

// search returns 0 if there is a key that can go, else how long it is until one may.
func (m *Map[K]) search(home int, as time.Time) time.Duration {
	wait := ratelimit.Never
	for i := range m.shards {
		next := m.shards[(home+i)&(len(m.shards)-1)].search(as)
		if next == 0 {
			return 0
		}
		wait = min(wait, next)
	}
	return wait
}

func (m *Map[K]) evict(i int, as time.Time) time.Duration {
	s := &m.shards[i]
	s.mutex.Lock()
	defer s.mutex.Unlock()
	return s.evict(m, as)
}

func (s *shard[K]) search(as time.Time) time.Duration {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	_, _, wait := s.oldest(as)
	return wait
}

func (s *shard[K]) keys() []K {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	return slices.Collect(maps.Keys(s.entries))
}

// evict forgets a key that is as new, whose place is then the caller's. If there is none, it
// returns how long it is until one may be. The lock is held.
func (s *shard[K]) evict(m *Map[K], as time.Time) time.Duration {
	victim, age, wait := s.oldest(as)
	if wait == 0 {
		// It was as new all that time, if it answers for the past; else nobody knows but for now.
		if d := s.entries[victim].limiter.PeekAt(as.Add(-age), 0); d.ResetAfter > 0 || d.Remaining < d.Limit {
			age = 0
		}
		s.floor = max(s.floor, timeline.Clamp(m.line.At(as))-int64(age))
		delete(s.entries, victim)
		m.evicted.Add(1)
	}
	return wait
}

// oldest looks at some keys, and returns that which has been as new for longest, and for how long;
// if none is as new, how long it is until one will be. Go begins to range over a map at random.
func (s *shard[K]) oldest(as time.Time) (victim K, age, wait time.Duration) {
	wait = ratelimit.Never
	looked := 0
	for k, e := range s.entries {
		d := e.limiter.PeekAt(as, 0)
		if d.ResetAfter == 0 && d.Remaining == d.Limit {
			a := memory - min(e.limiter.PeekAt(as.Add(-memory), 0).ResetAfter, memory)
			if wait > 0 || a > age {
				victim, age, wait = k, a, 0
			}
		} else if wait > 0 {
			wait = min(wait, max(d.ResetAfter, 1))
		}
		if looked++; looked == sample {
			break
		}
	}
	return victim, age, wait
}

// refund gives back to the limiter of a key, and reports whether that is there.
func (m *Map[K]) refund(t time.Time, k K, n int, held time.Duration) bool {
	s := &m.shards[m.home(k)]
	s.mutex.Lock()
	defer s.mutex.Unlock()
	// A grant before the floor is one of a predecessor, which has become as new.
	e, ok := s.entries[k]
	if ok && held >= 0 && m.lateness(t.Add(-held), e.since) == 0 {
		e.limiter.RefundAt(t, n, held)
	}
	return ok
}

// update calls f with the limiter of a key, and reports whether that is there.
func (m *Map[K]) update(k K, f func(ratelimit.Limiter)) bool {
	s := &m.shards[m.home(k)]
	s.mutex.Lock()
	defer s.mutex.Unlock()
	e, ok := s.entries[k]
	if ok {
		f(e.limiter)
	}
	return ok
}

// forget takes a key out of the map, and reports whether it was there.
func (m *Map[K]) forget(k K) bool {
	s := &m.shards[m.home(k)]
	s.mutex.Lock()
	defer s.mutex.Unlock()
	_, ok := s.entries[k]
	if ok {
		delete(s.entries, k)
		m.count.Add(-1)
	}
	return ok
}
