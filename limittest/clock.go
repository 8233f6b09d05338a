package limittest

import (
	"sync/atomic"
	"time"
)

// Clock shows the time that it was set to last. It never moves by itself, and is safe for
// simultaneous use. Its zero value is of no use: call [NewClock].
type Clock struct {
	now atomic.Pointer[time.Time]
}

// NewClock returns a clock that shows t.
func NewClock(t time.Time) *Clock {
	c := new(Clock)
	c.Set(t)
	return c
}

// Set moves the clock, in either direction.
func (c *Clock) Set(t time.Time) { c.now.Store(&t) }

// Now returns the time that the clock shows.
func (c *Clock) Now() time.Time { return *c.now.Load() }
