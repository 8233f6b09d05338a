// Package fixedwindow limits events by counting them in windows of a fixed length, one after the
// other. There are two ways to place the windows.
//
// [NewAnchored] opens a window with the first granted event, when none is open; it is open for
// rate.Per. [NewAligned] cuts time at multiples of rate.Per since the Unix epoch, by the wall
// clock: at full minutes for 60 a minute, as many HTTP APIs do it. [NewAlignedTo] cuts it at
// multiples from an instant of one's own.
//
// # Guarantee
//
//	granted <= rate.Events in every window
//
// in the callers' own timestamps, in whatever order they came: a time before the window that is
// open is refused. Across the boundary of two windows up to 2*rate.Events may pass in a moment. All
// this holds within 2^62 ns (146 years) of the limiter's origin, the time when it was made. Times
// beyond are taken as the nearer end of that range.
//
// NewAnchored opens windows on a grid of 2^j ns since the origin, with the least j for which the
// time and the count fit into a word: with
//
//	step = 2^j ns, length = ceil((rate.Per + step - 1) / step) * step
//	length * 2 <= 2^(61 - bitlen(rate.Events)) * step
//
// So j is 0, and time exact, for 1000 every 5 minutes, and the grid is 4 ns for a million an hour.
// A window never ends early, and late by less than two steps of the grid. A grid coarser than
// rate.Per/1024 is an error of the constructor, which names the greatest number of events.
//
// NewAligned follows the wall clock, also where it steps, but never opens a window again: after a
// step back it refuses until the clock has caught up with the window that was open.
//
// # Cost
//
// A decision reads the clock once (NewAligned: the wall clock, with time.Now) and, if granted, does
// one compare-and-swap; it divides only in Take, in Peek, and to open a window. Lock-free; O(1). 64
// bytes and a cache line of 64 bytes with the state in one of its words, and 112 bytes for the
// rate; no decision allocates, but each time that 2^(62 - bitlen(rate.Events)) steps of the grid
// have passed, one grant begins a new frame with three small allocations: 52 days for 1000 every 5
// minutes, decades for aligned windows of a second or more. A refusal writes nothing.
//
// # Wrong times
//
// A limiter takes a time as it is handed one. A TakeAt that is 24 h ahead of all others opens the
// window of that time, so everything before that is refused. RefundAt and SetRateAt do not change
// that; a new limiter does. Package gcra says how to guard against it, and what becomes of a time
// that was forgotten.
//
// # Source
//
// Counting in fixed windows is folklore; RFC 6585 and the rate limit headers of the IETF's HTTPAPI
// working group speak in its terms.
//
// # When to take another
//
// Where the boundary between two windows must not let twice the limit pass, take a bucket with a
// small burst, or a rolling window.
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

// Limiter counts events in fixed windows. See the package documentation for what it guarantees and
// costs.
//
// Its zero value is of no use, and most of its methods panic on it: call a constructor. It is
// safe for simultaneous use and must not be copied after first use.
type Limiter struct {
	window window.Window
}

// NewAnchored returns a limiter that grants rate.Events in each window, which opens with the first
// of them and is open for rate.Per. It reads the time from the system's monotonic clock unless
// [ratelimit.WithClock] gives it another.
//
// The error is a [*ratelimit.ArgumentError] unless
//
//	0 <= rate.Events <= 2^31-1, 0 < rate.Per <= 2^58 ns (9 years),
//
// and the grid of times (see the package documentation) is not coarser than rate.Per/1024. At
// rate.Events == 0 the limiter refuses every event.
func NewAnchored(rate ratelimit.Rate, opts ...ratelimit.Option) (*Limiter, error) {
	l := new(Limiter)
	if err := l.window.Init(window.Anchored, "fixedwindow.NewAnchored", "rate.Events", rate, capacity(rate), opts); err != nil {
		return nil, err
	}
	return l, nil
}

// NewAligned returns a limiter that grants rate.Events in each window, which begins and ends at
// multiples of rate.Per since the Unix epoch, by the wall clock or by the one that
// [ratelimit.WithClock] gives.
//
// The error is a [*ratelimit.ArgumentError] unless
//
//	0 <= rate.Events <= 2^31-1, 0 < rate.Per <= 2^58 ns (9 years)
//
// At rate.Events == 0 the limiter refuses every event.
func NewAligned(rate ratelimit.Rate, opts ...ratelimit.Option) (*Limiter, error) {
	return newAligned("fixedwindow.NewAligned", rate, time.Unix(0, 0), opts)
}

// NewAlignedTo is NewAligned for windows that begin and end at multiples of rate.Per from the
// instant at, before it as well as after it. So weeks can begin on Monday, and days at midnight in
// Los Angeles:
//
//	NewAlignedTo(ratelimit.Per(1000, 7*24*time.Hour), time.Date(2026, 1, 5, 0, 0, 0, 0, time.UTC))
//	NewAlignedTo(ratelimit.PerDay(600), time.Date(2026, 1, 1, 0, 0, 0, 0, losAngeles))
//
// Any time will do, also one of long ago; its wall clock counts, and not its monotonic reading. All
// windows are of one length, so they do not follow daylight saving: the days of Los Angeles above
// begin at midnight in winter, and at one o'clock in summer. Where they must begin at midnight all
// year, replace the limiter at the first midnight after each change by one that is aligned to that
// midnight.
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

// capacity returns how much a window has to count: at a rate of 0, nothing, but it has to have a
// place for it.
func capacity(rate ratelimit.Rate) int { return max(1, rate.Events) }

// Allow reports whether one event may happen now, and charges it if so.
func (l *Limiter) Allow() bool { return l.window.Allow() }

// Take charges n events now, all of them or none. See [ratelimit.Decision] for what it returns.
func (l *Limiter) Take(n int) (d ratelimit.Decision) {
	l.window.Take(&d, n)
	return d
}

// TakeAt charges n events as of t, all of them or none; t may be any time.
func (l *Limiter) TakeAt(t time.Time, n int) (d ratelimit.Decision) {
	l.window.TakeAt(&d, t, n)
	return d
}

// ChargeAt counts n events as granted at t, also if they exceed the limit; see [ratelimit.Charger].
// They count in the window of t, or in the one that is open if t is before it. At most 2^31-1
// events are counted in a window, whose end may then be as late as if the limit were as many. A
// charge that exceeds the limit may make a few small allocations.
func (l *Limiter) ChargeAt(t time.Time, n int) (d ratelimit.Decision) {
	l.window.ChargeAt(&d, t, n)
	return d
}

// Peek returns what Take would, and charges nothing. It may already be outdated.
func (l *Limiter) Peek(n int) (d ratelimit.Decision) {
	l.window.Peek(&d, n)
	return d
}

// PeekAt returns what TakeAt would, and charges nothing. It may already be outdated.
func (l *Limiter) PeekAt(t time.Time, n int) (d ratelimit.Decision) {
	l.window.PeekAt(&d, t, n)
	return d
}

// RefundAt gives back, as of t, n events that were granted held before t, if the window that
// counted them is still open at t. An anchored window of which they were the first then opens anew
// at t. See [ratelimit.Limiter] for what t must be.
func (l *Limiter) RefundAt(t time.Time, n int, held time.Duration) {
	l.window.RefundAt(t, n, held)
	waiting.Changed(l)
}

// SetRate is SetRateAt by the limiter's clock.
func (l *Limiter) SetRate(rate ratelimit.Rate) error {
	defer waiting.Changed(l)
	return l.window.SetRate("fixedwindow.Limiter.SetRate", "rate.Events", rate, capacity(rate))
}

// SetRateAt changes the number of events as of t; rate.Per must be the one that the limiter was
// made with. What was granted in the window that is open keeps counting, also if it is more than
// the new limit; it cannot be refunded any more, and for times before t nothing is granted any
// more. A greater number lets the difference pass at once. No grant is lost or counted twice by
// changes under load. A few small allocations. Errors are those of the constructor.
func (l *Limiter) SetRateAt(t time.Time, rate ratelimit.Rate) error {
	defer waiting.Changed(l)
	return l.window.SetRateAt("fixedwindow.Limiter.SetRateAt", "rate.Events", t, rate, capacity(rate))
}

// Clock returns the clock that Allow, Take and Peek read.
func (l *Limiter) Clock() ratelimit.Clock { return l.window.Clock() }

// Rate returns the rate that the limiter was made with or that it was set to last.
func (l *Limiter) Rate() ratelimit.Rate { return l.window.Rate() }
