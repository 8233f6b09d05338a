package slidingwindow_test

import (
	"math"
	"runtime"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/require"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/slidingwindow"
)

// memory returns the bytes that what build returns keeps alive, as the mean of many.
func memory(build func() ratelimit.Limiter) float64 {
	const n = 50
	least := math.Inf(1)
	for range 3 { // something else may allocate meanwhile
		kept := make([]ratelimit.Limiter, n)
		var before, after runtime.MemStats
		runtime.GC()
		runtime.GC() // what the first leaves of pools
		runtime.ReadMemStats(&before)
		for i := range kept {
			kept[i] = build()
		}
		runtime.GC()
		runtime.ReadMemStats(&after)
		runtime.KeepAlive(kept)
		least = min(least, float64(int64(after.HeapAlloc-before.HeapAlloc))/n)
	}
	return least
}

// A limiter takes as much memory as the package documentation says.
func TestMemory(t *testing.T) {
	if unsafe.Sizeof(uintptr(0)) != 8 {
		t.Skip("counted on 64-bit platforms")
	}
	for limit, want := range map[int]float64{64: 1248, 100: 2016, 1000: 16_608} {
		got := memory(func() ratelimit.Limiter { return ratelimit.Must(slidingwindow.NewLog(ratelimit.PerSecond(limit))) })
		require.InDelta(t, want, got, 8, "a Log of %d", limit)
	}
	// Around sizes that the allocator has, and at those that it rounds up most.
	for _, limit := range []int{1, 97, 433, 2048, 2049, 2561} {
		got := memory(func() ratelimit.Limiter { return ratelimit.Must(slidingwindow.NewLog(ratelimit.PerSecond(limit))) })
		bytes := float64(224 + 16*limit)
		require.GreaterOrEqual(t, got, bytes-8, "a Log of %d", limit)
		require.LessOrEqual(t, got, 1.25*bytes+8, "a Log of %d", limit)
	}
	for buckets, want := range map[int]float64{1: 240, 10: 464, 60: 1232} {
		got := memory(func() ratelimit.Limiter {
			return ratelimit.Must(slidingwindow.NewCounter(ratelimit.PerSecond(1000), buckets))
		})
		require.InDelta(t, want, got, 8, "a Counter of %d buckets", buckets)
	}
}
