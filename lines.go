package ratelimit

import (
	"math"
	"sync"
	"sync/atomic"

	"github.com/seed-3506548a/ratelimit/internal/identity"
)

// lines holds the line of each limiter that requests wait for by [Wait].
var lines struct {
	count atomic.Int64 // of lines; while it is 0, nobody needs the mutex
	mutex sync.Mutex   // locked before the mutex of a line
	of    map[Limiter]*line
}

// waitedFor reports whether l has a line.
func waitedFor(l Limiter) bool {
	if lines.count.Load() == 0 || !identity.Key(l) {
		return false
	}
	lines.mutex.Lock()
	defer lines.mutex.Unlock()
	return lines.of[l] != nil
}

// enter puts w at the end of the limiter's line. If the limiter cannot be compared, w gets a line
// of its own.
func enter(limiter Limiter, w *waiter) (l *line, ahead total) {
	if !identity.Key(limiter) {
		l = &line{limiter: limiter}
		ahead, _ = l.join(w, math.MaxInt)
		return l, ahead
	}
	lines.mutex.Lock()
	defer lines.mutex.Unlock()
	if l = lines.of[limiter]; l == nil {
		l = &line{limiter: limiter}
		if lines.of == nil {
			lines.of = map[Limiter]*line{}
		}
		lines.of[limiter] = l
		lines.count.Add(1)
	}
	ahead, _ = l.join(w, math.MaxInt)
	return l, ahead
}

// exit takes w out of its line, and forgets the line if it is empty then.
func exit(l *line, w *waiter) {
	if !l.leave(w) || !identity.Key(l.limiter) {
		return
	}
	lines.mutex.Lock()
	defer lines.mutex.Unlock()
	l.mutex.Lock()
	defer l.mutex.Unlock()
	if l.first == nil && lines.of[l.limiter] == l {
		delete(lines.of, l.limiter)
		lines.count.Add(-1)
	}
}
