// Package peers_test measures other rate limiters for Go on the same work as this module's, in one
// run, beside the floor. They are in a module of its own, so that nobody else depends on the peers.
package peers_test

import (
	"sync/atomic"
	"testing"
	"time"
)

var origin = time.Now()

// outcome is what a row is for: every request granted, or every one refused, since the limit is
// used up.
type outcome string

const (
	granted outcome = "granted"
	refused outcome = "refused"
)

// BenchmarkAllow calls each limiter through one more function, the floor too: so each row is a
// nanosecond or two longer than a call of the concrete type.
func BenchmarkAllow(b *testing.B) {
	each(b, func(b *testing.B, allow func() bool) (grants int) {
		for b.Loop() {
			if allow() {
				grants++
			}
		}
		return grants
	})
}

func BenchmarkAllowParallel(b *testing.B) { each(b, parallel(1)) }

// BenchmarkAllowCrowded has 32 callers on each core.
func BenchmarkAllowCrowded(b *testing.B) { each(b, parallel(32)) }

// parallel returns a run by so many callers on each core.
func parallel(callers int) func(b *testing.B, allow func() bool) (grants int) {
	return func(b *testing.B, allow func() bool) int {
		b.SetParallelism(callers)
		var sum atomic.Int64
		b.RunParallel(func(pb *testing.PB) {
			grants := 0
			for pb.Next() {
				if allow() {
					grants++
				}
			}
			sum.Add(int64(grants))
		})
		return int(sum.Load())
	}
}

// each runs a row for every limiter and outcome. What is to refuse has granted the one that it can.
func each(b *testing.B, run func(b *testing.B, allow func() bool) (grants int)) {
	for _, o := range []outcome{granted, refused} {
		for _, l := range limiters {
			if l.blocks && o == refused {
				continue
			}
			b.Run("limiter="+l.name+"/outcome="+string(o), func(b *testing.B) {
				allow := l.build(b, o)
				allow()
				b.ReportAllocs()
				b.ResetTimer()
				check(b, o, run(b, allow))
			})
		}
	}
}

// check fails a row of which the limiter did not do what the row is for.
func check(b *testing.B, o outcome, grants int) {
	if o == granted && grants != b.N || o == refused && grants != 0 {
		b.Fatalf("granted %d of %d, in a row where all are %s", grants, b.N, o)
	}
}
