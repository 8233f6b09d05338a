package penalty_test

import (
	"math"
	"testing"
	"time"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/fixedwindow"
	"github.com/seed-3506548a/ratelimit/gcra"
	"github.com/seed-3506548a/ratelimit/internal/proof/compare"
	"github.com/seed-3506548a/ratelimit/internal/proof/model"
	"github.com/seed-3506548a/ratelimit/penalty"
)

// pardonable is pardoned by what changes the rate of other limiters, so that operations of package
// compare choose it.
type pardonable struct{ *penalty.Limiter }

func (l pardonable) SetRateAt(time.Time, ratelimit.Rate, int) error {
	l.Pardon()
	return nil
}

// build returns a penalty on a bucket, or on a composition of it and a window.
func build(rate ratelimit.Rate, size int, c ratelimit.Clock) (ratelimit.Limiter, model.Limiter, error) {
	with := ratelimit.WithClock(c)
	bucket, err := gcra.New(rate, size, with)
	if err != nil {
		return nil, nil, err
	}
	window, err := fixedwindow.NewAnchored(rate, with)
	if err != nil {
		return nil, nil, err
	}
	inner, innerModel := ratelimit.Limiter(bucket), model.Limiter(model.NewBucket(rate, size))
	if rate.Events%2 == 1 {
		inner, innerModel = ratelimit.Must(ratelimit.All(bucket, window)), model.All{innerModel, model.NewAnchored(rate)}
	}
	blocks := []time.Duration{1, time.Second, rate.Per, time.Minute, 1<<62 - 1, 1 << 62, math.MaxInt64}
	block := blocks[size%len(blocks)]
	l, err := penalty.New(inner, block)
	return pardonable{l}, &model.Penalty{Inner: innerModel, Block: block}, err
}

func TestModel(t *testing.T) { compare.Random(t, build) }

func FuzzModel(f *testing.F) { compare.Fuzz(f, build) }
