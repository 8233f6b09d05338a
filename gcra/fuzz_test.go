package gcra_test

import (
	"testing"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/gcra"
	"github.com/seed-3506548a/ratelimit/internal/limittest"
)

func build(rate ratelimit.Rate, burst int, c ratelimit.Clock) (ratelimit.Limiter, limittest.Model, error) {
	l, err := gcra.New(rate, burst, ratelimit.WithClock(c))
	if err != nil {
		return nil, nil, err
	}
	return l, limittest.NewBucket(rate, burst), nil
}

func TestModel(t *testing.T) { limittest.CompareRandom(t, build) }

func FuzzModel(f *testing.F) { limittest.FuzzModel(f, build) }
