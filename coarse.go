package ratelimit

import (
	"sync"
	"sync/atomic"
	"time"
)

// CoarseClock tells the time that it has read last, for a nanosecond or two instead of the tens
// that the system's clock takes. While it is running, a goroutine reads the system's clock once in
// each step. Before Start and after Stop it reads the system's clock for each caller: slower, and
// never wrong.
//
//	c, err := ratelimit.NewCoarseClock(time.Millisecond)
//	c.Start()
//	defer c.Stop()
//	l, err := gcra.New(rate, burst, ratelimit.WithClock(c))
//
// By its monotonic reading it never runs backwards. It is late by a step at most, and by what the
// timer and the goroutine have to wait for on top; call the most of that L. A request may be
// refused for up to L longer than by the system's clock. A limit is kept in the clock's time: in
// true time, an interval of length t sees no more than may be granted in t + L. Aligned windows
// begin up to L late: what is granted until then counts in the window before. If the system's wall
// clock is set, that is followed with the next reading; by less than a microsecond it may be early
// or late all the time.
//
// It is safe for simultaneous use and must not be copied. Its zero value is of no use: call
// [NewCoarseClock].
type CoarseClock struct {
	// elapsed is the time since origin that was read last; 0 if it is not running. All that the
	// clock tells while it is running follows from this one word, so that what limiters ask for
	// lies between what Now tells before and after.
	//
	// unixOrigin and wallOrigin are the origin as the wall clock would have told it by the last
	// reading, in nanoseconds and with its monotonic reading. They change only when the wall clock
	// is set.
	//
	// The two words are the first, and so at multiples of 8 bytes, and not atomic.Int64s, whose
	// methods would be too much for UnixNano to be inlined.
	elapsed, unixOrigin int64
	wallOrigin          atomic.Pointer[time.Time]

	step   time.Duration
	origin time.Time

	// turn is held by those who read the system's clock themselves, and by Start and Stop while
	// they change who does.
	turn sync.RWMutex

	mu      sync.Mutex
	stop    chan struct{} // nil if it is not running
	stopped chan struct{}
}

var _ Clock = (*CoarseClock)(nil)

// NewCoarseClock returns a clock of that step, which is not running yet. A millisecond is a good
// one. The error is an [*ArgumentError] if step <= 0.
func NewCoarseClock(step time.Duration) (*CoarseClock, error) {
	if step <= 0 {
		return nil, &ArgumentError{Func: "ratelimit.NewCoarseClock", Field: "step", Value: step, Want: "more than 0"}
	}
	c := &CoarseClock{step: step, origin: time.Now().Add(-1)} // so that what elapses is never 0
	c.setOrigin(c.origin)
	return c, nil
}

// Now returns the time that was read last, which has a monotonic reading.
func (c *CoarseClock) Now() time.Time {
	if elapsed := atomic.LoadInt64(&c.elapsed); elapsed > 0 {
		return c.wallOrigin.Load().Add(time.Duration(elapsed))
	}
	return c.timeNow()
}

func (c *CoarseClock) timeNow() time.Time {
	c.turn.RLock()
	defer c.turn.RUnlock()
	if elapsed := atomic.LoadInt64(&c.elapsed); elapsed > 0 { // it has been started since
		return c.wallOrigin.Load().Add(time.Duration(elapsed))
	}
	return time.Now()
}

// Origin returns when the clock was made, less a nanosecond.
func (c *CoarseClock) Origin() time.Time { return c.origin }

// Elapsed returns how long after Origin the time is that was read last, by the monotonic clock.
// Limiters ask for it, rather than for Now.
func (c *CoarseClock) Elapsed() time.Duration {
	if elapsed := atomic.LoadInt64(&c.elapsed); elapsed > 0 {
		return time.Duration(elapsed)
	}
	return c.elapsedNow()
}

// elapsedNow is apart from Elapsed so that that is inlined.
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

// UnixNano returns the time that was read last in nanoseconds of the wall clock, as time.Time's
// UnixNano does. Limiters that go by the wall clock ask for it.
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

// Start has the clock run until Stop is called. If it is running already, nothing changes.
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

// Stop ends the goroutine, and returns when it has ended. The clock reads the system's clock from
// then on. If it is not running, nothing changes.
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

// read reads the system's clock. Its two readings, of the wall clock and the monotonic one, are
// some nanoseconds apart, and not always the same; that is not worth a new origin. (If they are
// microseconds apart, as the goroutine was suspended between them, the wall clock is late by that
// until the next reading.)
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
