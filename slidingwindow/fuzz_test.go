package slidingwindow_test

import (
	"testing"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/internal/limittest"
	"github.com/seed-3506548a/ratelimit/slidingwindow"
)

func buildCounter(rate ratelimit.Rate, size int, c ratelimit.Clock) (ratelimit.Limiter, limittest.Model, error) {
	buckets := 1 + rate.Events%11
	rate = limittest.WithSize(rate, size)
	l, err := slidingwindow.NewCounter(rate, buckets, ratelimit.WithClock(c))
	return limittest.Sized{Window: l}, limittest.NewCounter(rate, buckets), err
}

func TestModelCounter(t *testing.T) { limittest.CompareRandom(t, buildCounter) }

func FuzzModelCounter(f *testing.F) { limittest.FuzzModel(f, buildCounter) }
