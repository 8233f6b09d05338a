package keyed

import (
	"fmt"
	"hash/maphash"
	"iter"
	"sync/atomic"
	"time"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/internal/table"
	"github.com/seed-3506548a/ratelimit/internal/timeline"
	"github.com/seed-3506548a/ratelimit/internal/waiting"
)

// Map keeps a limiter for each key, for a limited number of keys. A function, the factory, makes
// the limiter of a key when the first event of the key is requested. Take a Map for what a [Table]
// cannot do: other limiters, such as logs and compositions; limits that depend on the key; refunds;
// listing keys.
//
// The zero Map is not usable, and its methods may panic: call [NewMap]. A Map is safe for
// simultaneous use, and must not be copied after first use. It keeps the keys, so clone a string
// that is part of a larger one.
//
// # Guarantee
//
// Each key is limited as if its limiter were never forgotten, except by [Map.Reset]. This holds in
// whatever order the times of requests come. The map may also refuse a request for a reason of its
// own. That charges nothing, and Decision.By is the reason:
//
//   - [Full]: there is no room for a new key. If the map has as many keys as its capacity, it
//     evicts an idle key for a new one. A key is idle if its limiter has a ResetAfter of 0, and
//     Limit events Remaining. The keys are divided among up to 256 shards, each with a mutex. The
//     map looks at up to 8 keys of the new key's shard, and evicts the one that has been idle for
//     longest. If none of these is idle, it looks at up to 8 keys of another shard, and so on, up
//     to 64 shards. If it finds none, it refuses the new key. RetryAfter is when the first of them
//     will be idle: an estimate, which is exact if the capacity is at most 8. For up to 10 ms after
//     such a search, or until RetryAfter if that is less, it looks at keys of 4 shards only. A key
//     must be idle both at the time of the request and by the map's clock, so a time in the future
//     makes no room.
//   - [Late]: the time of the request is very old. See Wrong times in the package documentation.
//     What it says of keys that are added afterwards holds for keys of the same shard. Allow and
//     Take are late only if the clock has jumped ahead and back; then new keys are late until it
//     has caught up.
//   - [NoLimiter]: the factory made no limiter for the key. RetryAfter is Never, but the next
//     request calls the factory again.
//
// All this relies on what the limiters report of themselves. Note:
//
//   - A change of a limiter, such as SetRate, is lost when its key is evicted.
//   - Do not share a limiter between keys, for example as a member of [ratelimit.All]: while one of
//     them uses it, none of them is idle. Make the composition outside of the map, with
//     [Map.Limiter].
//   - A limiter that is made again has a new origin, so the buckets of a slidingwindow.Counter
//     begin at other times than before.
//   - If the wall clock is set, a key with aligned windows that was evicted before then may be
//     granted the events of a window twice.
//
// # Cost
//
// A decision hashes the key, locks the mutex of its shard, and asks the limiter. It allocates
// nothing if the key is there. A key takes its limiter, and 1.3 to 2.7 slots of its shard's hash
// table: a slot is 48 bytes for a string on a 64-bit platform. The table of a shard
// doubles when it is full, and never shrinks. If the map is full, a new key also costs a look at
// other keys: up to 512 in the first search that finds none, and up to 32 in those of the next 10
// ms. There is no goroutine, and keys stay until another key needs their place.
type Map[K comparable] struct {
	line     timeline.Timeline
	factory  func(K) (ratelimit.Limiter, error)
	seed     maphash.Seed
	shards   []shard[K] // a power of two
	capacity int

	_ [128]byte // between what only is read, and what is written

	count                          atomic.Int64 // places taken: there are never more keys than that
	vain                           atomic.Int64 // until when few shards are searched
	evicted, refused, late, failed atomic.Uint64
	failure                        atomic.Pointer[error] // the last
}

// NewMap returns a map for up to capacity keys. It calls factory to make the limiter of a key. The
// map reads the system's monotonic clock, unless [WithClock] sets another.
//
// Each limiter must have the map's clock, except for [ratelimit.Unlimited]. For clocks that cannot
// be compared, see [ratelimit.Clock]. If factory returns an error, no limiter, or one with another
// clock, the request is refused with [NoLimiter].
//
// factory may run at any time, several times at once, and more than once for a key. It runs under a
// lock, and so do the methods of the limiters. They must not call the map, or another map whose
// limiters call this one.
//
// The error is a [*ratelimit.ArgumentError] unless
//
//	1 <= capacity <= 2^30 (2^26-1 on 32-bit platforms)
//
// and factory is not nil, and [FailOpen] is not among the options.
func NewMap[K comparable](capacity int, factory func(K) (ratelimit.Limiter, error), opts ...Option) (*Map[K], error) {
	const fn = "keyed.NewMap"
	refuse := func(field string, value any, want string) (*Map[K], error) {
		return nil, &ratelimit.ArgumentError{Func: fn, Field: field, Value: value, Want: want}
	}
	if capacity < 1 || capacity > table.MaxCapacity {
		return refuse("capacity", capacity, fmt.Sprintf("1 to %d", table.MaxCapacity))
	}
	if factory == nil {
		return refuse("factory", nil, "a function that makes the limiter of a key")
	}
	chosen, err := choose(fn, opts)
	if err != nil {
		return nil, err
	}
	if chosen.failOpen {
		return refuse("FailOpen", true, "no such option: it is for a Table")
	}
	line, err := timeline.New(fn, chosen.clock)
	if err != nil {
		return nil, err
	}
	shards := 1
	for shards < maxShards && capacity/(2*shards) >= perShard {
		shards *= 2
	}
	m := &Map[K]{line: line, factory: factory, seed: maphash.MakeSeed(), shards: make([]shard[K], shards), capacity: capacity}
	for i := range m.shards {
		m.shards[i].floor = timeline.Bottom
	}
	m.vain.Store(timeline.Bottom)
	return m, nil
}

// Allow reports whether one event of the key may happen now, and charges it if so. It is Take(k,
// 1).OK.
func (m *Map[K]) Allow(k K) bool { return m.Take(k, 1).OK }

// Take charges n events of the key now, all of them or none. Decision.By is [Full], [Late] or
// [NoLimiter] if the request is refused for one of these reasons.
func (m *Map[K]) Take(k K, n int) ratelimit.Decision {
	if m.line.Injected == nil {
		hash := m.hash(k)
		if d, ok := m.home(hash).take(k, hash, n); ok {
			return d
		}
	}
	clock := m.Clock()
	t := clock.Now()
	for {
		d, late := m.take(t, k, n)
		if !late {
			return d
		}
		// A key was evicted after the time was read. That others were faster is no reason to
		// refuse.
		now := clock.Now()
		if !now.After(t) { // late by the clock itself, which has run backwards
			m.late.Add(1)
			return d
		}
		t = now
	}
}

// TakeAt is like [Map.Take], as of the time t. A request with n < 1 does not add the key to the
// map.
func (m *Map[K]) TakeAt(t time.Time, k K, n int) ratelimit.Decision {
	d, late := m.take(t, k, n)
	if late {
		m.late.Add(1)
	}
	return d
}

// ChargeAt counts n events of the key as granted at t, even if they exceed its limit: see
// [ratelimit.Charge]. A late time counts as the earliest time that is not late. A key that is not
// in the map is added; if there is no room, or no limiter, nothing is charged, and Decision.By is
// the reason.
func (m *Map[K]) ChargeAt(t time.Time, k K, n int) ratelimit.Decision {
	hash := m.hash(k)
	switch {
	case n < 0:
		return standing(m.PeekAt(t, k, 0), m.PeekAt(t, k, n))
	case n == 0:
		return standing(m.PeekAt(t, k, 0), m.PeekAt(t, k, 1))
	}
	d, _ := m.charge(hash, t, k, n, owing)
	return d
}

// Update calls f with the limiter of the key, and reports whether the key is in the map. It is for
// changing a customer's plan: f may call SetRate of the limiter, and what the key owes is kept.
//
// At a lower rate, a bucket such as gcra refuses until what the key owes beyond the new burst has
// drained: with 600 owed at 60 a minute and a burst of 60, for 9 minutes. A window refuses for its
// length at most.
//
// Change what factory makes first: keys that are not in the map, or evicted, get that next time. f
// runs under a lock, and must not call the map. Callers that wait for the key notice a change of
// its limiter only if it is made by Update.
func (m *Map[K]) Update(k K, f func(ratelimit.Limiter)) bool {
	if !m.with(k, func(e resident) { f(e.limiter) }) {
		return false
	}
	waiting.Changed(view[K]{m, k})
	return true
}

// Err returns why there is no limiter for the key, or nil if there is one. For a key that is not in
// the map, it calls factory again.
func (m *Map[K]) Err(k K) error {
	if m.with(k, func(resident) {}) {
		return nil
	}
	_, err := m.build(k)
	return err
}

// PeekAt returns what TakeAt would, and charges nothing. It may already be outdated. For a key that
// is not in the map, it asks a limiter that factory makes for this call only. In a full map, the
// next request may look at other keys, and find another one idle.
func (m *Map[K]) PeekAt(t time.Time, k K, n int) ratelimit.Decision {
	hash := m.hash(k)
	d, floor, ok := m.home(hash).find(&m.line, t, k, hash, n)
	if ok {
		return d
	}
	if lateness(&m.line, t, floor) == 0 && m.count.Load() >= int64(m.capacity) {
		if wait := m.search(hash, m.earlier(t)); wait > 0 {
			return refusal(n, wait, Full)
		}
	}
	l, err := m.build(k)
	if err != nil {
		return refusal(n, ratelimit.Never, NoLimiter)
	}
	return resident{l, floor}.peek(&m.line, t, n)
}

// RefundAt gives back, as of t, n events that were granted held before t: see [ratelimit.Limiter].
// It does nothing if the key was evicted since. Do not refund what was granted before a Reset: it
// would come out of what was granted after it.
func (m *Map[K]) RefundAt(t time.Time, k K, n int, held time.Duration) {
	if m.with(k, func(e resident) { e.refund(&m.line, t, n, held) }) {
		waiting.Changed(view[K]{m, k})
	}
}

// Reset forgets the key, and what it owes: its next request is that of a new key.
func (m *Map[K]) Reset(k K) {
	if hash := m.hash(k); m.home(hash).forget(k, hash) {
		m.count.Add(-1)
		waiting.Changed(view[K]{m, k})
	}
}

// Limiter returns the limiter of one key, to compose it ([ratelimit.All]) or to wait for it
// ([ratelimit.Wait]). It calls the map, and has no state of its own. Limiters of the same map and
// key are equal.
func (m *Map[K]) Limiter(k K) ratelimit.Limiter { return view[K]{m, k} }

// All returns an iterator over the keys of the map, in no order, with the limiter that
// [Map.Limiter] returns for each. It copies the keys of one shard at a time, and yields them
// without a lock, so the loop may call the map. It yields a key at most once. A key may have been
// evicted before it is yielded, and keys that are added meanwhile may be missing.
func (m *Map[K]) All() iter.Seq2[K, ratelimit.Limiter] {
	return func(yield func(K, ratelimit.Limiter) bool) {
		for i := range m.shards {
			for _, k := range m.shards[i].keys() {
				if !yield(k, m.Limiter(k)) {
					return
				}
			}
		}
	}
}

// Len returns the number of keys, including those that are just being added.
func (m *Map[K]) Len() int { return int(m.count.Load()) }

// Capacity returns the capacity that the map was made with.
func (m *Map[K]) Capacity() int { return m.capacity }

// Clock returns the clock that Allow and Take read.
func (m *Map[K]) Clock() ratelimit.Clock { return m.line.Clock() }

// Stats returns what the map has counted.
func (m *Map[K]) Stats() MapStats {
	stats := MapStats{
		Len:     m.Len(),
		Evicted: m.evicted.Load(),
		Refused: m.refused.Load(),
		Late:    m.late.Load(),
		Failed:  m.failed.Load(),
	}
	if failure := m.failure.Load(); failure != nil {
		stats.Err = *failure
	}
	return stats
}
