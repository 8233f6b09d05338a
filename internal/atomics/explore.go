//go:build explore

// Package atomics has the atomic types in which limiters keep their state. In this variant of it,
// each operation is a step of a schedule.
package atomics

import (
	"sync/atomic"
	"unsafe"
)

// Hooks is what an explorer does at each operation. It runs one caller at a time.
type Hooks interface {
	New(variable unsafe.Pointer, size uintptr) // there is a variable, or a struct that starts with it
	Root(variable unsafe.Pointer)              // a limiter's turns start with this variable: see Pointer
	Step(variable unsafe.Pointer)              // before an operation on the variable
	Saw(value uint64)                          // after an operation that returned a value
	Wrote(value uint64)                        // after an operation that may have changed the variable
	Name(pointer unsafe.Pointer) uint64        // the value that stands for a pointer
}

// Explorer learns of all operations, if it is set.
var Explorer Hooks

// Faults that tests plant, which they must find.
var (
	StoreForCAS bool // CompareAndSwap stores without comparing
	NoFreeze    bool // Or changes nothing
	NoMax       bool // Max changes nothing
)

// LostRaces counts the CompareAndSwaps that failed because another caller's change landed first.
var LostRaces atomic.Int64

// Counted and Failed are what they are with the build tag count.
const Counted = true

// Failed returns LostRaces.
func Failed() int64 { return LostRaces.Load() }

func step(variable unsafe.Pointer) {
	if Explorer != nil {
		Explorer.Step(variable)
	}
}

func saw(value uint64) {
	if Explorer != nil {
		Explorer.Saw(value)
	}
}

func wrote(value uint64) {
	if Explorer != nil {
		Explorer.Wrote(value)
	}
}

// swapped reports what a CompareAndSwap did.
func swapped(did bool, value uint64) bool {
	if !did {
		LostRaces.Add(1)
		saw(0)
		return false
	}
	saw(1)
	wrote(value)
	return true
}

func name[T any](p *T) uint64 {
	if Explorer == nil {
		return 0
	}
	return Explorer.Name(unsafe.Pointer(p))
}

func created(variable unsafe.Pointer, size uintptr) {
	if Explorer != nil {
		Explorer.New(variable, size)
	}
}

// Uint64 is an atomic.Uint64 in steps.
type Uint64 struct{ v atomic.Uint64 }

// Load is atomic.Uint64.Load.
func (x *Uint64) Load() uint64 {
	step(unsafe.Pointer(x))
	v := x.v.Load()
	saw(v)
	return v
}

// Fetch does nothing, so it is no step.
func (x *Uint64) Fetch() {}

// Init is Store before any other caller sees x, or the cache line that starts with it.
func (x *Uint64) Init(v uint64) {
	created(unsafe.Pointer(x), 64)
	x.v.Store(v)
}

// Store is atomic.Uint64.Store.
func (x *Uint64) Store(v uint64) {
	step(unsafe.Pointer(x))
	x.v.Store(v)
	wrote(v)
}

// CompareAndSwap is atomic.Uint64.CompareAndSwap.
func (x *Uint64) CompareAndSwap(old, v uint64) bool {
	step(unsafe.Pointer(x))
	if StoreForCAS {
		x.v.Store(v)
		return swapped(true, v)
	}
	return swapped(x.v.CompareAndSwap(old, v), v)
}

// Or is atomic.Uint64.Or.
func (x *Uint64) Or(mask uint64) uint64 {
	step(unsafe.Pointer(x))
	old := x.v.Load()
	if !NoFreeze {
		old = x.v.Or(mask)
	}
	saw(old)
	if !NoFreeze && old&mask != mask {
		wrote(old | mask)
	}
	return old
}

// Max stores v unless x is at least v already. It does not return which.
func (x *Uint64) Max(v uint64) {
	step(unsafe.Pointer(x))
	for {
		old := x.v.Load()
		if old >= v || NoMax {
			return
		}
		if x.v.CompareAndSwap(old, v) {
			wrote(v)
			return
		}
	}
}

// NewUint64s returns n new ones.
func NewUint64s(n int) []Uint64 {
	all := make([]Uint64, n)
	created(unsafe.Pointer(unsafe.SliceData(all)), uintptr(n)*unsafe.Sizeof(all[0]))
	return all
}

// Pointer is an atomic.Pointer in steps. A Pointer on which Init was called is a limiter's current
// frame. A call loads it at the start of each turn of its loop, and what it does in that turn
// depends on nothing that it saw in earlier turns: explorers rely on that.
type Pointer[T any] struct{ v atomic.Pointer[T] }

// Load is atomic.Pointer.Load.
func (x *Pointer[T]) Load() *T {
	step(unsafe.Pointer(x))
	v := x.v.Load()
	saw(name(v))
	return v
}

// Init is Store before any other caller sees x.
func (x *Pointer[T]) Init(v *T) {
	created(unsafe.Pointer(x), unsafe.Sizeof(v))
	if Explorer != nil {
		Explorer.Root(unsafe.Pointer(x))
	}
	name(v)
	x.v.Store(v)
}

// CompareAndSwap is atomic.Pointer.CompareAndSwap.
func (x *Pointer[T]) CompareAndSwap(old, v *T) bool {
	name(v) // now, and not only at the step: the caller has made what v points to
	step(unsafe.Pointer(x))
	return swapped(x.v.CompareAndSwap(old, v), name(v))
}

// NewPointers returns n of them, all nil, that nobody else has seen yet.
func NewPointers[T any](n int) []Pointer[T] {
	all := make([]Pointer[T], n)
	created(unsafe.Pointer(unsafe.SliceData(all)), uintptr(n)*unsafe.Sizeof(all[0]))
	return all
}

// Bool is an atomic.Bool in steps.
type Bool struct{ v atomic.Bool }

// Swap is atomic.Bool.Swap.
func (x *Bool) Swap(v bool) bool {
	step(unsafe.Pointer(x))
	old := x.v.Swap(v)
	saw(asInt(old))
	wrote(asInt(v))
	return old
}

func asInt(b bool) uint64 {
	if b {
		return 1
	}
	return 0
}
