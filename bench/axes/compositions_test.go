package axes_test

import (
	"testing"
	"time"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/burst"
	"github.com/seed-3506548a/ratelimit/gcra"
	"github.com/seed-3506548a/ratelimit/slidingwindow"
)

// BenchmarkCompositions measures All, and burst, of a gcra and a Log beside what they are made of:
// a clock read and a TakeAt of each member, in the rows named members. When refused, it is the gcra
// that refuses.
func BenchmarkCompositions(b *testing.B) {
	for _, o := range []outcome{granted, refused} {
		members := func() (*gcra.Limiter, *slidingwindow.Log) {
			bucket := ratelimit.Must(gcra.New(o.rate, o.burst))
			if o == refused {
				bucket.Allow()
			}
			return bucket, ratelimit.Must(slidingwindow.NewLog(granted.log()))
		}
		b.Run("limiter=members/outcome="+o.name, func(b *testing.B) {
			bucket, log := members()
			grants := 0
			for b.Loop() {
				t := time.Now()
				if bucket.TakeAt(t, 1).OK && log.TakeAt(t, 1).OK {
					grants++
				}
			}
			o.report(b, grants)
		})
		b.Run("limiter=all/outcome="+o.name, func(b *testing.B) {
			bucket, log := members()
			compose(b, o, ratelimit.Must(ratelimit.All(bucket, log)))
		})
		b.Run("limiter=burst/outcome="+o.name, func(b *testing.B) {
			bucket, _ := members()
			compose(b, o, ratelimit.Must(burst.New(bucket, granted.log())))
		})
	}
}

func compose(b *testing.B, o outcome, l ratelimit.Limiter) {
	grants := 0
	for b.Loop() {
		if l.Allow() {
			grants++
		}
	}
	o.report(b, grants)
}
