package keyed

import (
	"time"

	"github.com/seed-3506548a/ratelimit"
)

// store is what a Table and a Map have in common.
type store[K comparable] interface {
	Allow(k K) bool
	Take(k K, n int) ratelimit.Decision
	TakeAt(t time.Time, k K, n int) ratelimit.Decision
	PeekAt(t time.Time, k K, n int) ratelimit.Decision
	refundAt(t time.Time, k K, n int, held time.Duration)
	Clock() ratelimit.Clock
}

var _ ratelimit.Limiter = view[string]{}

// view is the limiter of one key, by its store.
type view[K comparable] struct {
	store store[K]
	key   K
}

func (v view[K]) Allow() bool { return v.store.Allow(v.key) }

func (v view[K]) Take(n int) ratelimit.Decision { return v.store.Take(v.key, n) }

func (v view[K]) TakeAt(t time.Time, n int) ratelimit.Decision { return v.store.TakeAt(t, v.key, n) }

func (v view[K]) PeekAt(t time.Time, n int) ratelimit.Decision { return v.store.PeekAt(t, v.key, n) }

func (v view[K]) RefundAt(t time.Time, n int, held time.Duration) {
	v.store.refundAt(t, v.key, n, held)
}

func (v view[K]) Clock() ratelimit.Clock { return v.store.Clock() }
