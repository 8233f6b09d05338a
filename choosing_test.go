package ratelimit_test

import (
	"fmt"
	"math"
	"os"
	"runtime"
	"sort"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/fixedwindow"
	"github.com/seed-3506548a/ratelimit/gcra"
	"github.com/seed-3506548a/ratelimit/keyed"
	"github.com/seed-3506548a/ratelimit/limittest"
	"github.com/seed-3506548a/ratelimit/slidingwindow"
	"github.com/seed-3506548a/ratelimit/tokenbucket"
)

// checked is the guard that docs/choosing.md shows.
func checked(l ratelimit.Limiter, t time.Time) time.Time {
	now := l.Clock().Now()
	if t.IsZero() || t.After(now.Add(time.Minute)) {
		return now
	}
	return t
}

// TestWrongTimes holds the section "A wrong time" of docs/choosing.md: what a time a day ahead and
// a forgotten time do to limiters of 60 a minute.
func TestWrongTimes(t *testing.T) {
	page, err := os.ReadFile("docs/choosing.md")
	require.NoError(t, err)
	own, err := os.ReadFile("choosing_test.go")
	require.NoError(t, err)
	parts := strings.Split(string(page), "```")
	require.Len(t, parts, 3, "one piece of code")
	require.Contains(t, string(own), strings.TrimPrefix(parts[1], "go\n"))

	const day = 24 * time.Hour
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	rate, burst := ratelimit.PerMinute(60), 10
	table := func(c ratelimit.Clock) *keyed.Table[string] {
		return ratelimit.Must(keyed.NewGCRA[string](rate, burst, 100, keyed.WithClock(c)))
	}
	maps := func(c ratelimit.Clock) *keyed.Map[string] {
		return ratelimit.Must(keyed.NewMap(100, func(string) (ratelimit.Limiter, error) {
			return gcra.New(rate, burst, ratelimit.WithClock(c))
		}, keyed.WithClock(c)))
	}
	for name, row := range map[string]struct {
		build  func(c ratelimit.Clock) (ratelimit.Limiter, error)
		opens  time.Duration // when one event is granted after one a day ahead
		rest   int           // how many are granted before that
		zeroOK bool          // a forgotten time is granted after a later one
		ever   int           // how many are granted if all times are forgotten
	}{
		"gcra": {func(c ratelimit.Clock) (ratelimit.Limiter, error) {
			return gcra.New(rate, burst, ratelimit.WithClock(c))
		}, day - 8*time.Second, 0, false, burst},
		"tokenbucket": {func(c ratelimit.Clock) (ratelimit.Limiter, error) {
			return tokenbucket.New(rate, burst, ratelimit.WithClock(c))
		}, day - 8*time.Second, 0, false, burst},
		"interval": {func(c ratelimit.Clock) (ratelimit.Limiter, error) {
			return tokenbucket.NewInterval(rate, 60, ratelimit.WithClock(c))
		}, day, 0, false, 60},
		"interval, more than one": {func(c ratelimit.Clock) (ratelimit.Limiter, error) {
			return tokenbucket.NewInterval(rate, 62, ratelimit.WithClock(c))
		}, day - time.Minute, 0, false, 62},
		"anchored": {func(c ratelimit.Clock) (ratelimit.Limiter, error) {
			return fixedwindow.NewAnchored(rate, ratelimit.WithClock(c))
		}, day, 0, false, 60},
		"aligned": {func(c ratelimit.Clock) (ratelimit.Limiter, error) {
			return fixedwindow.NewAligned(rate, ratelimit.WithClock(c))
		}, day, 0, false, 60},
		"counter": {func(c ratelimit.Clock) (ratelimit.Limiter, error) {
			return slidingwindow.NewCounter(rate, 10, ratelimit.WithClock(c))
		}, day - time.Minute, 0, false, 60},
		"log": {func(c ratelimit.Clock) (ratelimit.Limiter, error) {
			return slidingwindow.NewLog(rate, ratelimit.WithClock(c))
		}, day + time.Minute, 59, true, 60},
		"map": {func(c ratelimit.Clock) (ratelimit.Limiter, error) {
			return maps(c).Limiter("ann"), nil
		}, day - 8*time.Second, 0, false, burst},
	} {
		t.Run(name, func(t *testing.T) {
			clock := limittest.NewClock(start)
			l, err := row.build(clock)
			require.NoError(t, err)
			clock.Set(start.Add(time.Second))
			require.True(t, l.TakeAt(start.Add(day), 1).OK)
			rest := 0
			for l.Allow() {
				rest++
			}
			require.Equal(t, row.rest, rest)
			clock.Set(start.Add(row.opens - time.Minute))
			require.Equal(t, time.Minute, l.Take(1).RetryAfter)

			l, err = row.build(clock)
			require.NoError(t, err)
			require.True(t, l.Allow())
			require.Equal(t, row.zeroOK, l.TakeAt(time.Time{}, 1).OK)
			require.True(t, l.TakeAt(checked(l, time.Time{}), 1).OK)

			l, err = row.build(clock)
			require.NoError(t, err)
			ever := 0
			for range 100 {
				clock.Advance(time.Hour)
				if l.TakeAt(time.Time{}, 1).OK {
					ever++
				}
			}
			require.Equal(t, row.ever, ever)
		})
	}
	t.Run("table", func(t *testing.T) {
		clock := limittest.NewClock(start)
		users := table(clock)
		clock.Set(start.Add(time.Second))
		require.True(t, users.Allow("ann"))
		require.Equal(t, keyed.Ahead, users.TakeAt(start.Add(day), "ann", 1).By)
		require.True(t, users.Allow("ann"))
		require.True(t, users.TakeAt(start.Add(9*time.Hour), "ann", 1).OK)
		require.False(t, users.Allow("ann"))
		require.True(t, users.Allow("bob"))
		users.Reset("ann")
		require.True(t, users.Allow("ann"))
		require.Equal(t, keyed.Late, users.TakeAt(time.Time{}, "ann", 1).By)

		users = table(clock)
		ever := 0
		for range 100 {
			clock.Advance(time.Hour)
			if users.TakeAt(time.Time{}, "ann", 1).OK {
				ever++
			}
		}
		require.Equal(t, burst, ever)
	})
	t.Run("map", func(t *testing.T) {
		clock := limittest.NewClock(start)
		users := maps(clock)
		require.True(t, users.TakeAt(start.Add(day), "ann", 1).OK)
		require.False(t, users.Allow("ann"))
		require.True(t, users.Allow("bob"))
		users.Reset("ann")
		require.True(t, users.Allow("ann"))
	})
}

// TestReservationsReach holds how far ahead docs/choosing.md says that events can be reserved.
func TestReservationsReach(t *testing.T) {
	if math.MaxInt == math.MaxInt32 {
		t.Skip("it owes more events than an int holds")
	}
	const year = 8766 * time.Hour
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for rate, reach := range map[ratelimit.Rate]time.Duration{
		ratelimit.PerMinute(90):            24 * year,
		ratelimit.PerSecond(1e9):           73 * year,
		ratelimit.PerSecond(1_000_000_007): 2300 * time.Millisecond,
	} {
		var last time.Duration
		sort.Search(math.MaxInt, func(owed int) bool { // the least debt behind which nothing can be reserved
			l := ratelimit.Must(gcra.New(rate, 1, ratelimit.WithClock(limittest.NewClock(start))))
			l.ChargeAt(start, owed)
			r, d := l.ReserveAt(start, 1, ratelimit.Never)
			if d.OK {
				last = max(last, r.ActAt().Sub(start))
			}
			return !d.OK
		})
		require.InEpsilon(t, reach.Seconds(), last.Seconds(), 0.02, rate.String())
	}
}

// TestMemory holds the table in docs/choosing.md: the bytes that a limiter keeps alive.
func TestMemory(t *testing.T) {
	if math.MaxInt == math.MaxInt32 {
		t.Skip("counted on 64-bit platforms")
	}
	minute := ratelimit.PerMinute(100)
	var row strings.Builder
	for _, limiter := range []struct {
		build func() (ratelimit.Limiter, error)
		bytes float64
	}{
		{func() (ratelimit.Limiter, error) { return gcra.New(minute, 10) }, 128},
		{func() (ratelimit.Limiter, error) { return tokenbucket.New(minute, 10) }, 128},
		{func() (ratelimit.Limiter, error) { return tokenbucket.NewInterval(minute, 100) }, 128},
		{func() (ratelimit.Limiter, error) { return fixedwindow.NewAligned(minute) }, 128},
		{func() (ratelimit.Limiter, error) { return slidingwindow.NewCounter(minute, 10) }, 464},
		{func() (ratelimit.Limiter, error) { return slidingwindow.NewLog(minute) }, 2016},
	} {
		require.InEpsilon(t, limiter.bytes, retained(t, limiter.build), 0.2)
		fmt.Fprintf(&row, "| %.0f ", limiter.bytes)
	}
	page, err := os.ReadFile("docs/choosing.md")
	require.NoError(t, err)
	require.Contains(t, string(page), "\n"+row.String()+"|\n")
}

// retained returns the bytes that what build returns keeps alive, as the least mean of three runs,
// since something else may allocate meanwhile.
func retained(t *testing.T, build func() (ratelimit.Limiter, error)) float64 {
	const n = 1000
	least := math.Inf(1)
	for range 3 {
		kept := make([]ratelimit.Limiter, n)
		var before, after runtime.MemStats
		runtime.GC()
		runtime.GC() // what the first leaves of pools
		runtime.ReadMemStats(&before)
		for i := range kept {
			l, err := build()
			require.NoError(t, err)
			kept[i] = l
		}
		runtime.GC()
		runtime.ReadMemStats(&after)
		runtime.KeepAlive(kept)
		least = min(least, float64(int64(after.HeapAlloc-before.HeapAlloc))/n)
	}
	return least
}
