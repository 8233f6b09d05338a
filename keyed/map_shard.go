package keyed

import (
	"hash/maphash"
	"reflect"
	"sync"
	"time"
	"unsafe"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/internal/identity"
	"github.com/seed-3506548a/ratelimit/internal/timeline"
)

// shard has a part of the keys, in cache lines (two, which are fetched together) of its own.
type shard[K comparable] struct {
	mutex sync.Mutex
	index index[K]

	// floor is the time since which all that were evicted here had been idle.
	floor int64
	_     [112 - 5*unsafe.Sizeof(uintptr(0))]byte
}

const (
	maxShards = 256
	perShard  = 64 // keys, at least, if there is more than one shard
)

func (m *Map[K]) made() bool { return m.shards != nil }

func (m *Map[K]) hash(k K) uint64 {
	if !m.made() {
		panic("keyed: a Map that was not made: call NewMap")
	}
	return maphash.Comparable(m.seed, k)
}

// home returns the shard of the keys with that hash.
func (m *Map[K]) home(hash uint64) *shard[K] { return &m.shards[hash&uint64(len(m.shards)-1)] }

// take also reports whether the request was refused since t is late.
func (m *Map[K]) take(t time.Time, k K, n int) (d ratelimit.Decision, late bool) {
	if n < 1 {
		return m.PeekAt(t, k, n), false
	}
	return m.charge(m.hash(k), t, k, n, taking)
}

// charge charges a key, for which a limiter is made if there is none. It also reports whether the
// request was refused since t is late. Never are two locks held at once.
func (m *Map[K]) charge(hash uint64, t time.Time, k K, n int, what deed) (d ratelimit.Decision, late bool) {
	d, late, ok := m.home(hash).charge(&m.line, t, k, hash, n, what)
	if ok {
		return d, late
	}
	as := m.earlier(t)
	d, late, wait := m.insert(hash, t, as, k, n, what, false)
	if wait == 0 {
		return d, late
	}
	if wait = m.elsewhere(hash, as, wait, m.evict); wait == 0 {
		d, late, _ = m.insert(hash, t, as, k, n, what, true)
		return d, late
	}
	m.refused.Add(1)
	return refusal(n, wait, Full), false
}

// take charges a key that is there, now by the system's clock, which the limiter reads. That is one
// reading. A time to pass on would have the wall clock too, which takes another one. The reading is
// not late: what was evicted before had been idle at an earlier one.
func (s *shard[K]) take(k K, hash uint64, n int) (d ratelimit.Decision, ok bool) {
	s.mutex.Lock()
	defer s.mutex.Unlock() // also if a limiter panics
	e, ok := s.resident(k, hash)
	if !ok {
		return d, false
	}
	return e.limiter.Take(n), true
}

// charge charges a key that is there. The limiter is asked under the lock, so that it cannot be
// evicted and charged at once.
func (s *shard[K]) charge(line *timeline.Timeline, t time.Time, k K, hash uint64, n int, what deed) (d ratelimit.Decision, late, ok bool) {
	s.mutex.Lock()
	defer s.mutex.Unlock() // also if a limiter panics
	e, ok := s.resident(k, hash)
	if !ok {
		return d, false, false
	}
	d, late = e.charge(line, t, n, what)
	return d, late, true
}

// insert makes the key's limiter, unless it is there by now, and charges it. If the caller has no
// place for it, insert finds one in this shard. If there is none, wait is how long until there may
// be one, and nothing was decided.
func (m *Map[K]) insert(hash uint64, t, as time.Time, k K, n int, what deed, place bool) (d ratelimit.Decision, late bool, wait time.Duration) {
	s := m.home(hash)
	s.mutex.Lock()
	defer s.mutex.Unlock()
	defer func() { // also if factory panics
		if place {
			m.count.Add(-1)
		}
	}()
	if e, ok := s.resident(k, hash); ok { // somebody else was faster
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
	s.index.add(k, hash, e)
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

// resident returns the limiter of a key, if it is there.
func (s *shard[K]) resident(k K, hash uint64) (r resident, ok bool) {
	i := s.index.find(k, hash)
	if i < 0 {
		return r, false
	}
	return s.index.slots[i].resident, true
}

// with calls f with the key's limiter, under the lock, and reports whether it is there.
func (m *Map[K]) with(k K, f func(e resident)) bool {
	hash := m.hash(k)
	s := m.home(hash)
	s.mutex.Lock()
	defer s.mutex.Unlock()
	e, ok := s.resident(k, hash)
	if ok {
		f(e)
	}
	return ok
}

// find is PeekAt for a key that is there. It also returns the floor of its shard.
func (s *shard[K]) find(line *timeline.Timeline, t time.Time, k K, hash uint64, n int) (d ratelimit.Decision, floor int64, ok bool) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	e, ok := s.resident(k, hash)
	if ok {
		d = e.peek(line, t, n)
	}
	return d, s.floor, ok
}

// forget takes a key out, and reports whether it was there.
func (s *shard[K]) forget(k K, hash uint64) bool {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	i := s.index.find(k, hash)
	if i < 0 {
		return false
	}
	s.index.remove(i)
	return true
}

func (s *shard[K]) keys() []K {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	keys := make([]K, 0, s.index.len)
	for i := range s.index.slots {
		if slot := &s.index.slots[i]; slot.tag != 0 {
			keys = append(keys, slot.key)
		}
	}
	return keys
}
