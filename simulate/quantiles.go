package simulate

import (
	"math"
	"math/bits"
	"time"
)

// quantiles keeps lengths of time in cells whose width is a 64th of what they hold at most, and of
// each cell the longest. So a quantile is a length that there was, and at most 1.6 % too long.
type quantiles struct {
	cells []cell
	n     int
}

type cell struct {
	n       int
	longest int64
}

func (q *quantiles) add(length int64) {
	length = max(length, 0)
	index := int(length)
	if length >= 64 {
		shift := bits.Len64(uint64(length)) - 7
		index = shift<<6 + int(length>>shift)
	}
	if index >= len(q.cells) {
		q.cells = append(q.cells, make([]cell, index+1-len(q.cells))...)
	}
	c := &q.cells[index]
	c.n++
	c.longest = max(c.longest, length)
	q.n++
}

// sorted returns the cells, the shortest first.
func (q *quantiles) sorted() []cell {
	all := make([]cell, 0, len(q.cells))
	for _, c := range q.cells {
		if c.n > 0 {
			all = append(all, c)
		}
	}
	return all
}

// at returns the quantiles of the given shares, 0 if there is nothing.
func (q *quantiles) at(shares ...float64) []time.Duration {
	found := make([]time.Duration, len(shares))
	all := q.sorted()
	for i, share := range shares {
		rank := max(int(math.Ceil(share*float64(q.n)*(1-0x1p-50))), 1)
		for _, c := range all {
			found[i] = time.Duration(c.longest)
			if rank -= c.n; rank <= 0 {
				break
			}
		}
	}
	return found
}
