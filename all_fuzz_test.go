package ratelimit_test

import (
	"testing"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/fixedwindow"
	"github.com/seed-3506548a/ratelimit/gcra"
	"github.com/seed-3506548a/ratelimit/internal/proof/compare"
	"github.com/seed-3506548a/ratelimit/internal/proof/model"
	"github.com/seed-3506548a/ratelimit/slidingwindow"
)

// buildAll composes three or four limiters, as the rate has it, in one of which another
// composition.
func buildAll(rate ratelimit.Rate, size int, c ratelimit.Clock) (ratelimit.Limiter, model.Limiter, error) {
	with := ratelimit.WithClock(c)
	few := ratelimit.Per(min(rate.Events, 1+size%30), rate.Per)
	bucket, err := gcra.New(rate, size, with)
	if err != nil {
		return nil, nil, err
	}
	window, err := fixedwindow.NewAligned(few, with)
	if err != nil {
		return nil, nil, err
	}
	log, err := slidingwindow.NewLog(few, with)
	if err != nil {
		return nil, nil, err
	}
	ls := []ratelimit.Limiter{bucket, window, log}
	models := model.All{model.NewBucket(rate, size), model.NewAligned(few, c.Now()), model.NewLog(few)}
	if rate.Events%2 == 1 {
		ls = []ratelimit.Limiter{bucket, ratelimit.Must(ratelimit.All(ls[1:]...))}
		models = model.All{models[0], models[1:]}
	}
	l, err := ratelimit.All(ls...)
	return l, models, err
}

func TestModelAll(t *testing.T) { compare.Random(t, buildAll) }

func FuzzModelAll(f *testing.F) { compare.Fuzz(f, buildAll) }
