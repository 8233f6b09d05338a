package fixedwindow_test

import (
	"testing"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/fixedwindow"
	"github.com/seed-3506548a/ratelimit/internal/limittest"
)

func buildAnchored(rate ratelimit.Rate, size int, c ratelimit.Clock) (ratelimit.Limiter, limittest.Model, error) {
	rate = limittest.WithSize(rate, size)
	l, err := fixedwindow.NewAnchored(rate, ratelimit.WithClock(c))
	return limittest.Sized{Window: l}, limittest.NewAnchored(rate), err
}

func buildAligned(rate ratelimit.Rate, size int, c ratelimit.Clock) (ratelimit.Limiter, limittest.Model, error) {
	rate = limittest.WithSize(rate, size)
	l, err := fixedwindow.NewAligned(rate, ratelimit.WithClock(c))
	return limittest.Sized{Window: l}, limittest.NewAligned(rate, c.Now()), err
}

func TestModelAnchored(t *testing.T) { limittest.CompareRandom(t, buildAnchored) }

func TestModelAligned(t *testing.T) { limittest.CompareRandom(t, buildAligned) }

func FuzzModelAnchored(f *testing.F) { limittest.FuzzModel(f, buildAnchored) }

func FuzzModelAligned(f *testing.F) { limittest.FuzzModel(f, buildAligned) }
