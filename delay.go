package ratelimit

import "time"

// Delayer is a Limiter that can say how long a number of events takes, also one that is more than
// it grants at once. [Wait] asks it to refuse at once a deadline that cannot be met because of
// those who came before. All limiters of this module are Delayers.
type Delayer interface {
	Limiter

	// DelayAt returns how long after t it takes at least until n events more can have been granted,
	// in requests of any size and with no other traffic: [Never] if they never can be, and if n <
	// 0. It charges nothing, and may already be outdated when it arrives.
	DelayAt(t time.Time, n int) time.Duration
}

// delay is what l says, if it does, or else 0.
func delay(l Limiter, t time.Time, n int) time.Duration {
	if l, ok := l.(Delayer); ok {
		return l.DelayAt(t, n)
	}
	return 0
}

// DelayAt returns the greatest delay of all members, of which those that are no [Delayer] count as
// 0. It is a lower bound: while one member makes another wait, that loses what it could have
// granted.
func (a *all) DelayAt(t time.Time, n int) (longest time.Duration) {
	if n < 0 {
		return Never
	}
	for _, l := range a.members {
		longest = max(longest, delay(l, t, n))
	}
	return longest
}

// DelayAt returns 0 if n >= 0.
func (u unlimited) DelayAt(_ time.Time, n int) time.Duration { return u.Take(n).RetryAfter }
