package ratelimit

import (
	"sync"
	"sync/atomic"
	"time"
)

// CoarseClock tells the time that it has read last, for a nanosecond or two instead of the tens that the system's clock
// takes. While it is running, a goroutine reads the system's clock once in each step. Before Start and after Stop it reads the
// system's clock for each caller: slower, and never wrong.
//
//	c, err := ratelimit.NewCoarseClock(time.Millisecond)
//	c.Start()
//	defer c.Stop()
//	l, err := gcra.New(rate, burst, ratelimit.WithClock(c))
//
// It never runs backwards, and is late by a step at most, and by what the goroutine has to wait for a processor; call the
// most of that L. A request may be refused for up to L longer than by the system's clock. A limit is kept in the clock's
// time: in true time, an interval of length t sees no more than may be granted in t + L.
//
// It is safe for simultaneous use and must not be copied. Its zero value is of no use: call [NewCoarseClock].
type CoarseClock struct {
	step   time.Duration
	origin time.Time

	now     atomic.Pointer[time.Time] // nil if it is not running
	elapsed atomic.Int64              // since origin; 0 if it is not running
	unix    atomic.Int64              // nanoseconds of the wall clock; 0 if it is not running

	mu      sync.Mutex
	stop    chan struct{} // nil if it is not running
	stopped chan struct{}
}

var _ Clock = (*CoarseClock)(nil)

// NewCoarseClock returns a clock of that step, which is not running yet. A millisecond is a good one. The error is an
// [*ArgumentError] if step <= 0.
func NewCoarseClock(step time.Duration) (*CoarseClock, error) {
	if step <= 0 {
		return nil, &ArgumentError{Func: "ratelimit.NewCoarseClock", Field: "step", Value: step, Want: "more than 0"}
	}
	return &CoarseClock{step: step, origin: time.Now()}, nil
}

// Now returns the time that was read last, which has a monotonic reading.
func (c *CoarseClock) Now() time.Time {
	if now := c.now.Load(); now != nil {
		return *now
	}
	return time.Now()
}

// Origin returns when the clock was made.
func (c *CoarseClock) Origin() time.Time { return c.origin }

// Elapsed returns how long after Origin that is, by the monotonic clock. Limiters ask for it, rather than for Now.
func (c *CoarseClock) Elapsed() time.Duration {
	if elapsed := c.elapsed.Load(); elapsed > 0 {
		return time.Duration(elapsed)
	}
	return time.Since(c.origin)
}

// UnixNano returns Now().UnixNano(), the time by the wall clock. Limiters that go by it ask for this.
func (c *CoarseClock) UnixNano() int64 {
	if unix := c.unix.Load(); unix != 0 {
		return unix
	}
	return unixNano()
}

// unixNano is apart from UnixNano so that that is inlined.
//
//go:noinline
func unixNano() int64 { return time.Now().UnixNano() }

// Start has the clock run until Stop is called. If it is running already, nothing changes.
func (c *CoarseClock) Start() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.stop != nil {
		return
	}
	c.read()
	c.stop, c.stopped = make(chan struct{}), make(chan struct{})
	go c.run(c.stop, c.stopped)
}

// Stop ends the goroutine, and returns when it has ended. The clock reads the system's clock from then on. If it is not running,
// nothing changes.
func (c *CoarseClock) Stop() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.stop == nil {
		return
	}
	close(c.stop)
	<-c.stopped
	c.stop = nil
	c.elapsed.Store(0)
	c.unix.Store(0)
	c.now.Store(nil)
}

func (c *CoarseClock) run(stop <-chan struct{}, stopped chan<- struct{}) {
	defer close(stopped)
	ticker := time.NewTicker(c.step)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			c.read()
		case <-stop:
			return
		}
	}
}

func (c *CoarseClock) read() {
	now := time.Now()
	c.now.Store(&now)
	c.elapsed.Store(max(1, int64(now.Sub(c.origin))))
	c.unix.Store(now.UnixNano())
}
