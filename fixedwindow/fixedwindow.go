// Package fixedwindow limits events by counting them in windows of a fixed length, one after the
// other.
//
//	limiter, err := fixedwindow.NewAligned(ratelimit.PerMinute(60)) // 60 in each full minute
//
// The constructors place the windows differently:
//
//   - [NewAnchored] opens a window with the first granted event when no window is open. The window
//     stays open for rate.Per.
//   - [NewAligned] divides time at multiples of rate.Per since the Unix epoch, by the wall clock:
//     at full minutes for 60 a minute. Many HTTP APIs work like this.
//   - [NewAlignedTo] divides time at multiples of rate.Per from an instant of your choice.
//
// # Guarantee
//
//	granted <= rate.Events in every window
//
// This holds for the times that callers pass, in whatever order they pass them, within 2^62 ns (146
// years) of the limiter's origin. The origin is the time when the limiter was made. Times further
// away count as the nearer end of that range. A request with a time before the open window is
// refused.
//
// Across the boundary of two windows, up to 2*rate.Events may be granted in a moment.
//
// NewAligned and NewAlignedTo follow the wall clock, even when it is set. They never open a window
// a second time: after a step back they refuse until the clock has caught up with the window that
// was open.
//
// # Precision
//
// Aligned windows are exact to the nanosecond.
//
// NewAnchored keeps the start of a window and a count in one word of 64 bits. If nanoseconds do not
// fit, starts are rounded down to multiples of a step of 2^j ns since the origin. A window then
// ends late by less than two steps, and never early. For 1000 every 5 minutes, the step is 1 ns, so
// time is exact. For a million an hour it is 4 ns. A step of more than rate.Per/1024 is an error,
// which names the greatest number of events that is possible.
//
// The constructor takes the least j for which this holds:
//
//	step   = 2^j ns
//	length = rate.Per + step - 1 ns, rounded up to whole steps
//	length * 2 <= 2^(61 - bitlen(rate.Events)) * step
//
// Here bitlen(x) is the number of bits of x, as bits.Len returns it.
//
// # Wrong times
//
// A limiter believes the times that it is given. A request that is granted with a time 24 hours
// ahead opens the window of that time. Requests before that window are then refused. RefundAt and
// SetRateAt do not help; a new limiter does. Package gcra shows how to guard against such times,
// and describes times that were never set.
//
// # Cost
//
// A decision reads the clock once; for aligned windows this is the wall clock, time.Now. A grant
// also does one compare-and-swap, and a refusal writes nothing. Only Take, Peek and the opening of
// a window divide. A limiter is lock-free, and every call takes O(1) time.
//
// On a 64-bit platform a limiter is one allocation of 128 bytes: two cache lines, the second of
// which has the state. Limiters that are made for the same rate share 112 bytes more. No
// decision allocates, with one exception: when times outgrow the word, one grant makes three
// allocations of 104 bytes together. With NewAnchored that happens once in 2^(62 -
// bitlen(rate.Events)) steps, but at least once in 73 years: every 52 days for 1000 every 5
// minutes. With aligned windows of a second or more it happens every 68 to 73 years.
//
// # Source
//
// Counting in fixed windows is folklore. RFC 6585 and the rate limit headers of the IETF's HTTPAPI
// working group use its terms.
//
// # When to use another package
//
// If twice the limit must not be granted at a boundary, use package gcra with a small burst, or
// package slidingwindow.
package fixedwindow

import (
	"time"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/internal/waiting"
	"github.com/seed-3506548a/ratelimit/internal/window"
)

var (
	_ ratelimit.Limiter = (*Limiter)(nil)
	_ ratelimit.Charger = (*Limiter)(nil)
	_ ratelimit.Delayer = (*Limiter)(nil)
)

// Limiter counts events in fixed windows. See the package documentation for its guarantee and its
// cost.
//
// The zero value is not usable: most methods panic. Call a constructor. A Limiter is safe for
// simultaneous use and must not be copied after first use.
type Limiter struct {
	window window.Window
}

// NewAnchored returns a limiter that grants rate.Events in each window. A window opens with the
// first event granted and stays open for rate.Per. The limiter reads the system's monotonic clock
// unless [ratelimit.WithClock] sets another.
//
// The error is a [*ratelimit.ArgumentError] unless
//
//	0 <= rate.Events <= 2^31-1, 0 < rate.Per <= 2^58 ns (9 years),
//
// and the step of start times is at most rate.Per/1024; see Precision in the package documentation.
// If rate.Events is 0, the limiter refuses every event.
func NewAnchored(rate ratelimit.Rate, opts ...ratelimit.Option) (*Limiter, error) {
	l := new(Limiter)
	if err := l.window.Init(window.Anchored, "fixedwindow.NewAnchored", "rate.Events", rate, capacity(rate), opts); err != nil {
		return nil, err
	}
	return l, nil
}

// NewAligned returns a limiter that grants rate.Events in each window. Windows begin and end at
// multiples of rate.Per since the Unix epoch. The limiter reads the wall clock, or the clock that
// [ratelimit.WithClock] sets.
//
// The error is a [*ratelimit.ArgumentError] unless
//
//	0 <= rate.Events <= 2^31-1, 0 < rate.Per <= 2^58 ns (9 years)
//
// If rate.Events is 0, the limiter refuses every event.
func NewAligned(rate ratelimit.Rate, opts ...ratelimit.Option) (*Limiter, error) {
	return newAligned("fixedwindow.NewAligned", rate, time.Unix(0, 0), opts)
}

// NewAlignedTo is like [NewAligned], but windows begin and end at multiples of rate.Per from the
// instant at, before it and after it. So weeks can begin on Monday, and days at midnight in Los
// Angeles:
//
//	NewAlignedTo(ratelimit.Per(1000, 7*24*time.Hour), time.Date(2026, 1, 5, 0, 0, 0, 0, time.UTC))
//	NewAlignedTo(ratelimit.PerDay(600), time.Date(2026, 1, 1, 0, 0, 0, 0, losAngeles))
//
// Any instant is valid, even one long ago. Its wall clock reading is used, not its monotonic one.
//
// All windows have the same length, so they do not follow daylight saving time: the days of Los
// Angeles above begin at midnight in winter and at one o'clock in summer. If they must begin at
// midnight all year, replace the limiter at the first midnight after each change, by one that is
// aligned to that midnight.
func NewAlignedTo(rate ratelimit.Rate, at time.Time, opts ...ratelimit.Option) (*Limiter, error) {
	return newAligned("fixedwindow.NewAlignedTo", rate, at, opts)
}

func newAligned(fn string, rate ratelimit.Rate, at time.Time, opts []ratelimit.Option) (*Limiter, error) {
	l := new(Limiter)
	if err := l.window.InitAligned(fn, "rate.Events", rate, capacity(rate), at, opts); err != nil {
		return nil, err
	}
	return l, nil
}

// capacity returns how many events a window has to be able to count. At a rate of 0 that is one,
// although none is granted, because a capacity must be at least 1.
func capacity(rate ratelimit.Rate) int { return max(1, rate.Events) }

// Allow charges one event now, if it fits, and reports whether it did. It is the fastest way to
// ask.
func (l *Limiter) Allow() bool { return l.window.Allow() }

// Take charges n events now, all of them or none. The [ratelimit.Decision] reports the result.
func (l *Limiter) Take(n int) (d ratelimit.Decision) {
	l.window.Take(&d, n)
	return d
}

// TakeAt charges n events as of t, all of them or none. Any time t is valid.
func (l *Limiter) TakeAt(t time.Time, n int) (d ratelimit.Decision) {
	l.window.TakeAt(&d, t, n)
	return d
}

// ChargeAt charges n events as of t, even if they exceed the limit; see [ratelimit.Charger]. They
// count in the window of t, or in the open window if t is before it.
//
// At most 2^31-1 events are counted in a window; more are not counted. The window may then end as
// late as if the limit were that great. A charge that exceeds the limit may make a few small
// allocations.
func (l *Limiter) ChargeAt(t time.Time, n int) (d ratelimit.Decision) {
	l.window.ChargeAt(&d, t, n)
	return d
}

// DelayAt returns how long after t it takes until n more events can have been granted, with no
// other traffic; n may exceed the limit. It is exact for events that are requested one by one. See
// [ratelimit.Delayer]. DelayAt charges nothing. Its result may already be outdated.
func (l *Limiter) DelayAt(t time.Time, n int) time.Duration { return l.window.DelayAt(t, n) }

// Peek returns what Take would return, and charges nothing. The result may already be outdated.
func (l *Limiter) Peek(n int) (d ratelimit.Decision) {
	l.window.Peek(&d, n)
	return d
}

// PeekAt returns what TakeAt would return, and charges nothing. The result may already be outdated.
func (l *Limiter) PeekAt(t time.Time, n int) (d ratelimit.Decision) {
	l.window.PeekAt(&d, t, n)
	return d
}

// RefundAt gives back, as of t, n events that were granted at t-held. It does so only if the window
// that counted them is still open at t. If they were the first events of an anchored window, that
// window opens again at t. Then other events of the same time cannot be refunded any more, so
// refund them together.
//
// After an anchored window that opens again, windows may begin at other times than if the events
// had not been granted. So it may later grant what it would refuse then, or refuse what it would
// grant. The guarantee holds for the events that were kept.
//
// t must not be earlier than any time used since the grant, and counts as at least the limiter's
// clock; see [ratelimit.Limiter].
//
// It allocates nothing, unless another refund is under way: then it may make two small allocations.
func (l *Limiter) RefundAt(t time.Time, n int, held time.Duration) {
	l.window.RefundAt(t, n, held)
	waiting.Changed(l)
}

// SetRate changes the number of events now, by the limiter's clock; see [Limiter.SetRateAt].
func (l *Limiter) SetRate(rate ratelimit.Rate) error {
	defer waiting.Changed(l)
	return l.window.SetRate("fixedwindow.Limiter.SetRate", "rate.Events", rate, capacity(rate))
}

// SetRateAt changes the number of events as of t. The new rate must have the old rate.Per. Events
// granted in the open window keep counting, and may be more than the new limit. A greater limit is
// available at once, less what was granted. No grant is lost or counted twice when rates change
// under load.
//
// The change takes effect at t, or at the start of the open window if that is later. After it,
// requests for times before it are refused, and events of the open window cannot be refunded. (A
// limiter that never granted anything has no such restriction.)
//
// SetRateAt makes a few small allocations. Its errors are those of the constructor, and one for
// another rate.Per.
func (l *Limiter) SetRateAt(t time.Time, rate ratelimit.Rate) error {
	defer waiting.Changed(l)
	return l.window.SetRateAt("fixedwindow.Limiter.SetRateAt", "rate.Events", t, rate, capacity(rate))
}

// Clock returns the clock that Allow, Take and Peek read.
func (l *Limiter) Clock() ratelimit.Clock { return l.window.Clock() }

// Rate returns the current rate.
func (l *Limiter) Rate() ratelimit.Rate { return l.window.Rate() }
