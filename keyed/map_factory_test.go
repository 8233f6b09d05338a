package keyed_test

import (
	"errors"
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/gcra"
	"github.com/seed-3506548a/ratelimit/keyed"
	"github.com/seed-3506548a/ratelimit/limittest"
)

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

func (broken) RefundAt(time.Time, int, time.Duration) { panic("broken") }
