// Package bench_test measures every limiter beside the floor: what a decision cannot do without.
//
// A granted decision reads the clock and moves one word; a refused one reads the clock. The rows
// vary one thing at a time from a base case: Allow, granted, on one goroutine, through the concrete
// type, on the system's clock. Names are key=value, for benchstat.
package bench_test

import (
	"fmt"
	"math"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/benbjohnson/clock"
	"golang.org/x/exp/stats"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/fixedwindow"
	"github.com/seed-3506548a/ratelimit/gcra"
	"github.com/seed-3506548a/ratelimit/slidingwindow"
	"github.com/seed-3506548a/ratelimit/tokenbucket"
)

var origin = time.Now()

// outcome is a limiter's rate and burst, and what share of requests it therefore grants.
type outcome struct {
	name  string
	rate  ratelimit.Rate
	burst int
}

var (
	granted = outcome{"granted", ratelimit.PerSecond(1_000_000_000), math.MaxInt32}
	refused = outcome{"refused", ratelimit.PerDay(1), 1}
	mixed   = outcome{"mixed", ratelimit.PerSecond(10_000_000), 10}

	grantedToMany = outcome{"granted", ratelimit.PerSecond(1_000_000_000), math.MaxInt32 - 1}
)

// limiters are what is measured. Their loops are written out for each type, so that the compiler sees
// the concrete one.
var limiters = []struct {
	name     string
	build    func(o outcome, opts ...ratelimit.Option) (ratelimit.Limiter, error)
	allow    func(b *testing.B, l ratelimit.Limiter) (grants int)
	parallel func(pb *testing.PB, l ratelimit.Limiter) (grants int)
	take     func(b *testing.B, l ratelimit.Limiter) (grants int)
	takeAt   func(b *testing.B, l ratelimit.Limiter, t time.Time) (grants int)
}{
	{
		name: "gcra",
		build: func(o outcome, opts ...ratelimit.Option) (ratelimit.Limiter, error) {
			return gcra.New(o.rate, o.burst, opts...)
		},
		allow: gcraAllow, parallel: gcraParallel, take: gcraTake, takeAt: gcraTakeAt,
	},
	{
		name: "tokenbucket",
		build: func(o outcome, opts ...ratelimit.Option) (ratelimit.Limiter, error) {
			return tokenbucket.New(o.rate, o.burst, opts...)
		},
		allow: tokenAllow, parallel: tokenParallel, take: tokenTake, takeAt: tokenTakeAt,
	},
	{
		name: "tokenbucket-interval",
		build: func(o outcome, opts ...ratelimit.Option) (ratelimit.Limiter, error) {
			return tokenbucket.NewInterval(o.rate, o.burst, opts...)
		},
		allow: tokenAllow, parallel: tokenParallel, take: tokenTake, takeAt: tokenTakeAt,
	},
	{
		name: "fixedwindow-anchored",
		build: func(o outcome, opts ...ratelimit.Option) (ratelimit.Limiter, error) {
			return fixedwindow.NewAnchored(o.window(), opts...)
		},
		allow: windowAllow, parallel: windowParallel, take: windowTake, takeAt: windowTakeAt,
	},
	{
		name: "fixedwindow-aligned",
		build: func(o outcome, opts ...ratelimit.Option) (ratelimit.Limiter, error) {
			return fixedwindow.NewAligned(o.window(), opts...)
		},
		allow: windowAllow, parallel: windowParallel, take: windowTake, takeAt: windowTakeAt,
	},
	{
		name: "slidingwindow-counter",
		build: func(o outcome, opts ...ratelimit.Option) (ratelimit.Limiter, error) {
			return slidingwindow.NewCounter(o.sliding(), 10, opts...)
		},
		allow: counterAllow, parallel: counterParallel, take: counterTake, takeAt: counterTakeAt,
	},
	{
		name: "slidingwindow-log",
		build: func(o outcome, opts ...ratelimit.Option) (ratelimit.Limiter, error) {
			return slidingwindow.NewLog(o.log(), opts...)
		},
		allow: logAllow, parallel: logParallel, take: logTake, takeAt: logTakeAt,
	},
}

// window returns the rate of a fixed window that acts like a bucket of o's.
func (o outcome) window() ratelimit.Rate {
	switch o {
	case granted, grantedToMany:
		return ratelimit.PerHour(o.burst)
	case mixed:
		return ratelimit.Per(10_000, time.Millisecond)
	}
	return o.rate
}

// sliding returns the rate of a sliding window that acts like a bucket of o's.
func (o outcome) sliding() ratelimit.Rate {
	if o == granted || o == grantedToMany {
		return ratelimit.PerSecond(100_000_000) // more than can be asked for
	}
	return o.window()
}

// log returns that of one that remembers each event. What is granted to many includes callers that were
// suspended after they had read the clock.
func (o outcome) log() ratelimit.Rate {
	switch o {
	case granted:
		return ratelimit.Per(1000, time.Microsecond)
	case grantedToMany:
		return ratelimit.Per(200_000, 100*time.Microsecond)
	}
	return o.window()
}

// each runs a row for every limiter and outcome. Of a limiter that is to refuse, the burst is used up.
func each(b *testing.B, outcomes []outcome, opts []ratelimit.Option, run func(b *testing.B, limiter int, l ratelimit.Limiter) (grants int)) {
	for _, o := range outcomes {
		for i, limiter := range limiters {
			b.Run("limiter="+limiter.name+"/outcome="+o.name, func(b *testing.B) {
				l, err := limiter.build(o, opts...)
				if err != nil {
					b.Fatal(err)
				}
				if o == refused {
					l.Allow()
				}
				o.report(b, run(b, i, l))
			})
		}
	}
}

// report adds the share of requests that were granted, and fails if it is not what the row is for.
func (o outcome) report(b *testing.B, grants int) {
	share := float64(grants) / float64(b.N)
	if o.name == granted.name && share < 1 || o == refused && share > 0 {
		b.Fatalf("%s: granted %d of %d", o.name, grants, b.N)
	}
	b.ReportMetric(share, "granted/op")
}

func BenchmarkFloor(b *testing.B) {
	b.Run("outcome=refused/clock=wall", func(b *testing.B) { // of aligned windows
		for b.Loop() {
			_ = time.Now()
		}
	})
	b.Run("outcome=granted/clock=wall", func(b *testing.B) {
		var word atomic.Int64
		for b.Loop() {
			word.CompareAndSwap(word.Load(), time.Now().UnixNano())
		}
	})
	b.Run("outcome=refused", func(b *testing.B) { // one clock read
		for b.Loop() {
			_ = time.Since(origin)
		}
	})
	b.Run("outcome=granted", func(b *testing.B) { // and one CAS
		var word atomic.Int64
		for b.Loop() {
			word.CompareAndSwap(word.Load(), int64(time.Since(origin)))
		}
	})
}

func BenchmarkFloorParallel(b *testing.B) {
	b.Run("outcome=refused", func(b *testing.B) {
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				_ = time.Since(origin)
			}
		})
	})
	b.Run("outcome=granted", func(b *testing.B) {
		var word atomic.Int64
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				for now := int64(time.Since(origin)); !word.CompareAndSwap(word.Load(), now); {
				}
			}
		})
	})
}

func BenchmarkFloorOnMock(b *testing.B) {
	mock := clock.NewMock()
	for b.Loop() {
		_ = mock.Now()
	}
}

func BenchmarkAllow(b *testing.B) {
	each(b, []outcome{granted, refused, mixed}, nil, func(b *testing.B, limiter int, l ratelimit.Limiter) int {
		return limiters[limiter].allow(b, l)
	})
}

func BenchmarkAllowParallel(b *testing.B) {
	each(b, []outcome{grantedToMany, refused, mixed}, nil, func(b *testing.B, limiter int, l ratelimit.Limiter) int {
		var grants atomic.Int64
		b.RunParallel(func(pb *testing.PB) { grants.Add(int64(limiters[limiter].parallel(pb, l))) })
		return int(grants.Load())
	})
}

// On a mock clock that stands still, a row named granted uses up what the limiter grants at once. The Log,
// which has a place for each, has not enough for that.
func BenchmarkAllowOnMock(b *testing.B) {
	onMock := []ratelimit.Option{ratelimit.WithClock(clock.NewMock())}
	each(b, []outcome{granted, refused}, onMock, func(b *testing.B, limiter int, l ratelimit.Limiter) int {
		if limit := l.PeekAt(l.Clock().Now(), 0).Limit; limit > 1 && limit < 1<<24 {
			b.Skipf("grants %d at once", limit)
		}
		return limiters[limiter].allow(b, l)
	})
}

func BenchmarkAllowByInterface(b *testing.B) {
	each(b, []outcome{granted, refused}, nil, func(b *testing.B, _ int, l ratelimit.Limiter) (grants int) {
		for b.Loop() {
			if l.Allow() {
				grants++
			}
		}
		return grants
	})
}

func BenchmarkTake(b *testing.B) {
	each(b, []outcome{granted, refused}, nil, func(b *testing.B, limiter int, l ratelimit.Limiter) int {
		return limiters[limiter].take(b, l)
	})
}

// From call to call, a microsecond passes.
func BenchmarkTakeAt(b *testing.B) {
	each(b, []outcome{granted, refused}, nil, func(b *testing.B, limiter int, l ratelimit.Limiter) int {
		return limiters[limiter].takeAt(b, l, time.Now())
	})
}

// A Log remembers each event, so it has more to do for more of them: with the next grant, it writes their
// times down. Other limiters have not.
func BenchmarkTakeMany(b *testing.B) {
	for _, n := range []int{1, 10, 100, 1000} {
		b.Run(fmt.Sprintf("limiter=slidingwindow-log/n=%d", n), func(b *testing.B) {
			l := ratelimit.Must(slidingwindow.NewLog(granted.log()))
			t := time.Now()
			grants := 0
			for b.Loop() {
				if t = t.Add(time.Microsecond); l.TakeAt(t, n).OK {
					grants++
				}
			}
			granted.report(b, grants)
		})
	}
}

// BenchmarkLatency times single decisions, with one clock read in each sample: see limiter=none.
func BenchmarkLatency(b *testing.B) {
	latency(b, "limiter=none", func() bool { return true })
	for _, limiter := range limiters {
		l, err := limiter.build(granted)
		if err != nil {
			b.Fatal(err)
		}
		latency(b, "limiter="+limiter.name, l.Allow)
	}
}

// latency reports quantiles over the first million calls of each goroutine.
func latency(b *testing.B, name string, call func() bool) {
	b.Run(name, func(b *testing.B) {
		var mu sync.Mutex
		var all []float64
		b.RunParallel(func(pb *testing.PB) {
			samples := make([]float64, 0, 1_000_000)
			for pb.Next() {
				start := time.Now()
				call()
				took := time.Since(start)
				if len(samples) < cap(samples) {
					samples = append(samples, float64(took))
				}
			}
			mu.Lock()
			defer mu.Unlock()
			all = append(all, samples...)
		})
		q := stats.Quantiles(all, 0.5, 0.99, 0.999)
		b.ReportMetric(0, "ns/op") // which is mostly the sampling
		b.ReportMetric(q[0], "p50-ns")
		b.ReportMetric(q[1], "p99-ns")
		b.ReportMetric(q[2], "p999-ns")
	})
}
