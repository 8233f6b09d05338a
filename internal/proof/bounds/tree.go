package bounds

import "math"

// tree keeps numbers. It adds to the first of them, and returns the greatest of those, in
// logarithmic time.
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
