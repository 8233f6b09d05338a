package redislimit

import (
	"context"
	"sync"

	"github.com/seed-3506548a/ratelimit"
)

// mostCombined is how many requests are combined into one script, which must not hold up an engine
// for long.
const mostCombined = 256

// batches combines requests for one key. While a request of the key is under way, others wait, and
// are sent together when its answer has come.
type batches struct {
	mutex sync.Mutex
	next  map[string]*batch // of each key with a request under way, those that wait; may be nil
}

// batch is requests that are sent together.
type batch struct {
	algorithm algorithm
	ns        []int
	ds        []ratelimit.Decision
	err       error
	done      chan struct{}
}

// take charges n events, perhaps together with other requests.
func (g *batches) take(ctx context.Context, s *Store, key string, a algorithm, n int) (ratelimit.Decision, error) {
	g.mutex.Lock()
	b, busy := g.next[key]
	switch {
	case !busy:
		g.next[key] = nil
		g.mutex.Unlock()
		defer g.follow(s, key) // also if the engine panics
		return s.one(ctx, key, a, take, n, itoa(n))
	case b == nil:
		b = &batch{algorithm: a, done: make(chan struct{})}
		g.next[key] = b
	case b.algorithm != a || len(b.ns) == mostCombined:
		g.mutex.Unlock()
		return s.one(ctx, key, a, take, n, itoa(n))
	}
	i := len(b.ns)
	b.ns = append(b.ns, n)
	g.mutex.Unlock()
	ctx, cancel := s.within(ctx)
	defer cancel()
	select {
	case <-b.done:
		return b.ds[i], b.err
	case <-ctx.Done():
		return unreachable(a), s.fail(key, ctx.Err())
	}
}

// follow sends the requests that wait for a key, if there are any, when one has been answered.
func (g *batches) follow(s *Store, key string) {
	g.mutex.Lock()
	defer g.mutex.Unlock()
	b := g.next[key]
	if b == nil {
		delete(g.next, key)
		return
	}
	g.next[key] = nil
	go g.send(s, key, b)
}

// send sends a batch of a key.
func (g *batches) send(s *Store, key string, b *batch) {
	defer g.follow(s, key)
	args := make([]string, len(b.ns))
	for i, n := range b.ns {
		args[i] = itoa(n)
	}
	b.ds = make([]ratelimit.Decision, len(b.ns))
	if err := s.ask(context.Background(), key, b.algorithm, take, b.ds, b.ns, args); err != nil {
		b.err = err
	}
	close(b.done)
}
