package redislimit

import (
	"time"

	"github.com/seed-3506548a/ratelimit"
)

// operation is what a script is asked to do. All scripts have the same operations.
type operation string

const (
	take   operation = "take"   // requests, one after the other
	peek   operation = "peek"   // says what take would
	charge operation = "charge" // events, whether they fit or not
	refund operation = "refund" // gives events back
)

// algorithm is a limit and how it is kept: a script, what this needs of the limit, and what its
// replies mean. It is immutable; a change of the rate makes another.
type algorithm interface {
	script() *Script

	// limit returns the most events at once.
	limit() int

	// shown returns the rate that clients are told, or the zero Rate if there are several.
	shown() ratelimit.Rate

	// args appends what the script has to know of the limit.
	args(to []string) []string

	// quick returns a faster script for one request, if there is one, and all of its arguments,
	// which must not be changed. If that cannot decide, it changes nothing and returns the time
	// only.
	quick(n int) (*Script, []string)

	// decide sets ds to the decisions on requests for ns events. It reports whether the reply is
	// one of the script.
	decide(ds []ratelimit.Decision, reply []int64, op operation, ns []int) bool

	// still sets d to the decision on n events a time after a refusal, if nothing was granted
	// since, and reports whether that is a refusal, too.
	still(d *ratelimit.Decision, r *refused, n int, after time.Duration) bool
}
