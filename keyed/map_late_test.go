package keyed_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/gcra"
	"github.com/seed-3506548a/ratelimit/keyed"
	"github.com/seed-3506548a/ratelimit/limittest"
)

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
	require.Equal(t, keyed.Late, m.TakeFunc(at(time.Second-1), "bob", func(l ratelimit.Limiter) ratelimit.Decision { return l.TakeAt(at(time.Second-1), 1) }).By)
	require.Equal(t, keyed.Full, m.TakeAt(at(time.Second), "ann", 1).By)
	require.EqualValues(t, 6, m.Stats().Late)

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

// A charge that is late by a nanosecond counts as of the first time that is not, and tells when the
// next event is granted.
func TestMapLateChargeByANanosecond(t *testing.T) {
	c := limittest.NewClock(mapStart.Add(time.Hour))
	m := newMap[string](ratelimit.PerSecond(1), 2, 1, c)
	require.True(t, m.TakeAt(mapStart, "ann", 1).OK)
	require.True(t, m.TakeAt(mapStart.Add(time.Minute), "bob", 1).OK) // ann, as new since a second, goes
	want := ratelimit.Decision{Limit: 2, RetryAfter: time.Minute + 1, ResetAfter: time.Minute + time.Second + 1, By: keyed.Late}
	require.Equal(t, want, m.ChargeAt(mapStart.Add(time.Second-1), "bob", 1))
}
