package keyed

import (
	"strconv"
	"testing"

	"github.com/seed-3506548a/ratelimit"
)

// BenchmarkAlone measures a granted hit without clock and hashing, beside a random read of a cache line of the same
// memory that has to be waited for, as what depends on it does.
func BenchmarkAlone(b *testing.B) {
	for _, keys := range []int{100_000, 1_000_000, 10_000_000} {
		table := ratelimit.Must(NewGCRA[int](ratelimit.PerSecond(1), 1<<30, keys))
		c := &table.core
		now := c.scale.at(0)
		for key := range uint64(keys) {
			c.charge(mixed(key), now, 1, &c.limited)
		}
		b.Run("work=read/keys="+strconv.Itoa(keys), func(b *testing.B) {
			read := uint64(0)
			for i := uint64(0); b.Loop(); i++ {
				first, _ := c.set(mixed(random(i+read>>63, keys)))
				read = c.words[first]
			}
		})
		b.Run("work=hit/keys="+strconv.Itoa(keys), func(b *testing.B) {
			granted := 0
			for i := uint64(0); b.Loop(); i++ {
				if c.charge(mixed(random(i, keys)), now, 1, &c.limited).ok {
					granted++
				}
			}
			b.ReportMetric(float64(granted)/float64(b.N), "granted/op")
		})
	}
}

// random returns a key that looks random.
func random(i uint64, keys int) uint64 { return mixed(i) % uint64(keys) }

// mixed is the finaliser of SplitMix64.
func mixed(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}
