// Package allocations counts allocations and their bytes. Only tests use it.
package allocations

import (
	"runtime"
	"testing"
)

// Count returns how many f makes: the least of up to three runs, since the runtime's own are
// counted too, as when it begins to collect garbage.
func Count(f func()) float64 {
	least := testing.AllocsPerRun(1, f)
	for range 2 {
		if least > 0 {
			least = min(least, testing.AllocsPerRun(1, f))
		}
	}
	return least
}

// Bytes returns how many bytes f allocates. What the runtime allocates meanwhile is counted too.
func Bytes(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}
