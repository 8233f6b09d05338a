package policy

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Explain says in plain words what the policy does: what is counted together, what is granted at
// worst in which time, how long a refused request waits at most, what the ladder does, and what is
// not limited at all. For a policy that is not valid it lists the faults.
//
// Times and numbers are for requests at times by one clock, as long as tables and maps have room
// for all keys.
func (p Policy) Explain() string {
	if err := p.Validate(); err != nil {
		return "This policy is not valid.\n" + err.Error() + "\n"
	}
	e := explainer{policy: &p, overrides: p.overridden()}
	if p.Name != "" {
		e.say(0, "Policy %s.", p.Name)
	}
	e.costs()
	for i := range p.Rules {
		if e.text.Len() > 0 {
			e.say(0, "")
		}
		e.rule(i)
	}
	e.say(0, "")
	e.unlimited()
	return e.text.String()
}

type explainer struct {
	policy    *Policy
	overrides map[place][]*Override
	mode      Mode // of the rule that is explained
	text      strings.Builder
}

// either returns the words for a rule that enforces, or for one that refuses nothing.
func (e *explainer) either(enforced, watched string) string {
	if e.mode == Enforce {
		return enforced
	}
	return watched
}

// say writes a line.
func (e *explainer) say(indent int, format string, args ...any) {
	if format != "" {
		fmt.Fprintf(&e.text, strings.Repeat("  ", indent)+format, args...)
	}
	e.text.WriteByte('\n')
}

// enough is how many things are listed.
const enough = 8

// listed returns the words as a list in a sentence, shortened if it is long.
func listed(words []string, last string) string {
	if len(words) > enough {
		words = append(slices.Clone(words[:enough]), fmt.Sprintf("%d more", len(words)-enough))
	}
	return join(words, last)
}

// length returns a length of time in words, rounded up to a few digits.
func length(d time.Duration) string {
	unit := time.Nanosecond
	switch {
	case d >= time.Minute:
		unit = time.Second
	case d >= 10*time.Millisecond:
		unit = time.Millisecond
	case d >= 10*time.Microsecond:
		unit = time.Microsecond
	}
	if rest := d % unit; rest > 0 {
		d += unit - rest
	}
	if d%time.Second == 0 {
		return Span(d).String()
	}
	return d.String()
}

// requests returns which requests patterns and conditions are for.
func requests(match, when []string) string {
	text := "all requests"
	if len(match) > 0 {
		text = "requests for " + listed(match, "and")
	}
	var conditions []string
	for _, s := range when {
		c, _ := compileCondition(s)
		conditions = append(conditions, c.String())
	}
	if len(conditions) > 0 {
		text += " if " + join(conditions, "and")
	}
	return text
}

// String returns the condition in words.
func (c *condition) String() string {
	words := make([]string, len(c.values))
	for i, value := range c.values {
		words[i] = word(value)
	}
	values := listed(words, "or")
	switch {
	case len(c.values) == 0 && c.not:
		return c.attribute + " is not there"
	case len(c.values) == 0:
		return c.attribute + " is there"
	case c.not:
		return c.attribute + " is not " + values
	default:
		return c.attribute + " is " + values
	}
}

// word returns a value as it is, or in quotes if it cannot be printed, or its end cannot be seen.
func word(value string) string {
	if printed := strconv.Quote(value); printed[1:len(printed)-1] != strings.Trim(value, " ") {
		return printed
	}
	return value
}

// costs says what requests count as.
func (e *explainer) costs() {
	if len(e.policy.Costs) == 0 {
		return
	}
	others := "Each request counts as 1 event"
	costs := e.policy.Costs
	if len(costs[0].Match) == 0 {
		others = "Each request counts as " + events(costs[0].N)
		costs = costs[1:]
	}
	e.say(0, "%s.", others)
	for _, c := range costs {
		e.say(1, "But %s count as %s.", requests(c.Match, nil), events(c.N))
	}
	if slices.ContainsFunc(e.policy.Costs, func(c Cost) bool { return c.N == 0 }) {
		missing := ""
		if slices.ContainsFunc(e.policy.Rules, func(r Rule) bool { return r.Mode == Enforce && len(r.Key) > 0 && r.Missing == "" }) {
			missing = " for a missing key,"
		}
		e.say(1, "What counts as 0 events is refused only by blocks,%s and by limits that count amounts or responses.", missing)
	}
}

func events(n int) string {
	if n == 1 {
		return "1 event"
	}
	return fmt.Sprintf("%d events", n)
}

func (e *explainer) rule(i int) {
	r := &e.policy.Rules[i]
	e.mode = r.Mode
	e.say(0, "Rule %s: %s.", r.Name, requests(r.Match, r.When))
	switch r.Mode {
	case Exempt:
		e.say(1, "They are exempt: nothing limits them, whatever other rules say.")
		return
	case Watch:
		e.say(1, "It only watches: what goes beyond its limits is granted all the same, and is a strike.")
		e.say(1, "Here is what its limits would do if they were enforced.")
	case Shadow:
		e.say(1, "It is in shadow: what goes beyond its limits is granted all the same, and reported.")
		e.say(1, "Here is what its limits would do if they were enforced.")
	case Enforce:
	}
	e.key(r)
	for j := range r.Limits {
		e.limit(&r.Limits[j], e.overrides[place{i, j}])
	}
	e.ladder(r)
}

// key says what is counted together, and what becomes of requests without it.
func (e *explainer) key(r *Rule) {
	if len(r.Key) == 0 {
		e.say(1, "All of them are counted together.")
		return
	}
	var when []condition
	for _, s := range r.When {
		c, _ := compileCondition(s)
		when = append(when, c)
	}
	var same, lacks []string
	for _, part := range r.Key {
		attributes := strings.Split(part, "|")
		if len(attributes) == 1 {
			same = append(same, part)
		} else {
			same = append(same, strings.Join(attributes, ", or else ")+",")
		}
		none := when
		for _, name := range attributes {
			none = append(slices.Clone(none), condition{attribute: name, not: true})
		}
		switch {
		case !canHold(none):
		case len(attributes) == 1:
			lacks = append(lacks, "no "+part)
		default:
			lacks = append(lacks, "neither "+strings.Join(attributes, " nor "))
		}
	}
	e.say(1, "Those with the same %s are counted together.", strings.Join(same, " and the same "))
	if len(lacks) == 0 {
		return
	}
	becomes := map[string]string{
		"":           "is refused",
		missingSkip:  "is not limited by this rule",
		missingShare: "is counted together with all others like it",
	}
	what := becomes[r.Missing]
	switch {
	case r.Missing == "" && r.Mode == Shadow:
		what = "is granted, not counted, and reported"
	case r.Missing == "" && r.Mode == Watch:
		what = "is granted, and not counted"
	}
	commas := ""
	if len(lacks) > 1 {
		commas = ","
	}
	e.say(1, "A request with %s%s %s.", strings.Join(lacks, ", or with "), commas, what)
}

// unlimited says what is not limited at all.
func (e *explainer) unlimited() {
	all, open := "", false
	last := "Nothing is limited, as no rule enforces."
	if e.punishes() {
		last = "No rule enforces: only blocked and throttled requests are refused."
	}
	for i := range e.policy.Rules {
		r := &e.policy.Rules[i]
		switch {
		case r.Mode == Exempt:
			e.say(0, "Not limited: %s, which rule %s exempts.", requests(r.Match, r.When), r.Name)
		case r.Mode == Enforce && r.forAll() && e.limitsAll(i):
			all = cmp.Or(all, r.Name)
		case r.Mode == Enforce && r.forAll():
			open = true
		case r.Mode == Enforce:
			last = "Not limited: requests for which there is no rule that enforces."
		}
	}
	switch {
	case all != "":
		last = "All requests that are not exempt are limited, by rule " + all + " at least."
	case open:
		last = "Not limited: requests for which overrides make all limits unlimited."
	}
	e.say(0, "%s", last)
}

// punishes reports whether a rule that only watches has a step that refuses later requests.
func (e *explainer) punishes() bool {
	return slices.ContainsFunc(e.policy.Rules, func(r Rule) bool {
		return r.Mode == Watch && slices.ContainsFunc(r.Ladder, func(s Step) bool { return s.acts() })
	})
}

// forAll reports whether a rule is for every request.
func (r *Rule) forAll() bool {
	return len(r.Match) == 0 && len(r.When) == 0 && r.Missing != missingSkip
}

// limitsAll reports whether a limit of the rule is for all of the rule's requests.
func (e *explainer) limitsAll(rule int) bool {
	for j := range e.policy.Rules[rule].Limits {
		if !slices.ContainsFunc(e.overrides[place{rule, j}], func(o *Override) bool { return o.Unlimited }) {
			return true
		}
	}
	return false
}
