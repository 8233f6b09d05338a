package ratelimit

import (
	"sync"
	"sync/atomic"
	"time"
)

// CoarseClock is a clock that limiters read by one atomic load. While it runs, a goroutine reads
// the system's clock once per step, and all callers get that reading. Before Start and after Stop
// each call reads the system's clock.
//
//	c, err := ratelimit.NewCoarseClock(time.Millisecond)
//	c.Start()
//	defer c.Stop()
//	l, err := gcra.New(rate, burst, ratelimit.WithClock(c))
//
// The clock lags by up to L: one step, and the delay of the timer and of the goroutine. So
//
//   - a request may be refused for up to L longer than with the system's clock
//   - in an interval of true time of length t, a limiter grants at most what it may grant in t + L,
//     because it keeps the limit in the clock's time
//   - aligned windows begin up to L late, and what is granted until then counts in the window
//     before
//
// Its monotonic reading never runs backwards. Its wall clock follows the system's at each reading,
// to within a microsecond.
//
// It is safe for simultaneous use and must not be copied. Its zero value is not usable: call
// [NewCoarseClock].
type CoarseClock struct {
	// elapsed is the last reading as a time since origin, or 0 if the clock is not running. While
	// it runs, all methods compute from this one word, so that what a limiter reads lies between
	// the results of Now before and after.
	//
	// unixOrigin and wallOrigin are origin by the wall clock as of the last reading: in
	// nanoseconds, and as a time with a monotonic reading. They change only when the wall clock is
	// set.
	//
	// elapsed and unixOrigin come first, so that they are aligned to 8 bytes. They are not of type
	// atomic.Int64, because UnixNano would be too large to be inlined with its methods.
	elapsed, unixOrigin int64
	wallOrigin          atomic.Pointer[time.Time]

	step   time.Duration
	origin time.Time

	// turn is locked for reading by callers that read the system's clock, and for writing by Start
	// and Stop while they change whether callers do.
	turn sync.RWMutex

	mu      sync.Mutex
	stop    chan struct{} // nil if it is not running
	stopped chan struct{}
}

var _ Clock = (*CoarseClock)(nil)

// NewCoarseClock returns a clock that is not running yet. A good step is a millisecond. The error
// is an [*ArgumentError] if step <= 0.
func NewCoarseClock(step time.Duration) (*CoarseClock, error) {
	if step <= 0 {
		return nil, &ArgumentError{Func: "ratelimit.NewCoarseClock", Field: "step", Value: step, Want: "more than 0s"}
	}
	c := &CoarseClock{step: step, origin: time.Now().Add(-1)} // so that the elapsed time is never 0
	c.setOrigin(c.origin)
	return c, nil
}

// Now returns the last reading, which has a monotonic part.
func (c *CoarseClock) Now() time.Time {
	if elapsed := atomic.LoadInt64(&c.elapsed); elapsed > 0 {
		return c.wallOrigin.Load().Add(time.Duration(elapsed))
	}
	return c.timeNow()
}

func (c *CoarseClock) timeNow() time.Time {
	c.turn.RLock()
	defer c.turn.RUnlock()
	if elapsed := atomic.LoadInt64(&c.elapsed); elapsed > 0 { // started in the meantime
		return c.wallOrigin.Load().Add(time.Duration(elapsed))
	}
	return time.Now()
}

// Origin returns the time from which Elapsed counts: a nanosecond before the clock was made.
func (c *CoarseClock) Origin() time.Time { return c.origin }

// Elapsed returns the last reading as a time since Origin, by the monotonic clock. Limiters call it
// instead of Now.
func (c *CoarseClock) Elapsed() time.Duration {
	if elapsed := atomic.LoadInt64(&c.elapsed); elapsed > 0 {
		return time.Duration(elapsed)
	}
	return c.elapsedNow()
}

// elapsedNow is the slow path of Elapsed. It is a function of its own so that Elapsed is inlined.
//
//go:noinline
func (c *CoarseClock) elapsedNow() time.Duration {
	c.turn.RLock()
	defer c.turn.RUnlock()
	if elapsed := atomic.LoadInt64(&c.elapsed); elapsed > 0 {
		return time.Duration(elapsed)
	}
	return time.Since(c.origin)
}

// UnixNano returns the last reading by the wall clock, in nanoseconds since the Unix epoch.
// Limiters that follow the wall clock call it.
func (c *CoarseClock) UnixNano() (unix int64) {
	if unix = atomic.LoadInt64(&c.elapsed); unix == 0 {
		return c.unixNow()
	}
	return unix + atomic.LoadInt64(&c.unixOrigin)
}

//go:noinline
func (c *CoarseClock) unixNow() int64 {
	c.turn.RLock()
	defer c.turn.RUnlock()
	if elapsed := atomic.LoadInt64(&c.elapsed); elapsed > 0 {
		return elapsed + atomic.LoadInt64(&c.unixOrigin)
	}
	return time.Now().UnixNano()
}

// Start makes the clock run until Stop is called. It does nothing if the clock is running.
func (c *CoarseClock) Start() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.stop != nil {
		return
	}
	if c.step <= 0 {
		panic("ratelimit: a CoarseClock that NewCoarseClock has not made")
	}
	c.turn.Lock()
	c.read()
	c.turn.Unlock()
	c.stop, c.stopped = make(chan struct{}), make(chan struct{})
	go c.run(c.stop, c.stopped)
}

// Stop ends the goroutine and waits for its end. From then on each call reads the system's clock.
// Stop does nothing if the clock is not running.
func (c *CoarseClock) Stop() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.stop == nil {
		return
	}
	close(c.stop)
	<-c.stopped
	c.stop = nil
	c.turn.Lock()
	atomic.StoreInt64(&c.elapsed, 0)
	c.turn.Unlock()
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

// read reads the system's clock. The wall clock and the monotonic clock are read some nanoseconds
// apart, which varies and is not worth a new origin. If the goroutine was suspended between the
// two, the wall clock is late by that until the next reading.
func (c *CoarseClock) read() {
	now := time.Now()
	elapsed := now.Sub(c.origin)
	wall := now.Add(-elapsed)
	if step := time.Duration(wall.UnixNano() - atomic.LoadInt64(&c.unixOrigin)); step.Abs() >= time.Microsecond {
		c.setOrigin(wall)
	}
	atomic.StoreInt64(&c.elapsed, int64(elapsed))
}

func (c *CoarseClock) setOrigin(origin time.Time) {
	c.wallOrigin.Store(&origin)
	atomic.StoreInt64(&c.unixOrigin, origin.UnixNano())
}
