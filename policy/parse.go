package policy

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Parse reads a policy from its JSON document. It is strict: names that do not exist, occur twice
// or are in another case, wrong types, null, numbers that are not whole, empty lists of strings and
// anything after the document are faults, and so is whatever [Policy.Validate] finds.
//
// The error is a [*Faults] with all of them, each with its line and its path. Documents are at most
// 1 MiB long. A member "$schema" of the document is for editors, and ignored.
func Parse(document []byte) (Policy, error) {
	var p Policy
	lines, faults := decode(document, &p)
	if len(lines) == 0 || faults.More {
		return Policy{}, faults.err()
	}
	found := p.faults()
	for i := range p.Costs { // where 0 is a number like any other
		if path := fmt.Sprintf("costs[%d].n", i); lines[path] == 0 {
			found.add(path, "missing", wantCost)
		}
	}
	decoded := Faults{List: faults.List}
	for _, f := range found.List {
		if !decoded.about(f.Path) { // else it is a consequence
			faults.addAt(lineOf(lines, f.Path), f.Path, f.Is, f.Want)
		}
	}
	faults.More = faults.More || found.More
	slices.SortStableFunc(faults.List, func(a, b Fault) int { return cmp.Compare(a.Line, b.Line) })
	if err := faults.err(); err != nil {
		return Policy{}, err
	}
	return p, nil
}

// lineOf returns the line of what the path names, or else of the nearest that it is a part of.
func lineOf(lines map[string]int, path string) int {
	for {
		if line, ok := lines[path]; ok || path == "" {
			return line
		}
		path = path[:max(strings.LastIndexAny(path, ".["), 0)]
	}
}

// UnmarshalJSON implements [encoding/json.Unmarshaler] by [Parse]. Lines are counted from the
// beginning of the policy.
func (p *Policy) UnmarshalJSON(document []byte) error {
	parsed, err := Parse(document)
	if err != nil {
		return err
	}
	*p = parsed
	return nil
}
