package axes_test

import (
	"flag"
	"math/rand/v2"
	"strconv"
	"sync/atomic"
	"testing"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/keyed"
)

var keys = flag.Int("keys", 1_000_000, "keys that BenchmarkKeyed runs with: 10000000 takes 2 GB, 100000000 takes 10 GB")

// BenchmarkKeyed measures Allow of a keyed.Table of as much capacity as there are keys, by how
// these come: each for the first time, at random (by one caller and by many), a few of them most of
// the time (Zipf), always the same, and one that is refused. Keys are strings in the order of use,
// as if just read from a request.
func BenchmarkKeyed(b *testing.B) {
	keys := *keys
	var all []byte
	ends := make([]int, keys)
	for i, n := range rand.New(rand.NewPCG(1, 2)).Perm(keys) {
		all = strconv.AppendInt(append(all, "user-"...), int64(n), 10)
		ends[i] = len(all)
	}
	whole := string(all)
	name := func(i int) string {
		if i == 0 {
			return whole[:ends[0]]
		}
		return whole[ends[i-1]:ends[i]]
	}
	zipf := rand.NewZipf(rand.New(rand.NewPCG(3, 4)), 1.1, 1, uint64(keys-1))
	few := make([]string, 1<<16)
	for i := range few {
		few[i] = name(int(zipf.Uint64()))
	}
	build := func(o outcome, known bool) *keyed.Table[string] {
		table := ratelimit.Must(keyed.NewGCRA[string](o.rate, o.burst, keys))
		if known {
			for _, i := range rand.New(rand.NewPCG(5, 6)).Perm(keys) { // in another order than they come
				table.Allow(name(i))
			}
		}
		return table
	}
	always := outcome{granted.name, ratelimit.PerSecond(1), 1 << 30}
	suffix := "/keys=" + strconv.Itoa(keys)
	b.Run("limiter=keyed-table/outcome=granted/traffic=first"+suffix, func(b *testing.B) {
		table, grants := build(always, false), 0
		for i := 0; b.Loop(); i++ {
			if i > 0 && i%keys == 0 {
				b.StopTimer()
				table = build(always, false)
				b.StartTimer()
			}
			if table.Allow(name(i % keys)) {
				grants++
			}
		}
		always.report(b, grants)
	})
	for _, traffic := range []struct {
		name    string
		outcome outcome
		key     func(i int) string
	}{
		{"random", always, func(i int) string { return name(i % keys) }},
		{"zipf", always, func(i int) string { return few[i%len(few)] }},
		{"hot", always, func(int) string { return few[0] }},
		{"hot", refused, func(int) string { return few[0] }},
	} {
		b.Run("limiter=keyed-table/outcome="+traffic.outcome.name+"/traffic="+traffic.name+suffix, func(b *testing.B) {
			table, grants := build(traffic.outcome, true), 0
			for i := 0; b.Loop(); i++ {
				if table.Allow(traffic.key(i)) {
					grants++
				}
			}
			traffic.outcome.report(b, grants)
		})
	}
	b.Run("limiter=keyed-table/outcome=granted/traffic=random/callers=cores"+suffix, func(b *testing.B) {
		table := build(always, true)
		var grants, begin atomic.Int64
		b.ResetTimer()
		b.RunParallel(func(pb *testing.PB) {
			n := 0
			for i := int(begin.Add(int64(keys / 2))); pb.Next(); i++ {
				if table.Allow(name(i % keys)) {
					n++
				}
			}
			grants.Add(int64(n))
		})
		always.report(b, int(grants.Load()))
	})
}
