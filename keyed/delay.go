package keyed

import (
	"math/bits"
	"time"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/internal/timeline"
)

var _ ratelimit.Delayer = view[string]{}

// DelayAt returns how long after t it takes at least until n events more of the key can have been granted.
func (v view[K]) DelayAt(t time.Time, n int) time.Duration {
	if store, ok := v.store.(interface {
		delayAt(t time.Time, k K, n int) time.Duration
	}); ok {
		return store.delayAt(t, v.key, n)
	}
	return 0
}

// delayAt is exact as long as the other keys of the set take nothing. What FailOpen lets pass takes no time.
func (t *Table[K]) delayAt(at time.Time, k K, n int) time.Duration {
	return t.core.delay(t.hash(k), t.core.line.At(at), n)
}

func (c *core) delay(hash uint64, off int64, n int) time.Duration {
	limit := &c.limited
	switch {
	case n == 0:
		return 0
	case n < 0 || limit.most == 0:
		return ratelimit.Never
	}
	now := c.scale.at(off)
	_, _, debt, newest, present := c.look(c.place(hash), now)
	if c.failOpen && !present {
		return 0
	}
	high, cost := bits.Mul64(uint64(n), limit.perEvent)
	if high > 0 || cost > c.scale.top-now+limit.depth {
		return ratelimit.Never
	}
	least := now + debt + cost - limit.depth // depth is less than any time
	if now+late < newest {
		least = max(least, newest-late)
	}
	return timeline.Wait(timeline.Clamp(off), c.scale.when(least))
}

// delayAt is what the key's limiter says, if it is there and can say. Otherwise it is 0.
func (m *Map[K]) delayAt(t time.Time, k K, n int) time.Duration {
	if n < 0 {
		return ratelimit.Never
	}
	s := &m.shards[m.home(k)]
	s.mutex.Lock()
	defer s.mutex.Unlock()
	e, ok := s.entries[k]
	if !ok || n == 0 {
		return 0
	}
	l, ok := e.limiter.(ratelimit.Delayer)
	if !ok {
		return 0
	}
	early := m.lateness(t, e.since)
	return later(l.DelayAt(t.Add(early), n), early)
}
