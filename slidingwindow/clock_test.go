package slidingwindow_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/slidingwindow"
)

// On the system's clock, too, what was granted expires, and no sooner than it should.
func TestAWindowSlidesOnTheSystemsClock(t *testing.T) {
	for name, row := range map[string]struct {
		build func() (ratelimit.Limiter, error)
		after time.Duration
	}{
		"Log":     {func() (ratelimit.Limiter, error) { return slidingwindow.NewLog(ratelimit.PerSecond(2)) }, time.Second},
		"Counter": {func() (ratelimit.Limiter, error) { return slidingwindow.NewCounter(ratelimit.PerSecond(2), 10) }, 1100 * time.Millisecond},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l, err := row.build()
				require.NoError(t, err)
				for range 3 {
					require.True(t, l.Allow())
					require.True(t, l.Allow())
					require.False(t, l.Allow())
					time.Sleep(row.after - time.Nanosecond)
					require.False(t, l.Allow())
					time.Sleep(time.Nanosecond)
				}
			})
		})
	}
}
