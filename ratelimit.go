// Package ratelimit defines what the limiters of this module have in common: [Limiter], [Decision],
// [Rate] and [Clock].
//
// A limiter grants at most a number of events in a length of time. An event is whatever you count:
// a request, a message, a kilobyte.
//
//	limiter := ratelimit.Must(gcra.New(ratelimit.PerMinute(90), 10)) // at most 10 at once
//	if !limiter.Allow() {
//		// refused: nothing was charged
//	}
//
// # Limiters
//
// Each algorithm has a package of its own:
//
//   - gcra: events spread at a rate, and a burst of some at once; start here
//   - tokenbucket: the same counted in tokens, or tokens that come back in batches
//   - fixedwindow: a number of events in each window, such as each full minute
//   - slidingwindow: a number of events in every window, wherever it begins
//   - burst: a cap on short bursts on top of another limiter
//   - penalty: a block after each refusal on top of another limiter
//   - keyed: a limit for each user, address or other key
//
// Package policy has the limits of a whole API in one document, and httplimit puts a policy or a
// keyed limit in front of an http.Handler, or a limit behind an http.Client. Package simulate plays
// traffic through limits. The module redislimit keeps limits on Redis or Valkey, for several
// processes.
//
// All limiters in memory compute in integers only. They read the system's monotonic clock, for
// aligned windows its wall clock, or a [Clock] that you pass. Decisions are lock-free and do not
// allocate. There are two exceptions: a keyed.Map, and what is built on it, locks, and allocates
// for new keys; and a grant allocates in the rare cases that each package lists under Cost.
//
// A refusal changes nothing that later decisions depend on. The exceptions are package penalty,
// whose purpose is such a change, and a composition that has lost a race: see [All].
//
// # With any limiter
//
// [All] makes one limiter of several. [Wait] and [Queue] wait until a limiter grants. [Unlimited]
// is a limit that is switched off.
//
// # Your own limiter
//
// Any type with the six methods of Limiter is a Limiter, and package limittest tests it. It can
// offer more by the optional interfaces [Charger] and [Allower], which limittest tests as well, and
// [Reserver], [Delayer], [Composite], [Wrapper], [Penalizer] and [Failer].
package ratelimit

import (
	"math"
	"time"
)

// Never is the RetryAfter of a request that can never be granted. It is also the ResetAfter of a
// limiter that will not be full again within the range of time that it can represent.
const Never time.Duration = math.MaxInt64

// Limiter decides whether events may happen now.
//
// Every implementation in this module is safe for simultaneous use and must not be copied after
// first use. Its zero value is not usable, and methods called on it may panic: use the constructor.
//
// The interface never grows. What else a limiter can do is in optional interfaces.
//
// # Arguments
//
// No argument panics. n == 0 is always granted, charges nothing and returns the state. A request
// for n < 0 events, or for more than the limiter can ever grant at once, is refused with RetryAfter
// == [Never] and charges nothing.
//
// A time t may be any [time.Time], even one earlier than those already used. The limit holds in the
// times that callers pass, in whatever order they come. A time in the far future makes most
// limiters refuse until then: compare times that come from elsewhere with the clock first.
//
// Do not mix times with and without a monotonic reading, such as time.Now() and parsed times,
// across a step of the wall clock: they are readings of two different clocks.
type Limiter interface {
	// Allow reports whether one event may happen now, and charges it if so. It equals Take(1).OK,
	// and is the fastest way to ask.
	Allow() bool

	// Take charges n events now, all of them or none.
	Take(n int) Decision

	// TakeAt is Take as of t, for compositions, replays and tests.
	TakeAt(t time.Time, n int) Decision

	// PeekAt returns what TakeAt would return, and charges nothing. With other callers, the answer
	// may already be outdated.
	PeekAt(t time.Time, n int) Decision

	// RefundAt gives back, as of t, n events that were granted at t-held and did not happen. It
	// gives back only what still counts: afterwards the limiter grants no more than if it had never
	// granted these events. (Windows that open with an event may then open at other times; there
	// the bound holds for the events that were kept.) It may give back less, or nothing.
	//
	// t must not be earlier than any time used since the grant. A t before the limiter's own clock
	// counts as the clock's time. held may be too short by the delay of reading the clock at the
	// grant: then the limiter may grant as much as it would after that delay. No other error of
	// held is allowed.
	//
	// Refund an event once: a second call gives back again. n < 1, held < 0 and an n that cannot be
	// granted at once give nothing back.
	RefundAt(t time.Time, n int, held time.Duration)

	// Clock returns the limiter's own clock, for callers that compose limiters or wait.
	Clock() Clock
}

// Reserver is a Limiter that can grant events now that may happen later. The limiters of packages
// gcra and tokenbucket are Reservers, except for gcra.Striped.
type Reserver interface {
	Limiter

	// ReserveAt charges n events as of t, all of them or none, if they may happen at t+within or
	// earlier. [Reservation.ActAt] returns when they may. Reservations are served in the order in
	// which they were made.
	//
	// If the request is refused, the Reservation is nil and RetryAfter is how long until the same
	// request is granted. It is never granted with within < 0. n == 0 may happen at once.
	//
	// The limit holds for the times at which the events may happen.
	ReserveAt(t time.Time, n int, within time.Duration) (Reservation, Decision)
}

// Reservation is a grant of events that may happen at ActAt or later. It is safe for simultaneous
// use.
//
// It can be given back once; later calls do nothing. Cancel does nothing after ActAt, so it can be
// deferred. Refund gives back at any time.
type Reservation interface {
	// ActAt returns the time from which the events may happen.
	ActAt() time.Time

	// Cancel is CancelAt by the limiter's clock.
	Cancel()

	// CancelAt gives the reservation back as of t, unless t or the limiter's clock is after ActAt.
	// At ActAt itself it still does. All of it comes back if no later reservation is pending.
	// Otherwise a limiter that spreads its events, such as gcra, gives nothing back, because the
	// later reservation has already been promised a time behind this one. So cancel the newest
	// first. For t see RefundAt of [Limiter].
	CancelAt(t time.Time)

	// Refund is RefundAt by the limiter's clock.
	Refund()

	// RefundAt gives back, as of t, events that did not happen. Until ActAt it does what CancelAt
	// does. After it, what still counts comes back, as with RefundAt of [Limiter].
	RefundAt(t time.Time)
}

// Decision is the answer to one request, with the state of the limiter after it.
//
// It has no hidden fields, so any package can implement a [Limiter] or fake one.
type Decision struct {
	// OK reports whether the request was granted: its events were charged and may happen.
	OK bool

	// Limit is the most events that the limiter can ever grant at once.
	Limit int

	// Remaining is the most events that the limiter would grant right after this decision.
	Remaining int

	// RetryAfter is 0 if OK. Otherwise the same request is granted after this time, and not a
	// nanosecond earlier, if there is no other traffic. It is Never if it can never be granted.
	RetryAfter time.Duration

	// ResetAfter is how long until the limiter is full again, if there is no other traffic. Full
	// means that it decides as a new one does at all later times. Remaining == Limit is not enough:
	// a limiter made of several can have more to count than Remaining shows.
	ResetAfter time.Duration

	// By is, for a limiter made of several, the index of the one that binds. Otherwise it is 0, or
	// a negative number that its package defines, such as keyed.Full.
	By int
}

// Must returns v, and panics if err is not nil. Use it for limiters whose arguments are constants
// in the source.
func Must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}
