package policy

import (
	"errors"
	"slices"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/fixedwindow"
	"github.com/seed-3506548a/ratelimit/gcra"
	"github.com/seed-3506548a/ratelimit/slidingwindow"
	"github.com/seed-3506548a/ratelimit/tokenbucket"
)

const (
	defaultBuckets = 10

	wantAlgorithm = "gcra, interval, anchored, aligned, log or counter"
	wantNoBurst   = "none: only gcra, interval and counter have one"
)

var algorithms = []Algorithm{GCRA, Interval, Anchored, Aligned, Log, Counter}

// burstName returns what Burst is called of the algorithm; "" if it has none.
func (a Algorithm) burstName() string {
	switch a {
	case GCRA:
		return "burst"
	case Interval:
		return "capacity"
	case Counter:
		return "buckets"
	default:
		return ""
	}
}

// burst returns Burst, or its default.
func (l Limit) burst() int {
	switch {
	case l.Burst != 0 || l.As.burstName() == "":
		return l.Burst
	case l.As == Counter:
		return defaultBuckets
	default:
		return max(l.Rate.Events, 1)
	}
}

// New returns a limiter of Rate, As and Burst, the other fields of which are for a policy: Name,
// Of, Count, Shown and Hidden. The options are those of the algorithm's constructor.
//
// The error is a [*ratelimit.ArgumentError] if As is no algorithm, if Burst is not 0 and the
// algorithm has none, and if its constructor refuses the rate or the burst.
func (l Limit) New(opts ...ratelimit.Option) (ratelimit.Limiter, error) {
	const fn = "policy.Limit.New"
	var limiter ratelimit.Limiter
	var err error
	if l.Burst != 0 && l.As.burstName() == "" && slices.Contains(algorithms, l.As) {
		return nil, &ratelimit.ArgumentError{Func: fn, Field: "burst", Value: l.Burst, Want: wantNoBurst}
	}
	switch l.As {
	case GCRA:
		limiter, err = gcra.New(l.Rate, l.burst(), opts...)
	case Interval:
		limiter, err = tokenbucket.NewInterval(l.Rate, l.burst(), opts...)
	case Anchored:
		limiter, err = fixedwindow.NewAnchored(l.Rate, opts...)
	case Aligned:
		limiter, err = fixedwindow.NewAligned(l.Rate, opts...)
	case Log:
		limiter, err = slidingwindow.NewLog(l.Rate, opts...)
	case Counter:
		limiter, err = slidingwindow.NewCounter(l.Rate, l.burst(), opts...)
	default:
		err = &ratelimit.ArgumentError{Field: "as", Value: string(l.As), Want: wantAlgorithm}
	}
	if err != nil {
		return nil, renamed(err, fn)
	}
	return limiter, nil
}

// renamed returns the error of a constructor as one of fn.
func renamed(err error, fn string) error {
	var bad *ratelimit.ArgumentError
	if !errors.As(err, &bad) {
		return err
	}
	return &ratelimit.ArgumentError{Func: fn, Field: bad.Field, Value: bad.Value, Want: bad.Want}
}
