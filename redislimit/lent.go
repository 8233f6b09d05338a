package redislimit

import (
	"sync"
	"time"

	"github.com/seed-3506548a/ratelimit/internal/identity"
)

// mostLent is of how many keys a node counts what was granted in place of the engine.
const mostLent = 1 << 14

// lent counts the events that were granted in place of the engine and not given back since. The
// engine must not get these back, as it has not granted them.
//
// What is no longer counted has a time: events that were granted until then may be such ones.
type lent struct {
	mutex     sync.Mutex
	of        map[string]loan // by key
	forgotten time.Time
}

// loan is what one stand-in has granted of a key.
type loan struct {
	by     OnError
	events int64
}

// add counts n events that were granted now.
func (l *lent) add(key string, by OnError, n int, now time.Time) {
	if n < 1 {
		return
	}
	l.mutex.Lock()
	defer l.mutex.Unlock()
	was, found := l.of[key]
	if found && !was.by.same(by) {
		was, l.forgotten = loan{}, now
	}
	if !found && len(l.of) >= mostLent {
		for other := range l.of {
			delete(l.of, other)
			break
		}
		l.forgotten = now
	}
	if l.of == nil {
		l.of = map[string]loan{}
	}
	l.of[key] = loan{by, was.events + int64(min(n, maxEvents))}
}

// back returns how many of n events that were granted at a time go back to the stand-in, and how
// many to the engine. It no longer counts the former.
func (l *lent) back(key string, by OnError, n int, granted time.Time) (standIn, engine int) {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	if was, found := l.of[key]; found && was.by.same(by) {
		standIn = int(min(int64(n), was.events))
		if was.events -= int64(standIn); was.events == 0 {
			delete(l.of, key)
		} else {
			l.of[key] = was
		}
	}
	if !l.forgotten.IsZero() && !granted.After(l.forgotten) {
		return standIn, 0
	}
	return standIn, n - standIn
}

// same reports whether two are the same stand-in.
func (o OnError) same(other OnError) bool {
	return o.open == other.open && identity.Same(o.to, other.to)
}
