package redislimit

import (
	"context"
	"sync"
	"time"

	"github.com/seed-3506548a/ratelimit"
)

// mostLeases is of how many keys a node holds events that were taken ahead.
const mostLeases = 1 << 14

// retryLease is how long a node does not take ahead after the engine did not answer.
const retryLease = 100 * time.Millisecond

// leases holds events that were charged to the engine ahead of the requests for them.
//
// Invariant: of a key, at most chunk events are held or being fetched. What is fetched counts from
// when it is asked for, and is lost if the reply is.
type leases struct {
	chunk int

	mutex sync.Mutex
	of    map[string]*lease
}

// lease is what is held of one key.
type lease struct {
	algorithm algorithm
	left      int
	coming    int           // being fetched
	arrived   chan struct{} // closed when that has come, or not
	retry     time.Time     // not before this is it of use to ask for more

	told ratelimit.Decision // by the engine, when it granted what is held
	at   time.Time
}

// take takes n events of what is held. If that does not suffice, it is not ok, and returns what
// closes when more has come. If that is nil, the engine has to be asked for them. A request that
// has waited does not order any.
func (l *leases) take(s *Store, key string, a algorithm, n int, waited bool) (d ratelimit.Decision, ok bool, coming <-chan struct{}) {
	if n > l.chunk {
		return d, false, nil
	}
	l.mutex.Lock()
	defer l.mutex.Unlock()
	held := l.lease(key, a)
	more := !waited
	if ok = held.left >= n; ok {
		held.left -= n
		d = held.decision(s.clock)
		more = held.left <= l.chunk/2
	}
	if more && held.coming == 0 && !s.clock.Now().Before(held.retry) {
		l.order(held)
		go l.fetch(s, key, held, held.coming)
	}
	if !ok && held.coming > 0 {
		coming = held.arrived
	}
	return d, ok, coming
}

// wait takes n events of what is held, when it has come.
func (l *leases) wait(ctx context.Context, s *Store, key string, a algorithm, n int, coming <-chan struct{}) (d ratelimit.Decision, ok bool) {
	for coming != nil {
		select {
		case <-coming:
			d, ok, coming = l.take(s, key, a, n, true)
		case <-ctx.Done():
			return d, false
		}
	}
	return d, ok
}

// peek returns the grant of n events, if so many are held.
func (l *leases) peek(clock ratelimit.Clock, key string, a algorithm, n int) (d ratelimit.Decision, ok bool) {
	if l == nil || n < 1 {
		return d, false
	}
	l.mutex.Lock()
	defer l.mutex.Unlock()
	held := l.of[key]
	if held == nil || held.algorithm != a || held.left < n {
		return d, false
	}
	after := *held
	after.left -= n
	return after.decision(clock), true
}

// lease returns what is held of a key. The mutex is held.
func (l *leases) lease(key string, a algorithm) *lease {
	held := l.of[key]
	if held == nil || held.algorithm != a {
		for other := range l.of {
			if len(l.of) < mostLeases {
				break
			}
			delete(l.of, other) // what is held of it is never granted
		}
		held = &lease{algorithm: a}
		l.of[key] = held
	}
	return held
}

// order begins to fetch what is missing of a chunk. The mutex is held.
func (l *leases) order(held *lease) {
	held.coming, held.arrived = l.chunk-held.left, make(chan struct{})
}

// fetch charges n events to the engine, and holds them.
func (l *leases) fetch(s *Store, key string, held *lease, n int) {
	d, err := s.one(context.Background(), key, held.algorithm, take, n, itoa(n))
	now := s.clock.Now()
	l.mutex.Lock()
	defer l.mutex.Unlock()
	held.coming = 0
	switch {
	case err != nil:
		held.retry = now.Add(retryLease)
	case !d.OK:
		held.retry = now.Add(d.RetryAfter)
	default:
		held.left += n
		held.told, held.at = d, now
	}
	close(held.arrived)
}

// decision returns a grant of what is held.
func (held *lease) decision(clock ratelimit.Clock) ratelimit.Decision {
	d := held.told
	d.Remaining = max(d.Remaining, held.left)
	d.ResetAfter = max(d.ResetAfter-clock.Now().Sub(held.at), 0)
	return d
}

// forget drops what is held of a key.
func (l *leases) forget(key string) {
	if l != nil {
		l.mutex.Lock()
		defer l.mutex.Unlock()
		delete(l.of, key)
	}
}
