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

// and adds the next member's, with the given index, and sets its place in each.
func (d *merged) and(index int, told *ratelimit.Decision, c *cost, each []ratelimit.Decision) {
	if each != nil {
		each[index] = *told
	}
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
		d.Decision = *told
		d.Limit, d.Remaining, d.By = limit, remaining, index
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
