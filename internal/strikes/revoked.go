package strikes

import (
	"math/bits"

	"github.com/seed-3506548a/ratelimit/internal/atomics"
)

// Revoked is a set of at most so many keys, by their hashes, none of which is forgotten. It is safe
// for simultaneous use and must not be copied.
//
// Each word has a list, which is immutable: a change is one CAS of the word. A set is 8 bytes for
// each of its capacity, and 16 for each key in it. Lock-free.
type Revoked struct {
	taken    atomics.Uint64 // how many keys there are, and calls of Add that may add one
	capacity uint64
	lists    []atomics.Pointer[revocation]
}

// revocation is a key, and those of the same word that came before.
type revocation struct {
	hash uint64
	rest *revocation
}

// NewRevoked returns a set for that many keys.
func NewRevoked(capacity int) *Revoked {
	r := &Revoked{capacity: uint64(max(0, capacity))}
	r.taken.Init(0)
	r.lists = atomics.NewPointers[revocation](max(1, capacity))
	return r
}

func (r *Revoked) at(hash uint64) *atomics.Pointer[revocation] {
	high, _ := bits.Mul64(hash, uint64(len(r.lists)))
	return &r.lists[high]
}

// Has reports whether the key is in the set. It loads one word if no key of that word is; it writes
// nothing, and does not allocate.
func (r *Revoked) Has(hash uint64) bool {
	first := r.at(hash).Load()
	return first != nil && first.has(hash)
}

// Add puts the key into the set, unless that is full, and reports whether it is in it. It is full
// also if its last places are taken by calls that are under way.
func (r *Revoked) Add(hash uint64) bool {
	at := r.at(hash)
	taken := false
	for {
		first := at.Load()
		if first.has(hash) {
			if taken { // another call was faster
				r.giveBack()
			}
			return true
		}
		if taken = taken || r.take(); !taken {
			return false
		}
		if at.CompareAndSwap(first, &revocation{hash, first}) {
			return true
		}
	}
}

// Remove takes the key out of the set, and reports whether it was in it.
func (r *Revoked) Remove(hash uint64) bool {
	at := r.at(hash)
	for {
		first := at.Load()
		if !first.has(hash) {
			return false
		}
		if at.CompareAndSwap(first, first.without(hash)) {
			r.giveBack()
			return true
		}
	}
}

// Len returns how many keys are in the set, and calls under way that may add one. It may already be
// outdated.
func (r *Revoked) Len() int { return int(r.taken.Load()) }

// take takes a place, if there is one.
func (r *Revoked) take() bool {
	for {
		taken := r.taken.Load()
		if taken >= r.capacity {
			return false
		}
		if r.taken.CompareAndSwap(taken, taken+1) {
			return true
		}
	}
}

// giveBack gives a place back.
func (r *Revoked) giveBack() {
	for {
		taken := r.taken.Load()
		if r.taken.CompareAndSwap(taken, taken-1) {
			return
		}
	}
}

// has reports whether the key is in the list.
func (l *revocation) has(hash uint64) bool {
	for ; l != nil; l = l.rest {
		if l.hash == hash {
			return true
		}
	}
	return false
}

// without returns the list without the key, which is in it.
func (l *revocation) without(hash uint64) *revocation {
	if l.hash == hash {
		return l.rest
	}
	return &revocation{l.hash, l.rest.without(hash)}
}
