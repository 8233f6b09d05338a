package keyed

import (
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
	"unsafe"

	"github.com/stretchr/testify/require"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/gcra"
	"github.com/seed-3506548a/ratelimit/limittest"
)

// indexHashes are those that keys are found by in tests, from good to useless.
var indexHashes = map[string]func(k uint16) uint64{
	"mixed":           func(k uint16) uint64 { return (uint64(k) + 1) * 0x9e3779b97f4a7c15 },
	"the same slots":  func(k uint16) uint64 { return uint64(k) << 32 },
	"the last slots":  func(k uint16) uint64 { return ^uint64(0) - uint64(k&7)<<33 },
	"four tags":       func(k uint16) uint64 { return uint64(k&3) << 62 },
	"lower half only": func(k uint16) uint64 { return uint64(k) },
}

// playIndex does what data says to an index and to a Go map, and compares them. Keys come in rising
// order until there are many, so that the index grows, and go in any order.
func playIndex(t *testing.T, hash func(uint16) uint64, data []byte) {
	var x index[uint16]
	model := map[uint16]int64{}
	for i := 0; i+2 < len(data); i += 3 {
		k := uint16(data[i])<<8&0x300 | uint16(data[i+1])
		at := x.find(k, hash(k))
		since, ok := model[k]
		require.Equal(t, ok, at >= 0)
		switch {
		case ok:
			require.Equal(t, slot[uint16]{tagOf(hash(k)), k, resident{ratelimit.Unlimited(), since}}, x.slots[at])
			if data[i+2]%4 < 2 {
				x.remove(at)
				delete(model, k)
			}
		case data[i+2]%4 < 3:
			x.add(k, hash(k), resident{ratelimit.Unlimited(), int64(i)})
			model[k] = int64(i)
		}
		require.Equal(t, len(model), x.len)
		require.LessOrEqual(t, 4*x.len, 3*len(x.slots))
	}
	there := map[uint16]int64{}
	for i, s := range x.slots {
		if s.tag == 0 {
			require.Zero(t, s, "a free slot keeps a limiter alive")
			continue
		}
		require.NotContains(t, there, s.key)
		there[s.key] = s.since
		require.Equal(t, i, x.find(s.key, hash(s.key)))
	}
	require.Equal(t, model, there)
	for _, k := range slices.Sorted(maps.Keys(model)) {
		x.remove(x.find(k, hash(k)))
	}
	require.Zero(t, x.len)
	for _, s := range x.slots {
		require.Zero(t, s)
	}
}

// TestIndex compares the index with a Go map, as it grows, and as keys come and go, also if their
// hashes are the same.
func TestIndex(t *testing.T) {
	for name, hash := range indexHashes {
		t.Run(name, func(t *testing.T) {
			random := rand.New(rand.NewPCG(7, 0))
			for _, operations := range []int{30, 300, 6000} {
				data := make([]byte, 3*operations)
				for i := range data {
					data[i] = byte(random.Uint32())
				}
				playIndex(t, hash, data)
			}
		})
	}
}

func FuzzIndex(f *testing.F) {
	f.Add(uint8(0), []byte{0, 1, 0, 0, 2, 0, 0, 1, 0})
	names := slices.Sorted(maps.Keys(indexHashes))
	f.Fuzz(func(t *testing.T, hash uint8, data []byte) {
		playIndex(t, indexHashes[names[int(hash)%len(names)]], data[:min(len(data), 3000)])
	})
}

// The slots double, and keys are near those that their hashes choose.
func TestIndexGrows(t *testing.T) {
	var x index[uint16]
	hash := indexHashes["mixed"]
	for k := range uint16(1000) {
		require.Equal(t, -1, x.find(k, hash(k)))
		x.add(k, hash(k), resident{limiter: ratelimit.Unlimited()})
		require.GreaterOrEqual(t, x.find(k, hash(k)), 0)
	}
	require.Len(t, x.slots, 2048)
	far := 0
	for i, s := range x.slots {
		if s.tag != 0 {
			far = max(far, (i-x.first(s.tag))&2047)
		}
	}
	require.Less(t, far, 64)
}

// A shard has cache lines of its own.
func TestShardSize(t *testing.T) {
	require.EqualValues(t, 128, unsafe.Sizeof(shard[string]{}))
	require.EqualValues(t, 128, unsafe.Sizeof(shard[byte]{}))
}

// counting is a limiter that counts how often it is asked whether it is idle.
type counting struct {
	ratelimit.Limiter
	asked *int
}

func (c counting) PeekAt(t time.Time, n int) ratelimit.Decision {
	*c.asked++
	return c.Limiter.PeekAt(t, n)
}

// TestMapLooksAtFewKeysAfterASearchInVain counts the keys that are looked at for a new one: up to 8
// of each of 64 shards at first, and then of 4, until a moment has passed or a key may be idle.
func TestMapLooksAtFewKeysAfterASearchInVain(t *testing.T) {
	const capacity = 1 << 16
	c := limittest.NewClock(start)
	asked := 0
	m, err := NewMap(capacity, func(int) (ratelimit.Limiter, error) {
		l, err := gcra.New(ratelimit.PerHour(1), 1, ratelimit.WithClock(c))
		return counting{l, &asked}, err
	}, WithClock(c))
	require.NoError(t, err)
	require.Len(t, m.shards, maxShards)
	for key := range capacity {
		require.True(t, m.Allow(key))
	}
	looked := func(at time.Duration) int {
		asked = 0
		d := m.TakeAt(start.Add(at), -1, 1)
		require.Equal(t, Full, d.By)
		require.Equal(t, time.Hour-at, d.RetryAfter)
		return asked
	}
	c.Set(start.Add(time.Second))
	require.Equal(t, 64*8, looked(0))
	require.Equal(t, 4*8, looked(0))
	require.Equal(t, 4*8, looked(moment-1))
	require.Equal(t, 64*8, looked(moment))
	require.Equal(t, 4*8, looked(moment))
	require.Equal(t, 64*8, looked(0), "before the search that was in vain")
	asked = 0
	require.Equal(t, Full, m.PeekAt(start.Add(1), -1, 1).By)
	require.Equal(t, 4*8, asked)

	c.Set(start.Add(time.Hour - 1))
	require.Equal(t, 64*8, looked(time.Hour-1))
	require.Equal(t, 4*8, looked(time.Hour-1))
	c.Set(start.Add(time.Hour))
	require.True(t, m.Allow(-1))
}
