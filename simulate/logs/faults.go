package logs

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// LineError says what is wrong with a line.
type LineError struct {
	Line   int    // from 1
	Reason string // of all lines with the same fault the same, as in "the time cannot be read"
	Value  string // what it says there; at most 64 bytes of it
	Want   string // what would be right
}

// Error returns line, reason, value and what would be right.
func (e *LineError) Error() string {
	s := fmt.Sprintf("line %d: %s", e.Line, e.Reason)
	if e.Value != "" {
		s += fmt.Sprintf(": %q", e.Value)
	}
	if e.Want != "" {
		s += ", want " + e.Want
	}
	return s
}

func fault(reason, value, want string) *LineError {
	if len(value) > 64 {
		value = value[:64]
	}
	return &LineError{Reason: reason, Value: strings.ToValidUTF8(value, "\uFFFD"), Want: want}
}

// Faults counts errors of lines by their reasons. Its zero value is ready for use.
type Faults struct {
	Lines int   // with any error
	Lost  int   // of these, lines whose request is lost
	Err   error // that of reading, which ended it

	first  map[string]*LineError
	counts map[string]int
}

// Add counts an error of [Read] or of [Mapping.Request], and reports whether the record that came
// with it is good. An error of several records of one line, as [Spread] makes them, counts once.
func (f *Faults) Add(r *Record, err error) (good bool) {
	if err == nil {
		return true
	}
	var line *LineError
	if !errors.As(err, &line) {
		f.Err = err
		return false
	}
	if f.first == nil {
		f.first, f.counts = map[string]*LineError{}, map[string]int{}
	}
	if r.told == nil {
		r.told = new([]string)
	}
	if slices.Contains(*r.told, line.Reason) {
		return !r.At.IsZero()
	}
	if len(*r.told) == 0 {
		f.Lines++
	}
	*r.told = append(*r.told, line.Reason)
	if f.counts[line.Reason]++; f.counts[line.Reason] == 1 {
		f.first[line.Reason] = line
	}
	if r.At.IsZero() {
		f.Lost++
		return false
	}
	return true
}

// Summary returns a sentence for each reason: how often it was, and where first. The most frequent
// come first.
func (f *Faults) Summary() (sentences []string) {
	reasons := make([]string, 0, len(f.counts))
	for reason := range f.counts {
		reasons = append(reasons, reason)
	}
	slices.SortFunc(reasons, func(a, b string) int {
		if d := f.counts[b] - f.counts[a]; d != 0 {
			return d
		}
		return strings.Compare(a, b)
	})
	for _, reason := range reasons {
		sentences = append(sentences, fmt.Sprintf("%d × %s; the first is %v", f.counts[reason], reason, f.first[reason]))
	}
	return sentences
}
