package keyed_test

import (
	"fmt"
	"math"
	"math/big"
	"math/rand/v2"
	"net/netip"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/internal/proof/allocations"
	"github.com/seed-3506548a/ratelimit/internal/proof/bounds"
	"github.com/seed-3506548a/ratelimit/keyed"
	"github.com/seed-3506548a/ratelimit/limittest"
)

var t0 = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// 10 a second for each user, 3 of them at once.
func TestTableStory(t *testing.T) {
	c := limittest.NewClock(t0)
	table := ratelimit.Must(keyed.NewGCRA[string](ratelimit.PerSecond(10), 3, 100, keyed.WithClock(c)))
	const ms = time.Millisecond
	for i, s := range []struct {
		after time.Duration
		user  string
		n     int
		want  ratelimit.Decision
	}{
		{0, "ann", 0, ratelimit.Decision{OK: true, Limit: 3, Remaining: 3}},
		{0, "ann", 2, ratelimit.Decision{OK: true, Limit: 3, Remaining: 1, ResetAfter: 200 * ms}},
		{0, "ann", 2, ratelimit.Decision{Limit: 3, Remaining: 1, RetryAfter: 100 * ms, ResetAfter: 200 * ms}},
		{0, "bob", 3, ratelimit.Decision{OK: true, Limit: 3, ResetAfter: 300 * ms}},
		{0, "ann", 4, ratelimit.Decision{Limit: 3, Remaining: 1, RetryAfter: ratelimit.Never, ResetAfter: 200 * ms}},
		{0, "ann", -1, ratelimit.Decision{Limit: 3, Remaining: 1, RetryAfter: ratelimit.Never, ResetAfter: 200 * ms}},
		{100 * ms, "ann", 2, ratelimit.Decision{OK: true, Limit: 3, ResetAfter: 300 * ms}},
		{300 * ms, "bob", 3, ratelimit.Decision{OK: true, Limit: 3, ResetAfter: 300 * ms}},
		{300 * ms, "eve", 1, ratelimit.Decision{OK: true, Limit: 3, Remaining: 2, ResetAfter: 100 * ms}},
	} {
		at := t0.Add(s.after)
		c.Set(at)
		require.Equal(t, s.want, table.PeekAt(at, s.user, s.n), "step %d, peek", i)
		if i%2 == 0 {
			require.Equal(t, s.want, table.TakeAt(at, s.user, s.n), "step %d", i)
		} else {
			require.Equal(t, s.want, table.Take(s.user, s.n), "step %d", i)
		}
	}
	require.Equal(t, keyed.Stats{Slots: 200, Live: 3}, table.Stats())
	table.Reset("bob")
	table.Reset("nobody")
	require.True(t, table.Take("bob", 3).OK)
	require.False(t, table.Allow("bob"))
	require.True(t, table.Allow("eve"))
	require.Equal(t, ratelimit.PerSecond(10), table.Rate())
	require.Equal(t, 3, table.Burst())
	require.Equal(t, 100, table.Capacity())
	require.Same(t, c, table.Clock())
}

// 60 in each full minute for each address, 10 for some.
func TestWindowStory(t *testing.T) {
	c := limittest.NewClock(t0.Add(10 * time.Second))
	table := ratelimit.Must(keyed.NewAlignedWindow[netip.Addr](ratelimit.PerMinute(60), 100, keyed.WithClock(c)))
	a, b := netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("2001:db8::1")
	few := ratelimit.Must(table.Limit(ratelimit.PerMinute(10), 10))
	require.Equal(t, ratelimit.Decision{OK: true, Limit: 60, Remaining: 1, ResetAfter: 50 * time.Second}, table.Take(a, 59))
	require.Equal(t, ratelimit.Decision{Limit: 60, Remaining: 1, RetryAfter: 50 * time.Second, ResetAfter: 50 * time.Second}, table.Take(a, 2))
	require.Equal(t, ratelimit.Decision{OK: true, Limit: 10, ResetAfter: 50 * time.Second}, table.TakeLimitAt(c.Now(), b, 10, few))
	require.Equal(t, ratelimit.Decision{Limit: 10, RetryAfter: 50 * time.Second, ResetAfter: 50 * time.Second}, table.TakeLimitAt(c.Now(), b, 1, few))
	require.Equal(t, ratelimit.Decision{OK: true, Limit: 60, Remaining: 49, ResetAfter: 50 * time.Second}, table.Take(b, 1))
	c.Set(t0.Add(time.Minute - 1))
	require.False(t, table.Take(a, 2).OK)
	c.Set(t0.Add(time.Minute))
	require.Equal(t, ratelimit.Decision{OK: true, Limit: 60, ResetAfter: time.Minute}, table.Take(a, 60))
	// A late caller finds the newest window's count.
	require.Equal(t, ratelimit.Decision{Limit: 60, RetryAfter: time.Minute + 1, ResetAfter: time.Minute + 1}, table.TakeAt(t0.Add(time.Minute-1), a, 1))
	require.Equal(t, 60, table.Burst())
}

// A limit of another table, or of none, refuses.
func TestForeignLimit(t *testing.T) {
	table := ratelimit.Must(keyed.NewGCRA[string](ratelimit.PerSecond(10), 3, 8))
	other := ratelimit.Must(keyed.NewGCRA[string](ratelimit.PerSecond(10), 3, 8))
	for _, limit := range []keyed.Limit{{}, ratelimit.Must(other.Limit(ratelimit.PerSecond(10), 3))} {
		require.Equal(t, ratelimit.Decision{RetryAfter: ratelimit.Never}, table.TakeLimitAt(time.Now(), "k", 1, limit))
		require.True(t, table.TakeLimitAt(time.Now(), "k", 0, limit).OK)
	}
}

func TestTableArguments(t *testing.T) {
	second := ratelimit.PerSecond(1)
	gcra := func(rate ratelimit.Rate, burst, capacity int, opts ...keyed.Option) error {
		_, err := keyed.NewGCRA[string](rate, burst, capacity, opts...)
		return err
	}
	window := func(rate ratelimit.Rate, capacity int, opts ...keyed.Option) error {
		_, err := keyed.NewAlignedWindow[string](rate, capacity, opts...)
		return err
	}
	for want, err := range map[string]error{
		"keyed.NewGCRA: rate.Events is -1, want 0 to 2147483647":                                                              gcra(ratelimit.PerSecond(-1), 1, 1),
		"keyed.NewGCRA: rate.Per is 0s, want more than 0s":                                                                    gcra(ratelimit.Rate{Events: 1}, 1, 1),
		"keyed.NewGCRA: rate is 3/2ns, want at most one event a nanosecond":                                                   gcra(ratelimit.Per(3, 2), 1, 1),
		"keyed.NewGCRA: burst is 0, want 1 to 2147483647":                                                                     gcra(second, 0, 1),
		"keyed.NewGCRA: burst is 1073741825, want at most 1073741824 at this rate: 2^38 of the table's ticks":                 gcra(second, 1<<30+1, 1),
		"keyed.NewGCRA: capacity is 0, want 1 to " + strconv.Itoa(min(1<<30, math.MaxInt/32)):                                 gcra(second, 1, 0),
		"keyed.NewGCRA: capacity is " + strconv.Itoa(math.MaxInt) + ", want 1 to " + strconv.Itoa(min(1<<30, math.MaxInt/32)): gcra(second, 1, math.MaxInt),
		"keyed.NewGCRA: opts[1] is nil, want an option":                                                                       gcra(second, 1, 1, keyed.FailOpen(), nil),
		"keyed.NewGCRA: WithClock is nil, want a clock, or no such option for the system's":                                   gcra(second, 1, 1, keyed.WithClock(nil)),
		"keyed.NewAlignedWindow: rate.Events is 4194305, want 0 to 4194304":                                                   window(ratelimit.PerMinute(1<<22+1), 1),
		"keyed.NewAlignedWindow: rate.Per is -1ns, want more than 0s":                                                         window(ratelimit.Per(1, -1), 1),
		"keyed.NewAlignedWindow: capacity is -5, want 1 to " + strconv.Itoa(min(1<<30, math.MaxInt/32)):                       window(second, -5),
	} {
		var bad *ratelimit.ArgumentError
		require.ErrorAs(t, err, &bad, want)
		require.EqualError(t, err, want)
	}
	for _, none := range []*keyed.Table[string]{
		ratelimit.Must(keyed.NewGCRA[string](ratelimit.PerSecond(0), 5, 1)),
		ratelimit.Must(keyed.NewAlignedWindow[string](ratelimit.PerSecond(0), 1)),
	} {
		require.Equal(t, ratelimit.Decision{RetryAfter: ratelimit.Never}, none.Take("k", 1))
		require.Equal(t, ratelimit.Decision{OK: true}, none.Take("k", 0))
		require.False(t, none.Allow("k"), "Allow too")
	}
}

// bound is a gcra's, and one tick.
func bound(rate ratelimit.Rate, burst int) bounds.Bound {
	return func(length time.Duration) *big.Int {
		events := new(big.Int).Mul(big.NewInt(int64(length)), big.NewInt(int64(rate.Events)))
		events.Mul(events, big.NewInt(256)).Quo(events, big.NewInt(int64(rate.Per)))
		events.Add(events, big.NewInt(1)).Quo(events, big.NewInt(256))
		return events.Add(events, big.NewInt(int64(burst)))
	}
}

// An attacker who rotates through a hundred times as many keys as there is room for gets no key
// above its bound; nor does anybody in a table that is full, whose times come in any order.
func TestBoundUnderKeyRotation(t *testing.T) {
	const capacity, keys = 40, 4000
	rate := ratelimit.PerSecond(7)
	for _, burst := range []int{1, 2, 10} {
		table := ratelimit.Must(keyed.NewGCRA[int](rate, burst, capacity, keyed.WithClock(limittest.NewClock(t0))))
		random := rand.New(rand.NewPCG(1, uint64(burst)))
		grants := make([][]bounds.Grant, keys)
		now := t0
		for i := range 150_000 {
			now = now.Add(time.Duration(random.Int64N(int64(time.Millisecond))))
			at := now.Add(-time.Duration(random.Int64N(int64(50 * time.Millisecond))))
			key := i * 7 % keys
			if random.IntN(2) == 0 {
				key = random.IntN(50) // who come more often
			}
			n := 1 + random.IntN(burst)
			if table.TakeAt(at, key, n).OK {
				grants[key] = append(grants[key], bounds.Grant{At: at, N: n})
			}
		}
		worst := 0.0
		for _, g := range grants {
			if len(g) > 150 {
				g = g[:150]
			}
			worst = max(worst, bounds.Require(t, g, bound(rate, burst)))
		}
		require.Greater(t, worst, 0.9, "somebody comes near to it")
		require.Positive(t, table.Stats().Saturated)
	}
}

// A user at half the limit loses nothing while new keys come in as fast as three quarters of the
// words are freed.
func TestUserAmongNewKeys(t *testing.T) {
	const capacity = 4096
	rate := ratelimit.PerSecond(10) // an event drains in 100 ms
	c := limittest.NewClock(t0)
	table := ratelimit.Must(keyed.NewGCRA[int](rate, 10, capacity, keyed.WithClock(c)))
	perSlot := 100 * time.Millisecond * 4 / 3
	gap := perSlot / (2 * capacity)
	next := t0
	refused := 0
	for i := range 400_000 {
		now := t0.Add(time.Duration(i) * gap)
		c.Set(now)
		table.Allow(1_000_000 + i)
		for !next.After(now) {
			if !table.Allow(0) {
				refused++
			}
			next = next.Add(200 * time.Millisecond)
		}
	}
	require.Greater(t, next.Sub(t0), 6*time.Second)
	require.Zero(t, refused)
	require.InDelta(t, 6144, table.Stats().Live, 700, "three quarters of 8192 words are live: Little's law")
}

// So often is a new key refused for the debt it inherits, if the table is full to its capacity:
// with a burst of 1, of 2, and of 5. (And with a quarter of that many keys, or four times the
// capacity, with a burst of 1.)
func TestInheritedRefusals(t *testing.T) {
	for _, row := range []struct {
		burst, capacity int
		low, high       float64
	}{
		{1, 4000, 0.02, 0.045},
		{2, 4000, 0, 0.0001},
		{5, 4000, 0, 0},
		{1, 16000, 0, 0.0002},
	} {
		const live, keys = 4000, 200_000
		c := limittest.NewClock(t0)
		table := ratelimit.Must(keyed.NewGCRA[int](ratelimit.PerSecond(1), row.burst, row.capacity, keyed.WithClock(c)))
		refused := 0
		for key := range keys {
			c.Set(t0.Add(time.Duration(key) * time.Second / live))
			if !table.Allow(key) {
				refused++
			}
		}
		require.InDelta(t, live, table.Stats().Live, live/5) // of the largest table, a quarter is counted
		share := float64(refused) / keys
		require.True(t, row.low <= share && share <= row.high, "burst %d, capacity %d: %g", row.burst, row.capacity, share)
	}
}

// So often are requests refused for what another key owes, in windows of 60 events, if each key
// uses up the 60, or half of them: with as many live keys as the capacity, half, and a quarter.
func TestInheritedRefusalsOfWindows(t *testing.T) {
	const live = 10_000
	for _, row := range []struct {
		capacity, used int
		low, high      float64
	}{
		{live, 60, 0.004, 0.015},
		{2 * live, 60, 0, 0.001},
		{4 * live, 60, 0, 0.0003},
		{live, 30, 0, 0.0005},
	} {
		c := limittest.NewClock(t0)
		table := ratelimit.Must(keyed.NewAlignedWindow[int](ratelimit.PerMinute(60), row.capacity, keyed.WithClock(c)))
		refused := 0
		for range row.used {
			for key := range live {
				if !table.Allow(key) {
					refused++
				}
			}
		}
		share := float64(refused) / float64(row.used*live)
		require.True(t, row.low <= share && share <= row.high, "capacity %d, used %d: %g", row.capacity, row.used, share)
	}
}

// FailOpen grants what there is no place for, and counts it; a key that is in the table is limited
// all the same.
func TestFailOpen(t *testing.T) {
	c := limittest.NewClock(t0)
	for _, open := range []bool{false, true} {
		opts := []keyed.Option{keyed.WithClock(c)}
		if open {
			opts = append(opts, keyed.FailOpen())
		}
		table := ratelimit.Must(keyed.NewGCRA[int](ratelimit.PerHour(1), 1, 4, opts...)) // one set
		for key := range 8 {
			require.True(t, table.Allow(key))
		}
		for key := range 20 {
			require.Equal(t, open && key >= 8, table.Allow(key))
			require.Equal(t, open && key >= 8, table.PeekAt(t0, key, 1).OK)
		}
		s := table.Stats()
		if open {
			require.Equal(t, keyed.Stats{Slots: 8, Live: 8, Untracked: 12}, s)
		} else {
			require.Equal(t, keyed.Stats{Slots: 8, Live: 8, Saturated: 12}, s)
		}
	}
}

type pair struct{ User, Route string }

func TestTableAllocatesNothing(t *testing.T) {
	requireNoAllocation(t, func(i int) string { return names[i%len(names)] })
	requireNoAllocation(t, func(i int) pair { return pair{names[i%len(names)], "GET /"} })
	requireNoAllocation(t, func(i int) netip.Addr { return netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)}) })
	requireNoAllocation(t, func(i int) int { return i })
}

var names = func() (names []string) {
	for i := range 1000 {
		names = append(names, fmt.Sprintf("user-%d", i))
	}
	return names
}()

func requireNoAllocation[K comparable](t *testing.T, key func(i int) K) {
	for _, table := range []*keyed.Table[K]{
		ratelimit.Must(keyed.NewGCRA[K](ratelimit.PerSecond(1), 2, 100)), // too few
		ratelimit.Must(keyed.NewAlignedWindow[K](ratelimit.PerHour(3), 4000)),
	} {
		limit := ratelimit.Must(table.Limit(table.Rate(), table.Burst()))
		require.Zero(t, allocations.Count(func() { // the first keys are new, and then known
			for i := range 1000 {
				table.Allow(key(i))
				table.Take(key(i), 1)
				table.TakeAt(t0, key(i), 1)
				table.TakeLimitAt(t0, key(i), 1, limit)
				table.PeekAt(t0, key(i), 1)
				table.Reset(key(i / 2))
			}
		}))
	}
}

// Callers on all cores charge the same few keys, and ever new ones. No key gets more than its bound
// at the one moment that the clock shows, and those that nobody competes with get all of it.
func TestTableUnderLoad(t *testing.T) {
	const goroutines, rounds, burst = 4, 200, 5
	for round := range rounds {
		table := ratelimit.Must(keyed.NewGCRA[int](ratelimit.PerHour(1), burst, 4+round, keyed.WithClock(limittest.NewClock(t0))))
		var granted [64]atomic.Int64
		var all sync.WaitGroup
		for g := range goroutines {
			all.Go(func() {
				for i := range 640 {
					key := (i + g) % (4 + round%60)
					if table.Allow(key) {
						granted[key].Add(1)
					}
				}
			})
		}
		all.Wait()
		for key := range granted {
			require.LessOrEqual(t, granted[key].Load(), int64(burst))
		}
		if s := table.Stats(); s.Inherited == 0 && s.Saturated == 0 {
			for key := range 4 + round%60 {
				require.Equal(t, int64(burst), granted[key].Load(), "key %d", key)
			}
		}
	}
}

// A user's limit and an address's, both at once. Neither is ever exceeded; what one has been
// charged when the other then refuses, since somebody was faster, stays: at most n for each such
// race.
func TestSeveralTables(t *testing.T) {
	c := limittest.NewClock(t0)
	users := ratelimit.Must(keyed.NewGCRA[string](ratelimit.PerHour(1), 3, 10, keyed.WithClock(c)))
	addresses := ratelimit.Must(keyed.NewGCRA[netip.Addr](ratelimit.PerHour(1), 5, 10, keyed.WithClock(c)))
	home := netip.MustParseAddr("192.0.2.1")
	both := func(user string) ratelimit.Limiter {
		return ratelimit.Must(ratelimit.All(users.Limiter(user), addresses.Limiter(home)))
	}
	require.True(t, both("ann").Take(3).OK)
	d := both("ann").Take(1)
	require.Equal(t, ratelimit.Decision{Limit: 3, RetryAfter: time.Hour, ResetAfter: 3 * time.Hour}, d)
	require.Equal(t, 2, addresses.PeekAt(t0, home, 0).Remaining, "a refusal charges nobody")
	require.True(t, both("bob").Take(2).OK)
	require.Equal(t, 1, both("bob").Take(1).By, "the address")
	require.Equal(t, 1, users.PeekAt(t0, "bob", 0).Remaining)
	_, err := ratelimit.All(users.Limiter("ann"), users.Limiter("ann"))
	require.Error(t, err, "the same key twice")

	// A lost race: the address is used up between the look and the charge.
	racing := late{addresses.Limiter(home), func() { addresses.Reset(home); addresses.Take(home, 5) }}
	addresses.Reset(home)
	l := ratelimit.Must(ratelimit.All(users.Limiter("eve"), racing))
	require.False(t, l.Take(2).OK)
	require.Equal(t, 1, users.PeekAt(t0, "eve", 0).Remaining, "2 stay charged")
}

// late is a limiter that somebody else is faster at.
type late struct {
	ratelimit.Limiter
	meddle func()
}

func (l late) TakeAt(t time.Time, n int) ratelimit.Decision {
	l.meddle()
	return l.Limiter.TakeAt(t, n)
}

// Whoever waits for a host is served in time.
func TestWaitForAKey(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hosts := ratelimit.Must(keyed.NewGCRA[string](ratelimit.PerSecond(1), 1, 10))
		start := time.Now()
		for range 4 {
			require.NoError(t, ratelimit.Wait(t.Context(), hosts.Limiter("example.com"), 1))
		}
		require.InDelta(t, 3*time.Second, time.Since(start), float64(20*time.Millisecond))
		require.True(t, hosts.Limiter("example.org").Allow())
		require.Equal(t, 1, hosts.Limiter("example.net").Take(0).Remaining)
		require.Equal(t, ratelimit.SystemClock{}, hosts.Clock())
	})
}
