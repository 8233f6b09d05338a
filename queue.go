package ratelimit

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// ErrQueueFull is the error of a [Queue.Wait] that finds no place in the queue.
var ErrQueueFull = errors.New("the queue is full")

// Queue is a line of requests that wait for a limiter, as [Wait] forms one, but its length is
// bounded and visible, and it can be paused.
//
// Its zero value is not usable, and its methods panic on it: call [NewQueue]. It is safe for
// simultaneous use and must not be copied after first use. It has no goroutine and keeps nothing of
// requests that have left.
type Queue struct {
	line line
	most int
}

// NewQueue returns a queue of requests that wait for l. The number that can wait in it at once is
// most. Requests that wait by [Wait], or in another Queue of l, do not count.
//
// The error is an [*ArgumentError] if l or its clock is nil, if l is a [Penalizer], or if most < 1.
func NewQueue(l Limiter, most int) (*Queue, error) {
	const fn = "ratelimit.NewQueue"
	if err := waitable(fn, l); err != nil {
		return nil, err
	}
	if most < 1 {
		return nil, &ArgumentError{fn, "most", most, "1 or more"}
	}
	return &Queue{line: line{limiter: l}, most: most}, nil
}

// Wait is the function [Wait] in this queue. A request needs no place if it is granted at once
// while the queue is empty and not paused. If there is no place, the error wraps [ErrQueueFull]. If
// ctx's deadline is before the end of the pause, it wraps [context.DeadlineExceeded]. Both are
// returned at once, and nothing is charged.
func (q *Queue) Wait(ctx context.Context, n int) error {
	r := request{"ratelimit.Queue.Wait", q.line.limiter, n}
	if err := done(ctx); err != nil {
		return err
	}
	var prior answer
	if n <= 0 || q.line.idle() {
		var err error
		if prior, err = r.attempt(ctx); err != nil || prior.OK {
			return err
		}
	}
	w := newWaiter(n)
	ahead, ok := q.line.join(w, q.most)
	if !ok {
		return fmt.Errorf("%s: %d wait already: %w", r.fn, q.most, ErrQueueFull)
	}
	defer q.line.leave(w)
	return r.wait(ctx, &q.line, w, ahead, prior)
}

// Len returns how many requests wait now. The answer may already be outdated.
func (q *Queue) Len() int {
	q.line.mutex.Lock()
	defer q.line.mutex.Unlock()
	return q.line.length
}

// PauseUntil pauses the queue until t by the limiter's clock: no request in it is granted before.
// Use it when a server answers 429 with a time to retry. A later call replaces an earlier one, and
// the zero time ends the pause. Waiting requests whose deadlines are before t give up. Cost:
// O(waiting requests).
func (q *Queue) PauseUntil(t time.Time) { q.line.pauseUntil(t) }
