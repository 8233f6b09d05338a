// Package slidingwindow limits events in every window of a length, wherever it begins: no boundary lets
// more pass.
//
// [NewCounter] cuts the window into buckets and counts the events of each, in fixed memory. As it does
// not know when in its bucket an event happened, it counts the oldest bucket in full, and so refuses up
// to one bucket early what a window that moves by nanoseconds would grant.
//
// # Guarantee
//
//	granted <= rate.Events in every half-open window of length rate.Per
//
// in the callers' own timestamps, in whatever order they came. And no more is withheld than this: with
//
//	width = ceil(rate.Per / buckets)
//
// Counter grants whatever fits under the limit in every window of length (buckets+1)*width, which is
// less than rate.Per + width + buckets nanoseconds. Who asks all the time therefore gets at least the
// share buckets/(buckets+1) of the rate: 10/11 with 10 buckets, 60/61 with 60. (What is granted late, at
// a time before that of an earlier grant, is counted in the bucket of the latter.)
//
// A time that lies more than the given number of buckets before the bucket of the newest grant is
// refused. All this holds within 2^62 ns (146 years) of the limiter's origin, the time when it was
// made; from there buckets are counted. Times beyond are taken as the nearer end of that range.
//
// # Cost
//
// A decision reads the clock once and, if granted, does one compare-and-swap; the first grant in a
// bucket does one more for each bucket that has passed since the last grant, but at most one for each
// word of the ring. Lock-free; O(1), and O(log buckets) for the waits that a refusal tells. Memory: 184
// bytes, and a ring of 2^bitlen(2*buckets) words of 8 bytes: 440 bytes with 10 buckets. No decision allocates, but each time that
//
//	3/4 * 2^(62 - 2*bitlen(rate.Events))
//
// buckets have passed, one grant begins a new frame with a few small allocations: a day for 1.5 million
// a second, in 10 buckets, and centuries for all that people do. A refusal writes nothing.
//
// # Source
//
// Sub-window counters are folklore. Weighting the last window's count by its overlap with the current
// one, as it is often done, admits up to 2*rate.Events-1 in one window: a test of this package shows it.
//
// # When to take another
//
// Package gcra spreads events over time and costs less. Package fixedwindow acts like an API whose
// limits reset.
package slidingwindow
