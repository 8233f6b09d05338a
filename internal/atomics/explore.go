//go:build explore

// Package atomics has the atomic types that limiters keep their state in. This is the variant of it
// in which each operation is a step of a schedule.
package atomics

import (
	"sync/atomic"
	"unsafe"
)

// Hooks is what an explorer does at each operation. It runs one caller at a time.
type Hooks interface {
	New(variable unsafe.Pointer, size uintptr) // there is a variable, or a struct that begins with it
	Step(variable unsafe.Pointer)              // before an operation on the variable
	Wrote()                                    // after an operation that may have changed it
}

// Explorer is told of all operations, if it is set.
var Explorer Hooks

// Faults that tests plant, to see them found.
var (
	StoreForCAS bool // CompareAndSwap stores without comparing
	NoFreeze    bool // Or changes nothing
)

// LostRaces counts the CompareAndSwaps that did nothing since another caller's change landed first.
var LostRaces atomic.Int64

func step(variable unsafe.Pointer) {
	if Explorer != nil {
		Explorer.Step(variable)
	}
}

func wrote(did bool) bool {
	if !did {
		LostRaces.Add(1)
	} else if Explorer != nil {
		Explorer.Wrote()
	}
	return did
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
	return x.v.Load()
}

// Init is Store before anybody else sees x, or the cache line that begins with it.
func (x *Uint64) Init(v uint64) {
	created(unsafe.Pointer(x), 64)
	x.v.Store(v)
}

// CompareAndSwap is atomic.Uint64.CompareAndSwap.
func (x *Uint64) CompareAndSwap(old, v uint64) bool {
	step(unsafe.Pointer(x))
	if StoreForCAS {
		x.v.Store(v)
		return wrote(true)
	}
	return wrote(x.v.CompareAndSwap(old, v))
}

// Or is atomic.Uint64.Or.
func (x *Uint64) Or(mask uint64) uint64 {
	step(unsafe.Pointer(x))
	if NoFreeze {
		return x.v.Load()
	}
	old := x.v.Or(mask)
	if old&mask != mask {
		wrote(true)
	}
	return old
}

// Pointer is an atomic.Pointer in steps.
type Pointer[T any] struct{ v atomic.Pointer[T] }

// Load is atomic.Pointer.Load.
func (x *Pointer[T]) Load() *T {
	step(unsafe.Pointer(x))
	return x.v.Load()
}

// Init is Store before anybody else sees x.
func (x *Pointer[T]) Init(v *T) {
	created(unsafe.Pointer(x), unsafe.Sizeof(v))
	x.v.Store(v)
}

// CompareAndSwap is atomic.Pointer.CompareAndSwap.
func (x *Pointer[T]) CompareAndSwap(old, v *T) bool {
	step(unsafe.Pointer(x))
	return wrote(x.v.CompareAndSwap(old, v))
}

// Bool is an atomic.Bool in steps.
type Bool struct{ v atomic.Bool }

// Swap is atomic.Bool.Swap.
func (x *Bool) Swap(v bool) bool {
	step(unsafe.Pointer(x))
	wrote(true)
	return x.v.Swap(v)
}
