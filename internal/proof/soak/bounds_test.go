package soak_test

import (
	"cmp"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

// grant is a number of events that were granted at some time from lo to hi, in nanoseconds. So an
// interval that holds both holds the grant, and a bound that the grants in it exceed is broken.
type grant struct{ lo, hi, n int64 }

// bucketExcess returns the most, over all closed intervals [a, b], of what was granted in it less
// (b-a)*events/per, in units of an event/per: a bound of burst + (b-a)*events/per holds if that is
// at most burst*per.
//
// Intervals begin at the lo of a grant and end at the hi of one, which they hold, or a shorter one
// would have more excess. b sweeps over the latter; a tree has the excess of each a.
func bucketExcess(grants []grant, events, per int64) int64 {
	starts, ends := byTime(grants)
	tree := newTree(len(starts), func(i int) int64 { return starts[i].lo * events })
	most := int64(math.MinInt64)
	for _, g := range ends {
		after, _ := slices.BinarySearchFunc(starts, g.lo+1, func(x grant, lo int64) int { return cmp.Compare(x.lo, lo) })
		tree.add(after, g.n*per) // to all that begin at g.lo or before
		most = max(most, tree.most(after)-g.hi*events)
	}
	return most
}

// tree keeps numbers; it adds to the first of them, and tells the greatest of those, in logarithmic
// time.
type tree struct {
	leaves          int
	greatest, extra []int64 // of a node: the greatest number below it, with its extra
}

func newTree(n int, at func(i int) int64) *tree {
	leaves := 1
	for leaves < n {
		leaves *= 2
	}
	t := &tree{leaves, make([]int64, 2*leaves), make([]int64, 2*leaves)}
	for i := range leaves {
		t.greatest[leaves+i] = math.MinInt64 / 2
		if i < n {
			t.greatest[leaves+i] = at(i)
		}
	}
	for i := leaves - 1; i > 0; i-- {
		t.greatest[i] = max(t.greatest[2*i], t.greatest[2*i+1])
	}
	return t
}

// most returns the greatest of the first n numbers.
func (t *tree) most(n int) int64 {
	if n == t.leaves {
		return t.greatest[1]
	}
	most := int64(math.MinInt64 / 2)
	for i := t.leaves + n; i > 1; i /= 2 {
		if i%2 == 1 {
			most = max(most, t.greatest[i-1])
		}
		most += t.extra[i/2]
	}
	return most
}

// add adds to the first n numbers: to the whole of each node on the left of the way to the n-th.
func (t *tree) add(n int, v int64) {
	if n == t.leaves {
		t.greatest[1] += v
		t.extra[1] += v
		return
	}
	i := t.leaves + n
	for ; i > 1; i /= 2 {
		if i%2 == 1 {
			t.greatest[i-1] += v
			t.extra[i-1] += v
		}
		t.greatest[i/2] = max(t.greatest[i-i%2], t.greatest[i-i%2+1]) + t.extra[i/2]
	}
}

// byTime returns grants in the order of their lo, and in that of their hi.
func byTime(grants []grant) (starts, ends []grant) {
	return slices.SortedFunc(slices.Values(grants), func(x, y grant) int { return cmp.Compare(x.lo, y.lo) }),
		slices.SortedFunc(slices.Values(grants), func(x, y grant) int { return cmp.Compare(x.hi, y.hi) })
}

// mostWithin returns the most that was granted in any closed interval of that length, of grants in
// both orders.
func mostWithin(starts, ends []grant, length int64) (most int64) {
	short := func(g grant) bool { return g.hi-g.lo <= length } // others are in none
	sum, end := int64(0), 0
	for _, g := range starts { // the short ones that begin before have ended, and are not in the sum any more
		for ; end < len(ends) && ends[end].hi <= g.lo+length; end++ {
			if short(ends[end]) {
				sum += ends[end].n
			}
		}
		if most = max(most, sum); short(g) {
			sum -= g.n
		}
	}
	return most
}

// mostAligned returns the most that was granted in a window between two multiples of the length.
func mostAligned(grants []grant, length int64) (most int64) {
	sums := map[int64]int64{}
	for _, g := range grants {
		if window := g.lo / length; window == g.hi/length {
			sums[window] += g.n
			most = max(most, sums[window])
		}
	}
	return most
}

// The clever ways to check a bound are compared with the definition.
func TestBoundsAreCheckedOverAllIntervals(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 2000 {
		grants := make([]grant, 1+random.IntN(12))
		for i := range grants {
			lo := random.Int64N(100)
			grants[i] = grant{lo, lo + random.Int64N(20)*random.Int64N(2), 1 + random.Int64N(3)}
		}
		events, per, length := 1+random.Int64N(5), 1+random.Int64N(30), random.Int64N(50)
		excess, within, aligned := int64(math.MinInt64), int64(0), int64(0)
		for _, first := range grants {
			for _, last := range grants {
				sum := int64(0)
				for _, g := range grants {
					if g.lo >= first.lo && g.hi <= last.hi {
						sum += g.n
					}
				}
				if sum > 0 {
					excess = max(excess, sum*per-(last.hi-first.lo)*events)
				}
				if last.hi-first.lo <= length {
					within = max(within, sum)
				}
				if length > 0 && first.lo/length == last.hi/length {
					aligned = max(aligned, sum)
				}
			}
		}
		require.Equal(t, excess, bucketExcess(grants, events, per))
		starts, ends := byTime(grants)
		require.Equal(t, within, mostWithin(starts, ends, length))
		if length > 0 {
			require.Equal(t, aligned, mostAligned(grants, length))
		}
	}
}
