package gcra

import "time"

// DelayAt returns how long after t it takes until n events more can have been granted, in requests
// of any size and with no other traffic; n may exceed the burst. It is exact if nothing is
// withheld: see the package documentation. Otherwise it is a lower bound, as of events that are
// acted on at any fraction of a nanosecond. It charges nothing, and may already be outdated. See
// [ratelimit.Delayer].
func (l *Limiter) DelayAt(t time.Time, n int) time.Duration { return l.bucket.DelayAt(t, n) }
