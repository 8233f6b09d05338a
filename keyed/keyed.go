// Package keyed limits each key on its own: each user, address or token. There are three kinds of
// [Store]:
//
//   - A [Table] keeps its keys in memory of a fixed size, about 16 bytes for each. It has no locks,
//     and it allocates nothing after it was made. Its limit is a rate with a burst ([NewGCRA]), or
//     a number of events in each aligned window ([NewAlignedWindow]).
//   - A [Map] keeps a [ratelimit.Limiter] of any kind for each key, made by a function that you
//     pass to [NewMap]. Its limiters are in hash tables behind mutexes.
//   - A [Group] limits one request by several keys at once, each key in a Store of its own.
//
// An example:
//
//	perUser, err := keyed.NewGCRA[string](ratelimit.PerMinute(90), 10, 100_000)
//	if err != nil {
//		return err
//	}
//	if !perUser.Allow(user) {
//		// refused: nothing was charged
//	}
//
// Take a Table, unless it does not have the limit that you need, or you need to list the keys, to
// refund events, or to change the rate of a key's limiter.
//
// # How a Table works
//
// A table is an array of 64-bit words, two for each key of its capacity. They are in sets of 8, and
// a set is a cache line. The hash of a key chooses its set, and the key has one word there. The
// word holds 24 bits of the hash and, as in package gcra, the time at which all that was granted to
// the key has drained. What the key owes is the time until then.
//
// These times are counted in ticks, of which m are the time from one event to the next at the
// table's rate. m is 256 at rates of up to one event in 256 ns (3,906,250 a second). At faster
// rates it is the number of whole nanoseconds from one event to the next. With aligned windows, a
// word has the number of a window and a count of events instead.
//
// # Guarantee of a Table
//
// For each key, in every closed interval [a, b] of the times that callers pass, in whatever order
// they pass them,
//
//	NewGCRA:          granted <= burst + (b-a)*rate + 1/m
//	NewAlignedWindow: granted <= rate.Events, if the interval lies in one window
//
// The term 1/m is there because times are rounded down to ticks. So a key may get an event up to
// one tick earlier than from package gcra. As m is 256 at nearly all rates, other documentation
// says 1/256.
//
// The bound holds whatever other keys do, and even when the table is full. A table keeps the
// contract of [ratelimit.Limiter], with these exceptions:
//
//   - It refuses requests with times that are very old or far in the future: see Wrong times.
//   - It gives nothing back: RefundAt does nothing.
//   - It may refuse a new key earlier if it is full: see Capacity.
//
// # Another limit for a key
//
// A table has no SetRate. Make a [Limit] with another rate and burst by [Table.Limit], and use it
// for the keys that it is for: pass it to [Table.TakeLimitAt], or get a limiter from
// [Table.LimiterBy]. In a Map, [Map.Update] changes the limiter of a key. Both say how what a key
// has used counts under its new limit.
//
// # Capacity
//
// The capacity of a table counts live keys. A key is live from a grant until it is idle: until its
// burst is full again, or the window ends. Idle keys take no room, so the number of users does not
// matter. At a rate r, one event keeps a key live for 1/r, and a full burst for burst/r.
//
// A new key takes a word of its set whose key is idle. If the set has none, the new key takes the
// word of the key that will be idle first, and with it what that key owes. So the new key may be
// refused earlier than it would be alone, but never later, and nobody gets more than the limit.
// Such a refusal has [Inherited] in Decision.By, and Stats.Saturated counts it. With as many live
// keys as the capacity, it happens to 3 of 100 new keys if the burst is 1, to fewer than 1 of
// 10,000 if it is 2, and to none of 200,000 if it is 5 (measured by TestInheritedRefusals). With
// aligned windows whose keys all use up their limit, it happens to 1 of 100 requests, and with
// twice the capacity to about 1 of 10,000 (TestInheritedRefusalsOfWindows).
//
// Two keys of a set with the same 24 bits of hash share a word, and so their limit. With as many
// live keys as the capacity, this happens to about 1 key of 4 million. Each table has a random hash
// seed.
//
// # Wrong times
//
// Allow and Take read the clock, and seldom meet what follows. It matters for times that callers
// pass in, as in a replay. It depends on a length L of 2^24 ticks. At rates of up to one event in
// 256 ns, L is the time of 2^16 events: 12 h at 90 a minute, 109 min at 10 a second, 66 s at 1000 a
// second. At faster rates it is 16 to 34 ms. With aligned windows it is 2^24/rate.Events windows.
//
// A request is late if its time is so old that the table may have forgotten what was granted then.
// It is refused, with [Late] in Decision.By. No request is late within L before the newest time at
// which the table has granted something, to any key. Every request is late that is more than 1.5*L
// before that time. RetryAfter is when the request is neither late nor over the limit. To have no
// late requests, pass times in about the order in which they happened. Allow and Take are late only
// if the clock runs backwards, or the goroutine is suspended for L within the call.
//
// A request is ahead if its time is so far in the future that, if it were granted, it could make
// other requests late. It is refused, with [Ahead] in Decision.By and a RetryAfter of
// [ratelimit.Never], and has no effect on others. No request is ahead within L/2 after the time of
// the table's clock. Every request is ahead that is more than L after that time. Stats counts late
// requests and those that are ahead.
//
// For a replay, make the table with a clock that shows the time of the first event, and move that
// clock along with the replay. If it never moves, a request may also be L/2 after the newest grant.
// So a replay works without moving the clock, as long as no two grants are further apart. But then
// two wrong times may be enough to make other requests late.
//
// A Map is never ahead. It can be late only after it has evicted a key to make room. For each
// eviction it remembers the time at which the evicted key became idle, or a day before the eviction
// if that is later. A key that is added afterwards could be the evicted key, so its requests are
// late at all times before the latest of these. [Map] has the details.
//
// # Cost of a Table
//
// A decision hashes the key and reads a cache line. A grant changes one word of it, with one
// compare-and-swap. A refusal writes nothing, unless it has lost a race. Refusals for the reasons
// Late, Ahead and Inherited are counted. Decisions are lock-free and O(1). They allocate nothing,
// for new keys too, and keys are not kept. A table allocates all its memory when it is made: 16
// bytes for each key of the capacity, rounded up by the allocator, and about 1 kB. It has no
// goroutine, and no pointers that the garbage collector would follow.
//
// Now and then a grant also visits some other words, to tell old times from new ones. Each word is
// visited once in 2^13*L: once in 17 years at one event a second, in 6 days at one a millisecond.
// The first grant after a longer pause may visit each word up to 12 times.
//
// # Source
//
// For GCRA see package gcra. That a new key inherits the least count is an idea of the Space-Saving
// algorithm, here used for times: Metwally, Agrawal, El Abbadi, Efficient Computation of Frequent
// and Top-k Elements in Data Streams, 2005.
package keyed

import (
	"fmt"

	"github.com/seed-3506548a/ratelimit"
)

// Option sets an option of a [Table] or a [Map] that is being made.
type Option func(*options)

type options struct {
	clock    []ratelimit.Option
	failOpen bool
}

// WithClock sets the clock that the table or map reads. The default is the system's monotonic
// clock, or for aligned windows its wall clock. If c is nil, the constructor returns an error.
func WithClock(c ratelimit.Clock) Option {
	return func(o *options) { o.clock = []ratelimit.Option{ratelimit.WithClock(c)} }
}

// FailOpen makes a [Table] grant the requests that it would refuse with [Inherited]. Such a grant
// charges nothing, and Stats.Untracked counts it. Then an attacker with enough keys to fill the
// table is not limited, and neither is any other new key.
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
