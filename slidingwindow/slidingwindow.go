// Package slidingwindow limits events in every window of a length, wherever it begins: no boundary
// lets more pass. There are two ways to remember what was granted.
//
// [NewLog] remembers the time of each event: it is exact, and its memory grows with the limit.
//
// [NewCounter] cuts the window into buckets and counts the events of each, in fixed memory. As it
// does not know when in its bucket an event happened, it counts the oldest bucket in full, and so
// may go on refusing for up to a bucket longer than a Log.
//
// # Guarantee
//
//	granted <= rate.Events in every half-open window of length rate.Per
//
// in the callers' own timestamps, in whatever order they came. All this holds within 2^62 ns (146
// years) of the limiter's origin, the time when it was made. Times beyond are taken as the nearer
// end of that range.
//
// Log grants whatever that allows, where an event that was granted late, at a time before that of
// an earlier grant, counts from the time of the latter.
//
// Counter, with buckets of length
//
//	width = ceil(rate.Per / buckets)
//
// that are counted from the origin, grants whatever fits under the limit in every window of length
// (buckets+1)*width. So who asks all the time gets at least the share rate.Per/((buckets+1)*width)
// of the rate: 10/11 with 10 buckets and 60/61 with 60, if these divide the window. An event that
// was granted late counts in the bucket of the newest grant. A time that lies more than the given
// number of buckets before that is refused.
//
// # Cost
//
// A decision reads the clock once. Both are lock-free, and a refusal writes nothing, unless there
// is a grant under way that it has to complete.
//
// A grant of Counter does one compare-and-swap; the first in a bucket does one more for each bucket
// since that of the last grant, but at most one for each word of the ring. Decisions are O(1), and
// O(log buckets) where they have to tell a wait. Memory: 208 bytes and a ring of
// 2^bitlen(2*buckets) words of 8 bytes, 464 bytes with 10 buckets. No decision allocates, except
// that one grant begins a new frame, with a new ring, each time that at least
//
//	3/4 * 2^(62 - 2*bitlen(rate.Events))
//
// buckets have passed (with the events still counted after a cut for rate.Events, if they are
// more), and when a fresh limiter is first asked for a time before its origin. In buckets of 100
// ms, that is most of a day for 1.5 million a second, seven months for 100,000, and millennia for a
// thousand.
//
// A grant of Log does three compare-and-swaps or stores, and one more for each event that was
// recorded at the newest time before; at that time or an earlier one, just one. Decisions are O(1),
// and O(log rate.Events) in Take and Peek, which tell what remains. Memory: 16 bytes for each event
// of the limit, and 224 bytes. No decision allocates, except that one grant begins a new frame,
// with a new ring, when more than six callers are in the middle of a grant at once, and after 2^(59
// - 2*bitlen(rate.Events)) grants and refunds, which is at least 32 times the limit.
//
// # Wrong times
//
// A limiter takes a time as it is handed one. After a TakeAt that is 24 h ahead of all others,
// Counter refuses everything until about rate.Per before that time. Log does not: as it counts what
// is late from the newest time, it grants what is left of the limit, once, and nothing more until
// rate.Per after that time. For the same reason a Log grants the zero [time.Time] of a caller that
// forgot to set it, as if it were the newest time; Counter refuses it. Package gcra says how to
// guard against a time far ahead.
//
// # Source
//
// Both are folklore. Weighting the last window's count by its overlap with the current one, as it
// is often done, admits up to 2*rate.Events-1 in one window: a test of this package shows it.
//
// # When to take another
//
// Package gcra spreads events over time and costs less. Package fixedwindow acts like an API whose
// limits reset.
package slidingwindow
