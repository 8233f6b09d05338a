package table

import (
	"strconv"
	"testing"

	"github.com/seed-3506548a/ratelimit"
)

// BenchmarkAlone measures a granted hit without clock and hashing, beside a random read of a cache
// line of the same memory that has to be waited for, as what depends on it does. The keys are the
// first that the table has seen; or it has seen four times as many before them, so that few are in
// the word where they are looked for first.
func BenchmarkAlone(b *testing.B) {
	sizes := []int{100_000, 1_000_000, 10_000_000}
	if testing.Short() {
		sizes = sizes[:1]
	}
	for _, keys := range sizes {
		c := gcra(ratelimit.PerSecond(1), 1<<30, keys)
		now := c.scale.at(0)
		seen := uint64(0)
		see := func(keys int) { // all in the time of one event
			for i := range uint64(keys) {
				c.charge(mixed(seen), now+i*c.limited.perEvent/uint64(keys), 1, &c.limited)
				seen++
			}
			now += c.limited.perEvent
		}
		hit := func(b *testing.B) {
			grants := 0
			for i := uint64(0); b.Loop(); i++ {
				if c.charge(mixed(seen-1-random(i, keys)), now, 1, &c.limited).ok() {
					grants++
				}
			}
			b.ReportMetric(float64(grants)/float64(b.N), "granted/op")
		}
		see(keys)
		b.Run("work=read/keys="+strconv.Itoa(keys), func(b *testing.B) {
			read := uint64(0)
			for i := uint64(0); b.Loop(); i++ {
				read = c.place(mixed(seen - 1 - random(i+read>>63, keys))).word(0).Load()
			}
		})
		b.Run("work=hit/keys="+strconv.Itoa(keys), hit)
		c.sets = newSets(len(c.sets)) // what was granted there is years ahead
		for range 5 {
			see(keys)
		}
		b.Run("work=hit-among-many/keys="+strconv.Itoa(keys), hit)
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
