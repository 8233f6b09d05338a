package axes_test

import (
	"sync/atomic"
	"testing"
	"time"

	"github.com/benbjohnson/clock"
)

// The floor: a clock read to refuse, and a CAS more to grant.

func floor(b *testing.B) {
	b.Run("limiter=floor/outcome=granted", func(b *testing.B) {
		var word atomic.Int64
		for b.Loop() {
			word.CompareAndSwap(word.Load(), int64(time.Since(origin)))
		}
	})
	b.Run("limiter=floor-wall/outcome=granted", func(b *testing.B) { // of aligned windows
		var word atomic.Int64
		for b.Loop() {
			word.CompareAndSwap(word.Load(), time.Now().UnixNano())
		}
	})
	b.Run("limiter=floor/outcome=refused", func(b *testing.B) {
		for b.Loop() {
			_ = time.Since(origin)
		}
	})
	b.Run("limiter=floor-wall/outcome=refused", func(b *testing.B) {
		for b.Loop() {
			_ = time.Now()
		}
	})
}

func floorByMany(b *testing.B) {
	b.Run("limiter=floor/outcome=granted/callers=cores", func(b *testing.B) {
		var word, failed atomic.Int64
		b.RunParallel(func(pb *testing.PB) {
			lost := 0
			for pb.Next() {
				for now := int64(time.Since(origin)); !word.CompareAndSwap(word.Load(), now); lost++ {
				}
			}
			failed.Add(int64(lost))
		})
		b.ReportMetric(float64(failed.Load())/float64(b.N), "failed-cas/op")
	})
	b.Run("limiter=floor/outcome=refused/callers=cores", func(b *testing.B) {
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				_ = time.Since(origin)
			}
		})
	})
}

// On a clock that costs nothing, what is left is the CAS.
func floorByClock(b *testing.B) {
	b.Run("limiter=floor/outcome=granted/clock=none", func(b *testing.B) {
		var word atomic.Int64
		for b.Loop() {
			old := word.Load()
			word.CompareAndSwap(old, old+1)
		}
	})
	b.Run("limiter=floor/outcome=refused/clock=mock", func(b *testing.B) {
		mock := clock.NewMock()
		for b.Loop() {
			_ = mock.Now()
		}
	})
}
