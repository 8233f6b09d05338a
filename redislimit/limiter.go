package redislimit

import (
	"context"
	"time"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/internal/identity"
	"github.com/seed-3506548a/ratelimit/internal/waiting"
	"github.com/seed-3506548a/ratelimit/policy"
)

var (
	_ ratelimit.Charger = view{}
	_ ratelimit.Failer  = view{}
	_ ratelimit.Wrapper = guarded{}
	_ ratelimit.Charger = guarded{}
	_ ratelimit.Failer  = guarded{}
	_ policy.Rememberer = view{}
	_ policy.Rememberer = guarded{}
)

// OnError is what a [ratelimit.Limiter] of a key answers if the engine does not. The zero value is
// [FailClosed].
type OnError struct {
	open bool
	to   ratelimit.Limiter
}

// FailClosed refuses what the engine does not answer. RetryAfter is [ratelimit.Never], so
// [ratelimit.Wait] returns the engine's error.
var FailClosed = OnError{}

// FailOpen grants what the engine does not answer, beyond any limit.
var FailOpen = OnError{open: true}

// FailTo asks another limiter about what the engine does not answer, such as one of this process
// with a part of the limit. It grants at most its own limit on top. A nil l is [FailClosed]. For
// httplimit.PerKey there is [Store.FailTo].
func FailTo(l ratelimit.Limiter) OnError {
	if identity.IsNil(l) {
		return FailClosed
	}
	return OnError{to: l}
}

// Limiter returns the limit of a key as a [ratelimit.Limiter]. It is also a [ratelimit.Charger] and
// a [ratelimit.Failer]. Two of one key are equal.
//
// Its methods ask the engine, for at most the time of [Timeout], and decide by its clock: the times
// that they are given do not matter. An answer that the engine has not given has [Unreachable] in
// Decision.By, and comes from otherwise.
//
// RefundAt gives nothing back to the engine that otherwise has granted. A refund goes to otherwise
// first, for as many events of the key as it granted and did not get back, and the rest to the
// engine. [FailOpen] drops its part. A node counts this for 16,384 keys, in about 100 bytes each.
// If there are more, events that were granted before a count was dropped are not given back to the
// engine.
func (s *Store) Limiter(key string, otherwise OnError) ratelimit.Limiter {
	v := view{s, key}
	if !otherwise.open && otherwise.to == nil {
		return v
	}
	return guarded{v, otherwise}
}

// TakeAt is Take for httplimit.PerKey, without a context. The time does not matter. What the engine
// does not answer is refused, with [Unreachable] in Decision.By.
func (s *Store) TakeAt(_ time.Time, key string, n int) ratelimit.Decision {
	d, _ := s.Take(context.Background(), key, n)
	return d
}

// FailTo returns the limits for httplimit.PerKey, with limits of this process for what the engine
// does not answer, or answers by an error. On each of three nodes, that is a keyed.Table of a third
// of the rate and of the burst: of 100 a minute and a burst of 20,
//
//	keyed.NewGCRA[string](ratelimit.Per(100, 3*time.Minute), 6, 100_000)
//
// What local refuses is refused as by a limit, by 429. [Store.Err] says whether the engine has
// answered last. To count the requests that it has not, count the calls of local.
//
// # Guarantee
//
// What local limits grant comes on top of what the engine grants: in every interval in which the
// engine answers nobody, only they grant. They are full when an outage begins.
func (s *Store) FailTo(local Local) *Fallback { return &Fallback{s, local} }

// Local is a limit for each key in this process, such as a keyed.Table or a keyed.Map.
type Local interface {
	TakeAt(t time.Time, key string, n int) ratelimit.Decision
}

// Fallback is a limit for each key on an engine, with another one for what the engine does not
// answer. It is safe for simultaneous use. [Store.FailTo] makes it.
type Fallback struct {
	store *Store
	local Local
}

// TakeAt returns what the engine decides, by its own clock, or else what local does, as of t.
func (f *Fallback) TakeAt(t time.Time, key string, n int) ratelimit.Decision {
	d := f.store.TakeAt(t, key, n)
	if d.By == Unreachable {
		return f.local.TakeAt(t, key, n)
	}
	return d
}

// Rate returns the rate of the limit on the engine, as clients are told it; or the zero Rate if
// there are several.
func (f *Fallback) Rate() ratelimit.Rate { return (*f.store.algorithm.Load()).shown() }

// Clock returns the clock of this node; see [WithClock].
func (f *Fallback) Clock() ratelimit.Clock { return f.store.clock }

// Clock returns the clock of this node; see [WithClock].
func (s *Store) Clock() ratelimit.Clock { return s.clock }

// Err returns why the engine did not answer last, or nil if it did, whatever the key: for health
// checks, and for httplimit.PerKey. Requests whose callers gave up do not count.
func (s *Store) Err(string) error {
	if e := s.failed.Load(); e != nil {
		return e
	}
	return nil
}

// changed forgets what is remembered of a key, and wakes those that wait for it.
func (s *Store) changed(key string) {
	s.memory.forget(key, s.clock.Now())
	waiting.Changed(view{s, key})
}

// view is the limit of a key.
type view struct {
	store *Store
	key   string
}

func (v view) Allow() bool { return v.Take(1).OK }

func (v view) Take(n int) ratelimit.Decision { return v.store.TakeAt(time.Time{}, v.key, n) }

func (v view) TakeAt(_ time.Time, n int) ratelimit.Decision { return v.Take(n) }

func (v view) PeekAt(_ time.Time, n int) ratelimit.Decision {
	d, _ := v.store.Peek(context.Background(), v.key, n)
	return d
}

// Remembered returns the refusal of n events, if the engine need not be asked for it; see
// [Remember].
func (v view) Remembered(n int) (ratelimit.Decision, bool) {
	return v.store.remembered(v.key, *v.store.algorithm.Load(), n)
}

func (v view) ChargeAt(_ time.Time, n int) ratelimit.Decision {
	d, _ := v.store.Charge(context.Background(), v.key, n)
	return d
}

func (v view) RefundAt(_ time.Time, n int, held time.Duration) {
	_ = v.store.Refund(context.Background(), v.key, n, held)
}

func (v view) Clock() ratelimit.Clock { return v.store.clock }

func (v view) Err() error { return v.store.Err(v.key) }

// guarded is the limit of a key that does not fail closed. It is a Wrapper, so that all limiters of
// one key have one in common.
type guarded struct {
	view
	otherwise OnError
}

func (g guarded) Unwrap() []ratelimit.Limiter { return []ratelimit.Limiter{g.view} }

func (g guarded) Allow() bool { return g.Take(1).OK }

func (g guarded) Take(n int) ratelimit.Decision { return g.TakeAt(g.Clock().Now(), n) }

func (g guarded) TakeAt(t time.Time, n int) ratelimit.Decision {
	d := g.guard(g.view.Take(n), n, func(l ratelimit.Limiter) ratelimit.Decision { return l.TakeAt(t, n) })
	if d.OK && d.By == Unreachable {
		g.store.lent.add(g.key, g.otherwise, n, g.Clock().Now())
	}
	return d
}

func (g guarded) PeekAt(t time.Time, n int) ratelimit.Decision {
	return g.guard(g.view.PeekAt(t, n), n, func(l ratelimit.Limiter) ratelimit.Decision { return l.PeekAt(t, n) })
}

func (g guarded) ChargeAt(t time.Time, n int) ratelimit.Decision {
	d := g.guard(g.view.ChargeAt(t, n), min(n, 1), func(l ratelimit.Limiter) ratelimit.Decision { return ratelimit.Charge(l, t, n) })
	if d.By == Unreachable {
		g.store.lent.add(g.key, g.otherwise, n, g.Clock().Now())
	}
	return d
}

func (g guarded) RefundAt(t time.Time, n int, held time.Duration) {
	if n < 1 || held < 0 {
		return
	}
	lent, rest := g.store.lent.back(g.key, g.otherwise, n, g.Clock().Now().Add(-held))
	if lent > 0 && g.otherwise.to != nil {
		g.otherwise.to.RefundAt(t, lent, held)
		waiting.Changed(g.view)
	}
	g.view.RefundAt(t, rest, held)
}

// guard returns the engine's decision on n events, or the one that stands in for it.
func (g guarded) guard(d ratelimit.Decision, n int, ask func(ratelimit.Limiter) ratelimit.Decision) ratelimit.Decision {
	if d.By != Unreachable {
		return d
	}
	if g.otherwise.to != nil {
		d = ask(g.otherwise.to)
		d.By = Unreachable
		return d
	}
	if n >= 0 && n <= d.Limit {
		d.OK, d.Remaining, d.RetryAfter, d.ResetAfter = true, d.Limit, 0, 0
	}
	return d
}

// Err returns nil if what stands in for the engine can grant.
func (g guarded) Err() error {
	if l, ok := g.otherwise.to.(ratelimit.Failer); ok {
		return l.Err()
	}
	return nil
}
