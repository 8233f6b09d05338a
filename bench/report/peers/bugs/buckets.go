package bugs

import (
	"math"
	"time"

	juju "github.com/juju/ratelimit"
	uber "go.uber.org/ratelimit"
	"golang.org/x/time/rate"
)

// The limiter's time follows the caller's back, so the time since is counted again. The interval in
// which all of these are asked for is 2 ms long: it has room for a burst of 100, and two at 1000 a
// second.
func xTimeOutOfOrder() (seen string, wrong bool) {
	l := rate.NewLimiter(1000, 100)
	granted := count(10_000, func(i int) bool {
		return l.AllowN(start.Add(time.Duration(i%2)*2*time.Millisecond), 1)
	})
	return atMost(102, granted, 10_000)
}

func xTimeNegative() (seen string, wrong bool) {
	l := rate.NewLimiter(1, 100)
	l.AllowN(start, 100)
	l.AllowN(start, -100)
	return atMost(0, count(100, func(int) bool { return l.AllowN(start, 1) }), 100)
}

// A NaN is less than nothing, so no number of tokens is found to be missing.
func xTimeNaN() (seen string, wrong bool) {
	l := rate.NewLimiter(rate.Limit(math.NaN()), 1)
	return atMost(1, count(1000, func(int) bool { return l.AllowN(start, 1) }), 1000)
}

// The wait for the second is 2^63 ns, which is not above the limit, but above what a Duration can
// hold: on amd64 it becomes negative.
func xTimeLongest() (seen string, wrong bool) {
	l := rate.NewLimiter(rate.Every(math.MaxInt64), 1)
	return atMost(1, count(1000, func(int) bool { return l.AllowN(start, 1) }), 1000)
}

// The first Cancel moves the time of the last event back, and the second one takes that for a
// reservation that was made before.
func xTimeCancelTwice() (seen string, wrong bool) {
	l := rate.NewLimiter(1, 10)
	l.AllowN(start, 10)
	r := l.ReserveN(start, 1)
	r.CancelAt(start)
	r.CancelAt(start)
	return atMost(0, count(10, func(int) bool { return l.AllowN(start, 1) }), 10)
}

// CancelAt gives back nothing as soon as it is later than the time to act. Of what may be done at
// once, that is so for every caller who has no clock that stands still.
func xTimeCancelLate() (seen string, wrong bool) {
	l := rate.NewLimiter(1, 10)
	later := start.Add(time.Nanosecond)
	l.ReserveN(start, 10).CancelAt(later)
	return atLeast(10, count(10, func(int) bool { return l.AllowN(later, 1) }), 10)
}

// notSleeping returns how many of n takes, so far apart, do not have to sleep.
func notSleeping(l uber.Limiter, c *clock, n int, apart time.Duration) int {
	return count(n, func(int) bool {
		before := c.slept
		l.Take()
		c.now = c.now.Add(apart)
		return c.slept == before
	})
}

// The time of the last event is 0 until there is one, and after one at the time 0.
func uberEpoch() (seen string, wrong bool) {
	c := &clock{now: time.Unix(0, 0)}
	l := uber.New(1, uber.WithClock(c), uber.WithoutSlack)
	return atMost(1, notSleeping(l, c, 1000, 0), 1000)
}

// The interval between events is rounded down to whole nanoseconds.
func uberWholeNanoseconds() (seen string, wrong bool) {
	c := &clock{now: start}
	l := uber.New(600_000_000, uber.WithClock(c), uber.WithoutSlack)
	return atMost(600, notSleeping(l, c, 1000, time.Nanosecond), 1000)
}

// The ticks since the last call are negative, and so are the tokens that they bring.
func jujuSetBack() (seen string, wrong bool) {
	c := &clock{now: start}
	l := juju.NewBucketWithClock(time.Millisecond, 100, c)
	l.TakeAvailable(50)
	c.now = c.now.Add(-time.Second)
	return atLeast(50, int(l.TakeAvailable(50)), 50)
}

// What has come in since is computed before it is cut down to the capacity, and does not fit an
// int64.
func jujuIdle() (seen string, wrong bool) {
	c := &clock{now: start}
	l := juju.NewBucketWithRateAndClock(1e12, 100, c)
	l.TakeAvailable(100)
	c.now = c.now.Add(150 * 24 * time.Hour)
	return atLeast(100, int(l.TakeAvailable(100)), 100)
}

// The wait is 2^55 s, which is 0 in 64 bits of nanoseconds.
func jujuHuge() (seen string, wrong bool) {
	c := &clock{now: start}
	l := juju.NewBucketWithClock(time.Second, 10, c)
	return atMost(0, count(1, func(int) bool {
		_, ok := l.TakeMaxDuration(10+1<<55, 0)
		return ok
	}), 1)
}
