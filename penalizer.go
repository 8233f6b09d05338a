package ratelimit

import "time"

// Penalizer is a Limiter that a refusal changes: after it, the limiter refuses more than its limit
// demands. Package penalty has one.
//
// A Penalizer must be asked for every request, and for nothing else. So [All] does not take it as a
// member, because All looks at its members before it charges them. [Wait] and [NewQueue] do not
// take it, because they ask again until they are granted. Their error is an [*ArgumentError]. A
// type that wraps a Penalizer should have this method too.
type Penalizer interface {
	Limiter

	// Blocked returns true if the limiter refuses every event at present, by its clock, whatever
	// was granted before; and until when it does. The answer may already be outdated.
	Blocked() (until time.Time, ok bool)
}

// penalizes reports whether l must be asked exactly once for each request.
func penalizes(l Limiter) bool {
	_, ok := l.(Penalizer)
	return ok
}

// unpenalized is what is wanted in place of a Penalizer.
const unpenalized = "a limiter that a refusal does not change; put the penalty outermost"
