package limittest

import (
	"time"

	"github.com/seed-3506548a/ratelimit"
)

// Sized is a limiter that has no size but its number of events: operations choose that as one.
type Sized struct {
	Window
}

// Window is what Sized wraps.
type Window interface {
	ratelimit.Limiter
	ratelimit.Charger
	SetRateAt(t time.Time, rate ratelimit.Rate) error
}

// SetRateAt sets the number of events to size, unless it is to be 0.
func (l Sized) SetRateAt(t time.Time, rate ratelimit.Rate, size int) error {
	return l.Window.SetRateAt(t, WithSize(rate, size))
}

// WithSize returns the rate with size as its number of events, unless that is 0.
func WithSize(rate ratelimit.Rate, size int) ratelimit.Rate {
	if rate.Events == 0 {
		return rate
	}
	return ratelimit.Per(size, rate.Per)
}
