package slidingwindow

import (
	"time"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/internal/waiting"
)

var (
	_ ratelimit.Limiter = (*Log)(nil)
	_ ratelimit.Charger = (*Log)(nil)
	_ ratelimit.Delayer = (*Log)(nil)
	_ ratelimit.Allower = (*Log)(nil)
)

// Log is a limiter that stores the times of the last rate.Events events. It grants at most
// rate.Events in every window of length rate.Per. The package documentation has its guarantee, what
// happens to late requests, and its cost.
//
// The zero value is not usable: most methods panic. Call [NewLog]. A Log is safe for simultaneous
// use and must not be copied after first use.
type Log struct {
	core logCore
}

// NewLog returns a limiter that grants at most rate.Events in every window of length rate.Per. It
// reads the system's monotonic clock, unless [ratelimit.WithClock] sets another. It allocates 16
// bytes for each event of the limit.
//
// At rate.Events == 0 the limiter refuses every event. The error is a [*ratelimit.ArgumentError]
// unless
//
//	0 <= rate.Events <= 2^18-1
//	0 < rate.Per <= 2^58 ns (9 years)
func NewLog(rate ratelimit.Rate, opts ...ratelimit.Option) (*Log, error) {
	l := new(Log)
	if err := l.core.Init("slidingwindow.NewLog", rate, opts); err != nil {
		return nil, err
	}
	return l, nil
}

// Take charges n events now, all of them or none. It returns whether they may happen, and what is
// left; see [ratelimit.Decision].
func (l *Log) Take(n int) (d ratelimit.Decision) {
	l.core.take(&d, l.core.line.Now(), n)
	return d
}

// TakeAt is Take as of t, which may be any time.
func (l *Log) TakeAt(t time.Time, n int) (d ratelimit.Decision) {
	l.core.take(&d, l.core.line.At(t), n)
	return d
}

// ChargeAt counts n events as granted at t, even if they exceed the limit; see [ratelimit.Charger].
// If t is late, they are recorded at the newest time. At one time, no more events are recorded than
// the limit: these fill a window, so nothing is granted until rate.Per later. Do not refund what
// was not recorded.
func (l *Log) ChargeAt(t time.Time, n int) (d ratelimit.Decision) {
	l.core.ChargeAt(&d, t, n)
	return d
}

// Peek returns what Take would, and charges nothing. It may already be outdated.
func (l *Log) Peek(n int) (d ratelimit.Decision) {
	l.core.peek(&d, l.core.line.Now(), n)
	return d
}

// PeekAt returns what TakeAt would, and charges nothing. It may already be outdated.
func (l *Log) PeekAt(t time.Time, n int) (d ratelimit.Decision) {
	l.core.peek(&d, l.core.line.At(t), n)
	return d
}

// FitsAt returns what PeekAt(t, n).OK would, and costs less. It charges nothing, and may already be
// outdated.
func (l *Log) FitsAt(t time.Time, n int) bool { return l.core.FitsAt(t, n) }

// DelayAt returns how long after t it takes until n more events can have been granted, with no
// other traffic. n may exceed the limit. The result is exact for events that are requested one by
// one. It may already be outdated. See [ratelimit.Delayer].
func (l *Log) DelayAt(t time.Time, n int) time.Duration { return l.core.DelayAt(t, n) }

// RefundAt gives back n events that were granted at t-held. It does nothing if they have expired at
// t, if something was granted at a later time, or if the rate has changed since. Late grants cannot
// be refunded, because they are recorded at another time. If held is slightly too short, the last
// events are given back. See [ratelimit.Limiter] for what t must be.
func (l *Log) RefundAt(t time.Time, n int, held time.Duration) {
	l.core.RefundAt(t, n, held)
	waiting.Changed(l)
}

// SetRate is SetRateAt by the limiter's clock.
func (l *Log) SetRate(rate ratelimit.Rate) error {
	defer waiting.Changed(l)
	return l.core.SetRate("slidingwindow.Log.SetRate", rate)
}

// SetRateAt changes the number of events as of t. rate.Per must be the one that the limiter was
// made with. Events granted before keep counting, even if they exceed the new limit. If the limit
// grows, the difference can be granted at once. Concurrent grants are neither lost nor counted
// twice.
//
// After a change, requests are refused whose time is before t, before the newest grant, or before
// an earlier change. Events recorded up to that grant's time cannot be refunded. If nothing was
// ever granted, neither applies.
//
// Setting the present rate does nothing. Otherwise it takes time and memory in proportion to the
// limit, or to the number of events that still count, if that is larger. Errors are those of
// [NewLog], and one for another rate.Per.
func (l *Log) SetRateAt(t time.Time, rate ratelimit.Rate) error {
	defer waiting.Changed(l)
	return l.core.SetRateAt("slidingwindow.Log.SetRateAt", t, rate)
}

// Clock returns the clock that Allow, Take and Peek read.
func (l *Log) Clock() ratelimit.Clock { return l.core.Clock() }

// Rate returns the rate that was set last, or that the limiter was made with.
func (l *Log) Rate() ratelimit.Rate { return l.core.Rate() }
