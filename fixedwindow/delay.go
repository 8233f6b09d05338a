package fixedwindow

import "time"

// DelayAt returns how long after t it takes until n events more can have been granted, in requests
// of any size and with no other traffic; n may exceed the limit. It is exact for events that are
// asked for one by one, charges nothing, and may already be outdated. See [ratelimit.Delayer].
func (l *Limiter) DelayAt(t time.Time, n int) time.Duration { return l.window.DelayAt(t, n) }
