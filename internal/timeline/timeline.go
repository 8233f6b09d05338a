// Package timeline turns times into offsets, which limiters compute with. An offset is the
// nanoseconds since a limiter's origin, in an int64.
package timeline

import (
	"fmt"
	"math"
	"math/big"
	"time"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/internal/identity"
)

// Times further from the origin than 2^62 ns (146 years) count as the nearer of these two ends.
// This never reverses two times or moves them further apart, so a limit that holds for offsets
// holds for times. It leaves room to add or subtract a length of 73 years.
const (
	Bottom int64 = math.MinInt64 / 2
	Top    int64 = math.MaxInt64 / 2
)

// Timeline is a clock and an origin. It is immutable once it is in use.
type Timeline struct {
	// Injected is the clock that the limiter was given, or nil for the system's. Then hot paths
	// call time.Since(Origin) themselves, which saves the call of a method.
	Injected ratelimit.Clock

	// Coarse is the clock that the limiter was given, if it is one and the limiter is not aligned.
	// Offsets are then the time elapsed by it, less Ahead, which hot paths compute themselves too.
	// For aligned limiters, Ahead is the origin in nanoseconds of the wall clock.
	Coarse *ratelimit.CoarseClock
	Ahead  int64

	// Origin is the time when the limiter was made, by its clock.
	Origin time.Time
}

// New returns the timeline that starts now, by the clock that opts choose. Errors name fn.
func New(fn string, opts []ratelimit.Option) (Timeline, error) {
	chosen := ratelimit.Options{Clock: ratelimit.SystemClock{}}
	for i, opt := range opts {
		if opt == nil {
			return Timeline{}, &ratelimit.ArgumentError{
				Func: fn, Field: fmt.Sprintf("opts[%d]", i), Value: nil, Want: "an option"}
		}
		opt(&chosen)
	}
	if identity.IsNil(chosen.Clock) {
		return Timeline{}, &ratelimit.ArgumentError{
			Func: fn, Field: "WithClock", Value: nil, Want: "a clock, or no such option for the system's"}
	}
	line := Timeline{Injected: chosen.Clock, Origin: chosen.Clock.Now()}
	if _, ok := chosen.Clock.(ratelimit.SystemClock); ok {
		line.Injected = nil
	}
	if coarse, ok := chosen.Clock.(*ratelimit.CoarseClock); ok {
		line.Coarse, line.Ahead = coarse, int64(line.Origin.Sub(coarse.Origin()))
	}
	return line, nil
}

// Align moves the origin back to a whole multiple of per after or before from. It removes the
// origin's monotonic reading, so that offsets go by the wall clock.
func (l *Timeline) Align(per time.Duration, from time.Time) {
	since := new(big.Int).Sub(nanos(l.Origin), nanos(from))
	past := since.Mod(since, big.NewInt(int64(per)))
	l.Origin = l.Origin.Round(0).Add(-time.Duration(past.Int64()))
	l.Coarse, l.Ahead = nil, l.Origin.UnixNano()
}

// nanos returns the nanoseconds since the Unix epoch, which may exceed an int64.
func nanos(t time.Time) *big.Int {
	n := new(big.Int).Mul(big.NewInt(t.Unix()), big.NewInt(int64(time.Second)))
	return n.Add(n, big.NewInt(int64(t.Nanosecond())))
}

// Now reads the clock.
func (l *Timeline) Now() int64 {
	if l.Coarse != nil {
		return int64(l.Coarse.Elapsed()) - l.Ahead
	}
	if l.Injected != nil {
		return l.At(l.Injected.Now())
	}
	return int64(time.Since(l.Origin))
}

// At returns the offset of t. It saturates at the ends of int64; see [Clamp].
func (l *Timeline) At(t time.Time) int64 { return int64(t.Sub(l.Origin)) }

// Clamp returns the offset that off counts as, between Bottom and Top.
func Clamp(off int64) int64 { return min(max(off, Bottom), Top) }

// Clock returns the clock that Now reads.
func (l *Timeline) Clock() ratelimit.Clock {
	if l.Injected != nil {
		return l.Injected
	}
	return ratelimit.SystemClock{}
}

// Wait returns how long it is from off to the offset at, or Never if that is beyond Top, where time
// stands still.
func Wait(off, at int64) time.Duration {
	if at <= off {
		return 0
	}
	if at > Top {
		return ratelimit.Never
	}
	return time.Duration(at - off)
}

// FloorDiv returns a/b rounded down, for b > 0. So it is the same length from one multiple of b to
// the next on both sides of the origin.
func FloorDiv(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}
