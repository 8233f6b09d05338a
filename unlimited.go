package ratelimit

import (
	"math"
	"time"
)

// Unlimited returns a limiter that grants every request for n >= 0 events: a limit that is switched
// off. It has no state, and its Limit is math.MaxInt. As a member of [All] it changes nothing.
func Unlimited() Limiter { return unlimited{} }

type unlimited struct{}

func (unlimited) Allow() bool { return true }

func (unlimited) Take(n int) Decision {
	d := Decision{OK: n >= 0, Limit: math.MaxInt, Remaining: math.MaxInt}
	if !d.OK {
		d.RetryAfter = Never
	}
	return d
}

func (u unlimited) TakeAt(_ time.Time, n int) Decision { return u.Take(n) }
func (u unlimited) PeekAt(_ time.Time, n int) Decision { return u.Take(n) }

// ChargeAt charges nothing: everything remains.
func (u unlimited) ChargeAt(_ time.Time, n int) Decision { return u.Take(n) }

func (unlimited) RefundAt(time.Time, int, time.Duration) {}

func (unlimited) Clock() Clock { return SystemClock{} }
