package keyed

import (
	"slices"
	"time"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/internal/table"
)

// member is a Member, and its store if that is a Table: a Table is called directly, so that it
// fills the decision in place, and hashes the key once.
type member[R any] struct {
	Member[R]
	table *table.Table
}

// cost is what a request costs the members: n events of each, or those of each.
type cost struct {
	n    int
	each []int
}

func (c *cost) of(member int) int {
	if c.each == nil {
		return c.n
	}
	return c.each[member]
}

// hashes are those of the keys of the first members, which are looked at, and then charged; 0 if
// not known yet.
type hashes [8]uint64

func (m *member[R]) hashOnce(known *hashes, i int, r R) uint64 {
	if i >= len(known) {
		return m.hash(r)
	}
	if known[i] == 0 {
		known[i] = m.hash(r)
	}
	return known[i]
}

func (g *Group[R]) take(d *merged, t time.Time, r R, c cost, each []ratelimit.Decision) {
	var known hashes
	var one ratelimit.Decision
	for i := 1; i < len(g.members); i++ {
		m, n := &g.members[i], c.of(i)
		if m.table != nil && m.table.Fits(m.hashOnce(&known, i, r), m.table.Line().At(t), n, m.table.Own()) {
			continue
		}
		if one = m.peek(t, r, n); !one.OK {
			g.refused(d, t, r, c, each, i, &one)
			return
		}
	}
	for i := range g.members {
		m, told := &g.members[i], &one
		if each != nil {
			told = &each[i]
		}
		if m.table != nil {
			m.table.Take(told, m.hashOnce(&known, i, r), m.table.Line().At(t), c.of(i), m.table.Own())
		} else {
			*told = m.take(t, r, c.of(i))
		}
		if !told.OK {
			g.undo(t, r, c, i)
			one = *told
			g.refused(d, t, r, c, each, i, &one)
			return
		}
		d.and(i, told, &c)
	}
}

// undo gives back what the first charged members were charged at t, as far as they give back: a
// later one has refused.
func (g *Group[R]) undo(t time.Time, r R, c cost, charged int) {
	if charged == 0 {
		return
	}
	now := g.clock.Now()
	if now.Before(t) {
		now = t
	}
	for i, m := range slices.Backward(g.members[:charged]) {
		m.refund(now, r, c.of(i), now.Sub(t))
	}
}

// refused sets d to the decision if the member with the given index refuses by the decision by. Of
// the other members it reports what they have without this request.
func (g *Group[R]) refused(d *merged, t time.Time, r R, c cost, each []ratelimit.Decision, index int, by *ratelimit.Decision) {
	*d = merged{}
	for i, m := range g.members {
		told := *by
		if i != index {
			if told = m.peek(t, r, c.of(i)); told.OK {
				told = m.peek(t, r, 0)
			}
		}
		if each != nil {
			each[i] = told
		}
		d.and(i, &told, &c)
	}
}
