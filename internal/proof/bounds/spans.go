package bounds

import (
	"cmp"
	"math"
	"slices"

	"github.com/seed-3506548a/ratelimit"
)

// Span is a number of events that were granted at some time from Lo to Hi, in nanoseconds. So an
// interval that holds both holds the grant, and a bound that the grants in it exceed is broken.
type Span struct{ Lo, Hi, N int64 }

// Share returns how much of a bound was used where most of it was, over all intervals: the bound
// holds if that is at most 1. It takes O(n log n) for n grants, except for [IntervalShare].
type Share func(grants []Span) float64

// BucketShare is of burst + (b-a)*rate in every closed interval [a, b].
func BucketShare(rate ratelimit.Rate, burst float64) Share {
	events, per := reduced(rate)
	return func(grants []Span) float64 {
		return float64(bucketExcess(grants, events, per)) / float64(per) / burst
	}
}

// SlidingShare is of rate.Events in every half-open window of length rate.Per.
func SlidingShare(rate ratelimit.Rate) Share {
	return func(grants []Span) float64 {
		starts, ends := byTime(grants)
		return float64(mostWithin(starts, ends, int64(rate.Per)-1)) / float64(rate.Events)
	}
}

// IntervalShare is of capacity + rate.Events*ceil((b-a)/rate.Per) in every closed interval [a, b]:
// for each number of periods, in those that are no longer. It takes O(n) for each.
func IntervalShare(rate ratelimit.Rate, capacity int) Share {
	return func(grants []Span) (worst float64) {
		if len(grants) == 0 {
			return 0
		}
		starts, ends := byTime(grants)
		periods := (ends[len(ends)-1].Hi-starts[0].Lo)/int64(rate.Per) + 2
		for n := range periods {
			most := mostWithin(starts, ends, n*int64(rate.Per))
			worst = max(worst, float64(most)/float64(int64(capacity)+n*int64(rate.Events)))
		}
		return worst
	}
}

// AlignedShare is of rate.Events in every window between two multiples of rate.Per.
func AlignedShare(rate ratelimit.Rate) Share {
	return func(grants []Span) float64 {
		return float64(mostAligned(grants, int64(rate.Per))) / float64(rate.Events)
	}
}

// reduced returns the rate with the smallest numbers, so that products are small.
func reduced(rate ratelimit.Rate) (events, per int64) {
	events, per = int64(rate.Events), int64(rate.Per)
	a, b := events, per
	for b != 0 {
		a, b = b, a%b
	}
	return events / a, per / a
}

// bucketExcess returns the most, over all closed intervals [a, b], of what was granted in it less
// (b-a)*events/per, in units of an event/per: a bound of burst + (b-a)*events/per holds if that is
// at most burst*per.
//
// Intervals begin at the Lo of a grant and end at the Hi of one, which they hold, or a shorter one
// would have more excess. b sweeps over the latter; a tree has the excess of each a.
func bucketExcess(grants []Span, events, per int64) int64 {
	starts, ends := byTime(grants)
	tree := newTree(len(starts), func(i int) int64 { return starts[i].Lo * events })
	most := int64(math.MinInt64)
	for _, g := range ends {
		after, _ := slices.BinarySearchFunc(starts, g.Lo+1, func(x Span, lo int64) int { return cmp.Compare(x.Lo, lo) })
		tree.add(after, g.N*per) // to all that begin at g.Lo or before
		most = max(most, tree.most(after)-g.Hi*events)
	}
	return most
}

// byTime returns grants in the order of their Lo, and in that of their Hi.
func byTime(grants []Span) (starts, ends []Span) {
	return slices.SortedFunc(slices.Values(grants), func(x, y Span) int { return cmp.Compare(x.Lo, y.Lo) }),
		slices.SortedFunc(slices.Values(grants), func(x, y Span) int { return cmp.Compare(x.Hi, y.Hi) })
}

// mostWithin returns the most that was granted in any closed interval of that length, of grants in
// both orders.
func mostWithin(starts, ends []Span, length int64) (most int64) {
	short := func(g Span) bool { return g.Hi-g.Lo <= length } // others are in none
	sum, end := int64(0), 0
	for _, g := range starts { // the short ones that begin before have ended, and are not in the sum any more
		for ; end < len(ends) && ends[end].Hi <= g.Lo+length; end++ {
			if short(ends[end]) {
				sum += ends[end].N
			}
		}
		if most = max(most, sum); short(g) {
			sum -= g.N
		}
	}
	return most
}

// mostAligned returns the most that was granted in a window between two multiples of the length.
func mostAligned(grants []Span, length int64) (most int64) {
	sums := map[int64]int64{}
	for _, g := range grants {
		if window := g.Lo / length; window == g.Hi/length {
			sums[window] += g.N
			most = max(most, sums[window])
		}
	}
	return most
}
