package fixedwindow_test

import (
	"testing"
	"time"

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

// buildAlignedTo aligns to a time that the rate and the size choose.
func buildAlignedTo(rate ratelimit.Rate, size int, c ratelimit.Clock) (ratelimit.Limiter, limittest.Model, error) {
	at := c.Now().Add(rate.Per/3-time.Duration(size)*time.Minute).AddDate(size%8000-4000, 0, 0)
	rate = limittest.WithSize(rate, size)
	l, err := fixedwindow.NewAlignedTo(rate, at, ratelimit.WithClock(c))
	return limittest.Sized{Window: l}, limittest.NewAlignedTo(rate, at, c.Now()), err
}

func TestModelAnchored(t *testing.T) { limittest.CompareRandom(t, buildAnchored) }

func TestModelAligned(t *testing.T) { limittest.CompareRandom(t, buildAligned) }

func TestModelAlignedTo(t *testing.T) { limittest.CompareRandom(t, buildAlignedTo) }

func FuzzModelAnchored(f *testing.F) { limittest.FuzzModel(f, buildAnchored) }

func FuzzModelAligned(f *testing.F) { limittest.FuzzModel(f, buildAligned) }

func FuzzModelAlignedTo(f *testing.F) { limittest.FuzzModel(f, buildAlignedTo) }
