package ratelimit

import "time"

// Delayer is a Limiter that can compute how long any number of events takes, even more than it
// grants at once. With it, [Wait] can refuse at once a deadline that cannot be met because of the
// requests ahead. All limiters of this module are Delayers.
type Delayer interface {
	Limiter

	// DelayAt returns how long after t it takes until n more events can have been granted, in
	// requests of any size and with no other traffic, or a lower bound of that. It is [Never] if
	// they cannot be granted or n < 0. It charges nothing. The answer may already be outdated.
	DelayAt(t time.Time, n int) time.Duration
}

// delay returns DelayAt of l if it is a Delayer, and 0 otherwise.
func delay(l Limiter, t time.Time, n int) time.Duration {
	if l, ok := l.(Delayer); ok {
		return l.DelayAt(t, n)
	}
	return 0
}

// DelayAt returns the longest delay of the members, where one that is no [Delayer] counts as 0. It
// is a lower bound: a member that waits for another loses what it could have granted.
func (a *all) DelayAt(t time.Time, n int) (longest time.Duration) {
	if n < 0 {
		return Never
	}
	for _, l := range a.members {
		longest = max(longest, delay(l, t, n))
	}
	return longest
}

// DelayAt returns 0, or Never if n < 0.
func (u unlimited) DelayAt(_ time.Time, n int) time.Duration { return u.Take(n).RetryAfter }
