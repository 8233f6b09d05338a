package slidingwindow

import (
	"math/bits"

	"github.com/seed-3506548a/ratelimit/internal/atomics"
	"github.com/seed-3506548a/ratelimit/internal/frame"
	"github.com/seed-3506548a/ratelimit/internal/timeline"
)

// counterScale is the meaning of a frame's word. From high to low:
//
//	1 bit          frozen: see package frame
//	62-2*bits bits newest: the bucket of the newest grant, counted from first; at least len(ring)
//	bits+1    bits before: how many events were counted before that bucket, modulo 2^(bits+1)
//	bits      bits count: how many events are counted in that bucket
//
// A word of 0 means that nothing was ever granted. Callers move the word in three ways:
//
//	grant in the newest bucket, or in an earlier one   count += n
//	grant in a later bucket                            newest = that, before += count, count = n
//	refund in the newest bucket                        count -= n
//
// So before is constant while a bucket m is the newest, and so is the word (m, before, 0) with
// which the bucket began. That word is kept in ring[m mod len(ring)]. A bucket that was skipped has
// one too, as if it had begun together with the next.
//
// To settle the ring is to write the words of the newest bucket and of the skipped ones before it,
// in ascending order, into slots that still have the word of an earlier bucket. All callers write
// the same, so any of them can do it. The caller that begins a bucket settles the ring. A caller
// that finds it unsettled settles it before anything else. Only then may the word move to a later
// bucket.
//
// Therefore slots only grow, and once the newest bucket has its word in the ring, so have the
// 2*buckets before it. Slots of earlier buckets mean nothing: a new frame does not have them, and a
// late helper may write a wrong word there. A word that comes back within a bucket means the same
// as before. The events counted since a bucket m began are before - before(m) + count. For the
// 2*buckets+1 newest buckets, that is less than 2^(bits+1), since the events of any buckets+1
// buckets in a row fit into bits.
type counterScale struct {
	first int64            // the bucket that the word counts from, counted from the origin
	ring  []atomics.Uint64 // its length is a power of two, and at least 2*buckets+1

	width   int64 // as in spec, and so are limit and buckets: Allow finds them beside the word
	limit   uint32
	buckets uint16
	bits    uint8 // hold the limit, and the most events in buckets+1 buckets in a row
	shift   uint8 // 2*bits+1

	spec *counterSpec
}

type (
	counterFrame = frame.Frame[counterScale]
	counterPlan  = frame.Plan[counterScale]
)

// counterState is a word taken apart. Its bucket is counted from the origin.
type counterState struct {
	bucket, before, count int64
	fresh                 bool
}

// newCounterFrame returns a frame for the given newest bucket and later ones. It has the counts of
// the buckets up to that one, oldest first. They are nil if nothing was ever granted.
func newCounterFrame(s *counterSpec, bucket int64, counts []int64) *counterFrame {
	size := ringSize(s.buckets)
	width := bits.Len64(uint64(max(1, s.limit, most(counts, int(s.buckets)+1))))
	c := counterScale{first: bucket - size, ring: make([]atomics.Uint64, size),
		width: s.width, limit: uint32(s.limit), buckets: uint16(s.buckets), bits: uint8(width), shift: uint8(2*width + 1), spec: s}
	began := make([]uint64, size)
	var st counterState
	for i, n := range counts {
		st.bucket, st.before, st.count = bucket-int64(len(counts)-1-i), st.before+st.count, 0
		word := c.word(st)
		began[c.newest(word)%size] = word
		st.count = n
	}
	for i := range c.ring {
		c.ring[i].Init(began[i])
	}
	st.fresh = counts == nil
	return frame.New(c, c.word(st))
}

// most returns the greatest sum of up to row counts in a row.
func most(counts []int64, row int) (most int64) {
	sum := int64(0)
	for i, n := range counts {
		sum += n
		if i >= row {
			sum -= counts[i-row]
		}
		most = max(most, sum)
	}
	return most
}

// holds reports whether the word can have the bucket as its newest.
func (c *counterScale) holds(bucket int64) bool {
	newest := bucket - c.first
	return newest >= int64(len(c.ring)) && newest < 1<<(63-c.shift)
}

// word packs a state, whose bucket the word can count to.
func (c *counterScale) word(st counterState) uint64 {
	if st.fresh {
		return 0
	}
	return uint64(st.bucket-c.first)<<c.shift | uint64(st.before)&c.mask()<<c.bits | uint64(st.count)
}

// state unpacks a word, frozen or not.
func (c *counterScale) state(word uint64) counterState {
	word &^= frame.Frozen
	if word == 0 {
		return counterState{bucket: timeline.Bottom - 1, fresh: true} // before all others
	}
	return counterState{
		bucket: c.first + c.newest(word),
		before: int64(word >> (c.bits & 63) & c.mask()),
		count:  int64(word & (c.mask() >> 1)),
	}
}

// mask has the bits of a number of events. (Here and below, & 63 spares the compiler the code for a
// longer shift.)
func (c *counterScale) mask() uint64 { return 2<<(c.bits&63) - 1 }

// newest returns the word's newest bucket, counted from first.
func (c *counterScale) newest(word uint64) int64 { return int64(word >> (c.shift & 63)) }

// slot returns the word of the ring for a bucket counted from first.
func (c *counterScale) slot(bucket int64) *atomics.Uint64 {
	return &c.ring[bucket&int64(len(c.ring)-1)]
}

// since returns how many events have been counted since the bucket began, by two words.
func (c *counterScale) since(word, began uint64) uint64 {
	return (word-began)>>(c.bits&63)&c.mask() + word&(c.mask()>>1)
}

// settle brings the ring up to the word: see [counterScale].
func (c *counterScale) settle(word uint64) {
	word &^= frame.Frozen
	newest := c.newest(word)
	began := word &^ (c.mask() >> 1)
	if word == 0 || c.slot(newest).Load() == began {
		return
	}
	first := newest
	for first > newest-int64(len(c.ring))+1 && c.newest(c.slot(first-1).Load()) != first-1 {
		first--
	}
	for m := first; m <= newest; m++ {
		c.slot(m).Max(began - uint64(newest-m)<<c.shift)
	}
}

// counted returns how many events have been counted since the bucket began, which is one of the
// newest 2*buckets+1, or a later one. The ring must be settled.
func (c *counterScale) counted(st counterState, bucket int64) int64 {
	if st.fresh || bucket > st.bucket {
		return 0
	}
	before := c.slot(bucket-c.first).Load() >> (c.bits & 63)
	return int64((uint64(st.before)-before)&c.mask()) + st.count
}

// counts returns the events of each of the 2*buckets+1 buckets up to the given one, oldest first.
// That one must be the newest or a later one.
func (c *counterScale) counts(st counterState, upTo int64) []int64 {
	counts := make([]int64, 2*c.spec.buckets+1)
	for i := range counts {
		m := upTo - 2*c.spec.buckets + int64(i)
		counts[i] = c.counted(st, m) - c.counted(st, m+1)
	}
	return counts
}
