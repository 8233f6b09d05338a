package tokenbucket

import "time"

// DelayAt returns how long after t it takes until n tokens more can have been taken, in requests of
// any size and with no other traffic; n may exceed the capacity. Of a bucket that NewInterval made
// it is exact; of one that New made, if nothing is withheld, as package gcra says it, and else a
// lower bound. It takes nothing, and may already be outdated. See [ratelimit.Delayer].
func (l *Limiter) DelayAt(t time.Time, n int) time.Duration {
	if l.interval != nil {
		return l.interval.DelayAt(t, n)
	}
	return l.continuous.DelayAt(t, n)
}
