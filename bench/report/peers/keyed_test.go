package peers_test

import (
	"context"
	"flag"
	"math"
	"math/rand/v2"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/puzpuzpuz/xsync/v4"
	"github.com/sethvargo/go-limiter/memorystore"
	"golang.org/x/time/rate"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/gcra"
	"github.com/seed-3506548a/ratelimit/keyed"
)

// stores keep a limit for each key: this module's, a library's, and what people write. Each allow
// grants always, for keys first seen and known; and hardly grants anything in a store for refusals.
var stores = []struct {
	name  string
	build func(b *testing.B, keys int, o outcome) (allow func(key string) bool)
}{
	{"keyed-table", func(_ *testing.B, keys int, o outcome) func(string) bool {
		rate, burst := ratelimit.PerSecond(1), 1<<30
		if o == refused {
			rate, burst = ratelimit.PerDay(1), 1
		}
		return ratelimit.Must(keyed.NewGCRA[string](rate, burst, keys)).Allow
	}},
	{"keyed-map", func(_ *testing.B, keys int, o outcome) func(string) bool {
		return ratelimit.Must(keyed.NewMap(keys, func(string) (ratelimit.Limiter, error) { return newGCRA(o), nil })).Allow
	}},
	{"mutex-map-of-x-time-rate", func(_ *testing.B, _ int, o outcome) func(string) bool {
		var mu sync.Mutex
		limiters := map[string]*rate.Limiter{}
		return func(key string) bool {
			mu.Lock()
			l := limiters[key]
			if l == nil {
				l = newXTimeRate(o)
				limiters[key] = l
			}
			mu.Unlock()
			return l.Allow()
		}
	}},
	{"sync-map-of-x-time-rate", func(_ *testing.B, _ int, o outcome) func(string) bool {
		var limiters sync.Map
		return func(key string) bool {
			l, ok := limiters.Load(key)
			if !ok {
				l, _ = limiters.LoadOrStore(key, newXTimeRate(o))
			}
			return l.(*rate.Limiter).Allow()
		}
	}},
	{"xsync-map-of-gcra", func(_ *testing.B, _ int, o outcome) func(string) bool {
		limiters := xsync.NewMap[string, *gcra.Limiter]()
		return func(key string) bool {
			l, ok := limiters.Load(key)
			if !ok {
				l, _ = limiters.LoadOrStore(key, newGCRA(o))
			}
			return l.Allow()
		}
	}},
	{"sethvargo-go-limiter", func(b *testing.B, _ int, o outcome) func(string) bool {
		tokens := uint64(math.MaxInt32)
		if o == refused {
			tokens = 1
		}
		store, err := memorystore.New(&memorystore.Config{Tokens: tokens, Interval: 24 * time.Hour})
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() { _ = store.Close(context.Background()) })
		return func(key string) bool {
			_, _, _, ok, err := store.Take(context.Background(), key)
			return ok && err == nil
		}
	}},
}

const few, many = 1000, 1_000_000

var most = flag.Int("keys", many, "most keys that BenchmarkKeyed runs with, at random: 10000000 takes 4 GB")

// names returns keys in the order of use, one beside the other in memory: as a server has just read
// them out of a request, it is not they that have to be fetched, but what a store keeps of them.
func names(keys int) []string {
	var all []byte
	ends := make([]int, keys)
	for i, n := range rand.New(rand.NewPCG(1, 2)).Perm(keys) {
		all = append(all, "user-"...)
		all = strconv.AppendInt(all, int64(n), 10)
		ends[i] = len(all)
	}
	names, whole, begin := make([]string, keys), string(all), 0
	for i, end := range ends {
		names[i] = whole[begin:end]
		begin = end
	}
	return names
}

// BenchmarkKeyed measures keys that come at random; of few, always the same one, and one that is
// refused; and of many, each for the first time.
func BenchmarkKeyed(b *testing.B) {
	for keys := few; keys <= *most; keys *= 10 {
		names := names(keys)
		anyone := func(i int) string { return names[i%keys] }
		same := func(int) string { return names[0] }
		for _, s := range stores {
			known := func(b *testing.B, o outcome) func(string) bool {
				allow := s.build(b, keys, o)
				for _, i := range rand.New(rand.NewPCG(5, 6)).Perm(keys) { // or what a store allocates were in the order of use
					allow(strings.Clone(names[i])) // as an earlier request brought it
				}
				return allow
			}
			run := func(traffic string, o outcome, key func(i int) string) {
				b.Run("traffic="+traffic+"/keys="+strconv.Itoa(keys)+"/limiter="+s.name, func(b *testing.B) {
					allow, grants := known(b, o), 0
					for i := 0; b.Loop(); i++ {
						if allow(key(i)) {
							grants++
						}
					}
					check(b, o, grants)
				})
			}
			run("random", granted, anyone)
			if keys == few {
				run("hot", granted, same)
				run("refused", refused, same)
			}
			if keys != many {
				continue
			}
			b.Run("traffic=first/keys="+strconv.Itoa(keys)+"/limiter="+s.name, func(b *testing.B) {
				allow, grants := s.build(b, keys, granted), 0
				for i := 0; b.Loop(); i++ {
					if i > 0 && i%keys == 0 {
						b.StopTimer()
						allow = s.build(b, keys, granted)
						b.StartTimer()
					}
					if allow(anyone(i)) {
						grants++
					}
				}
				check(b, granted, grants)
			})
		}
	}
}

// BenchmarkKeyedMemory fills a store with a million keys, and reports what it takes of the heap
// besides the keys' own bytes, and how long a collection of the garbage takes with it.
func BenchmarkKeyedMemory(b *testing.B) {
	names := make([]string, many)
	for i := range names {
		names[i] = "user-" + strconv.Itoa(i)
	}
	for _, s := range stores {
		b.Run("limiter="+s.name, func(b *testing.B) {
			var bytes, nanos float64
			for range b.N {
				before, _ := heap()
				allow := s.build(b, many, granted)
				for _, name := range names {
					allow(name)
				}
				after, took := heap()
				bytes += float64(after) - float64(before)
				nanos += float64(took)
				allow(names[0])
			}
			b.ReportMetric(bytes/float64(b.N)/many, "B/key")
			b.ReportMetric(nanos/float64(b.N)/1e6, "gc-ms")
		})
	}
	runtime.KeepAlive(names)
}

// heap collects all garbage, and returns what is left and how long that took.
func heap() (bytes uint64, took time.Duration) {
	runtime.GC()
	start := time.Now()
	runtime.GC()
	took = time.Since(start)
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc, took
}
