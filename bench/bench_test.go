// Package bench_test measures every limiter beside the floor: what a decision cannot do without.
//
// A granted decision reads the clock and moves one word; a refused one reads the clock. The rows
// vary one thing at a time from a base case: Allow, granted, on one goroutine, through the concrete
// type, on the system's clock. Names are key=value, for benchstat.
package bench_test

import (
	"math"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/benbjohnson/clock"
	"golang.org/x/exp/stats"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/gcra"
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
)

// gcra returns a limiter of which the burst is used up if it is to refuse.
func (o outcome) gcra(b *testing.B, opts ...ratelimit.Option) *gcra.Limiter {
	l, err := gcra.New(o.rate, o.burst, opts...)
	if err != nil {
		b.Fatal(err)
	}
	if o == refused {
		l.Allow()
	}
	return l
}

// report adds the share of requests that were granted, and fails if it is not what the row is for.
func (o outcome) report(b *testing.B, grants int) {
	share := float64(grants) / float64(b.N)
	if o == granted && share < 1 || o == refused && share > 0 {
		b.Fatalf("%s: granted %d of %d", o.name, grants, b.N)
	}
	b.ReportMetric(share, "granted/op")
}

// onMock runs the limiter on a mock clock that stands still.
func onMock() ratelimit.Option { return ratelimit.WithClock(clock.NewMock()) }

func BenchmarkFloor(b *testing.B) {
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
	for _, o := range []outcome{granted, refused, mixed} {
		b.Run("limiter=gcra/outcome="+o.name, func(b *testing.B) {
			l, grants := o.gcra(b), 0
			for b.Loop() {
				if l.Allow() {
					grants++
				}
			}
			o.report(b, grants)
		})
	}
}

func BenchmarkAllowParallel(b *testing.B) {
	for _, o := range []outcome{granted, refused, mixed} {
		b.Run("limiter=gcra/outcome="+o.name, func(b *testing.B) {
			l := o.gcra(b)
			var grants atomic.Int64
			b.RunParallel(func(pb *testing.PB) {
				own := 0
				for pb.Next() {
					if l.Allow() {
						own++
					}
				}
				grants.Add(int64(own))
			})
			o.report(b, int(grants.Load()))
		})
	}
}

func BenchmarkAllowOnMock(b *testing.B) {
	for _, o := range []outcome{granted, refused} {
		b.Run("limiter=gcra/outcome="+o.name, func(b *testing.B) {
			l, grants := o.gcra(b, onMock()), 0
			for b.Loop() {
				if l.Allow() {
					grants++
				}
			}
			o.report(b, grants)
		})
	}
}

func BenchmarkAllowByInterface(b *testing.B) {
	for _, o := range []outcome{granted, refused} {
		b.Run("limiter=gcra/outcome="+o.name, func(b *testing.B) {
			var l ratelimit.Limiter = o.gcra(b)
			grants := 0
			for b.Loop() {
				if l.Allow() {
					grants++
				}
			}
			o.report(b, grants)
		})
	}
}

func BenchmarkTake(b *testing.B) {
	for _, o := range []outcome{granted, refused} {
		b.Run("limiter=gcra/outcome="+o.name, func(b *testing.B) {
			l, grants := o.gcra(b), 0
			for b.Loop() {
				if l.Take(1).OK {
					grants++
				}
			}
			o.report(b, grants)
		})
	}
}

func BenchmarkTakeAt(b *testing.B) {
	for _, o := range []outcome{granted, refused} {
		b.Run("limiter=gcra/outcome="+o.name, func(b *testing.B) {
			l, grants := o.gcra(b), 0
			now := time.Now()
			for b.Loop() {
				if l.TakeAt(now, 1).OK {
					grants++
				}
			}
			o.report(b, grants)
		})
	}
}

// BenchmarkLatency times single decisions, with one clock read in each sample: see limiter=none.
func BenchmarkLatency(b *testing.B) {
	latency(b, "limiter=none", func() bool { return true })
	latency(b, "limiter=gcra", granted.gcra(b).Allow)
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
