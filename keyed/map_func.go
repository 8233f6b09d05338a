package keyed

import (
	"time"

	"github.com/seed-3506548a/ratelimit"
)

// PeekFunc returns what f returns of the limiter of a key, as of the time that f is given, which is
// t unless that is late. It reports false if the key is not in the map, and has a place there: then
// it would get a new limiter. f must change nothing that matters, must not call the map, and runs
// under a lock.
func (m *Map[K]) PeekFunc(t time.Time, k K, f func(l ratelimit.Limiter, t time.Time) ratelimit.Decision) (d ratelimit.Decision, found bool) {
	home := m.home(k)
	d, floor, ok := m.findFunc(home, t, k, f)
	if ok {
		return d, true
	}
	if early := m.lateness(t, floor); early > 0 {
		return refusal(1, early, Late), true
	}
	if m.count.Load() >= int64(m.capacity) {
		if wait := m.search(home, m.earlier(t)); wait > 0 {
			return refusal(1, wait, Full), true
		}
	}
	return d, false
}

func (m *Map[K]) findFunc(home int, t time.Time, k K, f func(ratelimit.Limiter, time.Time) ratelimit.Decision) (d ratelimit.Decision, floor int64, ok bool) {
	s := &m.shards[home]
	s.mutex.Lock()
	defer s.mutex.Unlock()
	e, ok := s.entries[k]
	if ok {
		early := m.lateness(t, e.since)
		d = f(e.limiter, t.Add(early))
		if early > 0 {
			d.OK, d.Remaining, d.By = false, 0, Late
			d.ResetAfter, d.RetryAfter = later(d.ResetAfter, early), later(d.RetryAfter, early)
		}
	}
	return d, s.floor, ok
}

// TakeFunc returns what f returns of the limiter of a key, which is made if it is not there, as by
// TakeAt. If the map refuses by itself, f is not called. f must not call the map, and runs under a
// lock.
func (m *Map[K]) TakeFunc(t time.Time, k K, f func(l ratelimit.Limiter) ratelimit.Decision) ratelimit.Decision {
	for {
		if d, ok := m.doFunc(t, k, f, false); ok {
			return d
		}
		if d, _ := m.miss(m.home(k), t, k, 0, owing); d.By == Full || d.By == NoLimiter {
			return refusal(1, max(d.ResetAfter, 1), d.By)
		}
	}
}

// ChargeFunc is TakeFunc for what is charged in any case: a time that is late counts as the earliest
// that is not.
func (m *Map[K]) ChargeFunc(t time.Time, k K, f func(l ratelimit.Limiter, t time.Time)) {
	charge := func(l ratelimit.Limiter, t time.Time) ratelimit.Decision {
		f(l, t)
		return ratelimit.Decision{}
	}
	for {
		if _, ok := m.hitFunc(t, k, charge); ok {
			return
		}
		if d, _ := m.miss(m.home(k), t, k, 0, owing); d.By == Full || d.By == NoLimiter {
			return
		}
	}
}

func (m *Map[K]) hitFunc(t time.Time, k K, f func(ratelimit.Limiter, time.Time) ratelimit.Decision) (d ratelimit.Decision, ok bool) {
	s := &m.shards[m.home(k)]
	s.mutex.Lock()
	defer s.mutex.Unlock()
	e, ok := s.entries[k]
	if ok {
		d = f(e.limiter, t.Add(m.lateness(t, e.since)))
	}
	return d, ok
}

func (m *Map[K]) doFunc(t time.Time, k K, f func(ratelimit.Limiter) ratelimit.Decision, _ bool) (d ratelimit.Decision, ok bool) {
	s := &m.shards[m.home(k)]
	s.mutex.Lock()
	defer s.mutex.Unlock()
	e, ok := s.entries[k]
	if ok {
		if early := m.lateness(t, e.since); early > 0 {
			return refusal(1, early, Late), true
		}
		d = f(e.limiter)
	}
	return d, ok
}
