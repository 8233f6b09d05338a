package gcra_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/gcra"
	"github.com/seed-3506548a/ratelimit/limittest"
)

// The rate changes as of the time that is handed in, wherever the limiter's clock is.
func TestSetRateInAReplay(t *testing.T) {
	for name, clock := range map[string]time.Time{"of the past": t0.AddDate(30, 0, 0), "of the future": t0.AddDate(-30, 0, 0)} {
		t.Run(name, func(t *testing.T) {
			l, _ := newAt(t, clock, ratelimit.PerHour(1), 10)
			require.True(t, l.TakeAt(t0, 10).OK)
			require.NoError(t, l.SetRateAt(t0, ratelimit.PerSecond(10), 10))
			play(t, l, []step{
				{at: t0, n: 1, retryAfter: 100 * ms, resetAfter: time.Second},
				{at: t1, n: 1, ok: true, resetAfter: time.Second},
				{at: t3, n: 3, remaining: 2, retryAfter: 100 * ms, resetAfter: 800 * ms},
			})
		})
	}
}

// At a time before others that were used, a faster rate counts for events that are yet to come: as
// many as were granted after it may be granted once more, but not a full burst.
func TestSetRateAtAStaleTime(t *testing.T) {
	l, _ := newAt(t, t0, ratelimit.PerHour(1), 10)
	require.True(t, l.TakeAt(t9, 3).OK)
	require.NoError(t, l.SetRateAt(t0, ratelimit.PerSecond(10), 10))
	require.Equal(t, 10, l.PeekAt(t9, 0).Remaining)

	// What used up the burst cannot have been granted before a certain time.
	full, _ := newAt(t, t0, ratelimit.PerHour(1), 10)
	require.True(t, full.TakeAt(t9, 10).OK)
	require.NoError(t, full.SetRateAt(t0, ratelimit.PerSecond(10), 10))
	require.Equal(t, 0, full.PeekAt(t9, 0).Remaining)
	require.False(t, full.TakeAt(t9.Add(-1), 1).OK, "the rate changed at t9")
}

// interrupted is a clock that somebody else goes on by when it has just been read.
type interrupted struct {
	*limittest.Clock
	meanwhile func()
}

func (c *interrupted) Now() time.Time {
	now := c.Clock.Now()
	if f := c.meanwhile; f != nil {
		c.meanwhile = nil
		f()
	}
	return now
}

// A caller of SetRate may be suspended after it has read the clock. What is granted meanwhile does
// not drain at the new rate before it was granted.
func TestSetRateWhileOthersGoOn(t *testing.T) {
	clock := &interrupted{Clock: limittest.NewClock(t0)}
	l, err := gcra.New(ratelimit.PerHour(1), 10, ratelimit.WithClock(clock))
	require.NoError(t, err)
	clock.meanwhile = func() {
		clock.Set(t9)
		require.True(t, l.Take(3).OK)
	}
	require.NoError(t, l.SetRate(ratelimit.PerSecond(10), 10))
	require.Equal(t, 7, l.Peek(0).Remaining)
}
