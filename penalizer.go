package ratelimit

import "time"

// Penalizer is a Limiter that refuses more after it has refused: a client that goes on asking makes
// it worse. Package penalty has one.
//
// A Penalizer must be asked for every request, and for nothing else. So [All] does not take it as a
// member, because All looks at its members before it charges them; and [Wait] and [NewQueue] do not
// wait for it, because they ask until they are granted. Their error is an [*ArgumentError]. A type
// that wraps a Penalizer should have this method too.
type Penalizer interface {
	Limiter

	// Blocked returns until when the limiter refuses every request, whatever was granted, and true;
	// or false if it does not at present, by its clock. The answer may already be outdated.
	Blocked() (until time.Time, ok bool)
}

// penalizes reports whether l must not be asked more often than there are requests.
func penalizes(l Limiter) bool {
	_, ok := l.(Penalizer)
	return ok
}

// unpenalized is what is wanted in place of a Penalizer.
const unpenalized = "a limiter that a refusal does not change; put the penalty outermost"
