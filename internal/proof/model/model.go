// Package model has a slow and obvious limiter for each algorithm, in unbounded integers. Tests
// compare every field of every decision with it. Only tests use it.
package model

import (
	"math/big"
	"time"

	"github.com/seed-3506548a/ratelimit"
)

// Limiter is a slow and obvious limiter in unbounded integers, for one caller at a time. Offsets
// are nanoseconds since the limiter's origin.
type Limiter interface {
	Take(off *big.Int, n int) ratelimit.Decision
	Peek(off *big.Int, n int) ratelimit.Decision
	// Refund is RefundAt with the clock at now.
	Refund(off, now *big.Int, n int, held time.Duration)
	// Charge is ChargeAt.
	Charge(off *big.Int, n int) ratelimit.Decision
	// SetRate is SetRateAt, with the clock at now, with arguments that the limiter accepts.
	SetRate(off, now *big.Int, rate ratelimit.Rate, size int)
	// Clone returns a copy.
	Clone() Limiter
}

// The ends of the range of offsets in which limiters are exact.
var (
	bottom = new(big.Int).Neg(power(62))
	top    = new(big.Int).Sub(power(62), one)
	one    = big.NewInt(1)
)

// Reserver is a model of a limiter that reserves.
type Reserver interface {
	Limiter
	// Reserve returns the delay after which the events may be acted on, and what that did to the
	// model.
	Reserve(off *big.Int, n int, most time.Duration) (delay time.Duration, did any, d ratelimit.Decision)
	// GiveBack is RefundAt of a reservation, with the clock at now, of n events that may be acted
	// on at actAt.
	GiveBack(off, now *big.Int, n int, actAt *big.Int, did any)
}

// standing is what a charge of n events at off says of the state that it left: what one more would
// find.
func standing(m Limiter, off *big.Int, n int) ratelimit.Decision {
	d, next := m.Peek(off, 0), m.Peek(off, 1)
	d.OK, d.RetryAfter, d.By = next.OK, next.RetryAfter, next.By
	if n < 0 {
		d.OK, d.RetryAfter = false, ratelimit.Never
	}
	return d
}
