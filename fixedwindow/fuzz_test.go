package fixedwindow_test

import (
	"math/big"
	"testing"
	"time"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/fixedwindow"
	"github.com/seed-3506548a/ratelimit/internal/limittest"
)

// sized has the size that the operations choose as its number of events.
type sized struct{ *fixedwindow.Limiter }

func (l sized) SetRateAt(t time.Time, rate ratelimit.Rate, size int) error {
	return l.Limiter.SetRateAt(t, withSize(rate, size))
}

func withSize(rate ratelimit.Rate, size int) ratelimit.Rate {
	if rate.Events == 0 {
		return rate
	}
	return ratelimit.Per(size, rate.Per)
}

// sizedModel is the model of sized.
type sizedModel struct{ *limittest.Interval }

func (m sizedModel) SetRate(off, now *big.Int, rate ratelimit.Rate, size int) {
	rate = withSize(rate, size)
	m.Interval.SetRate(off, now, rate, max(1, rate.Events))
}

func buildAnchored(rate ratelimit.Rate, size int, c ratelimit.Clock) (ratelimit.Limiter, limittest.Model, error) {
	rate = withSize(rate, size)
	l, err := fixedwindow.NewAnchored(rate, ratelimit.WithClock(c))
	if err != nil {
		return nil, nil, err
	}
	return sized{l}, sizedModel{limittest.NewAnchored(rate)}, nil
}

func buildAligned(rate ratelimit.Rate, size int, c ratelimit.Clock) (ratelimit.Limiter, limittest.Model, error) {
	rate = withSize(rate, size)
	l, err := fixedwindow.NewAligned(rate, ratelimit.WithClock(c))
	if err != nil {
		return nil, nil, err
	}
	return sized{l}, sizedModel{limittest.NewAligned(rate, c.Now())}, nil
}

func TestModelAnchored(t *testing.T) { limittest.CompareRandom(t, buildAnchored) }

func TestModelAligned(t *testing.T) { limittest.CompareRandom(t, buildAligned) }

func FuzzModelAnchored(f *testing.F) { limittest.FuzzModel(f, buildAnchored) }

func FuzzModelAligned(f *testing.F) { limittest.FuzzModel(f, buildAligned) }
