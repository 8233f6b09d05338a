package gcra_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/gcra"
	"github.com/seed-3506548a/ratelimit/limittest"
)

// The rate changes as of the time that is handed in, but not before the last event granted: not
// before the time at which that can have been at the latest, if the clock is later still.
func TestSetRateInAReplay(t *testing.T) {
	for name, row := range map[string]struct {
		clock time.Time
		n     int
		wait  time.Duration
	}{
		"the log's clock":                {t0, 10, 100 * ms},
		"a clock behind the log":         {t0.AddDate(-30, 0, 0), 10, 100 * ms},
		"a clock ahead of it, one event": {t0.AddDate(30, 0, 0), 1, 0},
		"a clock ahead of it":            {t0.AddDate(30, 0, 0), 10, 9 * time.Hour},
	} {
		t.Run(name, func(t *testing.T) {
			l, _ := newAt(t, row.clock, ratelimit.PerHour(1), 10)
			require.True(t, l.TakeAt(t0, row.n).OK)
			require.NoError(t, l.SetRateAt(t0, ratelimit.PerSecond(10), 10))
			require.Equal(t, row.wait, l.TakeAt(t0, 1).RetryAfter)
		})
	}
}

// A time that is earlier than grants mints nothing, unless they are later than the clock too: then
// as many events as were granted since may be granted once more.
func TestSetRateAtAStaleTime(t *testing.T) {
	for name, row := range map[string]struct {
		clock     time.Time
		n         int
		remaining int
	}{
		"grants by the clock":              {t9, 3, 7},
		"grants ahead of the clock":        {t0, 3, 10},
		"a full burst ahead of the clock":  {t0, 10, 0}, // it cannot have been granted earlier
		"grants behind the clock":          {t9.Add(time.Second), 1, 9},
		"grants that drained by the clock": {t9.AddDate(1, 0, 0), 3, 0}, // not known to have been so early
	} {
		t.Run(name, func(t *testing.T) {
			l, _ := newAt(t, row.clock, ratelimit.PerHour(1), 10)
			require.True(t, l.TakeAt(t9, row.n).OK)
			require.NoError(t, l.SetRateAt(t0, ratelimit.PerSecond(10), 10))
			require.Equal(t, row.remaining, l.PeekAt(t9, 0).Remaining)
		})
	}
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
