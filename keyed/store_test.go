package keyed_test

import (
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/gcra"
	"github.com/seed-3506548a/ratelimit/internal/proof/allocations"
	"github.com/seed-3506548a/ratelimit/keyed"
	"github.com/seed-3506548a/ratelimit/limittest"
)

var storeStart = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// stores are a Table and a Map of the same limit for each key.
func stores(t *testing.T, rate ratelimit.Rate, burst, capacity int) (map[string]keyed.Store[string], *limittest.Clock) {
	c := limittest.NewClock(storeStart)
	table, err := keyed.NewGCRA[string](rate, burst, capacity, keyed.WithClock(c))
	require.NoError(t, err)
	newMap := func() *keyed.Map[string] {
		return ratelimit.Must(keyed.NewMap(capacity, func(string) (ratelimit.Limiter, error) {
			return gcra.New(rate, burst, ratelimit.WithClock(c))
		}, keyed.WithClock(c)))
	}
	m := newMap()
	group, err := keyed.NewGroup(keyed.By(newMap(), func(k string) string { return k }))
	require.NoError(t, err)
	return map[string]keyed.Store[string]{"Table": table, "Map": m, "Group": group}, c
}

// What is charged counts as granted, whether it fits or not, for its key only.
func TestChargeOfAKey(t *testing.T) {
	all, c := stores(t, ratelimit.PerSecond(10), 3, 100)
	for name, s := range all {
		c.Set(storeStart)
		left := func(remaining int, retry, reset time.Duration) ratelimit.Decision {
			return ratelimit.Decision{OK: retry == 0, Limit: 3, Remaining: remaining, RetryAfter: retry, ResetAfter: reset}
		}
		const ms = time.Millisecond
		require.Equal(t, left(3, 0, 0), s.ChargeAt(storeStart, "ann", 0), name)
		require.Equal(t, left(2, 0, 100*ms), s.ChargeAt(storeStart, "ann", 1), name)
		require.Equal(t, left(0, 900*ms, 1100*ms), s.ChargeAt(storeStart, "ann", 10), name)
		require.Equal(t, left(0, 900*ms, 1100*ms), s.ChargeAt(storeStart, "ann", 0), name)
		require.Equal(t, left(0, ratelimit.Never, 1100*ms), s.ChargeAt(storeStart, "ann", -1), name)
		require.Equal(t, left(3, 0, 0), s.PeekAt(storeStart, "bob", 0), name)
		require.Equal(t, left(0, 900*ms, 1100*ms), s.Limiter("ann").(ratelimit.Charger).ChargeAt(storeStart, 0), name)
		c.Set(storeStart.Add(900 * ms))
		require.True(t, s.Allow("ann"), name)
		require.False(t, s.Allow("ann"), name)
		s.Reset("ann")
		require.True(t, s.Allow("ann"), name)
		require.GreaterOrEqual(t, s.Capacity(), 100)
	}
}

// A charge costs a Table no allocation.
func TestChargeAllocatesNothing(t *testing.T) {
	all, _ := stores(t, ratelimit.PerSecond(10), 3, 100)
	for name, s := range all {
		s.ChargeAt(storeStart, "ann", 1)
		require.Zero(t, allocations.Count(func() {
			for range 1000 {
				s.ChargeAt(storeStart, "ann", 0)
			}
		}), name)
	}
	table := all["Table"]
	require.Zero(t, allocations.Count(func() {
		for i := range 1000 {
			table.ChargeAt(storeStart, "ann", i)
		}
	}))
}

// No charge is lost among many callers, and none is counted twice.
func TestChargesAddUp(t *testing.T) {
	all, _ := stores(t, ratelimit.PerSecond(1), 1, 100)
	for name, s := range all {
		var callers sync.WaitGroup
		for range 8 {
			callers.Go(func() {
				for range 500 {
					s.ChargeAt(storeStart, "ann", 2)
					s.Allow("bob")
				}
			})
		}
		callers.Wait()
		require.Equal(t, 8000*time.Second, s.PeekAt(storeStart, "ann", 0).ResetAfter, name)
	}
}

// A view by another limit, of which two are equal.
func TestLimiterBy(t *testing.T) {
	c := limittest.NewClock(storeStart)
	table := ratelimit.Must(keyed.NewGCRA[string](ratelimit.PerMinute(60), 2, 100, keyed.WithClock(c)))
	gold := ratelimit.Must(table.Limit(ratelimit.PerMinute(120), 10))
	l := table.LimiterBy("ann", gold)
	require.Equal(t, l, table.LimiterBy("ann", gold))
	require.NotEqual(t, l, table.LimiterBy("bob", gold))
	require.Equal(t, ratelimit.Decision{OK: true, Limit: 10, Remaining: 5, ResetAfter: 2500 * time.Millisecond}, l.Take(5))
	require.False(t, table.Allow("ann"), "what is owed is the key's")
	require.True(t, l.Allow())
	require.Equal(t, 4, l.PeekAt(storeStart, 0).Remaining)
	l.RefundAt(storeStart, 1, 0)
	require.Equal(t, time.Second/2, l.(ratelimit.Charger).ChargeAt(storeStart, 4).RetryAfter)
	require.Same(t, c, l.Clock())
	require.False(t, table.LimiterBy("ann", keyed.Limit{}).Allow(), "no limit")
	require.False(t, table.LimiterBy("ann", keyed.Limit{}).(ratelimit.Charger).ChargeAt(storeStart, 1).OK)
}

// A key's plan changes, and it keeps what it owes.
func TestUpdate(t *testing.T) {
	c := limittest.NewClock(storeStart)
	m := ratelimit.Must(keyed.NewMap(10, func(string) (ratelimit.Limiter, error) {
		return gcra.New(ratelimit.PerMinute(60), 5, ratelimit.WithClock(c))
	}, keyed.WithClock(c)))
	faster := func(l ratelimit.Limiter) {
		require.NoError(t, l.(*gcra.Limiter).SetRate(ratelimit.PerMinute(600), 10))
	}
	require.False(t, m.Update("ann", faster), "it is not there")
	require.Zero(t, m.Len())
	require.True(t, m.Take("ann", 5).OK)
	require.True(t, m.Update("ann", faster))
	require.Equal(t, 10, m.PeekAt(storeStart, "ann", 0).Limit)
	require.Equal(t, 5, m.PeekAt(storeStart, "ann", 0).Remaining)
	require.Equal(t, 5, m.PeekAt(storeStart, "bob", 0).Limit)
}

// Why there is no limiter for a key is asked of factory.
func TestErr(t *testing.T) {
	c := limittest.NewClock(storeStart)
	unknown := errors.New("no such user")
	m := ratelimit.Must(keyed.NewMap(10, func(k string) (ratelimit.Limiter, error) {
		if k == "eve" {
			return nil, unknown
		}
		return gcra.New(ratelimit.PerMinute(60), 5, ratelimit.WithClock(c))
	}, keyed.WithClock(c)))
	group := ratelimit.Must(keyed.NewGroup(keyed.By(m, func(k string) string { return k })))
	for _, s := range []keyed.Store[string]{m, group} {
		require.False(t, s.Allow("eve"))
		require.Equal(t, keyed.NoLimiter, m.ChargeAt(storeStart, "eve", 1).By)
		require.True(t, s.Allow("ann"))
		for _, k := range []string{"ann", "bob"} {
			require.NoError(t, s.Limiter(k).(interface{ Err() error }).Err())
		}
		require.Equal(t, unknown, s.Limiter("eve").(interface{ Err() error }).Err())
	}
	require.NoError(t, ratelimit.Must(keyed.NewGCRA[string](ratelimit.PerMinute(60), 5, 10)).Limiter("eve").(interface{ Err() error }).Err())
}

// What was not made says so.
func TestZeroValues(t *testing.T) {
	var table keyed.Table[string]
	var m keyed.Map[string]
	var group keyed.Group[string]
	calls := func(s keyed.Store[string]) []func() {
		return []func(){
			func() { s.Allow("ann") },
			func() { s.Take("ann", 1) },
			func() { s.TakeAt(storeStart, "ann", 1) },
			func() { s.PeekAt(storeStart, "ann", 0) },
			func() { s.ChargeAt(storeStart, "ann", 1) },
			func() { s.Reset("ann") },
			func() { s.Limiter("ann").TakeAt(storeStart, 1) },
		}
	}
	for _, row := range []struct {
		want  string
		calls []func()
	}{
		{"keyed: a Table that was not made: call NewGCRA or NewAlignedWindow", append(calls(&table),
			func() { _, _ = table.Limit(ratelimit.PerSecond(1), 1) },
			func() { table.TakeLimitAt(storeStart, "ann", 1, keyed.Limit{}) },
			func() { table.Stats() })},
		{"keyed: a Map that was not made: call NewMap", append(calls(&m),
			func() { _ = m.Err("ann") },
			func() { m.RefundAt(storeStart, "ann", 1, 0) },
			func() { m.Update("ann", func(ratelimit.Limiter) {}) })},
		{"keyed: a Group that was not made: call NewGroup", append(calls(&group),
			func() { _ = group.Err("ann") },
			func() { group.TakeEach(storeStart, "ann", nil, nil) },
			func() { group.RefundAt(storeStart, "ann", 1, 0) },
			func() { group.Clock() },
			func() { group.Capacity() })},
	} {
		for _, call := range row.calls {
			require.PanicsWithValue(t, row.want, call)
		}
	}
}

// One wrong time is refused for itself: nobody else is late because of it.
func TestAWrongTimeStaysLocal(t *testing.T) {
	c := limittest.NewClock(storeStart)
	table := ratelimit.Must(keyed.NewGCRA[string](ratelimit.PerSecond(10), 10, 100, keyed.WithClock(c)))
	const bound = (1 << 23) * time.Second / 2560 // 2^23 ticks
	ahead := ratelimit.Decision{Limit: 10, RetryAfter: ratelimit.Never, By: keyed.Ahead}
	for range 2 {
		for _, far := range []time.Duration{24 * time.Hour, 2*bound + time.Second, 1 << 62} {
			require.Equal(t, ahead, table.PeekAt(storeStart.Add(far), "eve", 1))
			require.Equal(t, ahead, table.TakeAt(storeStart.Add(far), "eve", 1))
			require.True(t, table.TakeAt(storeStart.Add(far), "eve", 0).OK)
		}
		require.True(t, table.Allow("ann"))
		require.True(t, table.Allow("never seen"))
	}
	require.EqualValues(t, 6, table.Stats().Ahead)

	// What happened at a wrong time is charged at the latest that is right.
	require.False(t, table.ChargeAt(storeStart.Add(24*time.Hour), "zoe", 100).OK)
	require.False(t, table.PeekAt(storeStart, "zoe", 1).OK)
	require.True(t, table.PeekAt(storeStart, "bob", 1).OK)

	for _, far := range []time.Duration{bound + 1, bound * 3 / 2, 24 * time.Hour, 1 << 62} {
		table := ratelimit.Must(keyed.NewGCRA[string](ratelimit.PerSecond(10), 10, 100, keyed.WithClock(c)))
		table.ChargeAt(storeStart.Add(far), "zoe", 1)
		require.Equal(t, bound+100*time.Millisecond, table.PeekAt(storeStart, "zoe", 0).ResetAfter, "charged %v ahead", far)
	}

	// A replay on a clock that goes along is as ever, also of the past.
	for _, start := range []time.Time{time.Date(1995, 1, 1, 0, 0, 0, 0, time.UTC), storeStart} {
		replay := limittest.NewClock(start)
		table := ratelimit.Must(keyed.NewGCRA[string](ratelimit.PerSecond(10), 10, 100, keyed.WithClock(replay)))
		for day := range 100 {
			replay.Set(start.AddDate(0, 0, day))
			require.True(t, table.TakeAt(replay.Now(), "ann", 10).OK)
		}
		still := ratelimit.Must(keyed.NewGCRA[string](ratelimit.PerSecond(10), 10, 100, keyed.WithClock(limittest.NewClock(start))))
		for minute := range 10_000 {
			require.True(t, still.TakeAt(start.Add(time.Duration(minute)*time.Minute), "ann", 10).OK, "it need not, without long pauses")
		}
		days := ratelimit.Must(keyed.NewAlignedWindow[string](ratelimit.PerDay(1<<20), 100, keyed.WithClock(limittest.NewClock(start.Add(time.Hour)))))
		for day := range 1000 {
			require.True(t, days.TakeAt(start.AddDate(0, 0, day*7), "ann", 10).OK, "windows, too")
		}
		late := table.TakeAt(start, "bob", 1)
		require.Equal(t, keyed.Late, late.By)
		require.Equal(t, 99*24*time.Hour-2*bound, late.RetryAfter)
		require.EqualValues(t, 1, table.Stats().Late)
		require.Equal(t, keyed.Late, table.PeekAt(start, "bob", 1).By)
	}
}

// By a clock that goes, steps within the bound do not add up.
func TestWrongTimesDoNotAddUp(t *testing.T) {
	const bound = (1 << 23) * time.Second / 2560
	build := func(opts ...keyed.Option) map[string]*keyed.Table[string] {
		return map[string]*keyed.Table[string]{
			"gcra":    ratelimit.Must(keyed.NewGCRA[string](ratelimit.PerSecond(10), 10, 100, opts...)),
			"windows": ratelimit.Must(keyed.NewAlignedWindow[string](ratelimit.PerMinute(600), 100, opts...)),
		}
	}
	attack := func(t *testing.T, tables map[string]*keyed.Table[string], now func() time.Time, sleep func(time.Duration)) {
		for name, table := range tables {
			granted, start := 0, now()
			for at := start; at.Before(start.AddDate(0, 1, 0)); at = at.Add(bound / 2) {
				if table.TakeAt(at, "eve", 1).OK {
					granted++
				}
				sleep(time.Second)
				require.True(t, table.Allow("bob"), "%s: callers by the clock are not late", name)
			}
			require.Less(t, granted, 1000, name)
			require.NotZero(t, table.Stats().Ahead, name)
		}
	}
	t.Run("the system's", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) { attack(t, build(), time.Now, time.Sleep) })
	})
	t.Run("a caller's own", func(t *testing.T) {
		c := limittest.NewClock(storeStart.Add(7 * time.Second))
		tables := build(keyed.WithClock(c))
		c.Advance(1)
		attack(t, tables, c.Now, func(d time.Duration) { c.Advance(d) })
	})
}

// A refusal for what another key owes says so.
func TestInherited(t *testing.T) {
	c := limittest.NewClock(storeStart)
	table := ratelimit.Must(keyed.NewGCRA[int](ratelimit.PerMinute(1), 1, 4, keyed.WithClock(c)))
	for key := range 8 {
		require.True(t, table.Allow(key))
	}
	require.Zero(t, table.Take(3, 1).By, "its own debt")
	require.Equal(t, keyed.Inherited, table.Take(8, 1).By)
	require.Equal(t, keyed.Inherited, table.PeekAt(storeStart, 8, 1).By)
	require.Zero(t, table.Take(8, 2).By, "more than ever")
	require.EqualValues(t, 1, table.Stats().Saturated)
}

// Weeks begin on Monday, and days at midnight in California.
func TestWindowsAlignedTo(t *testing.T) {
	c := limittest.NewClock(time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)) // a Sunday
	for _, at := range []time.Time{time.Date(2026, 1, 5, 0, 0, 0, 0, time.UTC), time.Date(2126, 1, 7, 0, 0, 0, 0, time.UTC), {}} {
		weeks := ratelimit.Must(keyed.NewAlignedWindowTo[string](ratelimit.Per(10, 7*24*time.Hour), at, 10, keyed.WithClock(c)))
		require.True(t, weeks.Take("ann", 10).OK)
		require.Equal(t, 12*time.Hour, weeks.Take("ann", 1).RetryAfter, at)
	}
	california := time.FixedZone("PST", -8*3600)
	days := ratelimit.Must(keyed.NewAlignedWindowTo[string](ratelimit.PerDay(10), time.Date(2026, 1, 1, 0, 0, 0, 0, california), 10, keyed.WithClock(c)))
	require.True(t, days.Take("ann", 10).OK)
	require.Equal(t, 20*time.Hour, days.Take("ann", 1).RetryAfter)
}
