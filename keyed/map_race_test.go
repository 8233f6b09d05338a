package keyed_test

import (
	"errors"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/fixedwindow"
	"github.com/seed-3506548a/ratelimit/gcra"
	"github.com/seed-3506548a/ratelimit/internal/proof/bounds"
	"github.com/seed-3506548a/ratelimit/keyed"
	"github.com/seed-3506548a/ratelimit/limittest"
	"github.com/seed-3506548a/ratelimit/slidingwindow"
	"github.com/seed-3506548a/ratelimit/tokenbucket"
)

// TestMapIsOneLimiterForEachKey compares the map with one limiter for each key that is never
// forgotten, at times that come in any order, while keys come and go.
func TestMapIsOneLimiterForEachKey(t *testing.T) {
	two := ratelimit.PerSecond(2)
	for name, build := range map[string]func(ratelimit.Option) (ratelimit.Limiter, error){
		"gcra":     func(o ratelimit.Option) (ratelimit.Limiter, error) { return gcra.New(two, 2, o) },
		"interval": func(o ratelimit.Option) (ratelimit.Limiter, error) { return tokenbucket.NewInterval(two, 2, o) },
		"aligned":  func(o ratelimit.Option) (ratelimit.Limiter, error) { return fixedwindow.NewAligned(two, o) },
		"anchored": func(o ratelimit.Option) (ratelimit.Limiter, error) { return fixedwindow.NewAnchored(two, o) },
		"log":      func(o ratelimit.Option) (ratelimit.Limiter, error) { return slidingwindow.NewLog(two, o) },
		"all": func(o ratelimit.Option) (ratelimit.Limiter, error) {
			return ratelimit.All(ratelimit.Must(gcra.New(two, 2, o)), ratelimit.Must(slidingwindow.NewLog(ratelimit.Per(3, 2*time.Second), o)))
		},
	} {
		t.Run(name, func(t *testing.T) {
			for _, lateness := range []time.Duration{0, 3 * time.Second, 72 * time.Hour} {
				compareMap(t, build, lateness, name != "log" && name != "all")
			}
		})
	}
}

func compareMap(t *testing.T, build func(ratelimit.Option) (ratelimit.Limiter, error), lateness time.Duration, refund bool) {
	const capacity, keys = 3, 8
	c := limittest.NewClock(mapStart)
	with := ratelimit.WithClock(c)
	m := ratelimit.Must(keyed.NewMap(capacity, func(int) (ratelimit.Limiter, error) { return build(with) }, keyed.WithClock(c)))
	var exact [keys]ratelimit.Limiter
	for k := range exact {
		exact[k] = ratelimit.Must(build(with))
	}
	random := rand.New(rand.NewPCG(3, uint64(lateness)))
	granted, full, late, left := 0, 0, 0, 0
	before := keysOf(m)
	for range 6000 {
		switch random.IntN(60) {
		case 0:
			c.Advance(48 * time.Hour)
		case 1:
			c.Advance(-time.Duration(random.Int64N(int64(lateness) + 1)))
		default:
			c.Advance(time.Duration(random.Int64N(int64(400 * time.Millisecond))))
		}
		at := c.Now()
		switch random.IntN(4) {
		case 0:
			at = at.Add(-time.Duration(random.Int64N(int64(lateness) + 1)))
		case 1:
			at = at.Add(time.Duration(random.Int64N(int64(2 * time.Second))))
		}
		k, n := random.IntN(keys), 1+random.IntN(2)
		peek := m.PeekAt(at, k, n)
		d := m.TakeAt(at, k, n)
		require.Equal(t, peek, d)
		switch d.By {
		case keyed.Full:
			full++
			require.Positive(t, d.RetryAfter)
			require.False(t, d.OK)
		case keyed.Late:
			late++
			require.False(t, d.OK)
			require.False(t, m.PeekAt(at.Add(d.RetryAfter-1), k, n).OK)
			later := m.PeekAt(at.Add(d.RetryAfter), k, n)
			require.True(t, later.OK || later.By == keyed.Full)
		default:
			require.Equal(t, exact[k].TakeAt(at, n), d)
		}
		if d.OK {
			granted++
			if refund && random.IntN(4) == 0 {
				m.RefundAt(at, k, n, 0)
				exact[k].RefundAt(at, n, 0)
			}
		}
		after := keysOf(m)
		require.LessOrEqual(t, len(after), capacity)
		require.Len(t, after, m.Len())
		as := at
		if c.Now().Before(at) {
			as = c.Now()
		}
		for old := range before {
			if !after[old] {
				left++
				was := exact[old].PeekAt(as, 0)
				require.Zero(t, was.ResetAfter, "a live key was forgotten")
				require.Equal(t, was.Limit, was.Remaining)
			}
		}
		before = after
	}
	require.Greater(t, granted, 300)
	require.Greater(t, full, 30)
	require.Greater(t, left, 30)
	if lateness > 0 {
		require.Greater(t, late, 10)
	} else {
		require.Zero(t, late, "nobody came late")
	}
	require.EqualValues(t, left, m.Stats().Evicted)
	require.EqualValues(t, full, m.Stats().Refused)
	require.EqualValues(t, late, m.Stats().Late)
}

// TestMapBoundUnderRace has callers, early and late, fight for few places, and checks each key's
// bound on what they were granted.
func TestMapBoundUnderRace(t *testing.T) {
	const keys, callers, rounds, burst = 12, 4, 3000, 3
	rate := ratelimit.PerSecond(20)
	c := limittest.NewClock(mapStart)
	m := newMap[int](rate, burst, 4, c)
	var ticks atomic.Int64
	var grants [callers][keys][]bounds.Grant
	var wait sync.WaitGroup
	for caller := range callers {
		wait.Go(func() {
			random := rand.New(rand.NewPCG(4, uint64(caller)))
			for range rounds {
				now := mapStart.Add(time.Duration(ticks.Add(1)) * 3 * time.Millisecond)
				c.Set(now) // of two callers, the slower may set it back
				at := now.Add(time.Duration(random.Int64N(int64(time.Second))) - 900*time.Millisecond)
				k, n := random.IntN(keys), 1+random.IntN(2)
				if m.TakeAt(at, k, n).OK {
					grants[caller][k] = append(grants[caller][k], bounds.Grant{At: at, N: n})
				}
			}
		})
	}
	wait.Wait()
	for k := range keys {
		var all []bounds.Grant
		for caller := range callers {
			all = append(all, grants[caller][k]...)
		}
		require.Greater(t, len(all), 20)
		bounds.Require(t, all, bounds.Bucket(rate, burst))
	}
	stats := m.Stats()
	require.Greater(t, stats.Evicted, uint64(100))
	require.Positive(t, stats.Refused)
	require.Positive(t, stats.Late)
}

// TestMapCapacityUnderRace rotates keys, some of which make trouble, through a map of several
// shards.
func TestMapCapacityUnderRace(t *testing.T) {
	const capacity, callers, rounds = 256, 4, 20_000
	c := limittest.NewClock(mapStart)
	m := ratelimit.Must(keyed.NewMap(capacity, func(k int) (ratelimit.Limiter, error) {
		switch k % 100 {
		case 0:
			return nil, errors.New("no such user")
		case 1:
			panic("no such user")
		}
		return gcra.New(ratelimit.PerSecond(1000), 2, ratelimit.WithClock(c))
	}, keyed.WithClock(c)))
	var most, ticks atomic.Int64
	var wait sync.WaitGroup
	for caller := range callers {
		wait.Go(func() {
			random := rand.New(rand.NewPCG(5, uint64(caller)))
			for range rounds {
				c.Set(mapStart.Add(time.Duration(ticks.Add(1)) * 2 * time.Microsecond))
				k := random.IntN(1000)
				switch random.IntN(10) {
				case 0:
					m.Reset(k)
				case 1:
					m.Limiter(k).RefundAt(c.Now(), 1, 0)
				default:
					func() {
						defer func() { _ = recover() }()
						m.Allow(k)
					}()
				}
				if size := int64(m.Len()); size > most.Load() {
					most.Store(size)
				}
			}
		})
	}
	wait.Wait()
	require.EqualValues(t, capacity, most.Load(), "the most that there were at once")
	require.Len(t, keysOf(m), m.Len(), "places were lost, or given twice")
	stats := m.Stats()
	require.Positive(t, stats.Evicted)
	require.Positive(t, stats.Failed)
	require.Positive(t, stats.Refused)
	for k := range keysOf(m) {
		m.Reset(k)
	}
	require.Zero(t, m.Len())
}
