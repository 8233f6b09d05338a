package policy

import (
	"net/url"
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
	var texts []string
	if isList {
		name, c.not = strings.CutSuffix(name, "!")
		texts = strings.Split(list, "|")
		for _, text := range texts {
			c.values = append(c.values, unescape(text))
		}
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
	case isList && slices.Contains(texts, ""):
		return c, "values that are not empty, between | and |; no value at all is !" + name
	case isList && strings.HasPrefix(list, "="):
		return c, "one = before the values; as the begin of a value, = is %3D"
	case slices.ContainsFunc(texts, func(v string) bool { return v != strings.TrimSpace(v) }):
		return c, "no spaces around values; as a part of a value, a space is %20"
	case strings.ContainsFunc(list, unicode.IsControl):
		return c, "values without control characters, of which a line feed is %0A"
	case len(slices.Compact(slices.Clone(c.values))) < len(c.values):
		return c, "each value once"
	}
	return c, ""
}

// unescape returns the value that a text stands for, in which %7C is a "|". A % that is not before
// two hexadecimal digits is itself, so that "50%" needs no escape.
func unescape(text string) string {
	if !strings.Contains(text, "%") {
		return text
	}
	value := make([]byte, 0, len(text))
	for i := 0; i < len(text); i++ {
		c := text[i]
		if c == '%' && i+2 < len(text) && isHex(text[i+1]) && isHex(text[i+2]) {
			c = unhex(text[i+1])<<4 | unhex(text[i+2])
			i += 2
		}
		value = append(value, c)
	}
	return string(value)
}

// Is returns the condition that an attribute has one of the values, for [Rule.When] and
// [Override.When]: Is("plan", "free", "trial") is "plan=free|trial". It escapes what has a meaning
// there, so values may be names from anywhere: Is("tenant", "a|b") is "tenant=a%7Cb".
//
// Values must be distinct and not empty: otherwise [Policy.Validate] finds the fault.
func Is(attribute string, values ...string) string {
	texts := make([]string, len(values))
	for i, value := range values {
		texts[i] = strings.ReplaceAll(url.PathEscape(value), "=", "%3D")
	}
	return attribute + "=" + strings.Join(texts, "|")
}

// canHold reports whether there is a request of which all conditions are true.
func canHold(all []condition) bool {
	other := "other" // what no condition has as a value, as it is longer
	for _, c := range all {
		other += strings.Join(c.values, "")
	}
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
