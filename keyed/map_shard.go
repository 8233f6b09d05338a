package keyed

import (
	"maps"
	"reflect"
	"slices"
	"sync"
	"time"
	"unsafe"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/internal/identity"
	"github.com/seed-3506548a/ratelimit/internal/timeline"
)

// shard has a part of the keys, in cache lines (two, which are fetched together) of its own.
type shard[K comparable] struct {
	mutex   sync.Mutex
	entries map[K]resident

	// floor is the time since which all that were evicted here had been idle.
	floor int64
	_     [112 - unsafe.Sizeof(uintptr(0))]byte
}

const (
	maxShards = 64
	perShard  = 64 // keys, at least, if there is more than one shard
	sample    = 8  // keys of a shard that are looked at to evict one

	// memory is how long before an eviction late callers may come. To look further back costs
	// nothing, but must not leave the range of a limiter's time.
	memory = 24 * time.Hour
)

// charge charges a key, for which a limiter is made if there is none. It also reports whether the
// request was refused since t is late. Never are two locks held at once.
func (m *Map[K]) charge(home int, t time.Time, k K, n int, what deed) (d ratelimit.Decision, late bool) {
	d, late, ok := m.shards[home].charge(&m.line, t, k, n, what)
	if ok {
		return d, late
	}
	as := m.earlier(t)
	d, late, wait := m.insert(home, t, as, k, n, what, false)
	if wait == 0 {
		return d, late
	}
	for i := range len(m.shards) - 1 {
		next := m.evict(&m.shards[(home+1+i)&(len(m.shards)-1)], as)
		if next == 0 {
			d, late, _ = m.insert(home, t, as, k, n, what, true)
			return d, late
		}
		wait = min(wait, next)
	}
	m.refused.Add(1)
	return refusal(n, wait, Full), false
}

// charge charges a key that is there. The limiter is asked under the lock, so that it cannot be
// evicted and charged at once.
func (s *shard[K]) charge(line *timeline.Timeline, t time.Time, k K, n int, what deed) (d ratelimit.Decision, late, ok bool) {
	s.mutex.Lock()
	defer s.mutex.Unlock() // also if a limiter panics
	e, ok := s.entries[k]
	if !ok {
		return d, false, false
	}
	d, late = e.charge(line, t, n, what)
	return d, late, true
}

// insert makes the key's limiter, unless it is there by now, and charges it. If the caller has no
// place for it, insert finds one in this shard. If there is none, wait is how long until there may
// be one, and nothing was decided.
func (m *Map[K]) insert(home int, t, as time.Time, k K, n int, what deed, place bool) (d ratelimit.Decision, late bool, wait time.Duration) {
	s := &m.shards[home]
	s.mutex.Lock()
	defer s.mutex.Unlock()
	defer func() { // also if factory panics
		if place {
			m.count.Add(-1)
		}
	}()
	if e, ok := s.entries[k]; ok { // somebody else was faster
		d, late = e.charge(&m.line, t, n, what)
		return d, late, 0
	}
	e := resident{since: s.floor}
	late = what == taking && lateness(&m.line, t, e.since) > 0
	if !late && !place {
		if place = m.reserve(); !place {
			if wait = m.evictFrom(s, as); wait > 0 {
				return d, false, wait
			}
			place = true
			e.since = s.floor // not later than t, as it is not later than as
		}
	}
	var err error
	if e.limiter, err = m.build(k); err != nil {
		return refusal(n, ratelimit.Never, NoLimiter), false, 0
	}
	if late {
		return e.peek(&m.line, t, n), true, 0
	}
	s.entries[k] = e
	place = false
	d, late = e.charge(&m.line, t, n, what)
	return d, late, 0
}

// reserve takes a place if one is free.
func (m *Map[K]) reserve() bool {
	for {
		count := m.count.Load()
		if count >= int64(m.capacity) {
			return false
		}
		if m.count.CompareAndSwap(count, count+1) {
			return true
		}
	}
}

// build has factory make a limiter.
func (m *Map[K]) build(k K) (ratelimit.Limiter, error) {
	l, err := m.factory(k)
	refuse := func(field string, value any, want string) {
		err = &ratelimit.ArgumentError{Func: "keyed.NewMap", Field: field, Value: value, Want: want}
	}
	switch {
	case err != nil:
	case identity.IsNil(l):
		refuse("factory(k)", nil, "a limiter")
	case l != ratelimit.Unlimited() && !identity.Same(l.Clock(), m.line.Clock()):
		refuse("factory(k).Clock()", reflect.TypeOf(l.Clock()), "the clock of the map, which is read for all keys")
	case !equal(k, k): // a NaN could never be found again, or deleted
		refuse("k", k, "a key that is equal to itself")
	}
	if err != nil {
		m.failed.Add(1)
		m.failure.Store(&err)
		return nil, err
	}
	return l, nil
}

func equal[K comparable](a, b K) bool { return a == b }

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
		if s.entries[victim].untilIdle(as.Add(-age)) > 0 {
			age = 0
		}
		s.floor = max(s.floor, timeline.Clamp(m.line.At(as))-int64(age))
		delete(s.entries, victim)
		m.evicted.Add(1)
	}
	return wait
}

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

func (s *shard[K]) search(as time.Time) time.Duration {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	_, _, wait := s.oldest(as)
	return wait
}

// oldest looks at some keys, and returns that which has been idle for longest, and for how long; if
// none is idle, how long it is until one will be. Go begins to range over a map at random.
func (s *shard[K]) oldest(as time.Time) (victim K, age, wait time.Duration) {
	wait = ratelimit.Never
	looked := 0
	for k, e := range s.entries {
		if next := e.untilIdle(as); next > 0 {
			wait = min(wait, next)
		} else if idle := e.idleBefore(as); wait > 0 || idle > age {
			victim, age, wait = k, idle, 0
		}
		if looked++; looked == sample {
			break
		}
	}
	return victim, age, wait
}

// with calls f with the key's limiter, under the lock, and reports whether it is there.
func (s *shard[K]) with(k K, f func(e resident)) bool {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	e, ok := s.entries[k]
	if ok {
		f(e)
	}
	return ok
}

// find is PeekAt for a key that is there. It also returns the floor of its shard.
func (s *shard[K]) find(line *timeline.Timeline, t time.Time, k K, n int) (d ratelimit.Decision, floor int64, ok bool) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	e, ok := s.entries[k]
	if ok {
		d = e.peek(line, t, n)
	}
	return d, s.floor, ok
}

// forget takes a key out, and reports whether it was there.
func (s *shard[K]) forget(k K) bool {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	_, ok := s.entries[k]
	delete(s.entries, k)
	return ok
}

func (s *shard[K]) keys() []K {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	return slices.Collect(maps.Keys(s.entries))
}
