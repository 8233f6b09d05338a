package ratelimit

import "fmt"

// ArgumentError says which argument of which function was refused, and what would be right. All
// constructors and parsers of this module return their errors as an *ArgumentError.
type ArgumentError struct {
	Func  string // the function that was called, as in "gcra.New"
	Field string // the argument, as in "burst" or "rate.Per"
	Value any    // what it was
	Want  string // what would be right, as in "1 to 2147483647"
}

// Error returns the message, as in "gcra.New: burst is 0, want 1 to 2147483647".
func (e *ArgumentError) Error() string {
	value := fmt.Sprint(e.Value)
	if s, ok := e.Value.(string); ok {
		const enough = 64 // a hostile text must not flood a log
		if len(s) > enough {
			value = fmt.Sprintf("%q... (%d bytes)", s[:enough], len(s))
		} else {
			value = fmt.Sprintf("%q", s)
		}
	}
	return fmt.Sprintf("%s: %s is %s, want %s", e.Func, e.Field, value, e.Want)
}
