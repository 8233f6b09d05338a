package slidingwindow

import (
	"fmt"

	"github.com/seed-3506548a/ratelimit"
)

// maxLog is the largest limit of a Log. It then keeps 4 MB of times, and its word counts 2^23
// versions before the times have to be copied into a new frame.
const maxLog = 1<<18 - 1

// logSpec is a limit. It is immutable.
type logSpec struct {
	rate ratelimit.Rate

	// changed is the time of the last change of rate: nothing is granted before it. settled is the
	// newest time then: grants up to it give nothing back. Both are 0 if nothing was granted before
	// the change.
	changed, settled uint64
}

// checkLog is the constructor's check of its arguments.
func checkLog(fn string, rate ratelimit.Rate) error {
	refuse := func(field string, value any, want string) error {
		return &ratelimit.ArgumentError{Func: fn, Field: field, Value: value, Want: want}
	}
	switch {
	case rate.Events < 0 || rate.Events > maxLog:
		return refuse("rate.Events", rate.Events, fmt.Sprintf("0 to %d; a Counter can do more", maxLog))
	case rate.Per <= 0:
		return refuse("rate.Per", rate.Per, "more than 0s")
	case rate.Per > 1<<58:
		return refuse("rate.Per", rate.Per, "at most 2^58 ns (9 years)")
	}
	return nil
}
