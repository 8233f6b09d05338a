package simulate

import (
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
)

// granted adds grants of a key, and returns what is found.
func (w *windows) granted(key int32, all ...grant) int64 {
	for _, g := range all {
		w.grant(g.at, key, g.n)
	}
	w.flush()
	return w.most
}

// What is found is compared with its definition, on grants of several keys, some at one time.
func TestWindowsByDefinition(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		length, step := 1+random.Int64N(50), 1+random.Int64N(20)
		w := newWindows(length)
		var all [3][]grant
		var now, most int64
		for range random.IntN(300) {
			if random.IntN(3) > 0 {
				now += random.Int64N(step)
			}
			key, n := random.IntN(len(all)), 1+random.Int64N(4)
			w.grant(now, int32(key), n)
			all[key] = append(all[key], grant{now, n})
		}
		w.flush()
		for _, grants := range all {
			for i, first := range grants {
				var inside int64
				for _, g := range grants[i:] {
					if g.at < first.at+length {
						inside += g.n
					}
				}
				most = max(most, inside)
			}
		}
		require.Equal(t, most, w.most, "in %d ns", length)
		require.False(t, w.coarse)
	}
}

// Grants of one time take one place, and those before the last span none, as soon as there is no
// room.
func TestWindowsKeepLittle(t *testing.T) {
	w := newWindows(10)
	require.EqualValues(t, 1000, w.granted(0, grant{5, 400}, grant{5, 300}, grant{5, 300}))
	require.Equal(t, []any{uint32(1), 2, 2}, []any{w.of[0].size, len(w.of[0].ring), w.kept})
	for i := range int64(10_000) {
		w.granted(1, grant{100 + 4*i, 1}, grant{100 + 4*i, 1})
	}
	require.Equal(t, []any{int64(1000), int32(0), 4}, []any{w.most, w.whose, len(w.of[1].ring)}, "three are in a span")
	require.Equal(t, 6, w.kept, "of both keys")
}

// If there is no room for more, grants are put together in pairs: as of the earlier time, so that
// what is found was granted at least.
func TestWindowsInPairs(t *testing.T) {
	for _, want := range [][]grant{{{0, 3}}, {{0, 3}, {2, 12}}, {{0, 3}, {2, 12}, {4, 48}, {6, 192}}} {
		size := uint32(2 * len(want))
		for first := range size { // wherever the ring begins
			k := window{ring: make([]grant, size), first: first, size: size}
			for i := range size {
				*k.at(i) = grant{int64(i), 1 << i}
			}
			k.halve()
			require.Len(t, want, int(k.size))
			for i, g := range want {
				require.Equal(t, g, *k.at(uint32(i)), "%d from %d", size, first)
			}
		}
	}
	w := newWindows(100)
	w.kept = mostKept - 2 // there is room for the two that a key has at least
	require.EqualValues(t, 3, w.granted(0, grant{0, 1}, grant{1, 1}, grant{2, 1}))
	require.Equal(t, []any{true, 2, mostKept}, []any{w.coarse, len(w.of[0].ring), w.kept})
	w = newWindows(100)
	w.kept = mostKept - 4
	require.EqualValues(t, 3, w.granted(0, grant{0, 1}, grant{1, 1}, grant{2, 1}))
	require.Equal(t, []any{false, 4, mostKept}, []any{w.coarse, len(w.of[0].ring), w.kept})
}
