package keyed_test

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/gcra"
	"github.com/seed-3506548a/ratelimit/keyed"
	"github.com/seed-3506548a/ratelimit/limittest"
)

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
