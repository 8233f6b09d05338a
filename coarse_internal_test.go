package ratelimit

import (
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// The goroutine may be suspended after each of its stores: everything that the clock shows must
// change at once, or a limiter would use a time that its callers cannot see.
func TestCoarseClockTellsOneTime(t *testing.T) {
	c := Must(NewCoarseClock(time.Hour))
	for _, elapsed := range []time.Duration{1, time.Second, time.Minute} {
		atomic.StoreInt64(&c.elapsed, int64(elapsed))
		want := c.Origin().Add(elapsed)
		require.Equal(t, elapsed, c.Elapsed())
		require.Equal(t, want, c.Now())
		require.Equal(t, want.UnixNano(), c.UnixNano())

		// Callers that have found it not running, and get the lock when it is:
		require.Equal(t, elapsed, c.elapsedNow())
		require.Equal(t, want, c.timeNow())
		require.Equal(t, want.UnixNano(), c.unixNow())
	}
}

func TestCoarseClockFollowsTheWallClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := Must(NewCoarseClock(time.Hour))
		time.Sleep(time.Second)
		c.Start()
		defer c.Stop()
		for step, follows := range map[time.Duration]bool{
			time.Hour: true, -time.Hour: true, time.Microsecond: true, -time.Microsecond: true, time.Microsecond - 1: false, 0: false,
		} {
			before := c.origin.Add(-step) // as if the wall clock had been set since
			c.setOrigin(before)
			require.Equal(t, before.Add(c.Elapsed()).UnixNano(), c.UnixNano())
			c.read()
			want := time.Now()
			if !follows {
				want = want.Add(-step)
			}
			require.Equal(t, want.UnixNano(), c.UnixNano(), step)
			require.Equal(t, want.UnixNano(), c.Now().UnixNano(), step)
			if follows {
				require.Equal(t, c.Elapsed(), c.Now().Sub(c.Origin()), step)
			}
		}
	})
}
