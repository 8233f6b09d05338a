package limittest_test

import (
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-3506548a/ratelimit/limittest"
)

func TestClockAdvance(t *testing.T) {
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	clock := limittest.NewClock(start)
	clock.Advance(time.Minute)
	require.Equal(t, start.Add(time.Minute), clock.Now())
	clock.Advance(-time.Hour)
	require.Equal(t, start.Add(-59*time.Minute), clock.Now())
	clock.Set(start)
	clock.Advance(0)
	require.Equal(t, start, clock.Now())
}

// Calls at once add up: none is lost.
func TestClockAdvanceAtOnce(t *testing.T) {
	const callers, calls = 4, 10_000
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	clock := limittest.NewClock(start)
	var all sync.WaitGroup
	for range callers {
		all.Go(func() {
			for range calls {
				clock.Advance(1)
			}
		})
	}
	all.Wait()
	require.Equal(t, start.Add(callers*calls), clock.Now())
}
