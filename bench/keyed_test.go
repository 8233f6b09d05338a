package bench_test

import (
	"flag"
	"math/rand/v2"
	"strconv"
	"sync/atomic"
	"testing"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/keyed"
)

var mostKeys = flag.Int("keys", 1_000_000, "most keys that BenchmarkKeyed runs with: 10000000 takes 2 GB, 100000000 takes 10 GB")

// BenchmarkKeyed measures Allow of a keyed.Table of as much capacity as there are keys, which are strings, by how they
// come: each for the first time, at random, and, with the most keys, a few of them most of the time (Zipf), always the
// same, and one that is refused.
func BenchmarkKeyed(b *testing.B) {
	for keys := 1000; keys <= *mostKeys; keys *= 10 {
		names := make([]string, keys) // in the order of use, so that only what they refer to is far away
		for i, n := range rand.New(rand.NewPCG(1, 2)).Perm(keys) {
			names[n] = "user-" + strconv.Itoa(i)
		}
		zipf := rand.NewZipf(rand.New(rand.NewPCG(3, 4)), 1.1, 1, uint64(keys-1))
		few := make([]int, 1<<16)
		for i := range few {
			few[i] = int(zipf.Uint64())
		}
		for _, traffic := range []struct {
			name string
			key  func(i int) string
		}{
			{"first", func(i int) string { return names[i%keys] }},
			{"random", func(i int) string { return names[i%keys] }},
			{"zipf", func(i int) string { return names[few[i%len(few)]] }},
			{"hot", func(int) string { return names[0] }},
			{"refused", func(int) string { return names[0] }},
		} {
			rate, burst := ratelimit.PerSecond(1), 1<<30
			if traffic.name == "refused" {
				rate, burst = ratelimit.PerDay(1), 1
			}
			build := func() *keyed.Table[string] {
				table := ratelimit.Must(keyed.NewGCRA[string](rate, burst, keys))
				if traffic.name != "first" {
					for _, i := range rand.New(rand.NewPCG(5, 6)).Perm(keys) { // in another order than they come
						table.Allow(names[i])
					}
				}
				return table
			}
			if keys*10 <= *mostKeys && traffic.name != "first" && traffic.name != "random" {
				continue // as many keys as may be are enough
			}
			name := "traffic=" + traffic.name + "/keys=" + strconv.Itoa(keys)
			b.Run("calls=serial/"+name, func(b *testing.B) {
				table, grants := build(), 0
				for i := 0; b.Loop(); i++ {
					if traffic.name == "first" && i > 0 && i%keys == 0 {
						b.StopTimer()
						table = build()
						b.StartTimer()
					}
					if table.Allow(traffic.key(i)) {
						grants++
					}
				}
				b.ReportMetric(float64(grants)/float64(b.N), "granted/op")
			})
			if traffic.name == "first" {
				continue
			}
			b.Run("calls=parallel/"+name, func(b *testing.B) {
				table := build()
				var grants, begin atomic.Int64
				b.ResetTimer()
				b.RunParallel(func(pb *testing.PB) {
					granted := 0
					for i := int(begin.Add(int64(keys / 2))); pb.Next(); i++ {
						if table.Allow(traffic.key(i)) {
							granted++
						}
					}
					grants.Add(int64(granted))
				})
				b.ReportMetric(float64(grants.Load())/float64(b.N), "granted/op")
			})
		}
	}
}
