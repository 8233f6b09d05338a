package strikes_test

import (
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-3506548a/ratelimit/internal/strikes"
)

func TestRevoked(t *testing.T) {
	set := strikes.NewRevoked(2)
	require.False(t, set.Has(ann))
	require.True(t, set.Add(ann))
	require.True(t, set.Add(ann), "it is in the set already")
	require.Equal(t, 1, set.Len())
	require.True(t, set.Add(bob))
	require.False(t, set.Add(0), "the set is full")
	require.False(t, set.Has(0))
	require.True(t, set.Add(bob), "it is in the full set")
	require.True(t, set.Remove(ann))
	require.False(t, set.Remove(ann))
	require.False(t, set.Has(ann))
	require.True(t, set.Has(bob))
	require.True(t, set.Add(0))
	require.Equal(t, 2, set.Len())
	for _, capacity := range []int{0, -1} {
		set := strikes.NewRevoked(capacity)
		require.False(t, set.Add(ann))
		require.False(t, set.Has(ann))
		require.False(t, set.Remove(ann))
	}
}

// The set holds what a Go map holds, whatever comes and goes: in all, many times the keys that it
// has room for.
func TestRevokedComesAndGoes(t *testing.T) {
	const capacity = 50
	set, want := strikes.NewRevoked(capacity), map[uint64]bool{}
	random := rand.New(rand.NewPCG(1, 2))
	keys := make([]uint64, 2*capacity)
	for i := range keys {
		keys[i] = random.Uint64() >> (i % 2 * 60) // half of them of one list
	}
	for range 1000 * capacity {
		key := keys[random.IntN(len(keys))]
		if random.IntN(2) == 0 {
			fits := want[key] || len(want) < capacity
			require.Equal(t, fits, set.Add(key))
			if fits {
				want[key] = true
			}
		} else {
			require.Equal(t, want[key], set.Remove(key))
			delete(want, key)
		}
		require.Equal(t, len(want), set.Len())
		other := keys[random.IntN(len(keys))]
		require.Equal(t, want[other], set.Has(other))
	}
}

// Callers at once never have more in the set than its capacity, and each key once.
func TestRevokedAtOnce(t *testing.T) {
	const rounds, callers, capacity, keys = 100, 8, 5, 8
	for round := range rounds {
		set := strikes.NewRevoked(capacity)
		var ready atomic.Int64
		var all sync.WaitGroup
		for range callers {
			all.Go(func() {
				for ready.Add(1); ready.Load() < callers; {
					runtime.Gosched()
				}
				for key := range uint64(keys) {
					if set.Add(key) && !set.Has(key) {
						t.Error("what was added is not there")
					}
				}
			})
		}
		all.Wait()
		count := func() (there int) {
			for key := range uint64(keys) {
				if set.Has(key) {
					there++
				}
			}
			return there
		}
		require.LessOrEqual(t, count(), capacity, "round %d", round)
		require.Equal(t, count(), set.Len())
		for key := range uint64(keys) {
			set.Add(key)
		}
		require.Equal(t, capacity, count(), "nobody has kept a place")
		for key := range uint64(keys) {
			set.Remove(key)
		}
		require.Zero(t, set.Len())
	}
}

// Callers that add and remove one key, again and again, take no place for good.
func TestRevokedKeepsItsPlaces(t *testing.T) {
	const callers, times, capacity = 4, 20_000, 3
	set := strikes.NewRevoked(capacity)
	var all sync.WaitGroup
	for range callers {
		all.Go(func() {
			for range times {
				set.Add(ann)
				set.Remove(ann)
			}
		})
	}
	all.Wait()
	for key := range uint64(capacity) {
		require.True(t, set.Add(key), "place %d", key)
	}
	require.False(t, set.Add(capacity))
	require.Equal(t, capacity, set.Len())
}
