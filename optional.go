package ratelimit

import "time"

// Wrapper is a Limiter that is made of other limiters. [All] looks inside, so that no limiter is
// charged twice for one request; [Wait] watches the limiters inside for changes. A [Composite] is a
// Wrapper.
type Wrapper interface {
	Limiter

	// Unwrap returns the limiters that this one is made of, in a slice that the caller may change.
	Unwrap() []Limiter
}

// Allower is a Limiter that can answer yes or no for less than the cost of a [Decision]. [All] asks
// such members by these methods.
type Allower interface {
	Limiter

	// AllowAt returns TakeAt(t, 1).OK: it charges one event as of t if that is granted.
	AllowAt(t time.Time) bool

	// FitsAt returns PeekAt(t, n).OK, and charges nothing.
	FitsAt(t time.Time, n int) bool
}

// Failer is a Limiter that can refuse for a reason other than its limit: its store cannot be
// reached, or the limiter for a key could not be made. [Wait] then returns that reason instead of
// [ErrNever].
type Failer interface {
	Limiter

	// Err returns why the limiter can grant nothing at present, or nil if nothing is wrong.
	Err() error
}

// TimerClock is a [Clock] that can be waited for, such as the Clock and the *Mock of
// github.com/benbjohnson/clock. [Wait] sleeps by After if the limiter's clock has it, and by the
// system's timers otherwise.
type TimerClock interface {
	Clock

	// After returns a channel that receives a value once d has passed on this clock.
	After(d time.Duration) <-chan time.Time
}
