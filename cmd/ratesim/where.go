package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/seed-3506548a/ratelimit/simulate/logs"
)

// condition is one of -where.
type condition struct {
	column string
	values []string // none: any that is not empty
	not    bool
}

// parseCondition reads one as they are in policies: method=POST|PUT, status!=200, user, !user. In
// values, * stands for anything, and an x of a status for any digit.
func parseCondition(s string) (c condition, err error) {
	name, list, isList := strings.Cut(s, "=")
	if isList {
		name, c.not = strings.CutSuffix(name, "!")
		c.values = strings.Split(list, "|")
	} else {
		name, c.not = strings.CutPrefix(name, "!")
	}
	if c.column = strings.TrimSpace(name); c.column == "" || strings.ContainsAny(c.column, "<>!") {
		return c, fmt.Errorf("%q is no condition, want one as user, !user, method=POST|PUT, status!=4xx, path=/v1/*", s)
	}
	return c, nil
}

func (c *condition) holds(r *logs.Record) bool {
	value := r.Get(c.column)
	if len(c.values) == 0 {
		return value != "" != c.not
	}
	return slices.ContainsFunc(c.values, func(pattern string) bool {
		if c.column == "status" && len(pattern) == 3 && len(value) == 3 {
			for i := range 3 {
				if pattern[i] != 'x' && pattern[i] != value[i] {
					return false
				}
			}
			return true
		}
		return matches(pattern, value)
	}) != c.not
}

// matches reports whether a value is as the pattern, in which * stands for anything. It looks for
// each piece between stars once, as early as possible: no other choice leaves more for the rest.
func matches(pattern, value string) bool {
	head, rest, star := strings.Cut(pattern, "*")
	if !star {
		return pattern == value
	}
	value, ok := strings.CutPrefix(value, head)
	pieces := strings.Split(rest, "*")
	last := len(pieces) - 1
	for i := 0; i < last && ok; i++ {
		_, value, ok = strings.Cut(value, pieces[i])
	}
	return ok && strings.HasSuffix(value, pieces[last])
}
