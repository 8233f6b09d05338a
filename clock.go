package ratelimit

import "time"

// Clock is where a limiter reads the time. Now must be safe for simultaneous use.
//
// A clock may show any time, and may stand still, jump or run backwards: the limit holds in the
// times that it shows.
//
// Limiters that are used together, by [All] for example, must have the same clock. Two clocks are
// the same if they are equal. If they cannot be compared, like a struct with a slice, they are the
// same if both are copies of one variable of type Clock.
//
// In tests, use the system's clock within testing/synctest, or a clock of package limittest, which
// shows the time that it is set to. The Clock and the *Mock of github.com/benbjohnson/clock are
// Clocks too; the Add and Set of that mock sleep for a millisecond.
type Clock interface {
	Now() time.Time
}

// SystemClock is the clock of a limiter that is made without [WithClock]. Limiters use its
// monotonic reading, so a step of the wall clock changes nothing, except for windows that are
// aligned to the wall clock.
type SystemClock struct{}

// Now returns time.Now().
func (SystemClock) Now() time.Time { return time.Now() }

// Options holds what an [Option] sets. It is exported so that limiters of other modules can take
// the same options. Their constructors start with Options{Clock: SystemClock{}}, call each option
// with it, and return an error if an option or then the Clock is nil. Package limittest has an
// example.
type Options struct {
	Clock Clock // nil in the zero Options
}

// Option is an optional argument of a constructor.
type Option func(*Options)

// WithClock makes a limiter read the time from c. If c is nil, the constructor returns an error.
func WithClock(c Clock) Option {
	return func(o *Options) { o.Clock = c }
}
