package redislimit

import (
	"context"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/seed-3506548a/ratelimit"
)

// Store is a limit for each key, on an engine. What all limits of this package can do are its
// methods. It is safe for simultaneous use. Make it by a constructor, such as [NewGCRA].
//
// A method that asks the engine returns an [*Error] if it could not. Then it is not known whether
// the engine has done what it was asked: take the events as charged, and the request as refused.
type Store struct {
	engine    Engine
	prefix    string // of the engine's keys
	clock     ratelimit.Clock
	timeout   time.Duration
	algorithm atomic.Pointer[algorithm]
	failed    atomic.Pointer[Error]           // nil if the last answer was none
	shared    atomic.Pointer[context.Context] // see within

	memory *memory
	leases *leases  // nil: none
	groups *batches // nil: requests are not combined
	lent   lent
}

// resetScript forgets a key.
var resetScript = newScript("return {redis.call('DEL', KEYS[1])}")

// Take charges n events of the key now, by the engine's clock, all of them or none.
//
// A refusal that is remembered is answered here; see [Remember]. So is a grant of what was taken
// ahead; see [Lease].
func (s *Store) Take(ctx context.Context, key string, n int) (ratelimit.Decision, error) {
	a := *s.algorithm.Load()
	if n < 1 || n > a.limit() {
		return s.Peek(ctx, key, n)
	}
	if s.leases != nil { // before refusals, as what is held was granted
		d, ok, coming := s.leases.take(s, key, a, n, false)
		if coming != nil {
			var cancel context.CancelFunc
			ctx, cancel = s.within(ctx)
			defer cancel()
			d, ok = s.leases.wait(ctx, s, key, a, n, coming)
		}
		if ok {
			return d, nil
		}
	}
	if d, ok := s.remembered(key, a, n); ok {
		return d, nil
	}
	if s.groups != nil {
		return s.groups.take(ctx, s, key, a, n)
	}
	return s.one(ctx, key, a, take, n, itoa(n))
}

// Peek returns what Take would return, and charges nothing. It may already be outdated. A refusal
// that is remembered is answered here, and so is a grant of what was taken ahead, as by Take.
func (s *Store) Peek(ctx context.Context, key string, n int) (ratelimit.Decision, error) {
	a := *s.algorithm.Load()
	if d, ok := s.leases.peek(s.clock, key, a, n); ok {
		return d, nil
	}
	if d, ok := s.remembered(key, a, n); ok {
		return d, nil
	}
	asked := n
	if n < 0 || n > a.limit() {
		asked = 0
	}
	return s.one(ctx, key, a, peek, n, strconv.Itoa(asked))
}

// Charge counts n events of the key as granted now, even if they exceed the limit. The Decision is
// about one more event, which is not charged; see [ratelimit.Charger].
//
// A bucket can owe 2^51 ticks more than its burst, which is another full burst at least (see
// [NewGCRA]). A window counts 2^31-1 events, and a log as many as its limit at one time. What
// exceeds that is not counted, and must not be refunded.
func (s *Store) Charge(ctx context.Context, key string, n int) (ratelimit.Decision, error) {
	a := *s.algorithm.Load()
	if n < 0 {
		return s.Peek(ctx, key, n)
	}
	return s.one(ctx, key, a, charge, 1, strconv.Itoa(min(n, maxEvents)))
}

// Refund gives back n events of the key that were granted a time held ago and did not happen. It
// gives back what still counts, as RefundAt of [ratelimit.Limiter] does: of a bucket, what has not
// drained; of a window, while it is open; of a log, the newest events, if nothing else was granted
// since. After a change of the rate of a bucket, older grants give nothing back.
//
// Measure held from before the call of Take. If it is too short by some time, the limit may grant
// as much as it would that time later. Refund an event once. With [Lease], Refund gives nothing
// back. Other nodes that remember a refusal refuse until it is over.
func (s *Store) Refund(ctx context.Context, key string, n int, held time.Duration) error {
	a := *s.algorithm.Load()
	if n < 1 || n > a.limit() || held < 0 || s.leases != nil {
		return nil
	}
	// The engine remembers a change of the rate only as long as something is owed.
	if b, ok := a.(*buckets); ok && !b.since.IsZero() && !s.clock.Now().Add(-held).After(b.since) {
		return nil
	}
	ctx, cancel := s.within(ctx)
	defer cancel()
	_, err := s.run(ctx, a.script(), key, append(a.args(nil), string(refund), strconv.Itoa(n), strconv.FormatInt(micros(held), 10)))
	s.changed(key)
	return err
}

// Reset forgets what the key has consumed, and drops what this node holds of it by [Lease].
func (s *Store) Reset(ctx context.Context, key string) error {
	ctx, cancel := s.within(ctx)
	defer cancel()
	_, err := s.run(ctx, resetScript, key, nil)
	s.leases.forget(key)
	s.changed(key)
	return err
}

// remembered returns the refusal of n events of the key, if the engine need not be asked for it.
func (s *Store) remembered(key string, a algorithm, n int) (d ratelimit.Decision, ok bool) {
	if n < 1 || n > a.limit() {
		return d, false
	}
	return s.memory.refusal(s.clock, key, a, n)
}

// one asks the engine about one request.
func (s *Store) one(ctx context.Context, key string, a algorithm, op operation, n int, args ...string) (ratelimit.Decision, error) {
	var d [1]ratelimit.Decision
	err := s.ask(ctx, key, a, op, d[:], []int{n}, args)
	return d[0], err
}

// ask asks the engine, sets ds to the decisions on requests for ns events, and remembers refusals.
// After an error they are refusals.
func (s *Store) ask(ctx context.Context, key string, a algorithm, op operation, ds []ratelimit.Decision, ns []int, args []string) error {
	if a.limit() == 0 { // at a rate of 0 there is nothing to ask
		for i, n := range ns {
			if ds[i] = (ratelimit.Decision{OK: n == 0}); n != 0 {
				ds[i].RetryAfter = ratelimit.Never
			}
		}
		return nil
	}
	ctx, cancel := s.within(ctx)
	defer cancel()
	sent := s.clock.Now()
	reply, err := s.decide(ctx, key, a, op, ns, args)
	if err == nil && !a.decide(ds, reply, op, ns) {
		err = s.fail(key, errReply)
	}
	if err != nil {
		for i := range ds {
			ds[i] = unreachable(a)
		}
		return err
	}
	for i := range ds {
		if !ds[i].OK && op != charge {
			s.memory.put(&refused{key: key, algorithm: a, sent: sent, reply: reply, n: ns[i], decision: ds[i]})
			return nil
		}
	}
	if op != peek {
		s.memory.charged(key)
	}
	return nil
}

// decide returns the reply of the algorithm's script.
func (s *Store) decide(ctx context.Context, key string, a algorithm, op operation, ns []int, args []string) ([]int64, error) {
	if op == take && len(ns) == 1 {
		if script, few := a.quick(ns[0]); script != nil {
			if reply, err := s.run(ctx, script, key, few); len(reply) != 1 {
				return reply, err
			}
		}
	}
	return s.run(ctx, a.script(), key, append(append(a.args(nil), string(op)), args...))
}

// within returns a context that ends after the timeout, or up to a sixteenth of it earlier. One is
// made for all that a request has to wait for.
//
// Requests that cannot be cancelled share one, as a timer for each took a twentieth of the time of
// a request in BenchmarkAllow of redislimit/bench.
func (s *Store) within(ctx context.Context) (context.Context, context.CancelFunc) {
	if ctx.Done() != nil {
		return context.WithTimeout(ctx, s.timeout)
	}
	shared := s.shared.Load()
	if shared == nil || left(*shared) < s.timeout-s.timeout/16 {
		next, cancel := context.WithTimeout(context.Background(), s.timeout)
		context.AfterFunc(next, cancel)
		shared = &next
		s.shared.Store(shared)
	}
	if ctx == context.Background() {
		return *shared, func() {}
	}
	return valued{*shared, ctx}, func() {}
}

// left returns how long it is until a context's deadline.
func left(ctx context.Context) time.Duration {
	at, _ := ctx.Deadline()
	return time.Until(at)
}

// valued is a context with the values of another one.
type valued struct {
	context.Context
	of context.Context
}

func (v valued) Value(key any) any {
	if value := v.of.Value(key); value != nil {
		return value
	}
	return v.Context.Value(key)
}

// run runs a script on a key.
func (s *Store) run(ctx context.Context, script *Script, key string, args []string) ([]int64, error) {
	reply, err := s.engine.Run(ctx, script, []string{s.key(key)}, args)
	if err != nil {
		return nil, s.fail(key, err)
	}
	if s.failed.Load() != nil {
		s.failed.Store(nil)
	}
	return reply, nil
}

// key returns the engine's name of a key. All that is counted of a key is in one slot of a cluster.
func (s *Store) key(key string) string { return s.prefix + key + "}" }

func itoa(n int) string { return strconv.Itoa(n) }

// micros returns a time in microseconds, rounded up.
func micros(d time.Duration) int64 {
	return int64(d/time.Microsecond) + min(int64(d%time.Microsecond), 1)
}
