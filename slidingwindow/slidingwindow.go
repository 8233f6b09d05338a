// Package slidingwindow limits the events in every window of a given length, wherever the window
// begins. There is no boundary at which more is granted. It has two limiters:
//
//   - [Log] stores the time of each event. It is exact, and its memory grows with the limit.
//   - [Counter] divides the window into buckets and counts the events in each. Its memory is fixed.
//     It does not know when in a bucket an event happened, so it counts the oldest bucket in full,
//     and may refuse for up to one bucket longer than a Log.
//
// # Guarantee
//
// In every half-open window [a, a+rate.Per) of the times that callers pass, in whatever order they
// pass them,
//
//	granted <= rate.Events
//
// If requests come in the order of their times, a Log grants every request that this allows. A
// Counter then grants every request that this would allow with a window of length
// (buckets+1)*width, where
//
//	width = ceil(rate.Per / buckets)
//
// is the length of a bucket. So a client that asks continuously gets at least the share
// rate.Per/((buckets+1)*width) of the rate: 10/11 with 10 buckets and 60/61 with 60, if these
// numbers divide the window.
//
// This holds within 2^62 ns (146 years) of the limiter's origin, the time when it was made. Times
// further away count as the nearer end of that range. Buckets are counted from the origin.
//
// # Late requests
//
// A request is late if its time is earlier than that of an event granted before. The limit holds
// for late requests too, but some are refused although it would allow them.
//
// A Log records a late event at the newest time at which something was granted. For a late request
// at t, it counts all events recorded after t-rate.Per, also those recorded after t. With a limit
// of 5 in 10 s, and 2 events each at 0, 1 and 12 s, a request for 2 events at 10 s is refused,
// although no window would hold more than 4.
//
// A Counter counts a late event in the newest bucket. It refuses requests that are more than the
// given number of buckets before that bucket.
//
// # Wrong times
//
// Limiters believe the times that they are given. After one grant with a time 24 h ahead, all
// requests before that time are late. A Counter refuses them until about rate.Per before that time.
// A Log grants what is left of its limit, once, and then nothing until rate.Per after that time.
// Package gcra shows how to guard against this.
//
// A caller that forgets to set the time passes the zero [time.Time], which is late. A Counter
// refuses it. A Log may grant it, and records it at the newest time.
//
// # Cost
//
// A decision reads the clock once. Both limiters are lock-free. A refusal writes nothing, unless it
// completes the grant of another caller that is under way, or has lost a race for the last events.
//
// A grant of a Counter does one compare-and-swap. The first grant in a bucket does one more for
// each bucket since the last grant, at most one for each word of the ring. Take and Peek, if they
// do not grant, also search for the time to wait, in O(log buckets). On a 64-bit platform a Counter
// takes 208 bytes, and a ring of 2^bitlen(2*buckets) words of 8 bytes: 464 bytes with 10 buckets.
// Here bitlen(x) is the number of bits of x, as bits.Len returns it.
//
// No decision of a Counter allocates, with two exceptions. A new limiter allocates if its first
// grant is at a time before its origin. And when the number of the newest bucket outgrows the word,
// one grant allocates a new ring. This happens once in
//
//	3/4 * 2^(62 - 2*bitlen(rate.Events))
//
// buckets or more. With buckets of 100 ms, that is 21 hours with a limit of 1.5 million, seven
// months with 100,000, and millennia with 1,000. After SetRate has cut the limit, the number of
// events that still count takes the place of rate.Events, if it is larger.
//
// A grant of a Log at a new time does three compare-and-swaps or stores, and one more for each
// event that was granted at the newest time before. A grant at the newest time, or at an earlier
// one, does one. Take and Peek also search for what remains, in O(log rate.Events). On a 64-bit
// platform a Log takes 224 bytes, and 16 bytes for each event of the limit. The allocator rounds
// this up, by a quarter at most: 1,248 bytes for a limit of 64, 2,016 for 100, 16,608 for 1,000.
//
// No decision of a Log allocates, with two exceptions. A grant allocates a new ring, of 16 bytes
// for each event of the limit, if six other callers are in the middle of a grant. So does the first
// grant after 2^(59 - 2*bitlen(rate.Events)) grants and refunds, which are at least 32 times the
// limit.
//
// # Source
//
// Both algorithms are folklore. A common variant has two buckets, and weights the count of the last
// window by its overlap with the current one. It grants up to 2*rate.Events-1 events in one window,
// as TestTheClassicCounterAdmitsTwice shows.
//
// # When to use another package
//
// Package gcra spreads events over time and costs less. Package fixedwindow acts like an API whose
// limits reset.
package slidingwindow
