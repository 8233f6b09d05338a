package compare

import (
	"time"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/internal/proof/model"
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
	return l.Window.SetRateAt(t, model.WithSize(rate, size))
}
