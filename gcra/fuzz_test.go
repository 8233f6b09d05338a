package gcra_test

import (
	"testing"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/gcra"
	"github.com/seed-3506548a/ratelimit/internal/proof/compare"
	"github.com/seed-3506548a/ratelimit/internal/proof/model"
)

func build(rate ratelimit.Rate, burst int, c ratelimit.Clock) (ratelimit.Limiter, model.Limiter, error) {
	l, err := gcra.New(rate, burst, ratelimit.WithClock(c))
	if err != nil {
		return nil, nil, err
	}
	return l, model.NewBucket(rate, burst), nil
}

func TestModel(t *testing.T) { compare.Random(t, build) }

func FuzzModel(f *testing.F) { compare.Fuzz(f, build) }
