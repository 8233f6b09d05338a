package keyed

import (
	"fmt"
	"hash/maphash"
	"iter"
	"sync/atomic"
	"time"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/internal/timeline"
	"github.com/seed-3506548a/ratelimit/internal/waiting"
)

// Map is a limiter for each key, made by a function when something of the key is first asked for,
// for at most so many keys. It is for limits that a [Table] cannot keep: logs, compositions, a
// limit that depends on the key; and for keys that must be listed.
//
// Its zero value is of no use, and its methods may panic on it: call [NewMap]. It is safe for
// simultaneous use and must not be copied after first use. Keys are kept, and so is what they refer
// to: clone a string that is a part of a large one.
//
// # Guarantee
//
// For each key that is not Reset, in whatever order the callers' times come, the bound holds of one
// limiter that is never forgotten. (What a limiter counts from its own origin begins anew, as the
// buckets of a Counter do.) The map itself may refuse, which charges nothing:
//
//   - Full. A key is forgotten, to make room for another, only when its limiter cannot be told from
//     a new one (ResetAfter is 0, and Remaining the Limit), as of the caller's time or the map's
//     clock, whichever is earlier. So a time in the future makes no room. If there is no such key
//     among 8 of each shard, the new one is refused. RetryAfter is when the first of these can go:
//     an estimate, exact with a capacity of up to 8.
//   - Late. A new limiter would not know of grants at times before its predecessor had become as
//     new. So each shard remembers the latest time at which a key that it has forgotten became as
//     new, at most a day before that was forgotten; and a key that is made afterwards is refused at
//     times before. To keep that time early, of the keys that are looked at, the one is forgotten
//     that has been as new for longest. RetryAfter is when the time is late no more and the key's
//     own limiter grants. Allow and Take are never refused so, unless the clock runs backwards:
//     after it has jumped ahead and back, new keys are, until it has caught up.
//   - NoLimiter. RetryAfter is Never, but the next request asks factory again.
//
// All that rests on what the limiters say of themselves in ResetAfter. What else was done to one,
// such as a change of its rate, is forgotten with it. A limiter that several keys share (in a
// composition, say) keeps all of them from being forgotten while it is in use: compose it with
// [Map.Limiter] instead, outside of the map. After the wall clock was set, in either direction, an
// aligned window that was forgotten in between may be granted twice.
//
// # Cost
//
// A decision hashes the key, takes the mutex of one of up to 64 shards, and asks the limiter under
// it: no allocation. Each key takes its limiter and an entry of a Go map. A new key in a map that
// has its capacity looks at 8 keys, and at 8 more in each other shard as long as there is none that
// can go: 512 before a refusal. No goroutine; keys stay until another needs their place.
type Map[K comparable] struct {
	line     timeline.Timeline
	factory  func(K) (ratelimit.Limiter, error)
	seed     maphash.Seed
	shards   []shard[K] // a power of two
	capacity int

	_ [128]byte // between what only is read, and what is written

	count                          atomic.Int64 // places that are taken: there are never more keys than that
	evicted, refused, late, failed atomic.Uint64
	failure                        atomic.Pointer[error] // the last
}

// NewMap returns a map for at most capacity keys, for each of which factory makes a limiter when an
// event of it is first asked for. It reads the time from the system's monotonic clock unless
// [WithClock] gives it another.
//
// The limiters must share the map's clock, which the map reads for them ([ratelimit.Unlimited] goes
// with any). Clocks that cannot be compared are taken as different. factory may run at any time,
// also several times at once and for one key. Neither factory nor a limiter that it makes may call
// the map, or another one whose limiters call this: they run under a lock. If factory returns an
// error, no limiter or one with another clock, the request is refused.
//
// The error is a [*ratelimit.ArgumentError] unless
//
//	1 <= capacity <= 2^30 (2^26-1 on 32-bit platforms)
//
// and there is a factory, and no option that is for a Table.
func NewMap[K comparable](capacity int, factory func(K) (ratelimit.Limiter, error), opts ...Option) (*Map[K], error) {
	const fn = "keyed.NewMap"
	refuse := func(field string, value any, want string) (*Map[K], error) {
		return nil, &ratelimit.ArgumentError{Func: fn, Field: field, Value: value, Want: want}
	}
	if capacity < 1 || capacity > maxCapacity {
		return refuse("capacity", capacity, fmt.Sprintf("1 to %d", maxCapacity))
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
		m.shards[i].entries = map[K]resident{}
		m.shards[i].floor = timeline.Bottom
	}
	return m, nil
}

// Allow reports whether one event of the key may happen now, and charges it if so. It is Take(k,
// 1).OK.
func (m *Map[K]) Allow(k K) bool { return m.Take(k, 1).OK }

// Take charges n events of the key now, all of them or none. See [ratelimit.Decision] for what it
// returns, and [Full] for what else By may be.
//
// If a key of the shard was forgotten after the time was read and before the shard's lock was free,
// the time is read again: that others were faster is no reason to refuse.
func (m *Map[K]) Take(k K, n int) ratelimit.Decision {
	clock := m.Clock()
	t := clock.Now()
	for {
		d, late := m.take(t, k, n)
		if !late {
			return d
		}
		now := clock.Now()
		if !now.After(t) { // late by the clock itself, which has run backwards
			m.late.Add(1)
			return d
		}
		t = now
	}
}

// TakeAt charges n events of the key as of t, all of them or none; t may be any time. A request for
// n < 1 makes no place for the key.
func (m *Map[K]) TakeAt(t time.Time, k K, n int) ratelimit.Decision {
	d, late := m.take(t, k, n)
	if late {
		m.late.Add(1)
	}
	return d
}

// take also reports whether the request was refused since t is late.
func (m *Map[K]) take(t time.Time, k K, n int) (d ratelimit.Decision, late bool) {
	if n < 1 {
		return m.PeekAt(t, k, n), false
	}
	return m.charge(m.home(k), t, k, n, taking)
}

// ChargeAt counts n events of the key as granted at t, also if they exceed its limit: see
// [ratelimit.Charge]. A key that is not in the map is made, as by TakeAt; if it can not be, nothing
// is charged, and By says so. A time that is late counts as the earliest that is not.
func (m *Map[K]) ChargeAt(t time.Time, k K, n int) ratelimit.Decision {
	home := m.home(k)
	switch {
	case n < 0:
		return standing(m.PeekAt(t, k, 0), m.PeekAt(t, k, n))
	case n == 0:
		return standing(m.PeekAt(t, k, 0), m.PeekAt(t, k, 1))
	}
	d, _ := m.charge(home, t, k, n, owing)
	return d
}

// Update calls f with the limiter of a key that is in the map, and reports whether it is: so a
// key's plan can be changed, as by f's l.(*gcra.Limiter).SetRate(...), and keeps what it owes. A
// key that is not in the map owes nothing, and gets what factory makes next time; a key that was
// idle may be forgotten, and what f did with it: so let factory know of the new plan first. f must
// not call the map, and runs under a lock. What is done to the limiter without Update does not
// reach those who wait for the key.
func (m *Map[K]) Update(k K, f func(ratelimit.Limiter)) bool {
	if !m.shards[m.home(k)].with(k, func(e resident) { f(e.limiter) }) {
		return false
	}
	waiting.Changed(view[K]{m, k})
	return true
}

// Err returns why there is no limiter for the key: the error of factory, which is asked again. It
// is nil if the key is in the map, or can be.
func (m *Map[K]) Err(k K) error {
	if m.shards[m.home(k)].with(k, func(resident) {}) {
		return nil
	}
	_, err := m.build(k)
	return err
}

// PeekAt returns what TakeAt would, and charges nothing. It may already be outdated. For a key that
// is not in the map it asks a limiter that factory makes for the purpose, which is thrown away; and
// a full map looks at other keys each time, of which this or that can go.
func (m *Map[K]) PeekAt(t time.Time, k K, n int) ratelimit.Decision {
	home := m.home(k)
	d, floor, ok := m.shards[home].find(&m.line, t, k, n)
	if ok {
		return d
	}
	if lateness(&m.line, t, floor) == 0 && m.count.Load() >= int64(m.capacity) {
		if wait := m.search(home, m.earlier(t)); wait > 0 {
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
// If the key was evicted since, there is nothing to give back. Do not refund what was granted
// before a Reset: the new limiter would give it back.
func (m *Map[K]) RefundAt(t time.Time, k K, n int, held time.Duration) {
	if m.shards[m.home(k)].with(k, func(e resident) { e.refund(&m.line, t, n, held) }) {
		waiting.Changed(view[K]{m, k})
	}
}

// Reset forgets the key and what it owes: it may be granted as much as one that was never seen.
func (m *Map[K]) Reset(k K) {
	if m.shards[m.home(k)].forget(k) {
		m.count.Add(-1)
		waiting.Changed(view[K]{m, k})
	}
}

// Limiter returns the limiter of one key: to compose it ([ratelimit.All]), or to wait
// ([ratelimit.Wait]). It has no state of its own, but asks the map each time. Two of the same map
// and key are equal.
func (m *Map[K]) Limiter(k K) ratelimit.Limiter { return view[K]{m, k} }

// All yields the keys that are in the map, each at most once and in no order, and for each what
// [Map.Limiter] returns. The keys of a shard are copied when their turn comes, and no lock is held
// while they are yielded: the map may be called meanwhile. A key may have been forgotten by the
// time it is yielded, and one that is new may be missing.
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

// Len returns how many keys there are, with those that are just being made.
func (m *Map[K]) Len() int { return int(m.count.Load()) }

// Capacity returns the capacity that the map was made with.
func (m *Map[K]) Capacity() int { return m.capacity }

// Clock returns the clock that Allow and Take read.
func (m *Map[K]) Clock() ratelimit.Clock { return m.line.Clock() }

// Stats returns what the map has come across.
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

func (m *Map[K]) made() bool { return m.shards != nil }

func (m *Map[K]) home(k K) int {
	if !m.made() {
		panic("keyed: a Map that was not made: call NewMap")
	}
	return int(maphash.Comparable(m.seed, k) & uint64(len(m.shards)-1))
}
