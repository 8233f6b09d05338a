package redislimit_test

import (
	"context"
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/limittest"
	"github.com/seed-3506548a/ratelimit/redislimit"
)

// A node remembers refusals of so many keys as it was told, rounded up to a power of two: of 16,384
// by default.
func TestHowManyAreRemembered(t *testing.T) {
	for keys, slots := range map[int]int{0: 0, 1: 1, 2: 2, 3: 4, 4: 4, 5: 8, 1000: 1024, 1024: 1024, 1025: 2048} {
		require.Equal(t, slots, hundred(t, told(), redislimit.Remember(keys)).Slots(), "%d", keys)
	}
	require.Equal(t, 1<<14, hundred(t, told()).Slots())
	remembered := func(keys int) (all int) {
		m := &recorder{Engine: told(t0.UnixMicro(), 100*86_400_000_000, 0)}
		limit := hundred(t, m, redislimit.Remember(keys), redislimit.WithClock(limittest.NewClock(t0)))
		const n = 1000
		for key := range n {
			require.False(t, limit.TakeAt(t0, string(rune(key)), 1).OK)
		}
		for key := range n {
			before := m.trips
			limit.Limiter(string(rune(key)), redislimit.FailClosed).PeekAt(t0, 2)
			if m.trips == before {
				all++
			}
		}
		return all
	}
	require.Zero(t, remembered(0))
	// A look that is refused takes its slot from another key, whose turn is later. With one slot,
	// none finds its own but the last of all at most.
	require.LessOrEqual(t, remembered(1), 1)
	require.Greater(t, remembered(1<<16), 900)
}

// A refusal is remembered until the request would fit, and not then: at that time the engine is
// asked, and grants. If the clock of the node is set back, it is asked, too.
func TestWhenARememberedRefusalEnds(t *testing.T) {
	for name, build := range algorithms {
		t.Run(name, func(t *testing.T) {
			m, clock := newMini(t), limittest.NewClock(t0)
			l, err := build(m, ratelimit.PerMinute(2), redislimit.WithClock(clock))
			require.NoError(t, err)
			ask := func(at time.Duration) (d ratelimit.Decision, trips int) {
				clock.Set(t0.Add(at))
				m.SetTime(t0.Add(max(at, 0)))
				before := m.trips
				d, err := l.Take(t.Context(), "k", 1)
				require.NoError(t, err)
				return d, m.trips - before
			}
			for range 2 {
				d, _ := ask(0)
				require.True(t, d.OK)
			}
			d, trips := ask(0)
			require.False(t, d.OK)
			require.Equal(t, 1, trips)
			wait := d.RetryAfter
			require.Contains(t, []time.Duration{30 * time.Second, time.Minute}, wait)
			d, trips = ask(wait - us)
			require.False(t, d.OK)
			require.Equal(t, us, d.RetryAfter)
			require.Zero(t, trips)
			_, trips = ask(-us)
			require.Equal(t, 1, trips)
			d, trips = ask(wait - us) // that refusal is a microsecond older
			require.False(t, d.OK)
			require.Equal(t, 1, trips)
			d, trips = ask(wait)
			require.True(t, d.OK)
			require.Equal(t, 1, trips)
		})
	}
}

// A refusal that was under way when the key was changed here is not remembered: the change may be
// newer. One that was asked for later is.
func TestARefusalUnderWayDuringAChange(t *testing.T) {
	clock := limittest.NewClock(t0)
	var limit *redislimit.GCRA
	trips, during := 0, func() {}
	limit = hundred(t, engine{run: func(context.Context) ([]int64, error) {
		trips++
		now := during
		during = func() {}
		now()
		return []int64{t0.UnixMicro(), 100 * 86_400_000_000, 0}, nil
	}}, redislimit.WithClock(clock))
	ask := func() int {
		before := trips
		require.False(t, limit.TakeAt(t0, "k", 1).OK)
		return trips - before
	}
	for name, change := range map[string]func() error{
		"refund": func() error { return limit.Refund(t.Context(), "k", 1, 0) },
		"reset":  func() error { return limit.Reset(t.Context(), "k") },
	} {
		t.Run(name, func(t *testing.T) {
			require.NoError(t, change())
			for _, later := range []time.Duration{0, time.Second} {
				during = func() {
					clock.Set(clock.Now().Add(later))
					require.NoError(t, change())
				}
				require.Equal(t, 2, ask())
				require.Equal(t, 1, ask(), "that was not remembered, and nor is this, as of the same time")
				clock.Set(clock.Now().Add(1))
				require.Equal(t, 1, ask())
				require.Zero(t, ask())
				require.NoError(t, change())
				clock.Set(clock.Now().Add(1))
			}
		})
	}

	// A refusal takes the place of one that is newer, as it may be of another number of events.
	require.Equal(t, 1, ask())
	clock.Set(clock.Now().Add(-time.Second))
	require.Equal(t, 1, ask())
	require.Zero(t, ask())
}

// The options take what they say, up to the ends.
func TestRangesOfOptions(t *testing.T) {
	for _, opt := range []redislimit.Option{
		redislimit.Timeout(1), redislimit.Timeout(math.MaxInt64), redislimit.Remember(0), redislimit.Remember(1 << 30),
		redislimit.Lease(1, 1), redislimit.Lease(1<<20, 1), redislimit.Lease(1<<20, 2047), redislimit.Lease(1, math.MaxInt32),
	} {
		require.NoError(t, redislimit.Choose(opt))
	}
	for want, opt := range map[string]redislimit.Option{
		"Timeout is 0s, want more than 0s":                                              redislimit.Timeout(0),
		"Timeout is -1ns, want more than 0s":                                            redislimit.Timeout(-1),
		"Remember is -1, want 0 to 1073741824":                                          redislimit.Remember(-1),
		"Remember is 1073741825, want 0 to 1073741824":                                  redislimit.Remember(1<<30 + 1),
		"Lease nodes is 0, want 1 to 1048576":                                           redislimit.Lease(0, 1),
		"Lease nodes is 1048577, want 1 to 1048576":                                     redislimit.Lease(1<<20+1, 1),
		"Lease chunk is 0, want 1 or more, and chunks of all nodes below 2147483647":    redislimit.Lease(1, 0),
		"Lease chunk is 2048, want 1 or more, and chunks of all nodes below 2147483647": redislimit.Lease(1<<20, 2048),
		"WithClock is nil, want a clock, or no such option for the system's":            redislimit.WithClock(nil),
	} {
		require.EqualError(t, redislimit.Choose(opt), "redislimit.Choose: "+want)
	}
	first := redislimit.Choose(redislimit.Timeout(0), redislimit.Remember(-1))
	require.EqualError(t, first, "redislimit.Choose: Timeout is 0s, want more than 0s")
}
