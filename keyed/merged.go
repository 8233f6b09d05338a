package keyed

import (
	"math"

	"github.com/seed-3506548a/ratelimit"
)

// merged is the decision of the members so far.
type merged struct {
	ratelimit.Decision
	any bool
}

// and adds the decision of the next member, which has the given index. It copies field by field: a
// copy of the whole would wait for the fields that were just written.
func (d *merged) and(index int, told *ratelimit.Decision, c *cost) {
	limit, remaining := told.Limit, told.Remaining
	if c.each != nil {
		if n := c.each[index]; n > 0 {
			limit, remaining = limit/n, remaining/n
		} else {
			limit, remaining = math.MaxInt, math.MaxInt
		}
	}
	if !d.any {
		d.any = true
		d.OK, d.Limit, d.Remaining = told.OK, limit, remaining
		d.RetryAfter, d.ResetAfter, d.By = told.RetryAfter, told.ResetAfter, index
		return
	}
	if told.RetryAfter > d.RetryAfter || d.RetryAfter == 0 && remaining < d.Remaining {
		d.By = index
	}
	d.OK = d.OK && told.OK
	d.Limit = min(d.Limit, limit)
	d.Remaining = min(d.Remaining, remaining)
	d.RetryAfter = max(d.RetryAfter, told.RetryAfter)
	d.ResetAfter = max(d.ResetAfter, told.ResetAfter)
}
