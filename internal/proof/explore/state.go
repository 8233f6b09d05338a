//go:build explore

package explore

import (
	"hash/maphash"
	"slices"
	"unsafe"
)

var hashSeed = maphash.MakeSeed()

// hash returns a hash of a sequence: of its beginning's hash and the next value (splitmix64).
func hash(beginning, next uint64) uint64 {
	h := (beginning ^ next) * 0x9e3779b97f4a7c15
	h = (h ^ h>>30) * 0xbf58476d1ce4e5b9
	h = (h ^ h>>27) * 0x94d049bb133111eb
	return h ^ h>>31 + 1
}

// New implements [atomics.Hooks].
func (e *execution[M]) New(p unsafe.Pointer, size uintptr) {
	name := variable{creator: e.current}
	for _, c := range e.created {
		if c.name.creator == e.current {
			name.creation++
		}
	}
	e.created = append(e.created, creation{uintptr(p), size, name, e.seen()})
}

// seen returns what the caller that runs was told, as a hash.
func (e *execution[M]) seen() uint64 {
	if e.current == building {
		return 0
	}
	return e.threads[e.current].seen
}

// Root implements [atomics.Hooks].
func (e *execution[M]) Root(p unsafe.Pointer) { e.root = e.creation(uintptr(p)).name }

// Step implements [atomics.Hooks]: the caller stops before the step.
func (e *execution[M]) Step(p unsafe.Pointer) {
	if e.current == building {
		return
	}
	t := e.threads[e.current]
	t.pending = step{caller: e.current, variable: e.name(uintptr(p)), address: uintptr(p), first: t.calls[t.at].begin == 0}
	if t.pending.variable == e.root && !e.Remembers {
		t.seen = t.told // a new turn
	}
	t.seen = hash(t.seen, 0) // it has got further, also if it was told nothing
	t.yield(struct{}{})
}

// Saw implements [atomics.Hooks].
func (e *execution[M]) Saw(value uint64) {
	if e.current != building {
		t := e.threads[e.current]
		t.seen = hash(t.seen, value)
	}
}

// Wrote implements [atomics.Hooks].
func (e *execution[M]) Wrote(value uint64) {
	if e.current != building {
		e.doing.wrote = true
		v := e.doing.variable
		c := e.creation(e.doing.address)
		now := hash(hash(hash(hash(hash(2, uint64(v.creator)), uint64(v.creation)), c.seen), uint64(v.offset)), value)
		e.sum += now - e.memory[v]
		e.memory[v] = now
	}
}

// Name implements [atomics.Hooks]: by who had the pointer first, and as its how manieth.
func (e *execution[M]) Name(p unsafe.Pointer) uint64 {
	if p == nil {
		return 0
	}
	name, ok := e.names[p]
	if !ok {
		count := uint64(len(e.names))
		if e.current != building {
			t := e.threads[e.current]
			t.named++
			count = t.named
		}
		name = hash(hash(hash(1, uint64(e.current+1)), e.seen()), count)
		e.names[p] = name
	}
	return name
}

// state returns a hash of all that the rest of the schedule depends on: what is in memory, what
// each caller was told, and which calls were over before which began.
func (e *execution[M]) state() uint64 {
	h := hash(3, e.sum)
	for i, t := range e.threads {
		h = hash(hash(h, t.seen), uint64(t.at))
		for _, c := range t.calls {
			if c.begin == 0 {
				break
			}
			for j, other := range e.threads {
				over := 0
				for _, d := range other.calls[:other.at] {
					if j != i && d.end < c.begin {
						over++
					}
				}
				h = hash(h, uint64(over))
			}
		}
	}
	return h
}

// fresh reports whether the execution has not been in its state before with no others asleep than
// those that are now, and takes it down.
func (x *explorer[M]) fresh(e *execution[M], asleep []step) bool {
	var now sleepers
	for _, s := range asleep {
		now |= 1 << s.caller
	}
	state := e.state()
	for _, then := range x.visited[state] {
		if then&^now == 0 {
			return false
		}
	}
	x.visited[state] = append(x.visited[state], now)
	return true
}

func (e *execution[M]) name(p uintptr) variable {
	c := e.creation(p)
	c.name.offset = p - c.base
	return c.name
}

// creation returns the part of memory that an address lies in.
func (e *execution[M]) creation(p uintptr) creation {
	for _, c := range slices.Backward(e.created) {
		if c.base <= p && p < c.base+c.size {
			return c
		}
	}
	return creation{base: p, name: variable{creator: building - 1}}
}
