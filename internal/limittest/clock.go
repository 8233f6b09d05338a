package limittest

import (
	"time"

	"github.com/seed-3506548a/ratelimit/limittest"
)

// Clock shows the time that it was set to last. (The Mock of benbjohnson/clock sleeps for a
// millisecond in Set, which is too long for a hundred million operations.)
type Clock = limittest.Clock

// NewClock returns a clock that shows t.
func NewClock(t time.Time) *Clock { return limittest.NewClock(t) }
