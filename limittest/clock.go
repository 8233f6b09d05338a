package limittest

import (
	"sync/atomic"
	"time"
)

// Clock is a [ratelimit.Clock] that shows the time that it is set to. It never moves by itself and
// never sleeps. It is safe for simultaneous use. Its zero value is not usable: call [NewClock].
//
// Code that waits, such as ratelimit.Wait, waits by the system's timers on this clock. Test it on
// the system's clock within testing/synctest instead.
type Clock struct {
	now atomic.Pointer[time.Time]
}

// NewClock returns a clock that shows t.
func NewClock(t time.Time) *Clock {
	c := new(Clock)
	c.Set(t)
	return c
}

// Set sets the clock to t, which may be earlier than before.
func (c *Clock) Set(t time.Time) { c.now.Store(&t) }

// Advance moves the clock by d: forward, or if d is negative, back. Simultaneous calls add up.
func (c *Clock) Advance(d time.Duration) {
	for {
		was := c.now.Load()
		t := was.Add(d)
		if c.now.CompareAndSwap(was, &t) { // else another call has moved it
			return
		}
	}
}

// Now returns the time that the clock shows.
func (c *Clock) Now() time.Time { return *c.now.Load() }
