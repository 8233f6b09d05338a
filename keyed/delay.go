package keyed

import (
	"time"

	"github.com/seed-3506548a/ratelimit"
)

var (
	_ ratelimit.Delayer = view[string]{}
	_ ratelimit.Delayer = limitedView[string]{}
)

// DelayAt returns the least time after t in which n more events of the key can be granted.
func (v view[K]) DelayAt(t time.Time, n int) time.Duration { return delayOf(v.store, t, v.key, n) }

// delayOf asks the store, if it has such a method. Otherwise it is 0.
func delayOf[K comparable](s Store[K], t time.Time, k K, n int) time.Duration {
	if s, ok := s.(interface {
		delayAt(t time.Time, k K, n int) time.Duration
	}); ok {
		return s.delayAt(t, k, n)
	}
	return 0
}

func (m *by[R, K]) delay(t time.Time, r R, n int) time.Duration {
	return delayOf(m.store, t, m.key(r), n)
}

// delayAt returns the longest delay of all members.
func (g *Group[R]) delayAt(t time.Time, r R, n int) (longest time.Duration) {
	for _, m := range g.members {
		longest = max(longest, m.delay(t, r, n))
	}
	return longest
}

// delayAt is exact as long as no other key of the set takes anything. With FailOpen, a new key does
// not wait.
func (t *Table[K]) delayAt(at time.Time, k K, n int) time.Duration {
	return t.core.Delay(t.hash(k), t.core.Line().At(at), n, t.core.Own())
}

// DelayAt returns the least time after t in which n more events of the key can be granted by the
// limit.
func (v limitedView[K]) DelayAt(t time.Time, n int) time.Duration {
	c := &v.table.core
	return c.Delay(v.table.hash(v.key), c.Line().At(t), n, &v.limit.limit)
}

// delayAt asks the key's limiter, if it is there and is a Delayer. Otherwise it is 0.
func (m *Map[K]) delayAt(t time.Time, k K, n int) (delay time.Duration) {
	if n < 0 {
		return ratelimit.Never
	}
	m.with(k, func(e resident) { delay = e.delay(&m.line, t, n) })
	return delay
}
