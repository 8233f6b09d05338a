package tokenbucket_test

import (
	"testing"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/internal/limittest"
	"github.com/seed-3506548a/ratelimit/tokenbucket"
)

func buildContinuous(rate ratelimit.Rate, capacity int, c ratelimit.Clock) (ratelimit.Limiter, limittest.Model, error) {
	l, err := tokenbucket.New(rate, capacity, ratelimit.WithClock(c))
	if err != nil {
		return nil, nil, err
	}
	return l, limittest.NewBucket(rate, capacity), nil
}

func buildInterval(rate ratelimit.Rate, capacity int, c ratelimit.Clock) (ratelimit.Limiter, limittest.Model, error) {
	l, err := tokenbucket.NewInterval(rate, capacity, ratelimit.WithClock(c))
	if err != nil {
		return nil, nil, err
	}
	return l, limittest.NewInterval(rate, capacity), nil
}

func TestModel(t *testing.T) { limittest.CompareRandom(t, buildContinuous) }

func TestModelInterval(t *testing.T) { limittest.CompareRandom(t, buildInterval) }

func FuzzModel(f *testing.F) { limittest.FuzzModel(f, buildContinuous) }

func FuzzModelInterval(f *testing.F) { limittest.FuzzModel(f, buildInterval) }
