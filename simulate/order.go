package simulate

import (
	"container/heap"
	"fmt"
	"iter"
	"slices"
	"time"
)

// OrderError says that requests are too far out of order.
type OrderError struct {
	Number   int       // of the request, from 1
	At       time.Time // its time
	After    time.Time // that of a request which was passed on already
	Pending  int       // how many were waited for
	Distance time.Duration
}

// Error returns how late the request is.
func (e *OrderError) Error() string {
	return fmt.Sprintf("request %d, of %v, is %v earlier than one that came more than %d requests before it: sort them first",
		e.Number, e.At.Format(time.RFC3339Nano), e.Distance, e.Pending)
}

// Sorted returns the requests in order of time; those of one time in the order in which they came.
// It keeps all of them in memory.
func Sorted(requests iter.Seq[Request]) iter.Seq[Request] {
	return func(yield func(Request) bool) {
		all := slices.Collect(requests)
		slices.SortStableFunc(all, func(a, b Request) int { return a.At.Compare(b.At) })
		for i := range all {
			if !yield(all[i]) {
				return
			}
		}
	}
}

// Reorder returns requests in order of time, as [Sorted] does, but keeps at most so many of them in
// memory. If that is not enough, the sequence ends, and *failed is an [*OrderError].
func Reorder(requests iter.Seq[Request], most int, failed *error) iter.Seq[Request] {
	return func(yield func(Request) bool) {
		p := pending{most: max(most, 0)}
		var passed time.Time
		n := 0
		for r := range requests {
			n++
			if n > most+1 && r.At.Before(passed) {
				*failed = &OrderError{n, r.At, passed, most, passed.Sub(r.At)}
				return
			}
			p.push(placed{r, n})
			if p.size() <= most {
				continue
			}
			next := p.pop()
			if passed = next.At; !yield(next.Request) {
				return
			}
		}
		for p.size() > 0 {
			if next := p.pop(); !yield(next.Request) {
				return
			}
		}
	}
}

// placed is a request and its place in the sequence.
type placed struct {
	Request
	place int
}

func (p *placed) before(q *placed) bool {
	return p.At.Before(q.At) || p.At.Equal(q.At) && p.place < q.place
}

// pending are requests in a ring, while they come in order, and in a heap.
type pending struct {
	most    int // in the ring and the heap together, before another is pushed
	ring    []placed
	first   int
	ordered int // how many are in the ring
	late    byTime
}

func (p *pending) size() int { return p.ordered + len(p.late) }

// at returns the place in the ring of a request, of which the first is 0.
func (p *pending) at(i int) *placed {
	if i += p.first; i >= len(p.ring) {
		i -= len(p.ring)
	}
	return &p.ring[i]
}

func (p *pending) push(r placed) {
	if p.ordered > 0 && r.At.Before(p.at(p.ordered-1).At) {
		heap.Push(&p.late, r)
		return
	}
	if p.ordered == len(p.ring) {
		ring := make([]placed, min(max(2*len(p.ring), 64)-1, p.most)+1)
		for i := range p.ordered {
			ring[i] = *p.at(i)
		}
		p.ring, p.first = ring, 0
	}
	p.ordered++
	*p.at(p.ordered - 1) = r
}

func (p *pending) pop() placed {
	if p.ordered == 0 || len(p.late) > 0 && p.late[0].before(p.at(0)) {
		return heap.Pop(&p.late).(placed)
	}
	next := *p.at(0)
	p.ordered--
	if p.first++; p.first == len(p.ring) {
		p.first = 0
	}
	return next
}

// byTime is a heap.
type byTime []placed

func (b byTime) Len() int           { return len(b) }
func (b byTime) Less(i, j int) bool { return b[i].before(&b[j]) }
func (b byTime) Swap(i, j int)      { b[i], b[j] = b[j], b[i] }

// Push implements [heap.Interface].
func (b *byTime) Push(x any) { *b = append(*b, x.(placed)) }

// Pop implements [heap.Interface].
func (b *byTime) Pop() any {
	last := (*b)[len(*b)-1]
	(*b)[len(*b)-1] = placed{}
	*b = (*b)[:len(*b)-1]
	return last
}
