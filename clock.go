package ratelimit

import "time"

// Clock is where a limiter reads the time. Now must be safe for simultaneous use.
//
// A clock may show any time, and may stand still, jump or run backwards: the limit holds in the
// times that it shows.
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

// Options is what an [Option] sets. It is exported so that limiters of other modules can take the
// same options.
type Options struct {
	Clock Clock // SystemClock{} if no option sets it
}

// Option is an optional argument of a constructor.
type Option func(*Options)

// WithClock makes a limiter read the time from c. If c is nil, the constructor returns an error.
func WithClock(c Clock) Option {
	return func(o *Options) { o.Clock = c }
}
