package ratelimit

import (
	"math"
	"time"
)

// Unlimited returns a limiter that grants every request for n >= 0 events: the neutral element of
// a composition, and a limit that is switched off. It keeps no state; its limit is math.MaxInt.
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

// ChargeAt leaves everything to be granted.
func (u unlimited) ChargeAt(_ time.Time, n int) Decision { return u.Take(n) }

func (unlimited) RefundAt(time.Time, int, time.Duration) {}

func (unlimited) Clock() Clock { return SystemClock{} }
