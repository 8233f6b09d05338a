package slidingwindow_test

import (
	"math/big"
	"testing"
	"time"

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

// small has few events, since the model keeps a number for each.
type small struct{ limittest.Sized }

func (l small) SetRateAt(t time.Time, rate ratelimit.Rate, size int) error {
	return l.Sized.SetRateAt(t, rate, few(size))
}

type smallModel struct{ *limittest.Log }

func (m smallModel) SetRate(off, now *big.Int, rate ratelimit.Rate, size int) {
	m.Log.SetRate(off, now, rate, few(size))
}

func few(size int) int { return 1 + size%50 }

func buildLog(rate ratelimit.Rate, size int, c ratelimit.Clock) (ratelimit.Limiter, limittest.Model, error) {
	rate = limittest.WithSize(rate, few(size))
	l, err := slidingwindow.NewLog(rate, ratelimit.WithClock(c))
	return small{limittest.Sized{Window: l}}, smallModel{limittest.NewLog(rate)}, err
}

func TestModelLog(t *testing.T) { limittest.CompareRandom(t, buildLog) }

func FuzzModelLog(f *testing.F) { limittest.FuzzModel(f, buildLog) }
