package keyed_test

import (
	"fmt"
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/fixedwindow"
	"github.com/seed-3506548a/ratelimit/gcra"
	"github.com/seed-3506548a/ratelimit/keyed"
	"github.com/seed-3506548a/ratelimit/limittest"
	"github.com/seed-3506548a/ratelimit/slidingwindow"
)

type limit struct {
	rate  ratelimit.Rate
	burst int // or the events of a window
}

var (
	perMinute60  = limit{ratelimit.PerMinute(60), 60}
	perMinute600 = limit{ratelimit.PerMinute(600), 600}
	few60        = limit{ratelimit.PerMinute(60), 10}
	few600       = limit{ratelimit.PerMinute(600), 10}
	tenth600     = limit{ratelimit.PerMinute(600), 100}
)

// customer makes a store with one key that has used up all of a limit, and returns a function that
// gives it another.
type customer func(c ratelimit.Clock, of limit) (to func(limit) ratelimit.Limiter)

// byCall passes another limit with each call.
func byCall(table *keyed.Table[string], of limit) func(limit) ratelimit.Limiter {
	to := func(l limit) ratelimit.Limiter {
		return table.LimiterBy("ann", ratelimit.Must(table.Limit(l.rate, l.burst)))
	}
	to(of).Take(of.burst)
	return to
}

func inTableOfGCRA(c ratelimit.Clock, of limit) func(limit) ratelimit.Limiter {
	return byCall(ratelimit.Must(keyed.NewGCRA[string](perMinute600.rate, 600, 8, keyed.WithClock(c))), of)
}

func inTableOfWindows(c ratelimit.Clock, of limit) func(limit) ratelimit.Limiter {
	return byCall(ratelimit.Must(keyed.NewAlignedWindow[string](perMinute600.rate, 8, keyed.WithClock(c))), of)
}

// inMap changes limiters by Update.
func inMap[L ratelimit.Limiter](build func(c ratelimit.Option, l limit) (L, error), set func(L, limit) error) customer {
	return func(c ratelimit.Clock, of limit) func(limit) ratelimit.Limiter {
		m := ratelimit.Must(keyed.NewMap(8, func(string) (ratelimit.Limiter, error) {
			return build(ratelimit.WithClock(c), of)
		}, keyed.WithClock(c)))
		m.Take("ann", of.burst)
		return func(l limit) ratelimit.Limiter {
			var err error
			m.Update("ann", func(limiter ratelimit.Limiter) { err = set(limiter.(L), l) })
			ratelimit.Must(0, err)
			return m.Limiter("ann")
		}
	}
}

var (
	inMapOfGCRA = inMap(
		func(c ratelimit.Option, l limit) (*gcra.Limiter, error) { return gcra.New(l.rate, l.burst, c) },
		func(g *gcra.Limiter, l limit) error { return g.SetRate(l.rate, l.burst) })
	inMapOfWindows = inMap(
		func(c ratelimit.Option, l limit) (*fixedwindow.Limiter, error) {
			return fixedwindow.NewAnchored(l.rate, c)
		},
		func(w *fixedwindow.Limiter, l limit) error { return w.SetRate(l.rate) })
	inMapOfLogs = inMap(
		func(c ratelimit.Option, l limit) (*slidingwindow.Log, error) { return slidingwindow.NewLog(l.rate, c) },
		func(w *slidingwindow.Log, l limit) error { return w.SetRate(l.rate) })
	inMapOfCounters = inMap(
		func(c ratelimit.Option, l limit) (*slidingwindow.Counter, error) {
			return slidingwindow.NewCounter(l.rate, 10, c)
		},
		func(w *slidingwindow.Counter, l limit) error { return w.SetRate(l.rate) })
)

// changed returns what a customer has left that has just used up all of one limit, and gets
// another; or how long it is refused.
func changed(ann customer, from, to limit) string {
	c := limittest.NewClock(t0) // a full minute
	d := ann(c, from)(to).Take(0)
	if d.Remaining > 0 {
		return fmt.Sprint(d.Remaining, " left")
	}
	return fmt.Sprint("refused for ", ann(c, from)(to).Take(1).RetryAfter)
}

// TestAnotherPlan holds the table in docs/keyed.md, and the figures beside it.
func TestAnotherPlan(t *testing.T) {
	page, err := os.ReadFile("../docs/keyed.md")
	require.NoError(t, err)
	for _, row := range []struct {
		way        string
		ann        customer
		slow, fast limit
	}{
		{"`Table` of aligned windows", inTableOfWindows, perMinute60, perMinute600},
		{"`Table` of GCRA, burst in proportion to the rate: 60 and 600", inTableOfGCRA, perMinute60, perMinute600},
		{"`Table` of GCRA, the same burst in both plans: 10 of 10 used", inTableOfGCRA, few60, few600},
		{"`Map` of `gcra`, burst in proportion to the rate: 60 and 600", inMapOfGCRA, perMinute60, perMinute600},
		{"`Map` of `gcra`, the same burst in both plans: 10 of 10 used", inMapOfGCRA, few60, few600},
		{"`Map` of `fixedwindow`", inMapOfWindows, perMinute60, perMinute600},
		{"`Map` of `slidingwindow.NewLog`", inMapOfLogs, perMinute60, perMinute600},
		{"`Map` of `slidingwindow.NewCounter`, 10 buckets", inMapOfCounters, perMinute60, perMinute600},
	} {
		up, down := changed(row.ann, row.slow, row.fast), changed(row.ann, row.fast, row.slow)
		require.Contains(t, string(page), fmt.Sprintf("\n| %s | %s | %s |\n", row.way, up, down))
	}
	large := limit{ratelimit.PerMinute(60_000), 60_000}
	require.Equal(t, "refused for 16h39m1s", changed(inMapOfGCRA, large, perMinute60))
	require.Contains(t, string(page), " 16h39m")

	// The cure for a Table of GCRA: a burst that is the same length of time.
	require.Equal(t, "refused for 100ms", changed(inTableOfGCRA, few60, tenth600))
	require.Equal(t, "refused for 1s", changed(inTableOfGCRA, tenth600, few60))
}
