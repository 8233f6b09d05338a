package axes_test

import (
	"fmt"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/seed-3506548a/ratelimit"
)

// crowds are numbers of callers that do nothing but ask, at the same time.
var crowds = []struct {
	name  string
	count int
}{
	{"1", 1},
	{"cores", runtime.GOMAXPROCS(0)},
	{"32-a-core", 32 * runtime.GOMAXPROCS(0)},
}

// BenchmarkContention is what grants cost to so many callers of one limiter. The floors are a clock
// read and a CAS: of a word that all callers share, and of a word in each caller's own cache line.
//
// least-share is what the caller got that got least, of what it would have got if all had got the
// same; it is reported for as many callers as cores, as others run in turns.
func BenchmarkContention(b *testing.B) {
	for _, crowd := range crowds {
		at := "/outcome=granted/callers=" + crowd.name
		var shared atomic.Int64
		contend(b, "limiter=floor"+at, crowd.count, func(calls int) int {
			for range calls {
				for now := int64(time.Since(origin)); !shared.CompareAndSwap(shared.Load(), now); {
				}
			}
			return calls
		})
		contend(b, "limiter=floor-own-line"+at, crowd.count, func(calls int) int {
			own := new([8]atomic.Int64)
			for range calls {
				own[0].CompareAndSwap(own[0].Load(), int64(time.Since(origin)))
			}
			return calls
		})
		for _, limiter := range limiters {
			if limiter.sameAs == "" {
				l := ratelimit.Must(limiter.build(grantedToMany))
				contend(b, "limiter="+limiter.name+at, crowd.count, func(calls int) int { return limiter.calls(calls, l) })
			}
		}
	}
}

// BenchmarkContentionByClock is the same on a coarse clock, by as many callers as cores.
func BenchmarkContentionByClock(b *testing.B) {
	coarse := ratelimit.Must(ratelimit.NewCoarseClock(time.Millisecond))
	coarse.Start()
	defer coarse.Stop()
	const at = "/outcome=granted/callers=cores/clock=coarse"
	contend(b, "limiter=floor-own-line"+at, runtime.GOMAXPROCS(0), func(calls int) int {
		own := new([8]atomic.Int64)
		for range calls {
			own[0].CompareAndSwap(own[0].Load(), int64(coarse.Elapsed()))
		}
		return calls
	})
	for _, limiter := range limiters {
		if limiter.sameAs == "" && limiter.name != "slidingwindow-log" { // which remembers too few events
			l := ratelimit.Must(limiter.build(grantedInSteps, ratelimit.WithClock(coarse)))
			contend(b, "limiter="+limiter.name+at, runtime.GOMAXPROCS(0), func(calls int) int { return limiter.calls(calls, l) })
		}
	}
}

// BenchmarkAtLimit has callers ask for more than the limit, as fast as they can. of-rate is what
// was granted, of what the rate allows in the time that it took; a burst is on top of that.
func BenchmarkAtLimit(b *testing.B) {
	for _, crowd := range crowds[1:] {
		for _, rate := range []int{100_000, 1_000_000, 10_000_000} {
			for _, limiter := range limiters {
				if limiter.name != "gcra" && limiter.name != "gcra-striped" {
					continue
				}
				name := fmt.Sprintf("limiter=%s/outcome=mixed/callers=%s/rate=%d", limiter.name, crowd.name, rate)
				o := outcome{"mixed", ratelimit.PerSecond(rate), rate / 100}
				l := ratelimit.Must(limiter.build(o))
				b.Run(name, func(b *testing.B) {
					limiter.calls(2*o.burst, l) // what an idle limiter grants at once
					b.ResetTimer()
					granted := share(b, crowd.count, func(calls int) int { return limiter.calls(calls, l) }, make([]float64, crowd.count))
					b.ReportMetric(float64(granted)/(float64(rate)*b.Elapsed().Seconds()), "of-rate")
				})
			}
		}
	}
}

// batch is how many calls a caller makes at a time.
const batch = 512

// contend has count callers share b.N calls, which must all but be granted. Each call of call makes
// so many, and returns how many were granted.
func contend(b *testing.B, name string, count int, call func(calls int) (grants int)) {
	b.Run(name, func(b *testing.B) {
		made := make([]float64, count)
		if granted := share(b, count, call, made); float64(granted) < 0.95*float64(b.N) {
			b.Fatalf("granted %d of %d", granted, b.N)
		}
		if count == runtime.GOMAXPROCS(0) {
			b.ReportMetric(slices.Min(made)*float64(count)/float64(b.N), "least-share")
		}
	})
}

// share has count callers share b.N calls, and returns how many were granted. It sets made to how
// many each of them has made.
func share(b *testing.B, count int, call func(calls int) (grants int), made []float64) int64 {
	var left, grants atomic.Int64
	left.Store(int64(b.N))
	var group sync.WaitGroup
	for caller := range count {
		group.Go(func() {
			for {
				calls := min(left.Add(-batch)+batch, batch)
				if calls <= 0 {
					return
				}
				grants.Add(int64(call(int(calls))))
				made[caller] += float64(calls)
			}
		})
	}
	group.Wait()
	return grants.Load()
}
