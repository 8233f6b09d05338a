// Package bench_test helps to choose a limiter: what each guarantees, costs and takes, in a row of
// its own. Package axes varies one thing at a time, and the nested module report has other
// libraries beside these.
package bench_test

import (
	"fmt"
	"math"
	"runtime"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/fixedwindow"
	"github.com/seed-3506548a/ratelimit/gcra"
	"github.com/seed-3506548a/ratelimit/keyed"
	"github.com/seed-3506548a/ratelimit/slidingwindow"
	"github.com/seed-3506548a/ratelimit/tokenbucket"
)

// limiters are what can be chosen. Each grants limit events at once, and about as many in each
// length after that.
var limiters = []struct {
	name  string
	most  string // what it may grant in a window of the length at worst
	build func(limit int, length time.Duration, opts ...ratelimit.Option) (ratelimit.Limiter, error)
}{
	{"gcra", "burst + rate", func(limit int, length time.Duration, opts ...ratelimit.Option) (ratelimit.Limiter, error) {
		return gcra.New(ratelimit.Per(limit, length), limit, opts...)
	}},
	{"gcra-striped", "burst + rate", func(limit int, length time.Duration, opts ...ratelimit.Option) (ratelimit.Limiter, error) {
		return gcra.NewStriped(ratelimit.Per(limit, length), limit, opts...)
	}},
	{"tokenbucket", "capacity + rate", func(limit int, length time.Duration, opts ...ratelimit.Option) (ratelimit.Limiter, error) {
		return tokenbucket.New(ratelimit.Per(limit, length), limit, opts...)
	}},
	{"tokenbucket-interval", "capacity + rate", func(limit int, length time.Duration, opts ...ratelimit.Option) (ratelimit.Limiter, error) {
		return tokenbucket.NewInterval(ratelimit.Per(limit, length), limit, opts...)
	}},
	{"fixedwindow-anchored", "2 x rate", func(limit int, length time.Duration, opts ...ratelimit.Option) (ratelimit.Limiter, error) {
		return fixedwindow.NewAnchored(ratelimit.Per(limit, length), opts...)
	}},
	{"fixedwindow-aligned", "2 x rate", func(limit int, length time.Duration, opts ...ratelimit.Option) (ratelimit.Limiter, error) {
		return fixedwindow.NewAligned(ratelimit.Per(limit, length), opts...)
	}},
	{"slidingwindow-counter", "rate", func(limit int, length time.Duration, opts ...ratelimit.Option) (ratelimit.Limiter, error) {
		return slidingwindow.NewCounter(ratelimit.Per(limit, length), 10, opts...)
	}},
	{"slidingwindow-log", "rate", func(limit int, length time.Duration, opts ...ratelimit.Option) (ratelimit.Limiter, error) {
		return slidingwindow.NewLog(ratelimit.Per(limit, length), opts...)
	}},
}

// row is what is said of a limiter.
type row struct {
	name, most                     string
	granted, refused, each, allocs float64
	worst                          string
}

// BenchmarkLimiter measures one Allow of each limiter, through the interface and on the system's
// clock, and prints a table to choose by.
func BenchmarkLimiter(b *testing.B) {
	var rows []row
	b.Run("floor", func(b *testing.B) {
		var word atomic.Int64
		origin := time.Now()
		for b.Loop() {
			word.CompareAndSwap(word.Load(), int64(time.Since(origin)))
		}
		rows = append(rows, row{name: "floor: a clock read, a CAS", granted: each(b), worst: "-",
			refused: nanoseconds(func() bool { return time.Since(origin) < 0 })})
	})
	for i, limiter := range limiters {
		b.Run(limiter.name, func(b *testing.B) {
			l, err := limiter.build(1000, time.Microsecond) // more than can be asked for
			require.NoError(b, err)
			grants := 0
			for b.Loop() {
				if l.Allow() {
					grants++
				}
			}
			require.Greater(b, float64(grants), 0.95*float64(b.N), "granted")

			empty, err := limiter.build(1, 24*time.Hour)
			require.NoError(b, err)
			empty.Allow()
			rows = append(rows, row{
				name: limiter.name, most: limiter.most, granted: each(b), refused: nanoseconds(empty.Allow),
				each: memory(1000, func() any {
					small, err := limiter.build(100, time.Minute)
					require.NoError(b, err)
					return small
				}),
				allocs: testing.AllocsPerRun(1000, func() { l.Allow() }),
				worst:  strconv.Itoa(worstSecond(atEdge(b, i))),
			})
		})
	}
	b.Run("keyed-table", func(b *testing.B) {
		const keys = 1 << 16
		table, err := keyed.NewGCRA[int](ratelimit.Per(1000, time.Microsecond), 1000, keys)
		require.NoError(b, err)
		for i := 0; b.Loop(); i++ {
			table.Allow(i % keys)
		}
		empty, err := keyed.NewGCRA[int](ratelimit.PerDay(1), 1, keys)
		require.NoError(b, err)
		empty.Allow(1)
		rows = append(rows, row{
			name: "keyed-table, a key", most: "burst + rate + 1/256", granted: each(b), worst: "-",
			refused: nanoseconds(func() bool { return empty.Allow(1) }),
			each: memory(4, func() any {
				small, err := keyed.NewGCRA[int](ratelimit.PerMinute(100), 100, keys)
				require.NoError(b, err)
				return small
			}) / keys,
			allocs: testing.AllocsPerRun(1000, func() { table.Allow(1) }),
		})
	})
	show(rows)
}

// show prints the rows, and what their columns are.
func show(rows []row) {
	fmt.Printf("\n%-26s  %-20s %9s %9s %8s %12s %8s\n",
		"limiter", "at most in a window", "granted", "refused", "memory", "allocations", "at edge")
	for _, r := range rows {
		fmt.Printf("%-26s  %-20s %6.1f ns %6.1f ns %6.0f B %12.0f %8s\n",
			r.name, r.most, r.granted, r.refused, r.each, r.allocs, r.worst)
	}
	fmt.Print(`
at most in a window: the guarantee for every window as long as the rate's Per.
granted, refused: one Allow. Nothing on a clock is cheaper than the floor.
memory: of a limiter of 100 a minute. allocations: by one granted Allow.
at edge: most events in any second that a limiter of 10 a second grants at the edge of a window.
`)
}

// each returns the nanoseconds of an operation of b's.
func each(b *testing.B) float64 { return float64(b.Elapsed()) / float64(b.N) }

// nanoseconds returns how long a call takes that refuses.
func nanoseconds(allow func() bool) float64 {
	best := math.Inf(1)
	for range 10 {
		const calls = 100_000
		start := time.Now()
		for range calls {
			if allow() {
				return math.NaN()
			}
		}
		best = min(best, float64(time.Since(start))/calls)
	}
	return best
}

// memory returns the bytes that what build returns keeps alive, as the mean of n.
func memory(n int, build func() any) float64 {
	kept := make([]any, n)
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	for i := range kept {
		kept[i] = build()
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	runtime.KeepAlive(kept)
	return float64(after.HeapAlloc-before.HeapAlloc) / float64(n)
}
