package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/policy"
	"github.com/seed-3506548a/ratelimit/policy/catalog"
	"github.com/seed-3506548a/ratelimit/simulate"
)

// loadPolicy returns the policy of the catalog, the file, or the single limit that the text is.
func loadPolicy(text string) (policy.Policy, error) {
	if slices.Contains(catalog.Names(), text) {
		return catalog.Load(text)
	}
	document, err := os.ReadFile(text)
	switch {
	case err == nil:
		p, faults := policy.Parse(document)
		if faults != nil {
			return p, fmt.Errorf("%s: %w", text, faults)
		}
		return p, nil
	case !errors.Is(err, fs.ErrNotExist):
		return policy.Policy{}, err
	}
	if l, err := policy.ParseLimit(text); err == nil {
		if l.Name == "" {
			l.Name = "limit"
		}
		return policy.Policy{Rules: []policy.Rule{{Name: "each", Key: []string{"key"}, Missing: "share", Limits: []policy.Limit{l}}}}, nil
	}
	return policy.Policy{}, fmt.Errorf("there is no policy %q: name a file, a limit such as 'gcra 90/min burst 10', or one of the catalog: %s",
		text, strings.Join(catalog.Names(), ", "))
}

// judged is what is tried.
type judged struct {
	name   string
	policy *policy.Policy // nil: a limit for each key
	limit  policy.Limit
}

// judgedBy returns what -policy, -limit and -compare name.
func (o *options) judgedBy() (all []judged, err error) {
	byLimit := func(text string) error {
		l, wrong := policy.ParseLimit(text)
		all = append(all, judged{name: text, limit: l})
		return wrong
	}
	by := func(text string) error {
		if _, wrong := policy.ParseLimit(text); wrong == nil {
			return byLimit(text)
		}
		p, wrong := loadPolicy(text)
		all = append(all, judged{name: text, policy: &p})
		return wrong
	}
	if o.policy != "" {
		err = by(o.policy)
	}
	if o.limit != "" && err == nil {
		err = byLimit(o.limit)
	}
	if o.compare != "" {
		for one := range strings.SplitSeq(o.compare, ",") {
			if err == nil {
				err = by(strings.TrimSpace(one))
			}
		}
	}
	if err == nil && len(all) == 0 {
		err = fmt.Errorf("nothing is tried: give -policy (a file, or one of %s), -limit 'gcra 90/min burst 10', or -compare with several", strings.Join(catalog.Names(), ", "))
	}
	return all, err
}

// subjects returns what is run.
func (o *options) subjects(all []judged) ([]simulate.Subject, error) {
	subjects := make([]simulate.Subject, len(all))
	for i, j := range all {
		subjects[i] = simulate.Subject{Name: j.name, Client: o.client, Seed: o.seed}
		var err error
		if j.policy != nil {
			subjects[i].Judge, err = simulate.NewPolicy(*j.policy, o.capacity)
		} else {
			subjects[i].Judge, err = simulate.NewLimit(j.limit)
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", j.name, err)
		}
	}
	return subjects, nil
}

// wanted returns the attributes and the amounts that policies ask for, and the rates of all limits.
func wanted(all []judged) (attributes, amounts []string, rates []ratelimit.Rate) {
	for _, j := range all {
		if j.policy == nil {
			rates = append(rates, j.limit.Rate)
			continue
		}
		attributes = append(attributes, j.policy.Attributes()...)
		for _, r := range j.policy.Rules {
			for _, l := range r.Limits {
				rates = append(rates, l.Rate)
				if l.Of != "" {
					amounts = append(amounts, l.Of)
				}
			}
		}
	}
	slices.Sort(attributes)
	slices.Sort(amounts)
	return slices.Compact(attributes), slices.Compact(amounts), rates
}
