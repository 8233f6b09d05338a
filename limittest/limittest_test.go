package limittest_test

import (
	"errors"
	"math"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/gcra"
	"github.com/seed-3506548a/ratelimit/limittest"
)

// faults are what is wrong with a bucket.
type faults struct {
	chargesRefusals bool // as some that count requests, and not what they grant
	mintsWhenLate   bool // moves its time back with the caller's
	refillsByLess   bool // takes a negative n for a refill
	roundsWaits     bool // to whole milliseconds
	races           bool // looks first and takes later
	neverRefuses    bool
	boundless       bool // is full again after a pause
	hasNoYearOne    bool // where time.Time is zero
	takesAnyOption  bool
	ignoresHeld     bool // gives back what has drained
	allocates       bool
}

// bucket is a token bucket of 10 a second and a burst of 5 as one would write it: a number of
// tokens, in nanoseconds of refill, and the time when they were counted.
type bucket struct {
	clock ratelimit.Clock
	faults

	mu      sync.Mutex
	missing time.Duration // from full
	at      time.Time     // when that was so
	used    bool          // or at says nothing: no time stands for none
}

const (
	interval = 100 * time.Millisecond
	burst    = 5
)

func newBucket(f faults) limittest.New {
	return func(opts ...ratelimit.Option) (ratelimit.Limiter, error) {
		o := ratelimit.Options{Clock: ratelimit.SystemClock{}}
		for _, opt := range opts {
			switch {
			case opt != nil:
				opt(&o)
			case !f.takesAnyOption:
				return nil, errors.New("there is an option that is nil")
			}
		}
		if o.Clock == nil && !f.takesAnyOption {
			return nil, errors.New("the clock is nil")
		}
		return &bucket{clock: o.Clock, faults: f}, nil
	}
}

func (b *bucket) Clock() ratelimit.Clock { return b.clock }

func (b *bucket) Allow() bool { return b.Take(1).OK }

func (b *bucket) Take(n int) ratelimit.Decision { return b.TakeAt(b.clock.Now(), n) }

func (b *bucket) PeekAt(t time.Time, n int) ratelimit.Decision {
	b.mu.Lock()
	defer b.mu.Unlock()
	d, _ := b.decide(t, n)
	return d
}

func (b *bucket) TakeAt(t time.Time, n int) ratelimit.Decision {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.allocates {
		sink = new(time.Time)
	}
	d, missing := b.decide(t, n)
	if b.races {
		b.mu.Unlock()
		runtime.Gosched()
		b.mu.Lock()
	}
	switch {
	case d.OK && n != 0:
		b.set(t, missing)
	case !d.OK && b.chargesRefusals && n == 1:
		b.set(t, missing+1)
	}
	return d
}

// owed is what is missing at t, which for a time before b.at is more.
func (b *bucket) owed(t time.Time) time.Duration {
	if !b.used || b.hasNoYearOne && b.at.IsZero() || b.boundless && t.Sub(b.at) >= 400*time.Millisecond {
		return 0
	}
	if b.mintsWhenLate && t.Before(b.at) {
		return b.missing
	}
	return max(b.missing-t.Sub(b.at), 0)
}

func (b *bucket) set(t time.Time, missing time.Duration) {
	if b.used && !b.mintsWhenLate && t.Before(b.at) {
		missing -= b.at.Sub(t)
		t = b.at
	}
	b.at, b.missing, b.used = t, missing, true
}

// decide returns the decision at t, and what would be missing then.
func (b *bucket) decide(t time.Time, n int) (ratelimit.Decision, time.Duration) {
	missing := b.owed(t)
	d := ratelimit.Decision{Limit: burst, RetryAfter: ratelimit.Never}
	if n < 0 && b.refillsByLess {
		n, missing, d.RetryAfter = 0, 0, 0
		b.set(t, 0)
	}
	if n >= 0 && n <= burst {
		d.RetryAfter = max(missing+time.Duration(n-burst)*interval, 0)
		if n == 0 {
			d.RetryAfter = 0
		}
		if d.OK = d.RetryAfter == 0; d.OK {
			missing += time.Duration(n) * interval
		}
		if b.neverRefuses {
			d.OK, d.RetryAfter = true, 0
		}
		if b.roundsWaits {
			d.RetryAfter = d.RetryAfter.Round(time.Millisecond)
		}
	}
	d.Remaining = int(max(burst*interval-missing, 0) / interval)
	d.ResetAfter = missing
	return d, missing
}

func (b *bucket) RefundAt(t time.Time, n int, held time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if now := b.clock.Now(); t.Before(now) {
		t = now
	}
	if n <= 0 || n > burst || held < 0 || held > time.Minute {
		return
	}
	if b.ignoresHeld {
		held = 0
	}
	if missing := b.owed(t); missing > 0 {
		b.set(t, max(missing-max(time.Duration(n)*interval-held, 0), 0))
	}
}

var sink *time.Time

func most(length time.Duration) int { return burst + int(length/interval) }

func TestRightLimiters(t *testing.T) {
	require.NoError(t, limittest.TestLimiter(newBucket(faults{})))
	require.NoError(t, limittest.TestBound(newBucket(faults{}), interval, most))
	require.NoError(t, limittest.TestAllocations(newBucket(faults{})))
	exact := func(opts ...ratelimit.Option) (ratelimit.Limiter, error) {
		return gcra.New(ratelimit.PerSecond(10), burst, opts...)
	}
	require.NoError(t, limittest.TestLimiter(exact))
	require.NoError(t, limittest.TestBound(exact, interval, most))
}

func TestWrongLimiters(t *testing.T) {
	for what, row := range map[string]struct {
		faults faults
		want   string
	}{
		"it charges refused requests":     {faults{chargesRefusals: true}, "RefusalChangesNothing"},
		"a late caller moves time back":   {faults{mintsWhenLate: true}, "DecisionIsExact"},
		"a negative n refills it":         {faults{refillsByLess: true}, "AllOrNothing"},
		"it rounds waits to milliseconds": {faults{roundsWaits: true}, "DecisionIsExact"},
		"it looks first and takes later":  {faults{races: true}, "Conservation"},
		"it never refuses":                {faults{neverRefuses: true}, "Conservation"},
		"it is fresh in the year 1":       {faults{hasNoYearOne: true}, "AnyClockOrigin"},
		"it takes a nil clock":            {faults{takesAnyOption: true}, "BadOptions"},
		"it gives back what has drained":  {faults{ignoresHeld: true}, "Refund"},
	} {
		require.ErrorContains(t, limittest.TestLimiter(newBucket(row.faults)), row.want+": ", what)
	}
	require.ErrorContains(t, limittest.TestAllocations(newBucket(faults{allocates: true})), "1000 allocations in 1000 calls")
	for what, f := range map[string]faults{
		"a late caller moves time back": {mintsWhenLate: true},
		"it is full after a pause":      {boundless: true},
	} {
		require.ErrorContains(t, limittest.TestBound(newBucket(f), interval, most), "events are granted in the", what)
	}
	for _, lax := range []func(time.Duration) int{
		func(time.Duration) int { return math.MaxInt32 },
		func(length time.Duration) int { return burst + 1000*int(length/interval) },
	} {
		require.ErrorContains(t, limittest.TestBound(newBucket(faults{}), interval, lax), "of the bound is used")
	}
	for _, step := range []time.Duration{0, -1, math.MaxInt64} {
		require.ErrorContains(t, limittest.TestBound(newBucket(faults{}), step, most), "step is")
	}
}

// What a constructor says is what the tests say.
func TestLimiterThatCannotBeBuilt(t *testing.T) {
	broken := func(...ratelimit.Option) (ratelimit.Limiter, error) { return gcra.New(ratelimit.Rate{}, 1) }
	require.ErrorContains(t, limittest.TestLimiter(broken), "rate.Per is 0s")
	require.ErrorContains(t, limittest.TestBound(broken, interval, most), "rate.Per is 0s")
}
