package keyed

import (
	"time"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/internal/identity"
	"github.com/seed-3506548a/ratelimit/internal/table"
)

// Member is a [Store] in a [Group], with the key that a request has there. [By] makes one.
type Member[R any] interface {
	take(t time.Time, r R, n int) ratelimit.Decision
	peek(t time.Time, r R, n int) ratelimit.Decision
	charge(t time.Time, r R, n int) ratelimit.Decision
	refund(t time.Time, r R, n int, held time.Duration)
	delay(t time.Time, r R, n int) time.Duration
	reset(r R)
	limiter(r R) ratelimit.Limiter
	err(r R) error
	keyedStore() any    // nil if there is none
	core() *table.Table // of the store, if it is a Table; else nil
	hash(r R) uint64    // of the key there
	clock() ratelimit.Clock
	capacity() int
}

// By returns a member of a [Group]: the store s, with the key that the function key returns for a
// request.
func By[R any, K comparable](s Store[K], key func(R) K) Member[R] {
	m := &by[R, K]{store: s, key: key}
	m.table, _ = s.(*Table[K])
	return m
}

type by[R any, K comparable] struct {
	store Store[K]
	table *Table[K] // the store, if it is one
	key   func(R) K
}

func (m *by[R, K]) core() *table.Table {
	if m.table == nil {
		return nil
	}
	return &m.table.core
}

func (m *by[R, K]) hash(r R) uint64 { return m.table.hash(m.key(r)) }

func (m *by[R, K]) take(t time.Time, r R, n int) ratelimit.Decision {
	return m.store.TakeAt(t, m.key(r), n)
}

func (m *by[R, K]) peek(t time.Time, r R, n int) ratelimit.Decision {
	return m.store.PeekAt(t, m.key(r), n)
}

func (m *by[R, K]) charge(t time.Time, r R, n int) ratelimit.Decision {
	return m.store.ChargeAt(t, m.key(r), n)
}

func (m *by[R, K]) refund(t time.Time, r R, n int, held time.Duration) {
	m.store.RefundAt(t, m.key(r), n, held)
}

func (m *by[R, K]) reset(r R) { m.store.Reset(m.key(r)) }

func (m *by[R, K]) limiter(r R) ratelimit.Limiter { return m.store.Limiter(m.key(r)) }

func (m *by[R, K]) err(r R) error { return errOf(m.store, m.key(r)) }

func (m *by[R, K]) keyedStore() any {
	if m.key == nil || identity.IsNil(m.store) {
		return nil
	}
	if s, ok := m.store.(interface{ made() bool }); ok && !s.made() {
		return nil
	}
	return m.store
}

func (m *by[R, K]) clock() ratelimit.Clock { return m.store.Clock() }

func (m *by[R, K]) capacity() int { return m.store.Capacity() }
