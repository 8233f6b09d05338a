package ratelimit

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"time"

	"github.com/seed-3506548a/ratelimit/internal/identity"
)

// ErrQueueFull is the error of a [Queue.Wait] that finds as many waiting as the queue has room for.
var ErrQueueFull = errors.New("the queue is full")

// Queue is a line in front of a limiter, as those that [Wait] makes, but of its own: its length is
// bounded and can be seen, and it can be paused.
//
// Its zero value is of no use, and its methods panic on it: call [NewQueue]. It is safe for
// simultaneous use and must not be copied after first use. It has no goroutine, and keeps nothing
// of those who have left.
type Queue struct {
	line line
	most int
}

// NewQueue returns a queue in which at most most requests wait for l at once, the first included.
// What else asks l, also by [Wait] or another Queue, does not stand in it.
//
// The error is an [*ArgumentError] if l is nil, or most < 1.
func NewQueue(l Limiter, most int) (*Queue, error) {
	const fn = "ratelimit.NewQueue"
	switch {
	case identity.IsNil(l):
		return nil, &ArgumentError{fn, "l", nil, "a limiter"}
	case penalizes(l):
		return nil, &ArgumentError{fn, "l", reflect.TypeOf(l), unpenalized}
	case most < 1:
		return nil, &ArgumentError{fn, "most", most, "1 or more"}
	}
	return &Queue{line: line{limiter: l}, most: most}, nil
}

// Wait is [Wait] in the queue. While nobody waits and there is no pause, a request that is granted
// at once needs no place. If there is no place, the error wraps [ErrQueueFull], at once and with
// nothing charged. A deadline that comes before the end of the pause is refused at once too.
func (q *Queue) Wait(ctx context.Context, n int) error {
	r := request{"ratelimit.Queue.Wait", q.line.limiter, n}
	if err := done(ctx); err != nil {
		return err
	}
	var told answer
	if n <= 0 || q.line.idle() {
		var err error
		if told, err = r.attempt(ctx); err != nil || told.OK {
			return err
		}
	}
	w := newWaiter(n)
	ahead, ok := q.line.join(w, q.most)
	if !ok {
		return fmt.Errorf("%s: %d wait already: %w", r.fn, q.most, ErrQueueFull)
	}
	defer q.line.leave(w)
	return r.wait(ctx, &q.line, w, ahead, told)
}

// Len returns how many wait now. It may already be outdated.
func (q *Queue) Len() int {
	q.line.mutex.Lock()
	defer q.line.mutex.Unlock()
	return q.line.length
}

// PauseUntil has nobody ask the limiter before t, by the limiter's clock: until when a server that
// has refused a request said that it will not answer. A later call replaces an earlier one, so the
// zero time ends a pause. It reaches those who wait; those whose deadlines are before t give up.
// Cost: O(those who wait).
func (q *Queue) PauseUntil(t time.Time) { q.line.pauseUntil(t) }
