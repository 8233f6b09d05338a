package burst

import (
	"time"

	"github.com/seed-3506548a/ratelimit"
)

var _ ratelimit.Delayer = (*Limiter)(nil)

// DelayAt returns how long after t it takes at least until n events more can have been granted: the
// longer of what the two parts say, of which one that is no [ratelimit.Delayer] counts as 0. It
// charges nothing, and may already be outdated.
func (l *Limiter) DelayAt(t time.Time, n int) time.Duration {
	return l.both.(ratelimit.Delayer).DelayAt(t, n)
}

// Err returns why one of the parts grants nothing, if it says so: see [ratelimit.Wait].
func (l *Limiter) Err() error { return l.both.(interface{ Err() error }).Err() }
