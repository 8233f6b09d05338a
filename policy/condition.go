package policy

import (
	"slices"
	"strings"
	"unicode"
)

// condition is one of [Rule.When] or [Override.When].
type condition struct {
	attribute string
	values    []string // sorted; none: any that is not empty
	not       bool
}

// holds reports whether the condition is true of the attribute's value, "" if it is not there.
func (c *condition) holds(value string) bool {
	if len(c.values) == 0 {
		return value != "" != c.not
	}
	_, found := slices.BinarySearch(c.values, value)
	return found != c.not
}

// compileCondition returns the condition, or what would be right.
func compileCondition(s string) (c condition, want string) {
	name, list, isList := strings.Cut(s, "=")
	if isList {
		name, c.not = strings.CutSuffix(name, "!")
		c.values = strings.Split(list, "|")
		slices.Sort(c.values)
	} else {
		name, c.not = strings.CutPrefix(name, "!")
	}
	c.attribute = name
	switch {
	case isList && strings.HasPrefix(name, "!"):
		return c, name[1:] + "!=" + list
	case name != strings.TrimSpace(name):
		return c, "no spaces around the attribute"
	case !isName(name):
		return c, `an attribute ("user"), none ("!user"), or one of some values ("plan=free|trial", "plan!=free")`
	case isList && slices.Contains(c.values, ""):
		return c, "values that are not empty, between | and |; no value at all is !" + name
	case isList && strings.HasPrefix(list, "="):
		return c, "one = before the values"
	case slices.ContainsFunc(c.values, func(v string) bool { return v != strings.TrimSpace(v) }):
		return c, "no spaces around values"
	case strings.ContainsFunc(list, unicode.IsControl):
		return c, "values without control characters"
	case len(slices.Compact(slices.Clone(c.values))) < len(c.values):
		return c, "each value once"
	}
	return c, ""
}

// canHold reports whether there is a request of which all conditions are true.
func canHold(all []condition) bool {
	const other = "\x00" // what no condition has as a value
	for _, one := range all {
		var same []condition
		possible := []string{"", other}
		for _, c := range all {
			if c.attribute == one.attribute {
				same = append(same, c)
				if len(c.values) > 0 && !c.not {
					possible = c.values
				}
			}
		}
		if !slices.ContainsFunc(possible, func(value string) bool {
			return !slices.ContainsFunc(same, func(c condition) bool { return !c.holds(value) })
		}) {
			return false
		}
	}
	return true
}

// isName reports whether s is a name as of [Rule.Name], which attributes and amounts have as well.
func isName(s string) bool {
	return s != "" && len(s) <= 64 && strings.Trim(s, letters+digits+"._-") == "" && strings.Trim(s[:1], "._-") != ""
}
