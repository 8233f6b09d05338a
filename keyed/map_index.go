package keyed

import "math/bits"

// index finds the limiters of a shard by their keys. It is a hash table with linear probing. The
// topmost bits of a key's hash choose the first slot that the key may have. It has the first one
// that was free from there on, in a ring, so all slots in between are in use.
//
// With many keys, a decision mostly waits for memory. So the limiter is in the slot of its key, and
// slots are found by a hash that is computed once.
type index[K comparable] struct {
	slots []slot[K] // none, or as many as a power of two; at most 3/4 are in use
	len   int       // how many are in use
	shift uint      // a tag that is shifted right by it is the number of the first slot
}

// slot has a key and its limiter, unless the tag is 0.
type slot[K comparable] struct {
	tag uint32 // of the key's hash
	key K
	resident
}

const firstSlots = 8

// tagOf returns the upper half of a hash, but not 0.
func tagOf(hash uint64) uint32 { return uint32(hash>>32) | 1 }

// find returns the number of the key's slot, or -1 if it is not there.
func (x *index[K]) find(k K, hash uint64) int {
	if x.len == 0 {
		return -1
	}
	tag, mask := tagOf(hash), len(x.slots)-1
	for i := x.first(tag); ; i = (i + 1) & mask {
		switch s := &x.slots[i]; s.tag {
		case tag:
			s.limiter.Clock() // so that the CPU fetches the limiter while it compares the text of keys
			if s.key == k {
				return i
			}
		case 0:
			return -1
		}
	}
}

// first returns the number of the first slot that a key with that tag may have.
func (x *index[K]) first(tag uint32) int { return int(tag >> (x.shift & 31)) }

// add adds a key that is not there.
func (x *index[K]) add(k K, hash uint64, r resident) {
	if x.len >= len(x.slots)/4*3 {
		x.grow()
	}
	x.put(slot[K]{tagOf(hash), k, r})
	x.len++
}

func (x *index[K]) put(s slot[K]) {
	i, mask := x.first(s.tag), len(x.slots)-1
	for x.slots[i].tag != 0 {
		i = (i + 1) & mask
	}
	x.slots[i] = s
}

// grow makes twice as many slots. It hashes no key, as the tags suffice.
func (x *index[K]) grow() {
	old := x.slots
	x.slots = make([]slot[K], max(firstSlots, 2*len(old)))
	x.shift = uint(33 - bits.Len(uint(len(x.slots))))
	for i := range old {
		if old[i].tag != 0 {
			x.put(old[i])
		}
	}
}

// remove takes out the key in slot i. Keys behind it move up, so that there is no gap before them.
func (x *index[K]) remove(i int) {
	mask := len(x.slots) - 1
	for next := (i + 1) & mask; x.slots[next].tag != 0; next = (next + 1) & mask {
		if first := x.first(x.slots[next].tag); (next-first)&mask >= (next-i)&mask {
			x.slots[i] = x.slots[next]
			i = next
		}
	}
	x.slots[i] = slot[K]{}
	x.len--
}
