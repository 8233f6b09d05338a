package ratelimit

import "time"

// Clock tells a limiter the time. The Clock and the *Mock of github.com/benbjohnson/clock satisfy
// it as they are.
//
// Any origin will do (1970, 2000, 2157), and a clock may stand still, jump or run backwards: a
// limit is never exceeded in the times that the clock told. Now must be safe for simultaneous use.
type Clock interface {
	Now() time.Time
}

// SystemClock is the clock of a limiter that was given no other: the system's, read by its
// monotonic part, so that a step of the wall clock changes nothing.
type SystemClock struct{}

// Now returns time.Now().
func (SystemClock) Now() time.Time { return time.Now() }

// Options is what an [Option] sets. It is exported so that packages outside of this module can
// take the same options.
type Options struct {
	Clock Clock // SystemClock{} if no option sets it
}

// Option adjusts a limiter under construction.
type Option func(*Options)

// WithClock makes a limiter read the time from c. A nil c is an error of the constructor.
func WithClock(c Clock) Option {
	return func(o *Options) { o.Clock = c }
}
