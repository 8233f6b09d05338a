//go:build !explore && !count

package atomics

// Counted reports whether lost races are counted: with the build tag count.
const Counted = false

// Failed returns how many calls of CompareAndSwap have failed, if they are counted.
func Failed() int64 { return 0 }

// CompareAndSwap is atomic.Uint64.CompareAndSwap.
func (x *Uint64) CompareAndSwap(old, v uint64) bool { return x.v.CompareAndSwap(old, v) }
