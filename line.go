package ratelimit

import (
	"context"
	"errors"
	"math"
	"math/bits"
	"sync"
	"time"

	"github.com/seed-3506548a/ratelimit/internal/identity"
	"github.com/seed-3506548a/ratelimit/internal/waiting"
)

// line is what those share who wait for one limiter, in the order in which they came. Only the
// first asks the limiter, and nobody holds the mutex meanwhile.
//
// Invariant: the first has been woken since it became the first, unless it came as such; and
// whoever is woken looks at the line. Both ways to become the first are one step under the mutex,
// so no wake-up is lost when somebody leaves: a waiter that leaves is not in the line any more, or
// it is the one that has to wake the next.
type line struct {
	limiter Limiter

	mutex       sync.Mutex
	first, last *waiter
	length      int
	gone        uint64    // how many have left
	asks        bool      // the first asks, and may have been charged already
	events      total     // that all in the line want
	refused     bool      // the first, which is due then
	due         time.Time // when the first can be granted, as the limiter said
	pause       time.Time // nobody asks before, unless it is the zero time
	limit       int       // of the limiter's last Decision

	// The rest exists while somebody waits: channels of one synctest bubble must not be met in
	// another.
	changed chan struct{} // gets something when the first has to ask again
	parts   []Limiter     // whose changes are watched: the limiter, and what it is made of
	refusal chan struct{} // closed when the first is refused; nil if nobody waits for that
}

// waiter is one request in a line.
type waiter struct {
	gone           uint64 // how many had left the line when it came
	n              int
	before, behind *waiter
	wake           chan struct{} // capacity 1: there is something new in the line
}

func newWaiter(n int) *waiter { return &waiter{n: n, wake: make(chan struct{}, 1)} }

// notify puts something into c, whose capacity is 1, unless something is in it.
func notify(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// join puts w at the end of the line, unless most wait already. It returns how many events those
// before it want.
func (l *line) join(w *waiter, most int) (ahead total, ok bool) {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	if l.length >= most {
		return ahead, false
	}
	ahead, w.gone = l.events, l.gone
	if w.before = l.last; w.before != nil {
		w.before.behind = w
	} else {
		l.open()
		l.first = w
	}
	l.last = w
	l.length++
	l.events.add(w.n)
	return ahead, true
}

// leave takes w out of the line, served or not, and reports whether nobody is left in it. The next
// asks at once.
func (l *line) leave(w *waiter) (empty bool) {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	l.length--
	l.gone++
	l.events.subtract(w.n)
	if w.behind != nil {
		w.behind.before = w.before
	} else {
		l.last = w.before
	}
	if w.before != nil {
		w.before.behind = w.behind
		return false
	}
	l.first, l.refused, l.asks = w.behind, false, false
	if l.first == nil {
		l.close()
		return true
	}
	notify(l.first.wake)
	return false
}

// turn reports when the first may ask, and for how many events, and whether w is the first. If it is,
// and it is time, w must ask.
func (l *line) turn(w *waiter, now time.Time) (at time.Time, n int, first bool) {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	at, first = l.earliest(now), l.first == w
	if first {
		if l.asks = !now.Before(at); !l.asks {
			l.told()
		}
	}
	return at, l.first.n, first
}

// idle reports whether nobody waits, and there is no pause.
func (l *line) idle() bool {
	now := l.limiter.Clock().Now()
	l.mutex.Lock()
	defer l.mutex.Unlock()
	return l.first == nil && l.resumed(now).Equal(now)
}

// earliest returns the time, from now on, before which nobody is served. The mutex is held. (A clock
// may show any time, also one before the zero time.)
func (l *line) earliest(now time.Time) time.Time {
	at := l.resumed(now)
	if l.refused && l.due.After(at) {
		at = l.due
	}
	return at
}

// resumed returns the end of the pause, or now if that is later. The mutex is held.
func (l *line) resumed(now time.Time) time.Time {
	if !l.pause.IsZero() && l.pause.After(now) {
		return l.pause
	}
	return now
}

// refuse has the first wait until it is due, as the limiter told it.
func (l *line) refuse(due time.Time, limit int) {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	l.refused, l.due, l.limit, l.asks = true, due, limit, false
	l.told()
}

// told lets those go on who wait for what the first is told. The mutex is held.
func (l *line) told() {
	if l.refusal != nil {
		close(l.refusal)
		l.refusal = nil
	}
}

// stale has the first ask again: what the limiter told it may not be true any more.
func (l *line) stale() {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	l.refused = false
}

// pauseUntil moves the end of the pause. All look at it, for it may be later than their deadlines.
func (l *line) pauseUntil(t time.Time) {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	l.pause = t
	for w := l.first; w != nil; w = w.behind {
		notify(w.wake)
	}
}

// stand waits until w is woken, or ctx is done. Many may be served at one instant: if that is the
// deadline, w waits for its turn as long as those before it are served.
func (l *line) stand(ctx context.Context, clock Clock, w *waiter) error {
	select {
	case <-w.wake:
		return nil
	case <-ctx.Done():
	}
	now := clock.Now()
	deadline, ok := ctx.Deadline()
	if ok && !now.After(deadline) && errors.Is(ctx.Err(), context.DeadlineExceeded) {
		if refusal := l.asking(now); refusal != nil {
			select {
			case <-w.wake:
			case <-refusal:
			}
			return nil
		}
	}
	return ctx.Err()
}

// asking returns what is closed when the first is refused, if it asks now or is about to; else nil.
func (l *line) asking(now time.Time) <-chan struct{} {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	if now.Before(l.earliest(now)) {
		return nil
	}
	if l.refusal == nil {
		l.refusal = make(chan struct{})
		notify(l.first.wake) // its timer may not have noticed that it is due
	}
	return l.refusal
}

// still reports whether none of what was ahead can have been charged, since so many had left.
func (l *line) still(gone uint64) bool {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	return l.gone == gone && !l.asks
}

// known returns the limit, as of the last refusal, and when there is no pause, from now on.
func (l *line) known(now time.Time) (limit int, start time.Time) {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	return l.limit, l.resumed(now)
}

// paused returns how long nobody asks.
func (l *line) paused(now time.Time) time.Duration {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	return l.resumed(now).Sub(now)
}

// open begins to watch the limiter. The mutex is held, and so for close.
func (l *line) open() {
	l.changed, l.limit = make(chan struct{}, 1), math.MaxInt
	l.parts = parts(nil, l.limiter)
	for _, part := range l.parts {
		waiting.Watch(part, l.changed)
	}
}

func (l *line) close() {
	for _, part := range l.parts {
		waiting.Unwatch(part, l.changed)
	}
	l.changed, l.parts, l.refusal = nil, nil, nil
}

// parts appends l, and all that it is made of, if they can be told apart.
func parts(found []Limiter, l Limiter) []Limiter {
	for _, other := range found {
		if identity.Same(l, other) {
			return found
		}
	}
	if identity.Key(l) {
		found = append(found, l)
	}
	if whole, ok := l.(Wrapper); ok {
		for _, part := range whole.Unwrap() {
			found = parts(found, part)
		}
	}
	return found
}

// total is a sum of numbers of events, which may exceed an int.
type total struct{ high, low uint64 }

func (t *total) add(n int) {
	var carry uint64
	t.low, carry = bits.Add64(t.low, uint64(n), 0)
	t.high += carry
}

func (t *total) subtract(n int) {
	var borrow uint64
	t.low, borrow = bits.Sub64(t.low, uint64(n), 0)
	t.high -= borrow
}

// with returns the sum with n more, or the greatest int if that is less.
func (t total) with(n int) int {
	t.add(n)
	if t.high > 0 || t.low > math.MaxInt {
		return math.MaxInt
	}
	return int(t.low)
}
