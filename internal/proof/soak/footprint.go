package soak

import (
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Footprint is what a process takes: its heap after a garbage collection, in bytes, and its
// goroutines.
type Footprint struct{ Heap, Goroutines int }

// now returns the footprint at this moment.
func now() Footprint {
	runtime.GC()
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return Footprint{int(stats.HeapAlloc), runtime.NumGoroutine()}
}

// samples is how many footprints are taken in a soak.
const samples = 50

// Watch takes footprints until the end of a soak.
type Watch struct {
	over chan struct{}
	done chan struct{}
	all  []Footprint
}

// NewWatch takes footprints from now on for so long.
func NewWatch(duration time.Duration) *Watch {
	w := &Watch{over: make(chan struct{}), done: make(chan struct{}), all: make([]Footprint, 0, samples)}
	go func() {
		defer close(w.done)
		ticker := time.NewTicker(duration / samples)
		defer ticker.Stop()
		for len(w.all) < samples {
			select {
			case <-w.over:
				return
			case <-ticker.C:
				w.all = append(w.all, now())
			}
		}
	}()
	return w
}

// RequireFlat ends the watch. It requires the heap and the number of goroutines not to have grown
// from the second tenth of the soak to the last one: medians, with so many bytes of room for what
// is under way at the moment, and for bounded memory that is not full early. It returns both.
func (w *Watch) RequireFlat(t testing.TB, room int) (early, late Footprint) {
	close(w.over)
	<-w.done
	require.GreaterOrEqual(t, len(w.all), 10, "the soak was too short to say")
	tenth := len(w.all) / 10
	early, late = median(w.all[tenth:2*tenth]), median(w.all[len(w.all)-tenth:])
	require.LessOrEqual(t, late.Heap, early.Heap+room, "heap, in bytes")
	require.LessOrEqual(t, late.Goroutines, early.Goroutines+early.Goroutines/4+20, "goroutines")
	return early, late
}

// median returns the medians of both numbers.
func median(all []Footprint) Footprint {
	heaps, goroutines := make([]int, len(all)), make([]int, len(all))
	for i, f := range all {
		heaps[i], goroutines[i] = f.Heap, f.Goroutines
	}
	slices.Sort(heaps)
	slices.Sort(goroutines)
	return Footprint{heaps[len(all)/2], goroutines[len(all)/2]}
}
