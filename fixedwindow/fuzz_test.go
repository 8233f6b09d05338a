package fixedwindow_test

import (
	"testing"
	"time"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/fixedwindow"
	"github.com/seed-3506548a/ratelimit/internal/proof/compare"
	"github.com/seed-3506548a/ratelimit/internal/proof/model"
)

func buildAnchored(rate ratelimit.Rate, size int, c ratelimit.Clock) (ratelimit.Limiter, model.Limiter, error) {
	rate = model.WithSize(rate, size)
	l, err := fixedwindow.NewAnchored(rate, ratelimit.WithClock(c))
	return compare.Sized{Window: l}, model.NewAnchored(rate), err
}

func buildAligned(rate ratelimit.Rate, size int, c ratelimit.Clock) (ratelimit.Limiter, model.Limiter, error) {
	rate = model.WithSize(rate, size)
	l, err := fixedwindow.NewAligned(rate, ratelimit.WithClock(c))
	return compare.Sized{Window: l}, model.NewAligned(rate, c.Now()), err
}

// buildAlignedTo aligns to a time that the rate and the size choose.
func buildAlignedTo(rate ratelimit.Rate, size int, c ratelimit.Clock) (ratelimit.Limiter, model.Limiter, error) {
	at := c.Now().Add(rate.Per/3-time.Duration(size)*time.Minute).AddDate(size%8000-4000, 0, 0)
	rate = model.WithSize(rate, size)
	l, err := fixedwindow.NewAlignedTo(rate, at, ratelimit.WithClock(c))
	return compare.Sized{Window: l}, model.NewAlignedTo(rate, at, c.Now()), err
}

func TestModelAnchored(t *testing.T) { compare.Random(t, buildAnchored) }

func TestModelAligned(t *testing.T) { compare.Random(t, buildAligned) }

func TestModelAlignedTo(t *testing.T) { compare.Random(t, buildAlignedTo) }

func FuzzModelAnchored(f *testing.F) { compare.Fuzz(f, buildAnchored) }

func FuzzModelAligned(f *testing.F) { compare.Fuzz(f, buildAligned) }

func FuzzModelAlignedTo(f *testing.F) { compare.Fuzz(f, buildAlignedTo) }
