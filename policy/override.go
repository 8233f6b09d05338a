package policy

import (
	"fmt"

	"github.com/seed-3506548a/ratelimit"
)

// apply returns the limit as the override changes it, unless it is unlimited.
func (o *Override) apply(l Limit) Limit {
	if o.Rate != nil {
		l.Rate, l.Shown = *o.Rate, nil
	}
	if o.Shown != nil {
		l.Shown = o.Shown
	}
	if o.Burst != 0 {
		l.Burst = o.Burst
	}
	return l
}

// place is where a limit is: of which rule, and which of its limits.
type place struct{ rule, limit int }

// places are where limits are, by "name" and by "rule/name".
type places map[string][]place

func (p *Policy) places() places {
	all := places{}
	for i := range p.Rules {
		r := &p.Rules[i]
		for j := range r.Limits {
			name, at := r.Limits[j].Name, place{i, j}
			all[name] = append(all[name], at)
			all[r.Name+"/"+name] = append(all[r.Name+"/"+name], at)
		}
	}
	return all
}

// find returns the place of the limit that the override names, or what would be right.
func (p places) find(o *Override, rules []Rule) (at place, want string) {
	switch found := p[o.Limit]; len(found) {
	case 0:
		return place{}, "the name of a limit that there is: " + some(rules)
	case 1:
		return found[0], ""
	default:
		var names []string
		for _, at := range found[:min(len(found), mostNamed)] {
			r := &rules[at.rule]
			names = append(names, r.Name+"/"+r.Limits[at.limit].Name)
		}
		return place{}, "one of the limits of this name: " + join(names, "or")
	}
}

// overridden returns the overrides of each limit of a valid policy.
func (p *Policy) overridden() map[place][]*Override {
	all, named := map[place][]*Override{}, p.places()
	for i := range p.Overrides {
		o := &p.Overrides[i]
		at, _ := named.find(o, p.Rules)
		all[at] = append(all[at], o)
	}
	return all
}

// mostNamed is how many names a message has.
const mostNamed = 10

// some returns the names of some limits.
func some(rules []Rule) string {
	var names []string
	for _, r := range rules {
		for _, l := range r.Limits {
			if names = append(names, r.Name+"/"+l.Name); len(names) == mostNamed {
				return join(names, "or")
			}
		}
	}
	return join(names, "or")
}

func (c *checker) override(i int) {
	path := index("overrides", i)
	o := &c.policy.Overrides[i]
	c.match(path+".match", o.Match)
	at, want := place{}, "the name of a limit, or rule/name"
	is := "missing"
	if o.Limit != "" {
		is = quote(o.Limit)
		at, want = c.places.find(o, c.policy.Rules)
	}
	if want != "" {
		c.add(path+".limit", is, want)
		c.when(path+".when", o.When, nil, "")
		return
	}
	c.when(path+".when", o.When, c.whens[at.rule], index("rules", at.rule)+".when")
	c.deadOverrides(path, o, at, i)
	l := &c.policy.Rules[at.rule].Limits[at.limit]
	switch changes := o.Rate != nil || o.Shown != nil || o.Burst != 0; {
	case !changes && !o.Unlimited:
		c.add(path, "without a change", "rate, shown, burst or unlimited")
	case changes && o.Unlimited:
		c.add(path+".unlimited", "true", "no rate, shown and burst beside it")
	case changes:
		c.change(path, o, l)
	}
}

// deadOverrides finds those that a later one, which is for all requests, takes the effect from.
func (c *checker) deadOverrides(path string, o *Override, of place, i int) {
	if first, ok := c.overridden[of]; !ok {
		c.overridden[of] = i
	} else if len(o.Match) == 0 && len(o.When) == 0 {
		c.add(path, "for all requests", fmt.Sprintf("match or when, or this before overrides[%d], which never counts as the last one wins", first))
	}
}

// change checks the limit as the override makes it.
func (c *checker) change(path string, o *Override, l *Limit) {
	c.shown(path, o.Shown, l.Hidden)
	if o.Burst != 0 && l.As != GCRA && l.As != Interval {
		c.add(path+".burst", fmt.Sprint(o.Burst), "none: only that of a gcra or an interval can be changed")
		return
	}
	if o.Rate != nil && o.Rate.Per != l.Rate.Per && l.As != GCRA {
		c.add(path+".rate", quote(o.Rate.String()), "the period of the limit, as in "+quote(ratelimit.Per(o.Rate.Events, l.Rate.Per).String())+"; only a gcra can have another")
		return
	}
	burst := path + ".burst"
	if o.Burst == 0 {
		burst = path + ".rate"
	}
	if l.Rate.Per > 0 && l.As != "" {
		c.size(path+".rate", burst, o.apply(*l))
	}
}
