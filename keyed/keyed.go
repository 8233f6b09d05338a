// Package keyed limits each key by itself: each user, address or token, of as many as there are.
//
// [Table] keeps a key in 8 bytes of a table whose size is fixed, for limits that are a time (GCRA)
// or a count in an aligned window. It never exceeds a key's limit, also if it is full or under
// attack by ever new keys; then it is stricter with keys that it has no place for. [Map] keeps any
// limiter for each key, exactly, with a mutex, in a Go map. Take a Table unless the limit does not
// fit into it, or keys must be listed.
//
//	perUser, err := keyed.NewGCRA[string](ratelimit.PerMinute(90), 10, 100_000)
//	if !perUser.Allow(user) {
//		// refused: nothing was charged
//	}
//
// # Guarantee of a Table
//
// For each key, in every closed interval [a, b] of the callers' own timestamps, in whatever order
// they came,
//
//	granted <= burst + (b-a)*rate + 1/m
//
// with m = 256, or as many whole nanoseconds as there are between two events, if those are less: a
// key's clock goes by ticks of 1/m of an event. Of aligned windows, at most rate.Events in each.
// All or nothing, refusals that write nothing, exact RetryAfter, Remaining and ResetAfter (of what
// the table would decide), any clock and no overflow: as in the contract of [ratelimit.Limiter];
// except that
//
//   - a caller whose time is more than 2^16 events' time (2^24 ticks) before the newest grant's of
//     any key may be refused, and is if it is more than 1.5 times that; of windows,
//     2^24/rate.Events of them: see [Late],
//   - a caller whose time is more than 2^15 events' time (2^23 ticks) ahead of the table's clock
//     may be refused, and is if it is more than twice that: see [Ahead]. So one wrong time makes
//     nobody late who goes by the clock. By a clock of the caller's own that has not moved since
//     the table was made, as in a replay, a time may also be that far after the newest grant's: a
//     second wrong time may then make others late, and a replay with a longer pause needs its clock
//     moved along,
//   - nothing is given back: RefundAt does nothing,
//   - the rate of a table does not change; [Table.TakeLimitAt] takes another limit for a call, for
//     which m is how many of the table's ticks there are between two events of that limit.
//
// A key that is not in the table, whose set of 8 words is full of live ones, shares the word that
// owes least, and its debt: it is refused earlier, and never later, than alone. At twice as many
// words as live keys, which is what a capacity of that many makes, that befalls 3 of 100 new keys
// if the burst is 1, few of a million if it is 2, and none if it is 5 or more. Two keys with the
// same 24 bits of hash in one set share a word too: one of 4 million keys does, at that load.
//
// # Cost of a Table
//
// 16 bytes for each key of the capacity, at once; nothing afterwards: no allocation, no goroutine,
// nothing to collect, and keys are not kept. A decision hashes the key, reads a cache line, and if
// granted writes a word of it. Lock-free.
//
// Now and then a grant also looks after a part of the table: after all of it in 2^37 ticks (2^29
// events' time: 6 days of one event each ms, 17 years of one each second), and up to 12 times at
// once if the whole table was idle for longer.
//
// # Source
//
// GCRA: see package gcra. That a new key inherits the least count is the idea of the Space-Saving
// algorithm (Metwally, Agrawal, El Abbadi: Efficient Computation of Frequent and Top-k Elements in
// Data Streams, 2005), here for times.
package keyed

import (
	"fmt"

	"github.com/seed-3506548a/ratelimit"
)

// Option adjusts a table or a map under construction.
type Option func(*options)

type options struct {
	clock    []ratelimit.Option
	failOpen bool
}

// WithClock makes it read the time from c. A nil c is an error of the constructor.
func WithClock(c ratelimit.Clock) Option {
	return func(o *options) { o.clock = []ratelimit.Option{ratelimit.WithClock(c)} }
}

// FailOpen makes a Table grant what it would refuse only because there is no place for the key:
// untracked, and counted in Stats. Then an attacker with more keys than there are words is not
// limited, and neither is anybody else.
func FailOpen() Option {
	return func(o *options) { o.failOpen = true }
}

func choose(fn string, opts []Option) (o options, err error) {
	for i, opt := range opts {
		if opt == nil {
			return o, &ratelimit.ArgumentError{Func: fn, Field: fmt.Sprintf("opts[%d]", i), Value: nil, Want: "an option"}
		}
		opt(&o)
	}
	return o, nil
}
