package axes_test

import (
	"testing"
	"time"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/gcra"
	"github.com/seed-3506548a/ratelimit/simulate"
)

// BenchmarkReplay plays ten million generated events through a gcra, once by [simulate.Replay] and
// once by a bare loop over the same events: what the report costs. An op is an event.
func BenchmarkReplay(b *testing.B) {
	const count = 10_000_000
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	traffic := ratelimit.Must(simulate.Poisson(start, ratelimit.PerSecond(2000), 1))
	build := func() ratelimit.Limiter { return ratelimit.Must(gcra.New(ratelimit.PerSecond(1500), 10)) }
	events := func(yield func(simulate.Event) bool) {
		left := count
		for e := range traffic {
			if left--; left < 0 || !yield(e) {
				return
			}
		}
	}
	b.Run("how=bare", func(b *testing.B) {
		grants := 0
		for b.Loop() {
			l := build()
			for e := range events {
				if l.TakeAt(e.At, e.N).OK {
					grants++
				}
			}
		}
		report(b, count, grants)
	})
	b.Run("how=replay", func(b *testing.B) {
		grants := 0
		for b.Loop() {
			grants += simulate.Replay(events, build()).Granted
		}
		report(b, count, grants)
	})
}

// report tells of a single event.
func report(b *testing.B, count, grants int) {
	events := float64(b.N) * float64(count)
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/events, "ns/event")
	b.ReportMetric(float64(grants)/events, "granted/event")
}
