package keyed

import (
	"time"

	"github.com/seed-3506548a/ratelimit"
)

// These ask the limiter of a key what a Map has no method for: to take by a limit that is lower
// than the limiter's, for example, which are two questions and must be one step.

// TakeFunc calls f with the limiter of a key, and returns what f returns. Like TakeAt, it makes the
// limiter if there is none. f is not called if the map itself refuses: Decision.By is then the
// reason. f runs under a lock, and must not call the map.
func (m *Map[K]) TakeFunc(t time.Time, k K, f func(l ratelimit.Limiter) ratelimit.Decision) ratelimit.Decision {
	for {
		d, late, ok := m.ask(t, k, func(l ratelimit.Limiter, _ time.Time, late time.Duration) ratelimit.Decision {
			if late > 0 {
				return refusal(1, late, Late)
			}
			return f(l)
		})
		if late {
			m.late.Add(1)
		}
		if ok {
			return d
		}
		if late := lateness(&m.line, t, m.home(m.hash(k)).since()); late > 0 {
			m.late.Add(1)
			return refusal(1, late, Late)
		}
		if d, ok := m.make(t, k); !ok {
			return d
		}
	}
}

// ChargeFunc calls f with the limiter of a key, and with the time as of which to charge: t, or if t
// is late, the earliest time that is not. Like ChargeAt, it makes the limiter if there is none. It
// returns false, and does not call f, if the map has no place or no limiter for the key. f runs
// under a lock, and must not call the map.
func (m *Map[K]) ChargeFunc(t time.Time, k K, f func(l ratelimit.Limiter, t time.Time)) bool {
	for {
		_, _, ok := m.ask(t, k, func(l ratelimit.Limiter, t time.Time, _ time.Duration) (d ratelimit.Decision) {
			f(l, t)
			return d
		})
		if ok {
			return true
		}
		if _, ok := m.make(t, k); !ok {
			return false
		}
	}
}

// PeekFunc calls f with the limiter of a key, and with the time as of which to ask: t, or if t is
// late, the earliest time that is not. It returns what f returns, or the map's own refusal. If the
// key is not in the map but would get a new limiter, it does not call f, and returns false. f runs
// under a lock, must not call the map, and must charge nothing.
func (m *Map[K]) PeekFunc(t time.Time, k K, f func(l ratelimit.Limiter, t time.Time) ratelimit.Decision) (d ratelimit.Decision, ok bool) {
	d, _, ok = m.ask(t, k, func(l ratelimit.Limiter, t time.Time, late time.Duration) (d ratelimit.Decision) {
		if d = f(l, t); late > 0 {
			d.OK, d.Remaining, d.By = false, 0, Late
			d.RetryAfter, d.ResetAfter = later(d.RetryAfter, late), later(d.ResetAfter, late)
		}
		return d
	})
	if ok {
		return d, true
	}
	hash := m.hash(k)
	if late := lateness(&m.line, t, m.home(hash).since()); late > 0 {
		return refusal(1, late, Late), true
	}
	if m.count.Load() >= int64(m.capacity) {
		if wait := m.search(hash, m.earlier(t)); wait > 0 {
			return refusal(1, wait, Full), true
		}
	}
	return d, false
}

// ask calls f with the limiter of a key that is there, and reports whether t was late.
func (m *Map[K]) ask(t time.Time, k K, f func(l ratelimit.Limiter, t time.Time, late time.Duration) ratelimit.Decision) (d ratelimit.Decision, late, ok bool) {
	hash := m.hash(k)
	s := m.home(hash)
	s.mutex.Lock()
	defer s.mutex.Unlock()
	e, ok := s.resident(k, hash)
	if !ok {
		return d, false, false
	}
	by := lateness(&m.line, t, e.since)
	if by > 0 {
		t = t.Add(by)
	}
	return f(e.limiter, t, by), by > 0, true
}

// make makes a place for a key and a limiter, by a charge of nothing; or returns why it cannot.
func (m *Map[K]) make(t time.Time, k K) (d ratelimit.Decision, ok bool) {
	d, _ = m.charge(m.hash(k), t, k, 0, owing)
	if d.By != Full && d.By != NoLimiter {
		return d, true
	}
	return refusal(1, d.ResetAfter, d.By), false
}

// since returns since when a key of the shard that is made now would know of grants.
func (s *shard[K]) since() int64 {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	return s.floor
}
