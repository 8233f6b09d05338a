package policy

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"
)

func (c *checker) rule(i int) {
	path := index("rules", i)
	r := &c.policy.Rules[i]
	c.name(path+".name", r.Name)
	if first, again := c.names[r.Name]; !again {
		c.names[r.Name] = i
	} else if r.Name != "" {
		c.add(path+".name", fmt.Sprintf("%s like that of rules[%d]", quote(r.Name), first), "a name that no other rule has")
	}
	c.match(path+".match", r.Match)
	when := c.when(path+".when", r.When, nil, "")
	c.whens = append(c.whens, when)
	c.key(path+".key", r.Key, when)
	switch r.Missing {
	case "", missingSkip, missingShare:
		if r.Missing != "" && len(r.Key) == 0 {
			c.add(path+".missing", quote(r.Missing), "none, as the rule has no key")
		}
	default:
		c.add(path+".missing", quote(r.Missing), `"skip" or "share"; leave it out to refuse`)
	}
	switch r.Mode {
	case Enforce, Watch, Shadow:
		c.limits(path, r)
		c.ladder(path, r)
	case Exempt:
		c.exempt(path, r)
	default:
		c.add(path+".mode", quote(string(r.Mode)), `"watch", "shadow" or "exempt"; leave it out to enforce`)
	}
}

func (c *checker) limits(path string, r *Rule) {
	switch n := len(r.Limits); {
	case n == 0:
		c.add(path+".limits", "empty", "at least one limit; or mode exempt")
	case n > mostLimits:
		c.add(path+".limits", fmt.Sprintf("%d limits", n), fmt.Sprintf("at most %d", mostLimits))
		return
	}
	for i := range r.Limits {
		at := index(path+".limits", i)
		l := &r.Limits[i]
		first := slices.IndexFunc(r.Limits[:i], func(o Limit) bool { return strings.EqualFold(o.Name, l.Name) })
		c.name(at+".name", l.Name)
		if first >= 0 && l.Name != "" {
			c.add(at+".name", fmt.Sprintf("%s like that of limits[%d]", quote(l.Name), first), "names that differ, not only in case, as they are in headers")
		}
		c.limit(at, l)
	}
}

// exempt checks a rule that limits nothing.
func (c *checker) exempt(path string, r *Rule) {
	const want = "none, as nothing limits what is exempt"
	for _, f := range []struct {
		name string
		n    int
	}{{"key", len(r.Key)}, {"limits", len(r.Limits)}, {"ladder", len(r.Ladder)}} {
		if f.n > 0 {
			c.add(child(path, f.name), fmt.Sprintf("a list of %d", f.n), want)
		}
	}
	if len(r.Match) == 0 && len(r.When) == 0 && len(c.policy.Rules) > 1 {
		c.add(path+".match", "missing", "it, or when: else all requests are exempt and no other rule counts")
	}
}

// The steps of a ladder.
const (
	doLog      = "log"
	doNotify   = "notify"
	doThrottle = "throttle"
	doBlock    = "block"
	doRevoke   = "revoke"
)

func (c *checker) ladder(path string, r *Rule) {
	path += ".ladder"
	if n := len(r.Ladder); n > mostSteps {
		c.add(path, fmt.Sprintf("%d steps", n), fmt.Sprintf("at most %d", mostSteps))
		return
	}
	spans := map[Span]bool{}
	for i := range r.Ladder {
		at := index(path, i)
		s := &r.Ladder[i]
		c.step(at, s)
		if s.Within > 0 {
			spans[s.Within] = true
		}
		for j, later := range r.Ladder[i+1:] {
			if s.acts() && later.acts() && (later.After == 1 || later.Within == s.Within && later.After <= s.After) && later.After > 0 {
				c.add(at, fmt.Sprintf("never done: %s is reached as well, and comes later", index("ladder", i+1+j)),
					"the step of fewer strikes before it")
				break
			}
		}
	}
	if len(spans) > mostSpans {
		c.add(path, fmt.Sprintf("a ladder with %d spans", len(spans)), fmt.Sprintf("at most %d that differ in within", mostSpans))
	}
}

// acts reports whether the step does more than to report.
func (s *Step) acts() bool { return s.Do == doThrottle || s.Do == doBlock || s.Do == doRevoke }

func (c *checker) step(path string, s *Step) {
	switch {
	case s.After == 0:
		c.add(path+".after", "missing", wantAfter)
	case s.After < 0:
		c.add(path+".after", fmt.Sprint(s.After), wantAfter)
	case s.After > 1 && s.Within == 0:
		c.add(path+".within", "missing", `the span in which the strikes count, as in "1h"; only after 1 needs none`)
	}
	c.span(path+".within", s.Within)
	c.span(path+".for", s.For)
	c.key(path+".who", s.Who, nil)
	only := "none, as " + s.Do + " only reports"
	switch s.Do {
	case doThrottle:
		c.throttleStep(path, s)
	case doBlock:
		if s.For == 0 {
			c.add(path+".for", "missing", `how long it lasts, as in "10m"; without an end it is revoke`)
		}
	case doRevoke:
	case doLog, doNotify:
		if s.For != 0 {
			c.add(path+".for", quote(s.For.String()), only)
		}
		if len(s.Who) > 0 {
			c.add(path+".who", quoted(s.Who), only)
		}
	case "":
		c.add(path+".do", "missing", wantDo)
	default:
		c.add(path+".do", quote(s.Do), wantDo)
	}
	if s.To != nil && s.Do != doThrottle {
		c.add(path+".to", quote(s.To.String()), "none, as only throttle has one")
	}
}

func (c *checker) throttleStep(path string, s *Step) {
	if s.For == 0 {
		c.add(path+".for", "missing", `how long it lasts, as in "10m"`)
	}
	switch {
	case s.To == nil:
		c.add(path+".to", "missing", `the rate to slow down to, as in "1/s"`)
	case s.To.Events == 0:
		c.add(path+".to", quote(s.To.String()), "at least one event; to refuse all, block")
	default:
		c.size(path+".to", path+".to", s.throttle())
	}
}

const (
	wantAfter = "a number of strikes, 1 or more"
	wantDo    = "log, notify, throttle, block or revoke"
)

// throttle returns the limit of a step with To.
func (s *Step) throttle() Limit {
	burst := int64(1)
	if s.To.Per > 0 {
		burst = min(max(int64(s.To.Events)*int64(time.Second)/int64(s.To.Per), 1), math.MaxInt32)
	}
	return Limit{As: GCRA, Rate: *s.To, Burst: int(burst)}
}

func (c *checker) span(path string, s Span) {
	if s < 0 || s > longestSpan {
		c.add(path, quote(s.String()), fmt.Sprintf("more than 0s and at most %v", longestSpan))
	}
}
