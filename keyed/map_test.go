package keyed_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/fixedwindow"
	"github.com/seed-3506548a/ratelimit/gcra"
	"github.com/seed-3506548a/ratelimit/internal/proof/allocations"
	"github.com/seed-3506548a/ratelimit/internal/proof/bounds"
	"github.com/seed-3506548a/ratelimit/keyed"
	"github.com/seed-3506548a/ratelimit/limittest"
	"github.com/seed-3506548a/ratelimit/slidingwindow"
	"github.com/seed-3506548a/ratelimit/tokenbucket"
)

var mapStart = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// newMap gives each key a GCRA limiter.
func newMap[K comparable](rate ratelimit.Rate, burst, capacity int, c ratelimit.Clock) *keyed.Map[K] {
	return ratelimit.Must(keyed.NewMap(capacity, func(K) (ratelimit.Limiter, error) {
		return gcra.New(rate, burst, ratelimit.WithClock(c))
	}, keyed.WithClock(c)))
}

func keysOf[K comparable](m *keyed.Map[K]) map[K]bool {
	keys := map[K]bool{}
	for k := range m.All() {
		keys[k] = true
	}
	return keys
}

func TestMapStory(t *testing.T) {
	c := limittest.NewClock(mapStart)
	m := newMap[string](ratelimit.PerSecond(1), 2, 2, c)
	require.Same(t, c, m.Clock())
	require.Equal(t, 2, m.Capacity())
	const second = time.Second
	fresh := ratelimit.Decision{OK: true, Limit: 2, Remaining: 2}
	for i, s := range []struct {
		after time.Duration
		key   string
		n     int
		want  ratelimit.Decision
		len   int
	}{
		{0, "ann", 0, fresh, 0},
		{0, "ann", -1, ratelimit.Decision{Limit: 2, Remaining: 2, RetryAfter: ratelimit.Never}, 0},
		{0, "ann", 2, ratelimit.Decision{OK: true, Limit: 2, ResetAfter: 2 * second}, 1},
		{0, "ann", 1, ratelimit.Decision{Limit: 2, RetryAfter: second, ResetAfter: 2 * second}, 1},
		{0, "bob", 1, ratelimit.Decision{OK: true, Limit: 2, Remaining: 1, ResetAfter: second}, 2},
		{0, "cid", 1, ratelimit.Decision{RetryAfter: second, ResetAfter: second, By: keyed.Full}, 2},
		{0, "cid", 0, ratelimit.Decision{OK: true, ResetAfter: second, By: keyed.Full}, 2},
		{0, "cid", -1, ratelimit.Decision{RetryAfter: ratelimit.Never, ResetAfter: second, By: keyed.Full}, 2},
		{second - 1, "cid", 1, ratelimit.Decision{RetryAfter: 1, ResetAfter: 1, By: keyed.Full}, 2},
		{second, "cid", 1, ratelimit.Decision{OK: true, Limit: 2, Remaining: 1, ResetAfter: second}, 2}, // bob goes
		{second, "ann", 2, ratelimit.Decision{Limit: 2, Remaining: 1, RetryAfter: second, ResetAfter: second}, 2},
		{second, "bob", 1, ratelimit.Decision{RetryAfter: second, ResetAfter: second, By: keyed.Full}, 2},
		{2 * second, "bob", 2, ratelimit.Decision{OK: true, Limit: 2, ResetAfter: 2 * second}, 2},
	} {
		c.Set(mapStart.Add(s.after))
		require.Equal(t, s.want, m.PeekAt(c.Now(), s.key, s.n), "step %d, peek", i)
		require.Equal(t, s.want, m.Take(s.key, s.n), "step %d", i)
		require.Equal(t, s.len, m.Len(), "step %d", i)
	}
	require.Equal(t, keyed.MapStats{Len: 2, Evicted: 2, Refused: 3}, m.Stats())
}

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

// TestMapMakesRoomInOtherShards has all keys of the first shard live, so that a new one of it needs
// another's place.
func TestMapMakesRoomInOtherShards(t *testing.T) {
	const capacity = 128 // two shards
	c := limittest.NewClock(mapStart)
	m := newMap[int](ratelimit.PerSecond(1), 1, capacity, c)
	for k := range capacity {
		require.True(t, m.Allow(k))
	}
	c.Set(mapStart.Add(time.Hour))
	live := 0
	for _, l := range m.All() { // one shard after the other
		if live++; live <= 96 {
			require.True(t, l.Allow())
		}
	}
	for k := range 20 {
		ok := false
		for range 100 { // of 8 keys, one that can go may not be found at once
			ok = ok || m.Allow(1000+k)
		}
		require.True(t, ok)
	}
	require.EqualValues(t, 20, m.Stats().Evicted)
	require.Equal(t, capacity, m.Len())
}

// TestMapFull waits as long as it is told, in a map that all is looked at of.
func TestMapFull(t *testing.T) {
	c := limittest.NewClock(mapStart)
	m := newMap[int](ratelimit.PerSecond(1), 8, 8, c)
	for k := range 8 {
		require.True(t, m.Take(k, 8-k).OK)
	}
	d := m.Take(100, 1)
	require.Equal(t, ratelimit.Decision{RetryAfter: time.Second, ResetAfter: time.Second, By: keyed.Full}, d)
	c.Set(mapStart.Add(d.RetryAfter - 1))
	require.False(t, m.Allow(100))
	c.Set(mapStart.Add(d.RetryAfter))
	require.True(t, m.Allow(100))
	require.False(t, keysOf(m)[7], "the one that owed least has gone")

	forever := ratelimit.Must(keyed.NewMap(1, func(int) (ratelimit.Limiter, error) {
		return stuck{ratelimit.Unlimited()}, nil
	}))
	require.False(t, forever.Allow(1), "its clock is another than the map's")
	require.Zero(t, forever.Len())
	forever = ratelimit.Must(keyed.NewMap(1, func(int) (ratelimit.Limiter, error) {
		return stuck{ratelimit.Must(gcra.New(ratelimit.PerSecond(1), 1, ratelimit.WithClock(c)))}, nil
	}, keyed.WithClock(c)))
	require.True(t, forever.Allow(1))
	require.Equal(t, ratelimit.Never, forever.Take(2, 1).RetryAfter)
}

// TestMapDoubts a limiter that says that it is as new, and grants less.
func TestMapDoubts(t *testing.T) {
	c := limittest.NewClock(mapStart)
	m := ratelimit.Must(keyed.NewMap(1, func(int) (ratelimit.Limiter, error) {
		return less{ratelimit.Must(gcra.New(ratelimit.PerSecond(1), 2, ratelimit.WithClock(c)))}, nil
	}, keyed.WithClock(c)))
	require.True(t, m.Allow(1))
	c.Set(mapStart.Add(time.Minute))
	require.Equal(t, ratelimit.Decision{RetryAfter: 1, ResetAfter: 1, By: keyed.Full}, m.Take(2, 1))
}

type less struct{ *gcra.Limiter }

func (l less) PeekAt(t time.Time, n int) ratelimit.Decision {
	d := l.Limiter.PeekAt(t, n)
	d.Remaining--
	return d
}

// stuck never becomes as new.
type stuck struct{ ratelimit.Limiter }

func (s stuck) Clock() ratelimit.Clock {
	if clock, ok := s.Limiter.Clock().(*limittest.Clock); ok {
		return clock
	}
	return limittest.NewClock(mapStart)
}

func (s stuck) PeekAt(t time.Time, n int) ratelimit.Decision {
	d := s.Limiter.PeekAt(t, n)
	d.ResetAfter = ratelimit.Never
	return d
}

// TestMapTimeInTheFuture makes no room, and so hurts nobody.
func TestMapTimeInTheFuture(t *testing.T) {
	c := limittest.NewClock(mapStart)
	m := newMap[string](ratelimit.PerSecond(1), 1, 1, c)
	require.True(t, m.Allow("ann"))
	d := m.TakeAt(mapStart.Add(1000*time.Hour), "bob", 1)
	require.Equal(t, ratelimit.Decision{RetryAfter: time.Second, ResetAfter: time.Second, By: keyed.Full}, d)
	require.False(t, m.Allow("ann"))
	c.Set(mapStart.Add(time.Second))
	require.True(t, m.TakeAt(mapStart.Add(1000*time.Hour), "bob", 1).OK)
}

// TestMapLate is the story of a caller who comes with a time at which the map still knew what it
// has forgotten.
func TestMapLate(t *testing.T) {
	c := limittest.NewClock(mapStart.Add(time.Hour))
	m := newMap[string](ratelimit.PerSecond(1), 2, 1, c)
	at := mapStart.Add
	require.True(t, m.TakeAt(at(0), "ann", 1).OK)
	require.True(t, m.TakeAt(at(time.Minute), "bob", 1).OK) // ann, as new since a second, goes

	want := ratelimit.Decision{Limit: 2, RetryAfter: 600 * time.Millisecond, ResetAfter: 600 * time.Millisecond, By: keyed.Late}
	require.Equal(t, want, m.TakeAt(at(400*time.Millisecond), "ann", 2))
	require.Equal(t, want, m.PeekAt(at(400*time.Millisecond), "ann", 2))
	want.ResetAfter += time.Minute
	want.RetryAfter = want.ResetAfter
	require.Equal(t, want, m.TakeAt(at(400*time.Millisecond), "bob", 2), "whose limiter is as young, and owes one")
	want.RetryAfter, want.OK = 0, true
	require.Equal(t, want, m.TakeAt(at(400*time.Millisecond), "bob", 0))
	want = ratelimit.Decision{Limit: 2, RetryAfter: ratelimit.Never, ResetAfter: time.Minute + 600*time.Millisecond}
	require.Equal(t, want, m.TakeAt(at(400*time.Millisecond), "bob", 3))

	m.Reset("bob")
	require.Equal(t, keyed.Late, m.TakeAt(at(time.Second-1), "bob", 1).By)
	require.True(t, m.TakeAt(at(time.Second), "bob", 1).OK, "which is late, but no later than may be")
	require.Equal(t, keyed.Late, m.TakeAt(at(time.Second-1), "bob", 1).By, "a nanosecond is late, also for a key that is there")
	require.Equal(t, keyed.Full, m.TakeAt(at(time.Second), "ann", 1).By)
	require.EqualValues(t, 5, m.Stats().Late)

	// A key that never owed anything goes later, and does not make that forgotten.
	m.Reset("bob")
	require.False(t, m.TakeAt(at(2*time.Minute), "cid", 3).OK)
	require.True(t, m.TakeAt(at(3*time.Minute), "bob", 1).OK)
	require.EqualValues(t, 2, m.Stats().Evicted)
	require.Equal(t, keyed.Late, m.TakeAt(at(time.Second-1), "ann", 1).By)
}

// A new key of a full map is told that it is late by TakeFunc, as by PeekFunc, and not that the map
// is full: another key's end is no help to it.
func TestMapFuncLateAndFull(t *testing.T) {
	c := limittest.NewClock(mapStart.Add(time.Hour))
	m := newMap[string](ratelimit.PerSecond(1), 2, 1, c)
	require.True(t, m.TakeAt(mapStart, "ann", 1).OK)
	require.True(t, m.TakeAt(mapStart.Add(time.Minute), "bob", 1).OK) // ann, as new since a second, goes
	late := mapStart.Add(400 * time.Millisecond)
	peeked, ok := m.PeekFunc(late, "ann", func(l ratelimit.Limiter, t time.Time) ratelimit.Decision { return l.PeekAt(t, 1) })
	require.True(t, ok)
	require.Equal(t, keyed.Late, peeked.By)
	require.Equal(t, peeked, m.TakeFunc(late, "ann", func(l ratelimit.Limiter) ratelimit.Decision { return l.TakeAt(late, 1) }))
	require.EqualValues(t, 1, m.Stats().Late)
	require.Equal(t, 1, m.Len())
}

// TestMapSaysWhy pins what Decision.By says, for those who compare it with a number.
func TestMapSaysWhy(t *testing.T) {
	require.Equal(t, []int{-1, -2, -3}, []int{keyed.Full, keyed.NoLimiter, keyed.Late})
}

// TestMapForgetsTheOldest has those go first that have been as new for longest: so few callers are
// late.
func TestMapForgetsTheOldest(t *testing.T) {
	c := limittest.NewClock(mapStart)
	m := newMap[int](ratelimit.PerMinute(1), 8, 8, c)
	order := rand.New(rand.NewPCG(6, 0)).Perm(8)
	for k, n := range order {
		require.True(t, m.Take(k, 1+n).OK)
	}
	c.Set(mapStart.Add(time.Hour))
	for n := range 8 {
		require.True(t, m.Allow(100+n))
		keys := keysOf(m)
		for k, other := range order {
			require.Equal(t, other > n, keys[k])
		}
	}
}

// busy is a clock on which things happen between two readings.
type busy struct {
	now       time.Time
	meanwhile func()
}

func (b *busy) Now() time.Time {
	now := b.now
	if f := b.meanwhile; f != nil {
		b.meanwhile = nil
		f()
	}
	return now
}

// TestMapTakeIsNotLate has a key evicted after a caller read the clock, who is granted all the
// same.
func TestMapTakeIsNotLate(t *testing.T) {
	c := &busy{now: mapStart}
	m := newMap[string](ratelimit.PerSecond(1), 1, 1, c)
	require.True(t, m.Allow("ann"))
	c.now = mapStart.Add(time.Second - 1)
	c.meanwhile = func() {
		c.now = mapStart.Add(time.Second)
		require.True(t, m.Allow("bob"))
		c.now = mapStart.Add(2 * time.Second)
	}
	require.True(t, m.Allow("ann"))
	require.EqualValues(t, 2, m.Stats().Evicted)
	require.Zero(t, m.Stats().Late)

	c.now = mapStart
	want := ratelimit.Decision{Limit: 1, RetryAfter: 2 * time.Second, ResetAfter: 3 * time.Second, By: keyed.Late}
	got := m.Take("ann", 1)
	want.RetryAfter = 3 * time.Second // then ann's own limiter grants again
	require.Equal(t, want, got)
	require.EqualValues(t, 1, m.Stats().Late)
}

// TestMapTakesBySystemClock compares a key of a map without a clock of its own to a limiter alone.
func TestMapTakesBySystemClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		build := func(string) (ratelimit.Limiter, error) { return gcra.New(ratelimit.PerSecond(1), 3) }
		m := ratelimit.Must(keyed.NewMap(1, build))
		for range 2 {
			alone := ratelimit.Must(build(""))
			for _, n := range []int{2, 2, 1, 0, -1, 4, 1, 2} {
				require.Equal(t, alone.Take(n), m.Take("ann", n), n)
				time.Sleep(400 * time.Millisecond)
			}
			require.Equal(t, keyed.Full, m.Take("bob", 1).By)
			time.Sleep(3 * time.Second)
			require.True(t, m.Allow("bob"), "ann is idle") // and goes
			time.Sleep(time.Second)
		}
		require.EqualValues(t, 3, m.Stats().Evicted)
		require.Zero(t, m.Stats().Late)
	})
}

func TestMapFactoryFails(t *testing.T) {
	c := limittest.NewClock(mapStart)
	with := ratelimit.WithClock(c)
	failure := errors.New("no such user")
	var none *gcra.Limiter
	byFunc := mapClockFunc(func() time.Time { return mapStart })
	for name, row := range map[string]struct {
		l    ratelimit.Limiter
		err  error
		want string
	}{
		"error":          {nil, failure, "no such user"},
		"error and more": {ratelimit.Unlimited(), failure, "no such user"},
		"nil":            {nil, nil, "keyed.NewMap: factory(k) is nil, want a limiter"},
		"nil pointer":    {none, nil, "keyed.NewMap: factory(k) is nil, want a limiter"},
		"other clock": {ratelimit.Must(gcra.New(ratelimit.PerSecond(1), 1, ratelimit.WithClock(limittest.NewClock(mapStart)))), nil,
			"keyed.NewMap: factory(k).Clock() is *limittest.Clock, want the clock of the map, which is read for all keys"},
		"system's clock": {ratelimit.Must(gcra.New(ratelimit.PerSecond(1), 1)), nil,
			"keyed.NewMap: factory(k).Clock() is ratelimit.SystemClock, want the clock of the map, which is read for all keys"},
		"unequal clock": {ratelimit.Must(gcra.New(ratelimit.PerSecond(1), 1, ratelimit.WithClock(byFunc))), nil,
			"keyed.NewMap: factory(k).Clock() is keyed_test.mapClockFunc, want the clock of the map, which is read for all keys"},
	} {
		m := ratelimit.Must(keyed.NewMap(1, func(k string) (ratelimit.Limiter, error) {
			if k == "good" {
				return gcra.New(ratelimit.PerSecond(1), 1, with)
			}
			return row.l, row.err
		}, keyed.WithClock(c)))
		want := ratelimit.Decision{RetryAfter: ratelimit.Never, ResetAfter: ratelimit.Never, By: keyed.NoLimiter}
		require.Equal(t, want, m.Take("bad", 1), name)
		require.False(t, m.Allow("bad"), name)
		require.Equal(t, want, m.PeekAt(mapStart, "bad", 1), name)
		require.True(t, m.Take("bad", 0).OK, name)
		stats := m.Stats()
		require.EqualError(t, stats.Err, row.want, name)
		require.EqualValues(t, 4, stats.Failed, name)
		require.Zero(t, stats.Len, name)
		require.Zero(t, stats.Refused, name)
		require.True(t, m.Allow("good"), name)
	}

	// A clock that cannot be compared is that of the map, if it is the same function.
	m := newMap[string](ratelimit.PerSecond(1), 1, 1, byFunc)
	require.True(t, m.Allow("ann"))
	require.False(t, m.Allow("ann"))

	unlimited := ratelimit.Must(keyed.NewMap(1, func(string) (ratelimit.Limiter, error) { return ratelimit.Unlimited(), nil }, keyed.WithClock(c)))
	require.True(t, unlimited.Take("ann", math.MaxInt).OK)
	require.True(t, unlimited.Take("bob", math.MaxInt).OK)
	require.Equal(t, 1, unlimited.Len())
}

type mapClockFunc func() time.Time

func (f mapClockFunc) Now() time.Time { return f() }

// TestMapPanics panics in all that the map calls under a lock.
func TestMapPanics(t *testing.T) {
	c := limittest.NewClock(mapStart)
	m := ratelimit.Must(keyed.NewMap(1, func(k string) (ratelimit.Limiter, error) {
		if k == "no limiter" {
			panic(k)
		}
		l, err := gcra.New(ratelimit.PerSecond(1), 1, ratelimit.WithClock(c))
		if k == "bad limiter" {
			return broken{l}, err
		}
		return l, err
	}, keyed.WithClock(c)))
	require.Panics(t, func() { m.Allow("no limiter") })
	require.Zero(t, m.Len(), "its place is free again")
	require.Panics(t, func() { m.PeekAt(mapStart, "no limiter", 1) })
	require.Panics(t, func() { m.Allow("bad limiter") })
	require.Panics(t, func() { m.Allow("bad limiter") })
	require.Panics(t, func() { m.PeekAt(mapStart, "bad limiter", 1) })
	require.Panics(t, func() { m.RefundAt(mapStart, "bad limiter", 1, 0) })
	require.Panics(t, func() { m.Allow("ann") }, "bad limiter is asked whether it can go")
	m.Reset("bad limiter")
	require.True(t, m.Allow("ann"))
	c.Set(mapStart.Add(time.Second))
	require.Panics(t, func() { m.Allow("no limiter") }, "ann has gone for it")
	require.Zero(t, m.Len())
	require.True(t, m.Allow("bob"))
	require.Equal(t, map[string]bool{"bob": true}, keysOf(m))
}

type broken struct{ *gcra.Limiter }

func (broken) TakeAt(time.Time, int) ratelimit.Decision { panic("broken") }
func (broken) PeekAt(time.Time, int) ratelimit.Decision { panic("broken") }
func (broken) RefundAt(time.Time, int, time.Duration)   { panic("broken") }

func TestMapReset(t *testing.T) {
	c := limittest.NewClock(mapStart)
	m := newMap[string](ratelimit.PerSecond(1), 1, 1, c)
	m.Reset("ann")
	require.Zero(t, m.Len())
	require.True(t, m.Allow("ann"))
	require.False(t, m.Allow("ann"))
	require.False(t, m.Allow("bob"))
	m.Reset("ann")
	require.Zero(t, m.Len())
	require.True(t, m.Allow("bob"))
	m.Reset("ann")
	require.Equal(t, 1, m.Len())
}

func TestMapRefund(t *testing.T) {
	c := limittest.NewClock(mapStart)
	m := newMap[string](ratelimit.PerSecond(1), 2, 1, c)
	m.RefundAt(mapStart, "ann", 1, 0)
	require.Zero(t, m.Len(), "of a key that is not there")
	require.True(t, m.Take("ann", 2).OK)
	m.RefundAt(mapStart, "ann", 1, -1)
	require.False(t, m.Allow("ann"))
	m.RefundAt(mapStart, "ann", 1, 0)
	require.True(t, m.Allow("ann"))
	require.False(t, m.Allow("ann"))

	// A limiter is not given back what its predecessor granted.
	var given []time.Duration
	m = ratelimit.Must(keyed.NewMap(1, func(string) (ratelimit.Limiter, error) {
		return refunded{ratelimit.Must(gcra.New(ratelimit.PerSecond(1), 2, ratelimit.WithClock(c))), &given}, nil
	}, keyed.WithClock(c)))
	require.True(t, m.Allow("ann"))
	c.Set(mapStart.Add(time.Minute))
	require.True(t, m.Allow("bob"))
	c.Set(mapStart.Add(2 * time.Minute))
	require.True(t, m.Allow("ann"))
	m.RefundAt(c.Now(), "ann", 1, 2*time.Minute)
	require.Empty(t, given)
	m.RefundAt(c.Now(), "ann", 1, time.Minute-time.Second)
	m.RefundAt(c.Now(), "ann", 1, 0)
	require.Equal(t, []time.Duration{time.Minute - time.Second, 0}, given)
}

// refunded notes what it is given back.
type refunded struct {
	*gcra.Limiter
	held *[]time.Duration
}

func (r refunded) RefundAt(_ time.Time, _ int, held time.Duration) { *r.held = append(*r.held, held) }

func TestMapAll(t *testing.T) {
	c := limittest.NewClock(mapStart)
	m := newMap[int](ratelimit.PerSecond(1), 1, 1000, c)
	for range m.All() {
		require.Fail(t, "there is none")
	}
	for k := range 500 {
		require.True(t, m.Allow(k))
	}
	seen := map[int]bool{}
	for k, l := range m.All() { // which is changed in all ways
		require.False(t, seen[k])
		seen[k] = true
		if k < 500 {
			require.Equal(t, m.Limiter(k), l)
			require.False(t, l.Allow())
		}
		m.Reset(k)
		require.True(t, m.Allow(1000+k%500))
		m.Reset(1000 + k%500)
	}
	for k := range 500 {
		require.True(t, seen[k])
	}
	require.Zero(t, m.Len())
	for k := range 10 {
		m.Allow(k)
	}
	count := 0
	for range m.All() {
		if count++; count == 3 {
			break
		}
	}
	require.Equal(t, 3, count)
	require.Len(t, keysOf(m), 10)
}

// waiting is a clock that jumps to the time that is waited for.
type waiting struct{ *limittest.Clock }

func (w waiting) After(d time.Duration) <-chan time.Time {
	w.Advance(d)
	woken := make(chan time.Time, 1)
	woken <- w.Now()
	return woken
}

func TestMapLimiter(t *testing.T) {
	c := waiting{limittest.NewClock(mapStart)}
	m := newMap[string](ratelimit.PerSecond(1), 2, 1, c)
	other := newMap[string](ratelimit.PerMinute(1), 1, 1, c)
	ann := m.Limiter("ann")
	require.Zero(t, m.Len(), "it is not there before it is charged")
	views := map[ratelimit.Limiter]bool{ann: true}
	require.True(t, views[m.Limiter("ann")])
	require.False(t, views[m.Limiter("bob")])
	require.False(t, views[other.Limiter("ann")])
	require.Equal(t, c, ann.Clock())
	require.True(t, ann.Allow())
	require.Equal(t, m.PeekAt(mapStart, "ann", 1), ann.PeekAt(mapStart, 1))
	require.Zero(t, ann.Take(1).Remaining)
	require.False(t, ann.TakeAt(mapStart, 1).OK)
	ann.RefundAt(mapStart, 1, 0)
	require.True(t, m.Allow("ann"))

	// It waits for its own limiter, and for a place.
	require.NoError(t, ratelimit.Wait(context.Background(), ann, 1))
	require.Equal(t, mapStart.Add(time.Second), c.Now())
	require.NoError(t, ratelimit.Wait(context.Background(), m.Limiter("bob"), 1))
	require.Equal(t, mapStart.Add(3*time.Second), c.Now())
	require.ErrorIs(t, ratelimit.Wait(context.Background(), m.Limiter("bob"), 3), ratelimit.ErrNever)
	require.Equal(t, keyed.Full, ann.PeekAt(c.Now(), 2).By, "an old view asks what there is")
	c.Advance(time.Second)
	require.True(t, ann.PeekAt(c.Now(), 2).OK)

	m.Reset("bob")
	both := ratelimit.Must(ratelimit.All(ann, other.Limiter("ann")))
	require.True(t, both.Allow())
	d := both.Take(1)
	require.Equal(t, 1, d.By)
	require.Equal(t, time.Minute, d.RetryAfter)
	require.Equal(t, 1, ann.Take(0).Remaining, "the refusal charged nothing")
	_, err := ratelimit.All(ann, m.Limiter("ann"))
	require.Error(t, err, "the same limiter")
}

func TestMapArguments(t *testing.T) {
	factory := func(string) (ratelimit.Limiter, error) { return ratelimit.Unlimited(), nil }
	most := min(1<<30, math.MaxInt/32)
	for _, row := range []struct {
		capacity int
		factory  func(string) (ratelimit.Limiter, error)
		opt      keyed.Option
		want     string
	}{
		{0, factory, keyed.WithClock(ratelimit.SystemClock{}), fmt.Sprintf("keyed.NewMap: capacity is 0, want 1 to %d", most)},
		{-1, factory, keyed.WithClock(ratelimit.SystemClock{}), fmt.Sprintf("keyed.NewMap: capacity is -1, want 1 to %d", most)},
		{most + 1, factory, keyed.WithClock(ratelimit.SystemClock{}), fmt.Sprintf("keyed.NewMap: capacity is %d, want 1 to %d", most+1, most)},
		{1, nil, keyed.WithClock(ratelimit.SystemClock{}), "keyed.NewMap: factory is nil, want a function that makes the limiter of a key"},
		{1, factory, nil, "keyed.NewMap: opts[0] is nil, want an option"},
		{1, factory, keyed.WithClock(nil), "keyed.NewMap: WithClock is nil, want a clock, or no such option for the system's"},
		{1, factory, keyed.WithClock((*limittest.Clock)(nil)), "keyed.NewMap: WithClock is nil, want a clock, or no such option for the system's"},
		{1, factory, keyed.FailOpen(), "keyed.NewMap: FailOpen is true, want no such option: it is for a Table"},
	} {
		_, err := keyed.NewMap(row.capacity, row.factory, row.opt)
		var bad *ratelimit.ArgumentError
		require.ErrorAs(t, err, &bad)
		require.EqualError(t, err, row.want)
	}
	m, err := keyed.NewMap(most, factory)
	require.NoError(t, err)
	require.Equal(t, ratelimit.SystemClock{}, m.Clock())
	require.True(t, m.Allow("ann"))
}

// TestMapNaN is about a key that is not equal to itself, and would keep its place forever.
func TestMapNaN(t *testing.T) {
	m := newMap[float64](ratelimit.PerSecond(1), 1, 1, limittest.NewClock(mapStart))
	require.Equal(t, keyed.NoLimiter, m.Take(math.NaN(), 1).By)
	require.EqualError(t, m.Stats().Err, "keyed.NewMap: k is NaN, want a key that is equal to itself")
	require.Zero(t, m.Len())
	require.True(t, m.Allow(1))
}

func TestMapAllocatesNothing(t *testing.T) {
	for name, c := range map[string]ratelimit.Clock{"system": ratelimit.SystemClock{}, "fake": limittest.NewClock(mapStart)} {
		m := newMap[string](ratelimit.PerHour(1), 100_000, 1000, c)
		require.True(t, m.Allow("ann"))
		view := m.Limiter("ann")
		now := c.Now()
		for what, ask := range map[string]func() bool{
			"Allow":    func() bool { return m.Allow("ann") },
			"Take":     func() bool { return m.Take("ann", 1).OK },
			"TakeAt":   func() bool { return m.TakeAt(now, "ann", 1).OK },
			"PeekAt":   func() bool { return m.PeekAt(now, "ann", 1).OK },
			"view":     view.Allow,
			"refusals": func() bool { return !m.Take("ann", 200_000).OK },
			"RefundAt": func() bool { m.RefundAt(now, "ann", 1, 0); return true },
		} {
			answers := 0
			allocs := allocations.Count(func() {
				answers = 0
				for range 1000 {
					if ask() {
						answers++
					}
				}
			})
			require.Zero(t, allocs, "%s, %s", name, what)
			require.Equal(t, 1000, answers, "%s, %s", name, what)
		}
	}
}
