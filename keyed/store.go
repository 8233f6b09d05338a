package keyed

import (
	"time"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/internal/table"
)

// Store limits each key on its own. [Table], [Map] and [Group] are Stores.
type Store[K comparable] interface {
	// Allow reports whether one event of the key may happen now, and charges it if so.
	Allow(k K) bool

	// Take charges n events of the key now, all of them or none.
	Take(k K, n int) ratelimit.Decision

	// TakeAt is Take as of the time t.
	TakeAt(t time.Time, k K, n int) ratelimit.Decision

	// PeekAt returns what TakeAt would, and charges nothing. It may already be outdated.
	PeekAt(t time.Time, k K, n int) ratelimit.Decision

	// ChargeAt counts n events of the key as granted at t, even if they exceed the limit: see
	// [ratelimit.Charger].
	ChargeAt(t time.Time, k K, n int) ratelimit.Decision

	// RefundAt gives back, as of t, n events of the key that were granted held before t: see
	// [ratelimit.Limiter]. For a Table it does nothing.
	RefundAt(t time.Time, k K, n int, held time.Duration)

	// Reset forgets the key, and what it owes.
	Reset(k K)

	// Limiter returns the limiter of one key, to compose it or to wait for it. Limiters of the same
	// key are equal.
	Limiter(k K) ratelimit.Limiter

	// Clock returns the clock that Allow and Take read.
	Clock() ratelimit.Clock

	// Capacity returns the number of keys that there is room for.
	Capacity() int
}

var (
	_ Store[string] = (*Table[string])(nil)
	_ Store[string] = (*Map[string])(nil)
	_ Store[string] = (*Group[string])(nil)

	_ ratelimit.Charger = view[string]{}
	_ ratelimit.Charger = limitedView[string]{}
)

// Values of By in the Decision of a [Table] or a [Map] that refuses a request for another reason
// than the key's own limit. With Full and NoLimiter, Limit and Remaining are 0.
const (
	Full      = -1              // Map: there is no room for a new key
	NoLimiter = -2              // Map: the function given to NewMap made no limiter for the key: see Map.Err
	Late      = table.Late      // the time is very old: see Wrong times in the package documentation
	Ahead     = table.Ahead     // Table: the time is far in the future: see there
	Inherited = table.Inherited // Table: a new key has to take the word of a live key, which owes too much
)

// view is the limiter of one key, by its store.
type view[K comparable] struct {
	store Store[K]
	key   K
}

func (v view[K]) Allow() bool { return v.store.Allow(v.key) }

func (v view[K]) Take(n int) ratelimit.Decision { return v.store.Take(v.key, n) }

func (v view[K]) TakeAt(t time.Time, n int) ratelimit.Decision { return v.store.TakeAt(t, v.key, n) }

func (v view[K]) PeekAt(t time.Time, n int) ratelimit.Decision { return v.store.PeekAt(t, v.key, n) }

func (v view[K]) ChargeAt(t time.Time, n int) ratelimit.Decision {
	return v.store.ChargeAt(t, v.key, n)
}

func (v view[K]) RefundAt(t time.Time, n int, held time.Duration) {
	v.store.RefundAt(t, v.key, n, held)
}

func (v view[K]) Clock() ratelimit.Clock { return v.store.Clock() }

// Err returns why there is no limiter for the key, or nil, for [ratelimit.Wait].
func (v view[K]) Err() error {
	return errOf(v.store, v.key)
}

// errOf asks the store, if it is one that may have no limiter for a key.
func errOf[K comparable](s Store[K], k K) error {
	if s, ok := s.(interface{ Err(k K) error }); ok {
		return s.Err(k)
	}
	return nil
}

// limitedView is the limiter of one key of a Table by another limit.
type limitedView[K comparable] struct {
	table *Table[K]
	key   K
	limit Limit
}

// Unwrap returns the limiter of the key by the table's own limit, whose state it shares.
func (v limitedView[K]) Unwrap() []ratelimit.Limiter {
	return []ratelimit.Limiter{v.table.Limiter(v.key)}
}

func (v limitedView[K]) Allow() bool { return v.Take(1).OK }

func (v limitedView[K]) Take(n int) ratelimit.Decision {
	return v.TakeAt(v.Clock().Now(), n)
}

func (v limitedView[K]) TakeAt(t time.Time, n int) ratelimit.Decision {
	return v.table.TakeLimitAt(t, v.key, n, v.limit)
}

func (v limitedView[K]) PeekAt(t time.Time, n int) (d ratelimit.Decision) {
	c := &v.table.core
	c.Peek(&d, v.table.hash(v.key), c.Line().At(t), n, &v.limit.limit)
	return d
}

func (v limitedView[K]) ChargeAt(t time.Time, n int) (d ratelimit.Decision) {
	c := &v.table.core
	c.Owe(&d, v.table.hash(v.key), c.Line().At(t), n, &v.limit.limit)
	return d
}

// RefundAt does nothing.
func (v limitedView[K]) RefundAt(time.Time, int, time.Duration) {}

func (v limitedView[K]) Clock() ratelimit.Clock { return v.table.Clock() }
