package policy

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// mostFaults is how many faults are kept: a hostile document must not flood a log.
const mostFaults = 100

// Faults is what is wrong with a policy. It is the error of [Parse] and [Policy.Validate], always
// as a *Faults.
type Faults struct {
	List []Fault // in the order of the document; at least one, at most 100
	More bool    // there are more than these
}

// Fault is one thing that is wrong, in words: Path is Is, want Want.
type Fault struct {
	Line int    // of the document, from 1; 0 if there is none
	Path string // "rules[2].limits[0].rate"; "" is the whole policy
	Is   string // what it is: the value as it is written, or "missing"
	Want string // what would be right
}

// String returns the fault as a sentence, as in
//
//	line 7: rules[0].limits[0].as is "gcr", want gcra, interval, anchored, aligned, log or counter
func (f Fault) String() string {
	path := f.Path
	if path == "" {
		path = "the policy"
	}
	s := fmt.Sprintf("%s is %s, want %s", path, f.Is, f.Want)
	if f.Line > 0 {
		s = fmt.Sprintf("line %d: %s", f.Line, s)
	}
	return s
}

// Error returns the faults, one a line.
func (f *Faults) Error() string {
	var b strings.Builder
	switch {
	case f.More:
		fmt.Fprintf(&b, "policy: more than %d faults:", len(f.List))
	case len(f.List) == 1:
		return "policy: " + f.List[0].String()
	default:
		fmt.Fprintf(&b, "policy: %d faults:", len(f.List))
	}
	for _, one := range f.List {
		b.WriteString("\n\t")
		b.WriteString(one.String())
	}
	return b.String()
}

// add appends a fault that has no line.
func (f *Faults) add(path, is, want string) { f.addAt(0, path, is, want) }

func (f *Faults) addAt(line int, path, is, want string) {
	if len(f.List) == mostFaults {
		f.More = true
		return
	}
	f.List = append(f.List, Fault{Line: line, Path: path, Is: is, Want: want})
}

// err returns the faults as an error, or nil if there are none.
func (f *Faults) err() error {
	if len(f.List) == 0 {
		return nil
	}
	return f
}

// about reports whether a fault of the list is about path, or about something that path is a part
// of.
func (f *Faults) about(path string) bool {
	return slices.ContainsFunc(f.List, func(one Fault) bool {
		rest, found := strings.CutPrefix(path, one.Path)
		return found && (rest == "" || one.Path == "" || rest[0] == '.' || rest[0] == '[')
	})
}

// quote returns s in quotes, shortened if it is long.
func quote(s string) string {
	const enough = 64
	if len(s) <= enough {
		return strconv.Quote(s)
	}
	end := enough
	for end > enough-utf8.UTFMax && !utf8.RuneStart(s[end]) { // of what is no text, none may be a start
		end--
	}
	return fmt.Sprintf("%s... (%d bytes)", strconv.Quote(s[:end]), len(s))
}

// join returns "a, b or c".
func join(words []string, last string) string {
	if len(words) < 2 {
		return strings.Join(words, "")
	}
	end := len(words) - 1
	return strings.Join(words[:end], ", ") + " " + last + " " + words[end]
}
