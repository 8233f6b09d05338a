package slidingwindow_test

import (
	"math/big"
	"testing"
	"time"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/internal/proof/compare"
	"github.com/seed-3506548a/ratelimit/internal/proof/model"
	"github.com/seed-3506548a/ratelimit/slidingwindow"
)

func buildCounter(rate ratelimit.Rate, size int, c ratelimit.Clock) (ratelimit.Limiter, model.Limiter, error) {
	buckets := 1 + rate.Events%11
	rate = model.WithSize(rate, size)
	l, err := slidingwindow.NewCounter(rate, buckets, ratelimit.WithClock(c))
	return compare.Sized{Window: l}, model.NewCounter(rate, buckets), err
}

func TestModelCounter(t *testing.T) { compare.Random(t, buildCounter) }

func FuzzModelCounter(f *testing.F) { compare.Fuzz(f, buildCounter) }

// small has few events, since the model keeps a number for each.
type small struct{ compare.Sized }

func (l small) SetRateAt(t time.Time, rate ratelimit.Rate, size int) error {
	return l.Sized.SetRateAt(t, rate, few(size))
}

type smallModel struct{ *model.Log }

func (m smallModel) SetRate(off, now *big.Int, rate ratelimit.Rate, size int) {
	m.Log.SetRate(off, now, rate, few(size))
}

func few(size int) int { return 1 + size%50 }

func buildLog(rate ratelimit.Rate, size int, c ratelimit.Clock) (ratelimit.Limiter, model.Limiter, error) {
	rate = model.WithSize(rate, few(size))
	l, err := slidingwindow.NewLog(rate, ratelimit.WithClock(c))
	return small{compare.Sized{Window: l}}, smallModel{model.NewLog(rate)}, err
}

func TestModelLog(t *testing.T) { compare.Random(t, buildLog) }

func FuzzModelLog(f *testing.F) { compare.Fuzz(f, buildLog) }
