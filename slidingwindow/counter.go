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

// Counter limits events in a sliding window by counting them in buckets. See the package
// documentation for what it guarantees and costs.
//
// Its zero value is of no use, and most of its methods panic on it: call [NewCounter]. It is safe
// for simultaneous use and must not be copied after first use.
type Counter struct {
	core counterCore
}

// NewCounter returns a limiter that grants at most rate.Events in any window of length rate.Per,
// which it cuts into the given number of buckets: the more, the less is withheld, and the more
// memory it takes. It reads the time from the system's monotonic clock unless [ratelimit.WithClock]
// gives it another.
//
// The error is a [*ratelimit.ArgumentError] unless
//
//	0 <= rate.Events, 0 < rate.Per <= 2^58 ns (9 years),
//	1 <= buckets <= 65535, and no more than there are nanoseconds in rate.Per,
//	2*bitlen(rate.Events) + bitlen(2*buckets) <= 60
//
// which is 2^27-1 events with 10 buckets. At rate.Events == 0 the limiter refuses every event.
func NewCounter(rate ratelimit.Rate, buckets int, opts ...ratelimit.Option) (*Counter, error) {
	l := new(Counter)
	if err := l.core.Init("slidingwindow.NewCounter", rate, buckets, opts); err != nil {
		return nil, err
	}
	return l, nil
}

// Allow reports whether one event may happen now, and charges it if so.
func (l *Counter) Allow() bool { return l.core.Allow() }

// Take charges n events now, all of them or none. See [ratelimit.Decision] for what it returns.
func (l *Counter) Take(n int) (d ratelimit.Decision) {
	l.core.Take(&d, n)
	return d
}

// TakeAt charges n events as of t, all of them or none; t may be any time.
func (l *Counter) TakeAt(t time.Time, n int) (d ratelimit.Decision) {
	l.core.TakeAt(&d, t, n)
	return d
}

// ChargeAt counts n events as granted at t, also if they exceed the limit; see [ratelimit.Charger].
// They count in the bucket of t, or in the newest that was granted in, if that is later. Beyond the
// limit, as many events are counted as the constructor allows for a limit; more are not. A charge
// that exceeds the limit may make a few small allocations.
func (l *Counter) ChargeAt(t time.Time, n int) (d ratelimit.Decision) {
	l.core.ChargeAt(&d, t, n)
	return d
}

// Peek returns what Take would, and charges nothing. It may already be outdated.
func (l *Counter) Peek(n int) (d ratelimit.Decision) {
	l.core.Peek(&d, n)
	return d
}

// PeekAt returns what TakeAt would, and charges nothing. It may already be outdated.
func (l *Counter) PeekAt(t time.Time, n int) (d ratelimit.Decision) {
	l.core.PeekAt(&d, t, n)
	return d
}

// DelayAt returns how long after t it takes until n events more can have been granted, in requests
// of any size and with no other traffic; n may exceed the limit. It is exact for events that are
// asked for one by one, charges nothing, and may already be outdated. See [ratelimit.Delayer].
func (l *Counter) DelayAt(t time.Time, n int) time.Duration { return l.core.DelayAt(t, n) }

// RefundAt gives back n events that were granted at t-held, if nothing was granted in a later
// bucket than that of that time, and it still counts at t. A grant that was late, in an older
// bucket, gives nothing back. See [ratelimit.Limiter] for what t must be.
func (l *Counter) RefundAt(t time.Time, n int, held time.Duration) {
	l.core.RefundAt(t, n, held)
	waiting.Changed(l)
}

// SetRate is SetRateAt by the limiter's clock.
func (l *Counter) SetRate(rate ratelimit.Rate) error {
	defer waiting.Changed(l)
	return l.core.SetRate("slidingwindow.Counter.SetRate", rate)
}

// SetRateAt changes the number of events as of the bucket of t; rate.Per must be the one that the
// limiter was made with. What was granted keeps counting, also if it is more than the new limit,
// and in buckets before that of t nothing is granted any more, unless nothing ever was. Nothing
// granted up to then can be refunded, nor what is granted afterwards in the bucket that was the
// newest, or became it. A greater number lets the difference pass at once. No grant is lost or
// counted twice by changes under load. It costs O(buckets) time and allocates a new ring. Errors
// are those of the constructor.
func (l *Counter) SetRateAt(t time.Time, rate ratelimit.Rate) error {
	defer waiting.Changed(l)
	return l.core.SetRateAt("slidingwindow.Counter.SetRateAt", t, rate)
}

// Clock returns the clock that Allow, Take and Peek read.
func (l *Counter) Clock() ratelimit.Clock { return l.core.Clock() }

// Rate returns the rate that the limiter was made with or that it was set to last.
func (l *Counter) Rate() ratelimit.Rate { return l.core.Rate() }

// Buckets returns the number of buckets that the limiter was made with.
func (l *Counter) Buckets() int { return l.core.Buckets() }
