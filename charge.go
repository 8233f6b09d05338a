package ratelimit

import "time"

// Charger is a Limiter that can be charged for what has happened already, whether it fits or not:
// the bytes of an answer, the tokens that a language model has used. All limiters of this module
// are Chargers.
type Charger interface {
	Limiter

	// ChargeAt counts n events as granted at t, also if they exceed the limit. What is owed beyond
	// the limit is refused for until it has drained. n < 1 charges nothing.
	//
	// The Decision describes the state after the charge. OK and RetryAfter answer whether, and when,
	// one more event is granted; Remaining and ResetAfter do not count that event. So OK is false
	// after a charge that used up the limit: the charge itself never fails.
	//
	// A limiter counts as much as it can owe, which each says. What it did not count must not be
	// refunded.
	ChargeAt(t time.Time, n int) Decision
}

// Charge is l.ChargeAt(t, n) if l is a [Charger]. Another limiter is charged what it grants: n
// events, or those that remain.
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
