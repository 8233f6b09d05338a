// Package peers_test measures other rate limiters for Go on the same work as this module's, in one
// run, beside the floor. It is a module of its own, so that nobody else depends on the peers.
package peers_test

import (
	"math"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/time/rate"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/gcra"
)

var origin = time.Now()

// outcome is what a row is for: every request granted, at a billion a second, or every one refused,
// at one a day that is used up.
type outcome string

const (
	granted outcome = "granted"
	refused outcome = "refused"
)

// limiters are what is compared. Each has two loops over the same call, written out so that the
// compiler sees the concrete type.
var limiters = []struct {
	name     string
	serial   func(b *testing.B, o outcome) (grants int)
	parallel func(b *testing.B, o outcome) (grants int)
}{
	{"floor", floorSerial, floorParallel},
	{"gcra", gcraSerial, gcraParallel},
	{"x-time-rate", xTimeRateSerial, xTimeRateParallel},
}

// floorSerial is what no limiter on a clock can do without: a clock read, and a CAS if it grants.
func floorSerial(b *testing.B, o outcome) (grants int) {
	if o == refused {
		for b.Loop() {
			_ = time.Since(origin)
		}
		return 0
	}
	var word atomic.Int64
	for b.Loop() {
		if word.CompareAndSwap(word.Load(), int64(time.Since(origin))) {
			grants++
		}
	}
	return grants
}

func floorParallel(b *testing.B, o outcome) int {
	if o == refused {
		return parallel(b, func(pb *testing.PB) int {
			for pb.Next() {
				_ = time.Since(origin)
			}
			return 0
		})
	}
	var word atomic.Int64
	return parallel(b, func(pb *testing.PB) (grants int) {
		for pb.Next() {
			for now := int64(time.Since(origin)); !word.CompareAndSwap(word.Load(), now); {
			}
			grants++
		}
		return grants
	})
}

func newGCRA(o outcome) *gcra.Limiter {
	if o == granted {
		return ratelimit.Must(gcra.New(ratelimit.PerSecond(1_000_000_000), math.MaxInt32))
	}
	l := ratelimit.Must(gcra.New(ratelimit.PerDay(1), 1))
	l.Allow()
	return l
}

func gcraSerial(b *testing.B, o outcome) (grants int) {
	l := newGCRA(o)
	for b.Loop() {
		if l.Allow() {
			grants++
		}
	}
	return grants
}

func gcraParallel(b *testing.B, o outcome) int {
	l := newGCRA(o)
	return parallel(b, func(pb *testing.PB) (grants int) {
		for pb.Next() {
			if l.Allow() {
				grants++
			}
		}
		return grants
	})
}

func newXTimeRate(o outcome) *rate.Limiter {
	if o == granted {
		return rate.NewLimiter(1_000_000_000, math.MaxInt32)
	}
	l := rate.NewLimiter(rate.Every(24*time.Hour), 1)
	l.Allow()
	return l
}

func xTimeRateSerial(b *testing.B, o outcome) (grants int) {
	l := newXTimeRate(o)
	for b.Loop() {
		if l.Allow() {
			grants++
		}
	}
	return grants
}

func xTimeRateParallel(b *testing.B, o outcome) int {
	l := newXTimeRate(o)
	return parallel(b, func(pb *testing.PB) (grants int) {
		for pb.Next() {
			if l.Allow() {
				grants++
			}
		}
		return grants
	})
}

// parallel runs loop on every core and returns the sum of what the loops return.
func parallel(b *testing.B, loop func(*testing.PB) int) int {
	var sum atomic.Int64
	b.RunParallel(func(pb *testing.PB) { sum.Add(int64(loop(pb))) })
	return int(sum.Load())
}

// check fails a row of which the limiter did not do what the row is for.
func check(b *testing.B, o outcome, grants int) {
	if o == granted && grants != b.N || o == refused && grants != 0 {
		b.Fatalf("granted %d of %d, in a row where all are %s", grants, b.N, o)
	}
}

func BenchmarkAllow(b *testing.B) {
	for _, o := range []outcome{granted, refused} {
		for _, l := range limiters {
			b.Run("limiter="+l.name+"/outcome="+string(o), func(b *testing.B) { check(b, o, l.serial(b, o)) })
		}
	}
}

func BenchmarkAllowParallel(b *testing.B) {
	for _, o := range []outcome{granted, refused} {
		for _, l := range limiters {
			b.Run("limiter="+l.name+"/outcome="+string(o), func(b *testing.B) { check(b, o, l.parallel(b, o)) })
		}
	}
}
