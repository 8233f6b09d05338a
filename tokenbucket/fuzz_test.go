package tokenbucket_test

import (
	"testing"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/internal/proof/compare"
	"github.com/seed-3506548a/ratelimit/internal/proof/model"
	"github.com/seed-3506548a/ratelimit/tokenbucket"
)

func buildContinuous(rate ratelimit.Rate, capacity int, c ratelimit.Clock) (ratelimit.Limiter, model.Limiter, error) {
	l, err := tokenbucket.New(rate, capacity, ratelimit.WithClock(c))
	if err != nil {
		return nil, nil, err
	}
	return l, model.NewBucket(rate, capacity), nil
}

func buildInterval(rate ratelimit.Rate, capacity int, c ratelimit.Clock) (ratelimit.Limiter, model.Limiter, error) {
	l, err := tokenbucket.NewInterval(rate, capacity, ratelimit.WithClock(c))
	if err != nil {
		return nil, nil, err
	}
	return l, model.NewInterval(rate, capacity), nil
}

func TestModel(t *testing.T) { compare.Random(t, buildContinuous) }

func TestModelInterval(t *testing.T) { compare.Random(t, buildInterval) }

func FuzzModel(f *testing.F) { compare.Fuzz(f, buildContinuous) }

func FuzzModelInterval(f *testing.F) { compare.Fuzz(f, buildInterval) }
