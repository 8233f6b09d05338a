// Package axes_test measures every limiter beside the floor: what a decision cannot do without.
//
// A granted decision reads the clock and moves one word; a refused one reads the clock. One thing
// at a time is varied from a base case, and is in the row's name: Allow, granted, by one caller,
// through the concrete type, on the system's clock. Names are key=value, for benchstat.
package axes_test

import (
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
	"github.com/seed-3506548a/ratelimit/internal/atomics"
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

	// To many callers, and by a clock that goes in steps, more is granted at the same time.
	grantedToMany  = outcome{"granted", ratelimit.PerSecond(1_000_000_000), math.MaxInt32 - 1}
	grantedInSteps = outcome{"granted", ratelimit.PerSecond(1_000_000_000), math.MaxInt32 - 2}
)

// limiters are what is measured. Their loops are written out for each type, so that the compiler
// sees the concrete one.
var limiters = []struct {
	name     string
	build    func(o outcome, opts ...ratelimit.Option) (ratelimit.Limiter, error)
	allow    func(b *testing.B, l ratelimit.Limiter) (grants int)
	parallel func(pb *testing.PB, l ratelimit.Limiter) (grants int)
	calls    func(calls int, l ratelimit.Limiter) (grants int)
	take     func(b *testing.B, l ratelimit.Limiter) (grants int)
	takeAt   func(b *testing.B, l ratelimit.Limiter, t time.Time) (grants int)

	sameAs string // another limiter, whose core it has: it is in the base case only
}{
	{
		name: "gcra",
		build: func(o outcome, opts ...ratelimit.Option) (ratelimit.Limiter, error) {
			return gcra.New(o.rate, o.burst, opts...)
		},
		allow: gcraAllow, parallel: gcraParallel, calls: gcraCalls, take: gcraTake, takeAt: gcraTakeAt,
	},
	{
		name: "gcra-striped",
		build: func(o outcome, opts ...ratelimit.Option) (ratelimit.Limiter, error) {
			return gcra.NewStriped(o.rate, o.burst, opts...)
		},
		allow: stripedAllow, parallel: stripedParallel, calls: stripedCalls, take: stripedTake, takeAt: stripedTakeAt,
	},
	{
		name: "tokenbucket",
		build: func(o outcome, opts ...ratelimit.Option) (ratelimit.Limiter, error) {
			return tokenbucket.New(o.rate, o.burst, opts...)
		},
		allow: tokenAllow, sameAs: "gcra",
	},
	{
		name: "tokenbucket-interval",
		build: func(o outcome, opts ...ratelimit.Option) (ratelimit.Limiter, error) {
			return tokenbucket.NewInterval(o.rate, o.burst, opts...)
		},
		allow: intervalAllow, sameAs: "fixedwindow-anchored",
	},
	{
		name: "fixedwindow-anchored",
		build: func(o outcome, opts ...ratelimit.Option) (ratelimit.Limiter, error) {
			return fixedwindow.NewAnchored(o.window(), opts...)
		},
		allow: windowAllow, parallel: windowParallel, calls: windowCalls, take: windowTake, takeAt: windowTakeAt,
	},
	{
		name: "fixedwindow-aligned",
		build: func(o outcome, opts ...ratelimit.Option) (ratelimit.Limiter, error) {
			return fixedwindow.NewAligned(o.window(), opts...)
		},
		allow: windowAllow, parallel: windowParallel, calls: windowCalls, take: windowTake, takeAt: windowTakeAt,
	},
	{
		name: "slidingwindow-counter",
		build: func(o outcome, opts ...ratelimit.Option) (ratelimit.Limiter, error) {
			return slidingwindow.NewCounter(o.sliding(), 10, opts...)
		},
		allow: counterAllow, parallel: counterParallel, calls: counterCalls, take: counterTake, takeAt: counterTakeAt,
	},
	{
		name: "slidingwindow-log",
		build: func(o outcome, opts ...ratelimit.Option) (ratelimit.Limiter, error) {
			return slidingwindow.NewLog(o.log(), opts...)
		},
		allow: logAllow, parallel: logParallel, calls: logCalls, take: logTake, takeAt: logTakeAt,
	},
}

// window returns the rate of a fixed window that acts like a bucket of o's.
func (o outcome) window() ratelimit.Rate {
	switch o {
	case granted, grantedToMany, grantedInSteps:
		return ratelimit.PerSecond(o.burst) // more than can be asked for
	case mixed:
		return ratelimit.Per(10_000, time.Millisecond)
	}
	return o.rate
}

// sliding returns the rate of a sliding window that acts like a bucket of o's.
func (o outcome) sliding() ratelimit.Rate {
	if o.name == granted.name {
		return ratelimit.Per(100_000_000, 200*time.Millisecond) // likewise
	}
	return o.window()
}

// log returns that of one that remembers each event. What is granted to many includes callers that
// were suspended after they had read the clock.
func (o outcome) log() ratelimit.Rate {
	switch o {
	case granted:
		return ratelimit.Per(1000, time.Microsecond)
	case grantedToMany:
		return ratelimit.Per(200_000, 100*time.Microsecond)
	case grantedInSteps:
		return ratelimit.Per(1<<18-1, time.Nanosecond)
	}
	return o.window()
}

// axis runs a row for every limiter that has a core of its own. Of a limiter that is to refuse, the
// burst is used up.
func axis(b *testing.B, name string, o outcome, opts []ratelimit.Option, run func(b *testing.B, limiter int, l ratelimit.Limiter) (grants int)) {
	for i, limiter := range limiters {
		if limiter.sameAs != "" && name != "" {
			continue
		}
		b.Run("limiter="+limiter.name+"/outcome="+o.name+name, func(b *testing.B) {
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

// report adds the share of requests that were granted, and fails if it is not what the row is for.
// (A Log does not remember enough to grant everything to those who come after they, or a coarse
// clock, were suspended.)
func (o outcome) report(b *testing.B, grants int) {
	share, least := float64(grants)/float64(b.N), 0.95
	if o == grantedInSteps {
		least = 0.5
	}
	if o.name == granted.name && share < least || o == refused && share > 0 {
		b.Fatalf("%s: granted %d of %d", o.name, grants, b.N)
	}
	b.ReportMetric(share, "granted/op")
}

func allow(b *testing.B, limiter int, l ratelimit.Limiter) (grants int) {
	return limiters[limiter].allow(b, l)
}

// The base case.
func BenchmarkAllow(b *testing.B) {
	floor(b)
	axis(b, "", granted, nil, allow)
	axis(b, "", refused, nil, allow)
	axis(b, "/at=limit", mixed, nil, allow)
}

// Many callers: on every core, and 32 on each, of which single calls are timed.
func BenchmarkAllowByMany(b *testing.B) {
	floorByMany(b)
	many := func(b *testing.B, limiter int, l ratelimit.Limiter) int {
		var grants atomic.Int64
		failed := atomics.Failed()
		b.RunParallel(func(pb *testing.PB) { grants.Add(int64(limiters[limiter].parallel(pb, l))) })
		if atomics.Counted {
			b.ReportMetric(float64(atomics.Failed()-failed)/float64(b.N), "failed-cas/op")
		}
		return int(grants.Load())
	}
	axis(b, "/callers=cores", grantedToMany, nil, many)
	axis(b, "/callers=cores", refused, nil, many)
	latency(b, "limiter=floor/outcome=granted/callers=32-a-core", func() bool { return true })
	for _, limiter := range limiters {
		if limiter.sameAs == "" {
			l := ratelimit.Must(limiter.build(granted))
			latency(b, "limiter="+limiter.name+"/outcome=granted/callers=32-a-core", l.Allow)
		}
	}
}

// latency reports quantiles over the first 100,000 calls of each goroutine; the time for an op has
// the clock reads in it.
func latency(b *testing.B, name string, call func() bool) {
	b.Run(name, func(b *testing.B) {
		var mu sync.Mutex
		var all []float64
		b.SetParallelism(32)
		b.RunParallel(func(pb *testing.PB) {
			samples := make([]float64, 0, 100_000)
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
		b.ReportMetric(q[0], "p50-ns")
		b.ReportMetric(q[1], "p99-ns")
		b.ReportMetric(q[2], "p999-ns")
	})
}

// Other clocks. On one that stands still, gcra uses up what it grants at once.
func BenchmarkAllowByClock(b *testing.B) {
	floorByClock(b)
	coarse := ratelimit.Must(ratelimit.NewCoarseClock(time.Millisecond))
	coarse.Start()
	defer coarse.Stop()
	b.Run("limiter=floor/outcome=refused/clock=coarse", func(b *testing.B) {
		for b.Loop() {
			_ = coarse.Elapsed()
		}
	})
	axis(b, "/clock=coarse", grantedInSteps, []ratelimit.Option{ratelimit.WithClock(coarse)}, allow)
	b.Run("limiter=gcra/outcome=granted/clock=mock", func(b *testing.B) {
		granted.report(b, gcraAllow(b, ratelimit.Must(gcra.New(granted.rate, granted.burst, ratelimit.WithClock(clock.NewMock())))))
	})
}

func BenchmarkAllowByInterface(b *testing.B) {
	b.Run("limiter=gcra/outcome=granted/via=interface", func(b *testing.B) {
		var l ratelimit.Limiter = ratelimit.Must(gcra.New(granted.rate, granted.burst))
		grants := 0
		for b.Loop() {
			if l.Allow() {
				grants++
			}
		}
		granted.report(b, grants)
	})
}

func BenchmarkTake(b *testing.B) {
	axis(b, "/method=Take", granted, nil, func(b *testing.B, limiter int, l ratelimit.Limiter) int {
		return limiters[limiter].take(b, l)
	})
	// From call to call, a microsecond passes.
	axis(b, "/method=TakeAt", granted, nil, func(b *testing.B, limiter int, l ratelimit.Limiter) int {
		return limiters[limiter].takeAt(b, l, time.Now())
	})
	// A Log remembers each event, so it has more to do for more of them: with the next grant, it
	// writes their times down. Other limiters have not.
	b.Run("limiter=slidingwindow-log/outcome=granted/method=TakeAt/n=1000", func(b *testing.B) {
		l := ratelimit.Must(slidingwindow.NewLog(granted.log()))
		t := time.Now()
		grants := 0
		for b.Loop() {
			if t = t.Add(time.Microsecond); l.TakeAt(t, 1000).OK {
				grants++
			}
		}
		granted.report(b, grants)
	})
}
