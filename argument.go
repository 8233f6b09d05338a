package ratelimit

import "fmt"

// ArgumentError reports an argument that a function does not accept, and what would be right. It is
// the error of all constructors and parsers of this module, as an *ArgumentError, unless they
// document another one.
type ArgumentError struct {
	Func  string // the function that was called, as in "gcra.New" or "gcra.Limiter.SetRate"
	Field string // the argument, as in "burst" or "rate.Per"
	Value any    // what it was
	Want  string // what would be right, as in "1 to 2147483647"
}

// Error returns the message, as in "gcra.New: burst is 0, want 1 to 2147483647".
func (e *ArgumentError) Error() string {
	var value string
	switch v := e.Value.(type) {
	case nil:
		value = "nil"
	case string:
		const enough = 64 // a hostile text must not flood a log
		if value = fmt.Sprintf("%q", v); len(v) > enough {
			value = fmt.Sprintf("%q... (%d bytes)", v[:enough], len(v))
		}
	default:
		value = fmt.Sprint(v)
	}
	return fmt.Sprintf("%s: %s is %s, want %s", e.Func, e.Field, value, e.Want)
}
