package policy

import "slices"

// clone returns a copy that shares nothing with p.
func (p Policy) clone() Policy {
	p.Costs = slices.Clone(p.Costs)
	for i := range p.Costs {
		p.Costs[i].Match = slices.Clone(p.Costs[i].Match)
	}
	p.Rules = slices.Clone(p.Rules)
	for i := range p.Rules {
		r := &p.Rules[i]
		r.Match, r.When, r.Key = slices.Clone(r.Match), slices.Clone(r.When), slices.Clone(r.Key)
		r.Limits, r.Ladder = slices.Clone(r.Limits), slices.Clone(r.Ladder)
		for j := range r.Limits {
			r.Limits[j].Count, r.Limits[j].Shown = slices.Clone(r.Limits[j].Count), copied(r.Limits[j].Shown)
		}
		for j := range r.Ladder {
			r.Ladder[j].Who, r.Ladder[j].To = slices.Clone(r.Ladder[j].Who), copied(r.Ladder[j].To)
		}
	}
	p.Overrides = slices.Clone(p.Overrides)
	for i := range p.Overrides {
		o := &p.Overrides[i]
		o.Match, o.When = slices.Clone(o.Match), slices.Clone(o.When)
		o.Rate, o.Shown = copied(o.Rate), copied(o.Shown)
	}
	return p
}

func copied[T any](p *T) *T {
	if p == nil {
		return nil
	}
	c := *p
	return &c
}
