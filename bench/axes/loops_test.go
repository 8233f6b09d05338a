package axes_test

import (
	"testing"
	"time"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/fixedwindow"
	"github.com/seed-3506548a/ratelimit/gcra"
	"github.com/seed-3506548a/ratelimit/slidingwindow"
	"github.com/seed-3506548a/ratelimit/tokenbucket"
)

// The loops of the benchmarks, written out for each type so that the compiler sees the concrete
// one.

func gcraAllow(b *testing.B, limiter ratelimit.Limiter) (grants int) {
	l := limiter.(*gcra.Limiter)
	for b.Loop() {
		if l.Allow() {
			grants++
		}
	}
	return grants
}

func gcraParallel(pb *testing.PB, limiter ratelimit.Limiter) (grants int) {
	l := limiter.(*gcra.Limiter)
	for pb.Next() {
		if l.Allow() {
			grants++
		}
	}
	return grants
}

func gcraTake(b *testing.B, limiter ratelimit.Limiter) (grants int) {
	l := limiter.(*gcra.Limiter)
	for b.Loop() {
		if l.Take(1).OK {
			grants++
		}
	}
	return grants
}

func gcraTakeAt(b *testing.B, limiter ratelimit.Limiter, t time.Time) (grants int) {
	l := limiter.(*gcra.Limiter)
	for b.Loop() {
		if t = t.Add(time.Microsecond); l.TakeAt(t, 1).OK {
			grants++
		}
	}
	return grants
}

func stripedAllow(b *testing.B, limiter ratelimit.Limiter) (grants int) {
	l := limiter.(*gcra.Striped)
	for b.Loop() {
		if l.Allow() {
			grants++
		}
	}
	return grants
}

func stripedParallel(pb *testing.PB, limiter ratelimit.Limiter) (grants int) {
	l := limiter.(*gcra.Striped)
	for pb.Next() {
		if l.Allow() {
			grants++
		}
	}
	return grants
}

func stripedTake(b *testing.B, limiter ratelimit.Limiter) (grants int) {
	l := limiter.(*gcra.Striped)
	for b.Loop() {
		if l.Take(1).OK {
			grants++
		}
	}
	return grants
}

func stripedTakeAt(b *testing.B, limiter ratelimit.Limiter, t time.Time) (grants int) {
	l := limiter.(*gcra.Striped)
	for b.Loop() {
		if t = t.Add(time.Microsecond); l.TakeAt(t, 1).OK {
			grants++
		}
	}
	return grants
}

func tokenAllow(b *testing.B, limiter ratelimit.Limiter) (grants int) {
	l := limiter.(*tokenbucket.Limiter)
	for b.Loop() {
		if l.Allow() {
			grants++
		}
	}
	return grants
}

func intervalAllow(b *testing.B, limiter ratelimit.Limiter) (grants int) {
	l := limiter.(*tokenbucket.Interval)
	for b.Loop() {
		if l.Allow() {
			grants++
		}
	}
	return grants
}

func windowAllow(b *testing.B, limiter ratelimit.Limiter) (grants int) {
	l := limiter.(*fixedwindow.Limiter)
	for b.Loop() {
		if l.Allow() {
			grants++
		}
	}
	return grants
}

func windowParallel(pb *testing.PB, limiter ratelimit.Limiter) (grants int) {
	l := limiter.(*fixedwindow.Limiter)
	for pb.Next() {
		if l.Allow() {
			grants++
		}
	}
	return grants
}

func windowTake(b *testing.B, limiter ratelimit.Limiter) (grants int) {
	l := limiter.(*fixedwindow.Limiter)
	for b.Loop() {
		if l.Take(1).OK {
			grants++
		}
	}
	return grants
}

func windowTakeAt(b *testing.B, limiter ratelimit.Limiter, t time.Time) (grants int) {
	l := limiter.(*fixedwindow.Limiter)
	for b.Loop() {
		if t = t.Add(time.Microsecond); l.TakeAt(t, 1).OK {
			grants++
		}
	}
	return grants
}

func counterAllow(b *testing.B, limiter ratelimit.Limiter) (grants int) {
	l := limiter.(*slidingwindow.Counter)
	for b.Loop() {
		if l.Allow() {
			grants++
		}
	}
	return grants
}

func counterParallel(pb *testing.PB, limiter ratelimit.Limiter) (grants int) {
	l := limiter.(*slidingwindow.Counter)
	for pb.Next() {
		if l.Allow() {
			grants++
		}
	}
	return grants
}

func counterTake(b *testing.B, limiter ratelimit.Limiter) (grants int) {
	l := limiter.(*slidingwindow.Counter)
	for b.Loop() {
		if l.Take(1).OK {
			grants++
		}
	}
	return grants
}

func counterTakeAt(b *testing.B, limiter ratelimit.Limiter, t time.Time) (grants int) {
	l := limiter.(*slidingwindow.Counter)
	for b.Loop() {
		if t = t.Add(time.Microsecond); l.TakeAt(t, 1).OK {
			grants++
		}
	}
	return grants
}

func logAllow(b *testing.B, limiter ratelimit.Limiter) (grants int) {
	l := limiter.(*slidingwindow.Log)
	for b.Loop() {
		if l.Allow() {
			grants++
		}
	}
	return grants
}

func logParallel(pb *testing.PB, limiter ratelimit.Limiter) (grants int) {
	l := limiter.(*slidingwindow.Log)
	for pb.Next() {
		if l.Allow() {
			grants++
		}
	}
	return grants
}

func logTake(b *testing.B, limiter ratelimit.Limiter) (grants int) {
	l := limiter.(*slidingwindow.Log)
	for b.Loop() {
		if l.Take(1).OK {
			grants++
		}
	}
	return grants
}

func logTakeAt(b *testing.B, limiter ratelimit.Limiter, t time.Time) (grants int) {
	l := limiter.(*slidingwindow.Log)
	for b.Loop() {
		if t = t.Add(time.Microsecond); l.TakeAt(t, 1).OK {
			grants++
		}
	}
	return grants
}

func gcraCalls(calls int, limiter ratelimit.Limiter) (grants int) {
	l := limiter.(*gcra.Limiter)
	for range calls {
		if l.Allow() {
			grants++
		}
	}
	return grants
}

func stripedCalls(calls int, limiter ratelimit.Limiter) (grants int) {
	l := limiter.(*gcra.Striped)
	for range calls {
		if l.Allow() {
			grants++
		}
	}
	return grants
}

func windowCalls(calls int, limiter ratelimit.Limiter) (grants int) {
	l := limiter.(*fixedwindow.Limiter)
	for range calls {
		if l.Allow() {
			grants++
		}
	}
	return grants
}

func counterCalls(calls int, limiter ratelimit.Limiter) (grants int) {
	l := limiter.(*slidingwindow.Counter)
	for range calls {
		if l.Allow() {
			grants++
		}
	}
	return grants
}

func logCalls(calls int, limiter ratelimit.Limiter) (grants int) {
	l := limiter.(*slidingwindow.Log)
	for range calls {
		if l.Allow() {
			grants++
		}
	}
	return grants
}
