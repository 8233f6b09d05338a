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

// line is a list of requests that wait for one limiter, in the order in which they came. Only the
// first asks the limiter, and it does not hold the mutex meanwhile.
//
// Invariant: the first either came to an empty line, so it is awake, or it has been woken since it
// became the first; and a waiter that is woken looks at the line. A waiter becomes the first in one
// step under the mutex, which also wakes it. So no wake-up is lost when a waiter leaves: either it
// has left the line before, or it is the first and wakes the next.
type line struct {
	limiter Limiter

	mutex       sync.Mutex
	first, last *waiter
	length      int
	gone        uint64    // how many waiters have left
	asks        bool      // the first is asking, and may have been charged already
	events      total     // of all requests in the line
	refused     bool      // the first has been refused until due
	due         time.Time // when the first will be granted, by the limiter's answer
	pause       time.Time // nobody asks before it, unless it is the zero time
	limit       int       // of the limiter's last Decision; 0 if it may not hold any more

	// The rest exists only while a request waits, because a channel of one synctest bubble must not
	// be used in another.
	changed chan struct{} // receives a value when the first has to ask again
	parts   []Limiter     // whose changes are watched: the limiter, and the limiters inside of it
	refusal chan struct{} // closed when the first is refused; nil if no waiter needs to know
}

// waiter is one request in a line.
type waiter struct {
	gone           uint64 // how many had left the line when this one came
	n              int
	before, behind *waiter
	wake           chan struct{} // capacity 1: a value means that the line has changed
}

func newWaiter(n int) *waiter { return &waiter{n: n, wake: make(chan struct{}, 1)} }

// notify sends to c, whose capacity is 1, unless a value is in it already.
func notify(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// join puts w at the end of the line, unless the line has its most waiters already. ahead is how
// many events the requests before it want.
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

// leave takes w out of the line, served or not, and reports whether the line is empty then. If w
// was the first, the next asks at once.
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

// turn returns when the first may ask and for how many events, and reports whether w is the first.
// If it is, and the time has come, w must ask.
func (l *line) turn(w *waiter, now time.Time) (at time.Time, n int, first bool) {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	at, first = l.earliest(now), l.first == w
	if first {
		if l.asks = !now.Before(at); !l.asks {
			l.answered()
		}
	}
	return at, l.first.n, first
}

// idle reports whether the line is empty and not paused.
func (l *line) idle() bool {
	now := l.limiter.Clock().Now()
	l.mutex.Lock()
	defer l.mutex.Unlock()
	return l.first == nil && l.resumed(now).Equal(now)
}

// earliest returns the time, now or later, before which no waiter is served. The mutex is held. The
// fields are compared only if they are set, because a clock may show a time before the zero time.
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

// refuse makes the first wait until due, as the limiter has answered.
func (l *line) refuse(due time.Time, limit int) {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	l.refused, l.due, l.limit, l.asks = true, due, limit, false
	l.answered()
}

// answered wakes the waiters that wait for the answer to the first. The mutex is held.
func (l *line) answered() {
	if l.refusal != nil {
		close(l.refusal)
		l.refusal = nil
	}
}

// stale makes the first ask again, because the limiter's answer may not hold any more.
func (l *line) stale() {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	l.refused, l.limit = false, 0
}

// pauseUntil moves the end of the pause. It wakes all waiters, as it may be after their deadlines.
func (l *line) pauseUntil(t time.Time) {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	l.pause = t
	for w := l.first; w != nil; w = w.behind {
		notify(w.wake)
	}
}

// stand waits until w is woken or ctx is done. Many requests may be served at one instant: if that
// is the deadline, w goes on waiting while those before it are served.
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

// asking returns a channel that is closed when the first is refused, if the first asks now or is
// about to. Otherwise it returns nil.
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

// still reports whether no waiter can have been charged since gone waiters had left.
func (l *line) still(gone uint64) bool {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	return l.gone == gone && !l.asks
}

// known returns the limit as of the last refusal, or 0, and the end of the pause, or now if that is
// later.
func (l *line) known(now time.Time) (limit int, start time.Time) {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	return l.limit, l.resumed(now)
}

// paused returns how long the pause still lasts.
func (l *line) paused(now time.Time) time.Duration {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	return l.resumed(now).Sub(now)
}

// open begins to watch the limiter for changes. The mutex is held for open and close.
func (l *line) open() {
	l.changed, l.limit = make(chan struct{}, 1), 0
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

// parts appends l and the limiters inside of it, as far as they can be compared.
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

// total is a sum of numbers of events. It may exceed an int.
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

// with returns the sum plus n, but at most math.MaxInt.
func (t total) with(n int) int {
	t.add(n)
	if t.high > 0 || t.low > math.MaxInt {
		return math.MaxInt
	}
	return int(t.low)
}
