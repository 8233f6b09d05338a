package redislimit

import (
	"hash/maphash"
	"sync/atomic"
	"time"

	"github.com/seed-3506548a/ratelimit"
)

// memory holds the last refusal of some keys, of a request or a look, so that the same request is
// refused without asking the engine.
//
// A refusal says what was consumed when it was sent, or later. Until the request would fit, if
// nothing was added since, it does not fit: grants of others only add. So a remembered refusal is
// one that the engine would give too, unless events were given back, the key was reset or the rate
// was changed by another node. What others were granted since makes its numbers too small.
//
// A key has one slot, by its hash, and a refusal takes the slot. So looking is one load, and memory
// is bounded. A slot whose key was changed here holds the time of the change: older refusals that
// are still on their way must not come back.
type memory struct {
	seed  maphash.Seed
	slots []atomic.Pointer[refused] // a power of two
}

// refused is a refusal. It is immutable.
type refused struct {
	key       string
	algorithm algorithm // nil: the key was changed at the time sent
	sent      time.Time // before the engine has answered
	reply     []int64
	n         int
	decision  ratelimit.Decision
}

// newMemory returns a memory of at least so many slots, or nil for 0.
func newMemory(slots int) *memory {
	if slots == 0 {
		return nil
	}
	size := 1
	for size < slots {
		size *= 2
	}
	return &memory{maphash.MakeSeed(), make([]atomic.Pointer[refused], size)}
}

func (m *memory) slot(key string) *atomic.Pointer[refused] {
	return &m.slots[maphash.String(m.seed, key)&uint64(len(m.slots)-1)]
}

// refusal returns the refusal of n events of the key, if one is remembered that still holds.
func (m *memory) refusal(clock ratelimit.Clock, key string, a algorithm, n int) (d ratelimit.Decision, ok bool) {
	if m == nil {
		return d, false
	}
	r := m.slot(key).Load()
	if r == nil || r.algorithm != a || r.key != key {
		return d, false
	}
	return r.holds(clock.Now().Sub(r.sent), n)
}

// holds returns the refusal of n events a time after r, if that still is one. It is a function of
// its own as it allocates the decision, which other requests need not.
func (r *refused) holds(after time.Duration, n int) (d ratelimit.Decision, ok bool) {
	if after < 0 {
		return d, false
	}
	ok = r.algorithm.still(&d, r, n, after)
	return d, ok
}

// put remembers a refusal, unless the key was changed after it was asked for.
func (m *memory) put(r *refused) {
	if m == nil {
		return
	}
	slot := m.slot(r.key)
	for {
		old := slot.Load()
		if old != nil && old.algorithm == nil && !old.sent.Before(r.sent) || slot.CompareAndSwap(old, r) {
			return
		}
	}
}

// charged drops the refusal of the key: more is consumed now than that says.
func (m *memory) charged(key string) {
	if m == nil {
		return
	}
	slot := m.slot(key)
	if r := slot.Load(); r != nil && r.algorithm != nil && r.key == key {
		slot.CompareAndSwap(r, nil)
	}
}

// forget forgets what is remembered of the key.
func (m *memory) forget(key string, now time.Time) {
	if m != nil {
		m.slot(key).Store(&refused{key: key, sent: now})
	}
}
