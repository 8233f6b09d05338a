//go:build !explore

// Package atomics has the atomic types in which limiters keep their state: those of sync/atomic.
// With the build tag explore, each operation is a step of a schedule instead, and tests run all
// schedules.
package atomics

import "sync/atomic"

// Uint64 is an atomic.Uint64.
type Uint64 struct{ v atomic.Uint64 }

// Load is atomic.Uint64.Load.
func (x *Uint64) Load() uint64 { return x.v.Load() }

// Fetch is Load for the sake of the CPU's cache.
func (x *Uint64) Fetch() { x.v.Load() }

// Init is Store before any other caller sees x, or the cache line that starts with it.
func (x *Uint64) Init(v uint64) { x.v.Store(v) }

// Store is atomic.Uint64.Store.
func (x *Uint64) Store(v uint64) { x.v.Store(v) }

// Or is atomic.Uint64.Or.
func (x *Uint64) Or(mask uint64) uint64 { return x.v.Or(mask) }

// Max stores v unless x is at least v already.
func (x *Uint64) Max(v uint64) {
	for {
		old := x.v.Load()
		if old >= v || x.v.CompareAndSwap(old, v) {
			return
		}
	}
}

// NewUint64s returns n new ones.
func NewUint64s(n int) []Uint64 { return make([]Uint64, n) }

// Pointer is an atomic.Pointer.
type Pointer[T any] struct{ v atomic.Pointer[T] }

// Load is atomic.Pointer.Load.
func (x *Pointer[T]) Load() *T { return x.v.Load() }

// Init is Store before any other caller sees x.
func (x *Pointer[T]) Init(v *T) { x.v.Store(v) }

// CompareAndSwap is atomic.Pointer.CompareAndSwap.
func (x *Pointer[T]) CompareAndSwap(old, v *T) bool { return x.v.CompareAndSwap(old, v) }

// NewPointers returns n of them, all nil, that nobody else has seen yet.
func NewPointers[T any](n int) []Pointer[T] { return make([]Pointer[T], n) }

// Bool is an atomic.Bool.
type Bool struct{ v atomic.Bool }

// Swap is atomic.Bool.Swap.
func (x *Bool) Swap(v bool) bool { return x.v.Swap(v) }
