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
)

// Log limits events in a sliding window by the times of the last rate.Events. See the package
// documentation for what it guarantees and costs.
//
// Its zero value is of no use, and most of its methods panic on it: call [NewLog]. It is safe for
// simultaneous use and must not be copied after first use.
type Log struct {
	core logCore
}

// NewLog returns a limiter that grants at most rate.Events in any window of length rate.Per, and
// whatever that allows. It reads the time from the system's monotonic clock unless
// [ratelimit.WithClock] gives it another.
//
// The error is a [*ratelimit.ArgumentError] unless
//
//	0 <= rate.Events <= 2^18-1, 0 < rate.Per <= 2^58 ns (9 years)
//
// At rate.Events == 0 the limiter refuses every event.
func NewLog(rate ratelimit.Rate, opts ...ratelimit.Option) (*Log, error) {
	l := new(Log)
	if err := l.core.Init("slidingwindow.NewLog", rate, opts); err != nil {
		return nil, err
	}
	return l, nil
}

// Allow reports whether one event may happen now, and charges it if so. It is Take(1).OK without
// the search for what remains.
func (l *Log) Allow() bool { return l.core.Allow() }

// AllowAt is Allow as of t: TakeAt(t, 1).OK without the search for what remains. [ratelimit.All]
// calls it.
func (l *Log) AllowAt(t time.Time) bool { return l.core.AllowAt(t) }

// Take charges n events now, all of them or none. See [ratelimit.Decision] for what it returns.
func (l *Log) Take(n int) (d ratelimit.Decision) {
	l.core.Take(&d, n)
	return d
}

// TakeAt charges n events as of t, all of them or none; t may be any time.
func (l *Log) TakeAt(t time.Time, n int) (d ratelimit.Decision) {
	l.core.TakeAt(&d, t, n)
	return d
}

// ChargeAt counts n events as granted at t, also if they exceed the limit; see [ratelimit.Charger].
// They are recorded at t, or at the newest time that was granted at, if that is later. Of one time,
// no more are recorded than the limit: they fill a whole window, so nothing is granted until
// rate.Per later. What was not recorded must not be refunded.
func (l *Log) ChargeAt(t time.Time, n int) (d ratelimit.Decision) {
	l.core.ChargeAt(&d, t, n)
	return d
}

// Peek returns what Take would, and charges nothing. It may already be outdated.
func (l *Log) Peek(n int) (d ratelimit.Decision) {
	l.core.Peek(&d, n)
	return d
}

// PeekAt returns what TakeAt would, and charges nothing. It may already be outdated.
func (l *Log) PeekAt(t time.Time, n int) (d ratelimit.Decision) {
	l.core.PeekAt(&d, t, n)
	return d
}

// FitsAt reports whether TakeAt would grant n events, and charges nothing: PeekAt(t, n).OK without
// the search for what remains. It may already be outdated. [ratelimit.All] asks it.
func (l *Log) FitsAt(t time.Time, n int) bool { return l.core.FitsAt(t, n) }

// DelayAt returns how long after t it takes until n events more can have been granted, in requests
// of any size and with no other traffic; n may exceed the limit. It is exact for events that are
// asked for one by one, charges nothing, and may already be outdated. See [ratelimit.Delayer].
func (l *Log) DelayAt(t time.Time, n int) time.Duration { return l.core.DelayAt(t, n) }

// RefundAt gives back n events that were granted at t-held, if they have not expired at t, nothing
// has been granted at a later time, and the rate has not changed since. A grant that was late gives
// nothing back. See [ratelimit.Limiter] for what t must be. If held is a moment too short, the last
// events are given back.
func (l *Log) RefundAt(t time.Time, n int, held time.Duration) {
	l.core.RefundAt(t, n, held)
	waiting.Changed(l)
}

// SetRate is SetRateAt by the limiter's clock.
func (l *Log) SetRate(rate ratelimit.Rate) error {
	defer waiting.Changed(l)
	return l.core.SetRate("slidingwindow.Log.SetRate", rate)
}

// SetRateAt changes the number of events as of t; rate.Per must be the one that the limiter was
// made with. What was granted keeps counting, also if it is more than the new limit. Unless nothing
// ever was, for times before t, before the newest grant, and before an earlier change's t, nothing
// is granted any more; and what was granted up to the newest time, or is later at that time, cannot
// be refunded. A greater number lets the difference pass at once. No grant is lost or counted twice
// by changes under load. The time that it takes, and the new ring, are of the order of the limit,
// or of what still counts, if that is more. To set the present rate does nothing. Errors are those
// of the constructor.
func (l *Log) SetRateAt(t time.Time, rate ratelimit.Rate) error {
	defer waiting.Changed(l)
	return l.core.SetRateAt("slidingwindow.Log.SetRateAt", t, rate)
}

// Clock returns the clock that Allow, Take and Peek read.
func (l *Log) Clock() ratelimit.Clock { return l.core.Clock() }

// Rate returns the rate that the limiter was made with or that it was set to last.
func (l *Log) Rate() ratelimit.Rate { return l.core.Rate() }
