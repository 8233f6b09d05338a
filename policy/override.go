package policy

import (
	"fmt"
	"strings"

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

// find returns the rule and the limit in it that the override names, or what would be right.
func (o *Override) find(rules []Rule) (rule, limit int, want string) {
	ruleName, name, full := strings.Cut(o.Limit, "/")
	if !full {
		name = ruleName
	}
	var found []string
	for i := range rules {
		for j := range rules[i].Limits {
			if rules[i].Limits[j].Name == name && (!full || rules[i].Name == ruleName) {
				found = append(found, rules[i].Name+"/"+name)
				rule, limit = i, j
			}
		}
	}
	switch len(found) {
	case 0:
		return 0, 0, "the name of a limit that there is: " + some(rules)
	case 1:
		return rule, limit, ""
	default:
		return 0, 0, "one of the limits of this name: " + join(found[:min(len(found), mostNamed)], "or")
	}
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
	rule, limit, want := 0, 0, "the name of a limit, or rule/name"
	is := "missing"
	if o.Limit != "" {
		is = quote(o.Limit)
		rule, limit, want = o.find(c.policy.Rules)
	}
	if want != "" {
		c.add(path+".limit", is, want)
		c.when(path+".when", o.When, nil, "")
		return
	}
	c.when(path+".when", o.When, c.whens[rule], index("rules", rule)+".when")
	c.deadOverrides(path, o, [2]int{rule, limit}, i)
	l := &c.policy.Rules[rule].Limits[limit]
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
func (c *checker) deadOverrides(path string, o *Override, of [2]int, i int) {
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
