// Package ratelimit is the vocabulary that every limiter of this module shares: [Limiter],
// [Decision], [Rate] and [Clock].
//
// The algorithms live in packages of their own; package gcra is the one to begin with. All of
// them are lock-free, decide without allocating (the package documentation says what seldom
// exception there is), compute in integers only, and take the time either from the system's
// monotonic clock or from a [Clock] that is handed to them.
//
// A limiter lets at most so many events pass in so much time. An event is whatever the caller
// counts: a request, a message, a kilobyte.
//
//	l := ratelimit.Must(gcra.New(ratelimit.PerMinute(90), 10))
//	if !l.Allow() {
//		// refused: nothing was charged
//	}
package ratelimit

import (
	"math"
	"time"
)

// Never is the RetryAfter of a request that can never be granted, and the ResetAfter of a limiter
// that cannot become as good as new within the range of time it can represent.
const Never time.Duration = math.MaxInt64

// Limiter decides whether events may happen now.
//
// Every implementation in this module is safe for simultaneous use, must not be copied after
// first use, and has no usable zero value, whose methods may panic: construct it.
//
// Any type with these six methods is a Limiter. The interface will never grow; whatever else a
// limiter can do is offered by further, optional interfaces.
//
// Arguments that make no sense never panic. Events n < 0, or more than the limiter could ever
// grant at once, are refused with RetryAfter == [Never] and charge nothing. n == 0 is always
// granted, charges nothing and reports the state.
//
// A time t may be any [time.Time], also one earlier than a time already used; the limit holds in
// the times that callers hand in, in whatever order they do. One far ahead shuts most limiters
// until then: package gcra says how to guard against it. Do not mix times that carry a monotonic
// reading with times that do not (parsed ones, say) across a step of the wall clock: they are then
// readings of two clocks.
type Limiter interface {
	// Allow reports whether one event may happen now, and charges it if so. It is Take(1).OK,
	// and the fastest way to ask.
	Allow() bool

	// Take charges n events now, all of them or none.
	Take(n int) Decision

	// TakeAt is Take as of t: for composition, replay and tests.
	TakeAt(t time.Time, n int) Decision

	// PeekAt returns what TakeAt would, and charges nothing. Under simultaneous use the answer
	// may already be outdated when it arrives.
	PeekAt(t time.Time, n int) Decision

	// RefundAt gives back, as of t, n events that were granted held before t: at t-held. It
	// gives back at most what makes the limiter as permissive as if they had not been granted,
	// never more, provided that t is not earlier than any time used since the grant; t is taken
	// as at least the limiter's own clock. If held is too short, since the time of the grant was
	// read after it, the limiter is more permissive by that time at most. It is not idempotent:
	// refund an event once. n < 1, held < 0 or an n that could not have been granted at once give
	// nothing back.
	RefundAt(t time.Time, n int, held time.Duration)

	// Clock returns the limiter's own clock, for callers that compose limiters or wait.
	Clock() Clock
}

// Reserver is a Limiter that can grant now what may be acted on later. The limiters of packages
// gcra and tokenbucket are Reservers.
type Reserver interface {
	Limiter

	// ReserveAt charges n events as of t, all of them or none, if they may be acted on no later
	// than t+within; the [Reservation] says when. Reservations are served in the order in which
	// they were made. If the answer is no, the Reservation is nil and RetryAfter is how long until
	// the same request is granted; with within < 0 it never is. n == 0 may be acted on at once.
	//
	// The limit holds for the times at which the events may be acted on.
	ReserveAt(t time.Time, n int, within time.Duration) (Reservation, Decision)
}

// Reservation is a grant that may be acted on from some time on. It is safe for simultaneous use.
//
// It can be given back once, by the first call that does so: Cancel before its time has come, so
// that it can be deferred; Refund at any time.
type Reservation interface {
	// ActAt returns the time from which on the events may happen.
	ActAt() time.Time

	// Cancel is CancelAt by the limiter's clock.
	Cancel()

	// CancelAt gives up, as of t, what was reserved, if t is not after ActAt; else it does nothing.
	// It gives back all of it if no later reservation is pending; otherwise a bucket gives back
	// nothing, for the later one was promised its time on top of this. Cancel the newest first.
	// About t see RefundAt of [Limiter].
	CancelAt(t time.Time)

	// Refund is RefundAt by the limiter's clock.
	Refund()

	// RefundAt gives back, as of t, what was reserved or granted and did not happen: until ActAt as
	// CancelAt does, and afterwards what has not drained, as RefundAt of [Limiter] does.
	RefundAt(t time.Time)
}

// Decision is the answer to one request, and the state that it left behind.
//
// It has no hidden fields, so that anybody can implement a [Limiter] or fake one.
type Decision struct {
	// OK says that the request was granted: its events were charged and may happen.
	OK bool

	// Limit is the most events that the limiter can ever grant at once.
	Limit int

	// Remaining is the most events that it would grant right after this decision.
	Remaining int

	// RetryAfter is 0 if OK. Otherwise, with no other traffic, the same request is granted that
	// much later and is refused a nanosecond earlier. It is Never if it can never be granted.
	RetryAfter time.Duration

	// ResetAfter is the least time after which the limiter cannot be told from a new one.
	ResetAfter time.Duration

	// By is, in a composition of limiters, the index of the one that binds; else 0.
	By int
}

// Must returns v and panics if err is not nil. It is for limiters whose arguments are constants
// in the source.
func Must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}
