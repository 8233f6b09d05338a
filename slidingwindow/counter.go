package slidingwindow

import (
	"time"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/internal/waiting"
)

var (
	_ ratelimit.Limiter = (*Counter)(nil)
	_ ratelimit.Charger = (*Counter)(nil)
	_ ratelimit.Delayer = (*Counter)(nil)
)

// Counter is a limiter that counts the events in each of the buckets of a sliding window. It grants
// at most rate.Events in every window of length rate.Per. The package documentation has its
// guarantee, what happens to late requests, and its cost.
//
// The zero value is not usable: most methods panic. Call [NewCounter]. A Counter is safe for
// simultaneous use and must not be copied after first use.
type Counter struct {
	core counterCore
}

// NewCounter returns a limiter that grants at most rate.Events in every window of length rate.Per,
// divided into the given number of buckets. With more buckets it refuses less, and takes more
// memory. It reads the system's monotonic clock, unless [ratelimit.WithClock] sets another.
//
// At rate.Events == 0 the limiter refuses every event. The error is a [*ratelimit.ArgumentError]
// unless
//
//	0 <= rate.Events
//	0 < rate.Per <= 2^58 ns (9 years)
//	1 <= buckets <= 65535, and at most one for each nanosecond of rate.Per
//	2*bitlen(rate.Events) + bitlen(2*buckets) <= 60
//
// The last line allows 2^27-1 events with 10 buckets.
func NewCounter(rate ratelimit.Rate, buckets int, opts ...ratelimit.Option) (*Counter, error) {
	l := new(Counter)
	if err := l.core.Init("slidingwindow.NewCounter", rate, buckets, opts); err != nil {
		return nil, err
	}
	return l, nil
}

// Take charges n events now, all of them or none. It returns whether they may happen, and what is
// left; see [ratelimit.Decision].
func (l *Counter) Take(n int) (d ratelimit.Decision) {
	l.core.take(&d, l.core.line.Now(), n)
	return d
}

// TakeAt is Take as of t, which may be any time.
func (l *Counter) TakeAt(t time.Time, n int) (d ratelimit.Decision) {
	l.core.take(&d, l.core.line.At(t), n)
	return d
}

// ChargeAt counts n events as granted at t, even if they exceed the limit; see [ratelimit.Charger].
// They count in the bucket of t, or in the newest bucket if t is late. Beyond the limit, it counts
// up to the largest limit that [NewCounter] allows; more events are not counted. A charge that
// exceeds the limit may make a few small allocations.
func (l *Counter) ChargeAt(t time.Time, n int) (d ratelimit.Decision) {
	l.core.ChargeAt(&d, t, n)
	return d
}

// Peek returns what Take would, and charges nothing. It may already be outdated.
func (l *Counter) Peek(n int) (d ratelimit.Decision) {
	l.core.peek(&d, l.core.line.Now(), n)
	return d
}

// PeekAt returns what TakeAt would, and charges nothing. It may already be outdated.
func (l *Counter) PeekAt(t time.Time, n int) (d ratelimit.Decision) {
	l.core.peek(&d, l.core.line.At(t), n)
	return d
}

// DelayAt returns how long after t it takes until n more events can have been granted, with no
// other traffic. n may exceed the limit. The result is exact for events that are requested one by
// one. It may already be outdated. See [ratelimit.Delayer].
func (l *Counter) DelayAt(t time.Time, n int) time.Duration { return l.core.DelayAt(t, n) }

// RefundAt gives back n events that were granted at t-held. It does nothing if they have expired at
// t, or if something was granted in a later bucket than theirs. Late grants in an older bucket
// cannot be refunded. See [ratelimit.Limiter] for what t must be.
func (l *Counter) RefundAt(t time.Time, n int, held time.Duration) {
	l.core.RefundAt(t, n, held)
	waiting.Changed(l)
}

// SetRate is SetRateAt by the limiter's clock.
func (l *Counter) SetRate(rate ratelimit.Rate) error {
	defer waiting.Changed(l)
	return l.core.SetRate("slidingwindow.Counter.SetRate", rate)
}

// SetRateAt changes the number of events as of the bucket of t. rate.Per must be the one that the
// limiter was made with. Events granted before keep counting, even if they exceed the new limit. If
// the limit grows, the difference can be granted at once. Concurrent grants are neither lost nor
// counted twice.
//
// After a change, requests before the bucket of t, or before that of an earlier change, are
// refused. Events in buckets up to the newest, or up to that of t, cannot be refunded, even if they
// are granted after the change. If nothing was ever granted, neither applies.
//
// It takes O(buckets) time and allocates a new ring. Errors are those of [NewCounter], and one for
// another rate.Per.
func (l *Counter) SetRateAt(t time.Time, rate ratelimit.Rate) error {
	defer waiting.Changed(l)
	return l.core.SetRateAt("slidingwindow.Counter.SetRateAt", t, rate)
}

// Clock returns the clock that Allow, Take and Peek read.
func (l *Counter) Clock() ratelimit.Clock { return l.core.Clock() }

// Rate returns the rate that was set last, or that the limiter was made with.
func (l *Counter) Rate() ratelimit.Rate { return l.core.Rate() }

// Buckets returns the number of buckets that the limiter was made with.
func (l *Counter) Buckets() int { return l.core.Buckets() }
