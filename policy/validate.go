package policy

import (
	"fmt"
	"math"
	"slices"
	"strings"
)

const (
	capitals = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	letters  = "abcdefghijklmnopqrstuvwxyz" + capitals
	digits   = "0123456789"

	missingSkip  = "skip"
	missingShare = "share"

	mostKeyParts   = 4
	mostConditions = 16
	mostLimits     = 16
	mostSteps      = 16
	mostSpans      = 4

	wantName = `a name of 1 to 64 letters, digits, dots, underscores and hyphens that begins with a letter or a digit`
	wantRate = `a rate in quotes, as in "90/min" or "1000/5m": at most 2147483647 events, a slash, and a period in ns, us, ms, s, min, h or d`
	wantCost = "0 to 2147483647"
)

// Validate returns a [*Faults] with everything that is wrong, or nil. A limit that its constructor
// would refuse is a fault, and so is what could have no effect.
func (p Policy) Validate() error {
	faults := p.faults()
	return faults.err()
}

// checker collects faults.
type checker struct {
	Faults
	policy     *Policy
	names      map[string]int      // of the rules
	whens      [][]condition       // of the rules
	judged     map[sized]judgement // limits, once each
	places     places
	overridden map[place]int // the first override of each limit
}

func newChecker(p *Policy) *checker {
	return &checker{policy: p, names: map[string]int{}, judged: map[sized]judgement{}, overridden: map[place]int{}}
}

func (p *Policy) faults() Faults {
	c := newChecker(p)
	if p.Name != "" {
		c.name("name", p.Name)
	}
	for i := 0; i < len(p.Costs) && !c.More; i++ {
		c.cost(i)
	}
	if len(p.Rules) == 0 {
		c.add("rules", "empty", "at least one rule; to limit nothing, one with mode exempt")
	}
	for i := 0; i < len(p.Rules) && !c.More; i++ {
		c.rule(i)
	}
	c.places = p.places()
	for i := 0; i < len(p.Overrides) && !c.More; i++ {
		c.override(i)
	}
	return c.Faults
}

// name checks a name as of [Rule.Name].
func (c *checker) name(path, s string) {
	switch {
	case s == "":
		c.add(path, "missing", wantName)
	case !isName(s):
		c.add(path, quote(s), wantName)
	}
}

// once checks that no text of a list is there twice.
func (c *checker) once(path string, list []string) {
	seen := map[string]int{}
	for i, s := range list {
		if first, again := seen[s]; again {
			c.add(index(path, i), fmt.Sprintf("%s like %s", quote(s), index(path, first)), "each once")
		} else {
			seen[s] = i
		}
	}
}

func index(path string, i int) string { return fmt.Sprintf("%s[%d]", path, i) }

func (c *checker) match(path string, patterns []string) {
	for i, s := range patterns {
		if _, want := compilePattern(s); want != "" {
			c.add(index(path, i), quote(s), want)
		}
	}
	c.once(path, patterns)
}

// when checks conditions, which must go together with those before, at the path whose, and returns
// all.
func (c *checker) when(path string, conditions []string, before []condition, whose string) (all []condition) {
	if len(conditions) > mostConditions {
		c.add(path, fmt.Sprintf("%d conditions", len(conditions)), fmt.Sprintf("at most %d", mostConditions))
		return before
	}
	all = slices.Clone(before)
	for i, s := range conditions {
		one, want := compileCondition(s)
		if want != "" {
			c.add(index(path, i), quote(s), want)
			return all
		}
		all = append(all, one)
	}
	c.once(path, conditions)
	if len(conditions) > 0 && !canHold(all) {
		want := "conditions that can hold together"
		if len(before) > 0 {
			want += ", and with " + whose
		}
		c.add(path, quoted(conditions), want)
	}
	return all
}

// quoted returns the texts as a list in a sentence.
func quoted(list []string) string {
	quotes := make([]string, len(list))
	for i, s := range list {
		quotes[i] = quote(s)
	}
	return join(quotes, "and")
}

// key checks the parts of a key, of requests of which the conditions are true.
func (c *checker) key(path string, parts []string, when []condition) {
	if len(parts) > mostKeyParts {
		c.add(path, fmt.Sprintf("%d parts", len(parts)), fmt.Sprintf("at most %d", mostKeyParts))
	}
	for i, part := range parts {
		attributes := strings.Split(part, "|")
		if !isAll(attributes, isName) {
			c.add(index(path, i), quote(part), `an attribute, as in "user", or several of which the first that is there counts, as in "user|ip"`)
			continue
		}
		if slices.Sort(attributes); len(slices.Compact(slices.Clone(attributes))) < len(attributes) {
			c.add(index(path, i), quote(part), "each attribute once")
		}
		if isAll(attributes, func(name string) bool {
			return !canHold(append(slices.Clone(when), condition{attribute: name}))
		}) {
			c.add(index(path, i), quote(part), "an attribute that can be there: when says that there is none")
		}
	}
	c.once(path, parts)
}

func isAll(list []string, is func(string) bool) bool {
	return !slices.ContainsFunc(list, func(s string) bool { return !is(s) })
}

func (c *checker) cost(i int) {
	path := index("costs", i)
	cost := &c.policy.Costs[i]
	c.match(path+".match", cost.Match)
	if cost.N < 0 || cost.N > math.MaxInt32 {
		c.add(path+".n", fmt.Sprint(cost.N), wantCost)
	}
	if i > 0 && len(cost.Match) == 0 {
		c.add(path+".match", "missing", "patterns, or this cost before all others, as the last one wins")
	}
}
