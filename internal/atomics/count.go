//go:build count && !explore

package atomics

import (
	"sync/atomic"
	"unsafe"
)

// Counted reports whether lost races are counted: with the build tag count.
const Counted = true

// failed has several counters, so that counting does not slow goroutines down much. A goroutine's
// stack decides which counter it uses.
var failed [64]struct {
	n atomic.Int64
	_ [56]byte
}

// Failed returns how many calls of CompareAndSwap have failed.
func Failed() (n int64) {
	for i := range failed {
		n += failed[i].n.Load()
	}
	return n
}

// CompareAndSwap is atomic.Uint64.CompareAndSwap.
func (x *Uint64) CompareAndSwap(old, v uint64) bool {
	if x.v.CompareAndSwap(old, v) {
		return true
	}
	var stack byte
	failed[uintptr(unsafe.Pointer(&stack))>>11%uintptr(len(failed))].n.Add(1)
	return false
}
