package ratelimit

import "time"

// Charger is a Limiter that can charge events that have already happened, whether they fit or not:
// the bytes of an answer, the tokens that a language model has used. All limiters of this module
// are Chargers.
type Charger interface {
	Limiter

	// ChargeAt charges n events as of t, even if they exceed the limit. Requests are then refused
	// until the excess has drained. n < 1 charges nothing.
	//
	// A charge never fails, and the Decision describes the state after it. OK and RetryAfter are
	// about one more event: whether it would be granted, and when. Remaining and ResetAfter do not
	// count that event. So OK is false after a charge that used up the limit.
	//
	// Each limiter documents how much it can owe. It does not count what exceeds that, and the
	// excess must not be refunded.
	ChargeAt(t time.Time, n int) Decision
}

// Charge returns l.ChargeAt(t, n) if l is a [Charger]. Any other limiter is charged n events if it
// grants them, or otherwise as many as remain.
func Charge(l Limiter, t time.Time, n int) Decision {
	if l, ok := l.(Charger); ok {
		return l.ChargeAt(t, n)
	}
	if n > 0 && !l.TakeAt(t, n).OK {
		l.TakeAt(t, l.PeekAt(t, 0).Remaining)
	}
	d, next := l.PeekAt(t, 0), l.PeekAt(t, 1)
	if n < 0 {
		next = l.PeekAt(t, n)
	}
	d.OK, d.RetryAfter = next.OK, next.RetryAfter
	return d
}
