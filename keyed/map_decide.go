package keyed

import (
	"reflect"
	"time"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/internal/identity"
	"github.com/seed-3506548a/ratelimit/internal/timeline"
)

// take also reports whether the request was refused since t is late.
func (m *Map[K]) take(t time.Time, k K, n int) (d ratelimit.Decision, late bool) {
	if n < 1 {
		return m.PeekAt(t, k, n), false
	}
	home := m.home(k)
	d, late, ok := m.hit(&m.shards[home], t, k, n, taking)
	if !ok {
		d, late = m.miss(home, t, k, n, taking)
	}
	return d, late
}

// deed is what is done to a key's limiter: events are taken if they fit, or owed in any case.
type deed bool

const (
	taking deed = false
	owing  deed = true
)

// hit charges a key that is there. The limiter is asked under the lock, so that it cannot be
// evicted and charged at once.
func (m *Map[K]) hit(s *shard[K], t time.Time, k K, n int, what deed) (d ratelimit.Decision, late, ok bool) {
	s.mutex.Lock()
	defer s.mutex.Unlock() // also if a limiter panics
	e, ok := s.entries[k]
	if !ok {
		return d, false, false
	}
	d, late = m.charge(e, t, n, what)
	return d, late, true
}

// miss makes a place for a key that was not there, and charges it. Never are two locks held at
// once.
func (m *Map[K]) miss(home int, t time.Time, k K, n int, what deed) (d ratelimit.Decision, late bool) {
	as := m.earlier(t)
	d, late, wait := m.insert(home, t, as, k, n, what, false)
	if wait == 0 {
		return d, late
	}
	for i := range len(m.shards) - 1 {
		other := (home + 1 + i) & (len(m.shards) - 1)
		next := m.evict(other, as)
		if next == 0 {
			d, late, _ = m.insert(home, t, as, k, n, what, true)
			return d, late
		}
		wait = min(wait, next)
	}
	m.refused.Add(1)
	return refusal(n, wait, Full), false
}

// insert makes the key's limiter, unless it is there by now, and charges it. If the caller has no
// place for it, one is made in this shard; if that cannot be, wait is how long until it may, and
// nothing was decided.
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
		d, late = m.charge(e, t, n, what)
		return d, late, 0
	}
	e := resident{since: s.floor}
	late = what == taking && m.lateness(t, e.since) > 0
	if !late && !place {
		if place = m.reserve(); !place {
			if wait = s.evict(m, as); wait > 0 {
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
		return m.peek(e, t, n), true, 0
	}
	s.entries[k] = e
	place = false
	d, late = m.charge(e, t, n, what)
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
	case l != ratelimit.Unlimited() && !identity.Same(l.Clock(), m.Clock()):
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

// charge takes from the limiter of a key, if it can know about t; what is owed, is owed as of when
// it can.
func (m *Map[K]) charge(e resident, t time.Time, n int, what deed) (d ratelimit.Decision, late bool) {
	early := m.lateness(t, e.since)
	switch {
	case early > 0 && what == taking:
		return m.peek(e, t, n), true
	case early > 0:
		ratelimit.Charge(e.limiter, t.Add(early), n)
		d, next := m.peek(e, t, 0), m.peek(e, t, 1)
		d.OK, d.RetryAfter, d.By = next.OK, next.RetryAfter, next.By
		return d, false
	case what == owing:
		return ratelimit.Charge(e.limiter, t, n), false
	}
	return e.limiter.TakeAt(t, n), false
}

// standing is what one event more of the key finds at t, after n < 1 were charged.
func (m *Map[K]) standing(t time.Time, k K, n int) ratelimit.Decision {
	d, next := m.PeekAt(t, k, 0), m.PeekAt(t, k, 1)
	if n < 0 {
		next = m.PeekAt(t, k, n)
	}
	d.OK, d.RetryAfter, d.By = next.OK, next.RetryAfter, next.By
	return d
}

// peek asks the limiter of a key; before its beginning, as a limiter that grants nothing until
// then.
func (m *Map[K]) peek(e resident, t time.Time, n int) ratelimit.Decision {
	early := m.lateness(t, e.since)
	d := e.limiter.PeekAt(t.Add(early), n)
	if early == 0 {
		return d
	}
	if d.OK { // then, but not now: what is left is what there is without it
		d = e.limiter.PeekAt(t.Add(early), 0)
	}
	d.OK = n == 0
	d.Remaining = 0
	d.ResetAfter = later(d.ResetAfter, early)
	if n != 0 {
		d.RetryAfter = later(d.RetryAfter, early)
	}
	if d.RetryAfter != ratelimit.Never {
		d.By = Late
	}
	return d
}

// find is PeekAt for a key that is there. It also returns the floor of its shard.
func (m *Map[K]) find(home int, t time.Time, k K, n int) (d ratelimit.Decision, floor int64, ok bool) {
	s := &m.shards[home]
	s.mutex.Lock()
	defer s.mutex.Unlock()
	e, ok := s.entries[k]
	if ok {
		d = m.peek(e, t, n)
	}
	return d, s.floor, ok
}

// lateness returns how long before since t is; 0 if it is not.
func (m *Map[K]) lateness(t time.Time, since int64) time.Duration {
	return time.Duration(max(since-timeline.Clamp(m.line.At(t)), 0))
}

// earlier returns the time as of which a key must be as new to be forgotten: t may be any, and by
// one of the year 3000 all keys are; and of one that is as new by the clock a late caller would not
// know that it is by t.
func (m *Map[K]) earlier(t time.Time) time.Time {
	if now := m.Clock().Now(); now.Before(t) {
		return now
	}
	return t
}

// refusal is what the map decides by itself on n events, until after has passed.
func refusal(n int, after time.Duration, by int) ratelimit.Decision {
	d := ratelimit.Decision{OK: n == 0, ResetAfter: after, By: by}
	switch {
	case n < 0:
		d.RetryAfter = ratelimit.Never
	case n > 0:
		d.RetryAfter = after
	}
	return d
}

// later adds two waits.
func later(a, b time.Duration) time.Duration {
	if a > ratelimit.Never-b {
		return ratelimit.Never
	}
	return a + b
}

func equal[K comparable](a, b K) bool { return a == b }
