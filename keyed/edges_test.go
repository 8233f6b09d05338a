package keyed

import (
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/gcra"
	"github.com/seed-3506548a/ratelimit/limittest"
)

var start = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// Of windows a tick is an event.
func TestStatsOfWindows(t *testing.T) {
	c := limittest.NewClock(start)
	table, err := NewAlignedWindow[int](ratelimit.PerSecond(10), 1, WithClock(c))
	require.NoError(t, err)
	for key := range 8 {
		require.True(t, table.Allow(key))
	}
	require.Equal(t, 8, table.Stats().Live)
	require.True(t, table.Allow(8))
	require.EqualValues(t, 1, table.Stats().Inherited)
}

func mapOf(t *testing.T, rate ratelimit.Rate, burst, capacity int, c ratelimit.Clock) *Map[int] {
	m, err := NewMap(capacity, func(int) (ratelimit.Limiter, error) {
		return gcra.New(rate, burst, ratelimit.WithClock(c))
	}, WithClock(c))
	require.NoError(t, err)
	return m
}

func homeOf(m *Map[int], key int) int { return int(m.hash(key) & uint64(len(m.shards)-1)) }

// keyOf returns a key that is not among the first thousand, of that shard.
func keyOf(m *Map[int], home int) int {
	for key := 1000; ; key++ {
		if homeOf(m, key) == home {
			return key
		}
	}
}

// Wherever the only key that can go is, a new one of any shard finds it.
func TestMapLooksAtAllShards(t *testing.T) {
	for _, capacity := range []int{128, 256} {
		for only := range capacity / 64 {
			for home := range capacity / 64 {
				c := limittest.NewClock(start)
				m := mapOf(t, ratelimit.PerHour(1), 1, capacity, c)
				for key := range capacity {
					require.True(t, m.Allow(key))
				}
				require.Equal(t, Full, m.PeekAt(c.Now(), keyOf(m, home), 1).By)
				c.Set(start.Add(2 * time.Hour))
				for key := range capacity {
					if homeOf(m, key) != only {
						require.True(t, m.Allow(key))
					}
				}
				require.True(t, m.PeekAt(c.Now(), keyOf(m, home), 1).OK)
				require.True(t, m.Allow(keyOf(m, home)))
			}
		}
	}
}

// RetryAfter of what is Full is when the first can go, of whatever shard.
func TestMapFullUntil(t *testing.T) {
	for home := range 2 {
		c := limittest.NewClock(start)
		m := mapOf(t, ratelimit.PerHour(1), 2, 128, c)
		for key := range 128 {
			require.True(t, m.Take(key, 1+homeOf(m, key)).OK)
		}
		d := m.Take(keyOf(m, home), 1)
		require.Equal(t, Full, d.By)
		require.Equal(t, time.Hour, d.RetryAfter)
	}
}

// What was forgotten had been as new for more than a day: callers who are late by a day come in
// time, and by more they do not.
func TestMapMemory(t *testing.T) {
	for late, want := range map[time.Duration]bool{24 * time.Hour: true, 24*time.Hour + 1: false} {
		c := limittest.NewClock(start)
		m := mapOf(t, ratelimit.PerSecond(1), 1, 2, c)
		require.True(t, m.Allow(1))
		require.True(t, m.Allow(2))
		c.Set(start.Add(48 * time.Hour))
		require.True(t, m.Allow(3))
		d := m.TakeAt(c.Now().Add(-late), 4, 1)
		require.Equal(t, want, d.OK)
		require.Equal(t, !want, d.By == Late)
	}
}

type vagueBefore struct{ ratelimit.Limiter }

func (v vagueBefore) PeekAt(t time.Time, n int) ratelimit.Decision {
	d := v.Limiter.PeekAt(t, n)
	if t.Before(v.Clock().Now()) && d.ResetAfter == 0 {
		d.Remaining--
	}
	return d
}

// Of a limiter that was as new only when it was evicted, nothing is known of a nanosecond before.
func TestMapNotANanosecondBefore(t *testing.T) {
	c := limittest.NewClock(start)
	m, err := NewMap(1, func(string) (ratelimit.Limiter, error) {
		l, err := gcra.New(ratelimit.PerSecond(1), 5, ratelimit.WithClock(c))
		return vagueBefore{l}, err
	}, WithClock(c))
	require.NoError(t, err)
	require.True(t, m.Take("ann", 1).OK)
	c.Set(start.Add(10 * time.Second))
	require.True(t, m.Take("bob", 1).OK)
	m.Reset("bob")
	require.Equal(t, Late, m.TakeAt(c.Now().Add(-1), "ann", 5).By)
}

// A key that has just become as new goes, whichever is looked at first.
func TestMapAsNewJustNow(t *testing.T) {
	for range 64 {
		c := limittest.NewClock(start)
		m := mapOf(t, ratelimit.PerSecond(1), 1, 2, c)
		require.True(t, m.Allow(1))
		c.Set(start.Add(1))
		require.True(t, m.Allow(2))
		c.Set(start.Add(time.Second))
		require.True(t, m.Allow(3))
	}
}

// hooked calls what it was told to, once, when it is read.
type hooked struct {
	*limittest.Clock
	hook *func()
}

func (h hooked) Now() time.Time {
	if hook := *h.hook; hook != nil {
		*h.hook = nil
		hook()
	}
	return h.Clock.Now()
}

// Between looking for the key and making it, somebody else has made it.
func TestMapSomebodyElseWasFaster(t *testing.T) {
	var hook func()
	c := hooked{limittest.NewClock(start), &hook}
	m := mapOf(t, ratelimit.PerHour(1), 2, 1, c)
	hook = func() { require.True(t, m.TakeAt(start, 1, 1).OK) }
	require.Equal(t, ratelimit.Decision{OK: true, Limit: 2, ResetAfter: 2 * time.Hour}, m.TakeAt(start, 1, 1))
}

func tableAt(t *testing.T, burst int) (*Table[int], *limittest.Clock) {
	c := limittest.NewClock(start)
	table, err := NewGCRA[int](ratelimit.Rate{Events: 1, Per: 256}, burst, 1, WithClock(c)) // a tick is a nanosecond
	require.NoError(t, err)
	return table, c
}

// The newest time moves on by half of what TATs count, and all that they count but one.
func TestAdvanceByAlmostARound(t *testing.T) {
	for past := time.Duration(-1); past <= 1; past++ {
		table, c := tableAt(t, 1)
		require.True(t, table.Allow(1))
		c.Set(start.Add(1<<39 + 1<<40 - 1 + past))
		require.True(t, table.Allow(1))
		require.False(t, table.Allow(1))
	}
}

// A word is looked after in the first of two laps by what was late at its beginning, and is used at
// the end of the second.
func TestTwoLaps(t *testing.T) {
	const lap = 1 << 38
	table, c := tableAt(t, 1)
	for _, s := range []struct {
		key int
		at  time.Duration
	}{{1, -1 << 30}, {2, 1}, {2, 1 + lap}, {2, 2*lap - 1}, {1, 2*lap - 1}} {
		c.Set(start.Add(s.at))
		require.True(t, table.Allow(s.key), "%v", s)
	}
}

// Tables of a rate of 0 have limits, by ticks of a nanosecond.
func TestLimitsOfARateOfNothing(t *testing.T) {
	c := limittest.NewClock(start)
	table, err := NewGCRA[int](ratelimit.Rate{Per: time.Second}, 1, 1, WithClock(c))
	require.NoError(t, err)
	limit, err := table.Limit(ratelimit.PerSecond(1), 1)
	require.NoError(t, err)
	require.True(t, table.TakeLimitAt(start, 1, 1, limit).OK)
	c.Set(start.Add(time.Second)) // a time may be 2^23 ticks ahead of the clock, which are 8 ms here
	require.False(t, table.TakeLimitAt(start.Add(time.Second-1), 1, 1, limit).OK)
	require.True(t, table.TakeLimitAt(start.Add(time.Second), 1, 1, limit).OK)
	_, err = table.Limit(ratelimit.Rate{Events: 1, Per: 1}, 1)
	require.NoError(t, err)

	windows, err := NewAlignedWindow[int](ratelimit.Rate{Per: time.Second}, 1, WithClock(c))
	require.NoError(t, err)
	_, err = windows.Limit(ratelimit.PerSecond(1), 1)
	require.EqualError(t, err, "keyed.Table.Limit: rate.Events is 1, want at most 0, as the table was made")
}

// Beyond the end of time, it stands still.
func TestNothingComesAfterTheEndOfTime(t *testing.T) {
	clock := limittest.NewClock(time.Unix(0, 0))
	table := ratelimit.Must(NewGCRA[int](ratelimit.PerSecond(1), 1, 4, WithClock(clock)))
	end := time.Unix(0, 0).Add(math.MaxInt64)
	clock.Set(end)
	require.True(t, table.TakeAt(end, 1, 1).OK)
	require.Equal(t, ratelimit.Decision{Limit: 1, RetryAfter: ratelimit.Never, ResetAfter: ratelimit.Never}, table.TakeAt(end, 1, 1))
}

// What can never be granted is not granted by FailOpen either, nor counted.
func TestFailOpenOfNothing(t *testing.T) {
	for _, opts := range [][]Option{{FailOpen()}, nil} {
		table := ratelimit.Must(NewGCRA[int](ratelimit.PerSecond(0), 1, 4, opts...))
		require.False(t, table.Allow(1))
		require.Equal(t, Stats{Slots: 8}, table.Stats())
	}
}

// TestWhoInheritsIsCounted has nine keys in eight words.
func TestWhoInheritsIsCounted(t *testing.T) {
	table, err := NewGCRA[int](ratelimit.PerSecond(1), 2, 4, WithClock(limittest.NewClock(time.Unix(0, 0))))
	require.NoError(t, err)
	for key := range 8 {
		require.True(t, table.Allow(key))
	}
	require.Zero(t, table.Stats().Inherited)
	require.True(t, table.Allow(8), "on top of what another owes")
	require.EqualValues(t, 1, table.Stats().Inherited)
}
