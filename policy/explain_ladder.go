package policy

import (
	"fmt"
	"slices"
	"strings"
)

// ladder says what becomes of keys that are refused again and again.
func (e *explainer) ladder(r *Rule) {
	if len(r.Ladder) == 0 {
		return
	}
	e.say(1, "%s", e.either(
		"A refusal by one of these limits is a strike. Refusals until its retry after has passed, or 1s if that is longer, belong to the same strike.",
		"A request beyond one of these limits is a strike. Others until the limit has room for it, or 1s if that is longer, belong to the same strike."))
	acting, throttling := 0, false
	for i := range r.Ladder {
		s := &r.Ladder[i]
		e.say(2, "%s: %s.", s.when(), s.what(r))
		if s.acts() {
			acting++
		}
		throttling = throttling || s.Do == doThrottle
	}
	if throttling && r.Mode != Shadow {
		e.say(2, "A request beyond the slower rate alone is no strike.")
	}
	if acting > 1 {
		e.say(2, "Of those steps that slow down, block or revoke only the last one that is reached is done, and again at each further strike.")
	}
}

// when returns at which strikes the step is done.
func (s *Step) when() string {
	switch {
	case s.After == 1 && (s.acts() || s.Within == 0):
		return "At each strike"
	case s.After == 1:
		return fmt.Sprintf("At the first strike in %v", s.Within)
	case s.acts():
		return fmt.Sprintf("From strike %d within %v on", s.After, s.Within)
	default:
		return fmt.Sprintf("At strike %d within %v", s.After, s.Within)
	}
}

// what returns what the step does, and to whom.
func (s *Step) what(r *Rule) string {
	whom := "all requests of this rule"
	if len(r.Key) > 0 {
		whom = "the key in this rule"
	}
	if len(s.Who) > 0 && r.Mode != Shadow {
		parts := slices.Clone(s.Who)
		for i, part := range parts {
			parts[i] = strings.Join(strings.Split(part, "|"), ", or else ")
		}
		whom = "the " + join(parts, "and") + " in all rules that enforce or watch"
	}
	if r.Mode == Shadow && s.acts() {
		whom += " (reported only)"
	}
	switch s.Do {
	case doLog:
		return "it is logged"
	case doNotify:
		return "a notification is sent"
	case doThrottle:
		return fmt.Sprintf("slow %s down to %d at once and %d in %v for %v", whom, s.throttle().Burst, s.To.Events, Span(s.To.Per), s.For)
	case doBlock:
		return fmt.Sprintf("block %s for %v", whom, s.For)
	default:
		return fmt.Sprintf("revoke %s until it is pardoned", whom)
	}
}
