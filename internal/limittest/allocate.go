package limittest

import (
	"testing"
	"time"

	"github.com/benbjohnson/clock"
	"github.com/stretchr/testify/require"

	"github.com/seed-3506548a/ratelimit"
)

// Allocations returns how many f makes: the least of up to three runs, since the runtime's own are
// counted too, as when it begins to collect garbage.
func Allocations(f func()) float64 {
	least := testing.AllocsPerRun(1, f)
	for range 2 {
		if least > 0 {
			least = min(least, testing.AllocsPerRun(1, f))
		}
	}
	return least
}

// NoAllocations counts the allocations of a thousand calls of each method, granted and refused,
// through the interface and on several clocks: testing.AllocsPerRun divides in integers, so one run
// has all the calls.
func NoAllocations(t *testing.T, build NewSize) {
	for name, c := range map[string]ratelimit.Clock{
		"system": ratelimit.SystemClock{},
		"clock":  clock.New(),
		"mock":   clock.NewMock(),
	} {
		l, err := build(60_000, c)
		require.NoError(t, err)
		count := func(what string, want bool, ask func() bool) {
			answers := 0
			allocs := Allocations(func() {
				answers = 0
				for range 1000 {
					if ask() == want {
						answers++
					}
				}
			})
			require.Zero(t, allocs, "%s, %s, %v", name, what, want)
			require.Equal(t, 1000, answers, "%s, %s, %v", name, what, want)
		}
		count("Allow", true, l.Allow)
		count("Take", true, func() bool { return l.Take(1).OK })
		now := l.Clock().Now()
		count("TakeAt", true, func() bool {
			now = now.Add(1)
			return l.TakeAt(now, 2).OK
		})
		count("PeekAt", true, func() bool { return l.PeekAt(now, 1).OK })
		count("RefundAt", true, func() bool {
			now = now.Add(time.Second)
			ok := l.TakeAt(now, 1).OK
			before := l.PeekAt(now, 0).Remaining
			l.RefundAt(now, 1, 0)
			return ok && l.PeekAt(now, 0).Remaining == before+1
		})
		for l.TakeAt(now, 1).OK {
			continue
		}
		count("Allow", false, l.Allow)
		count("Take", false, func() bool { return l.Take(1).OK })
		count("TakeAt", false, func() bool { return l.TakeAt(now, 1).OK })
		count("PeekAt", false, func() bool { return l.PeekAt(now, 1).OK })
	}
}
