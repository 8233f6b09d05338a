package keyed_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/gcra"
	"github.com/seed-3506548a/ratelimit/keyed"
	"github.com/seed-3506548a/ratelimit/limittest"
)

// undelayed is a limiter that tells no delay.
type undelayed struct{ ratelimit.Limiter }

// A key of a Map tells the delay of its limiter, also as of a time at which the map did not know
// the key yet: then nothing is granted before it did.
func TestMapDelay(t *testing.T) {
	c := limittest.NewClock(mapStart.Add(time.Hour))
	m := newMap[string](ratelimit.PerSecond(1), 2, 1, c)
	delay := func(k string, t time.Time, n int) time.Duration {
		return m.Limiter(k).(ratelimit.Delayer).DelayAt(t, n)
	}
	require.Zero(t, delay("ann", mapStart, 3), "the key is not there")
	require.True(t, m.TakeAt(mapStart, "ann", 1).OK)
	require.True(t, m.TakeAt(mapStart.Add(time.Minute), "bob", 2).OK) // ann, as new since a second, goes

	at := mapStart.Add(time.Minute)
	for n, want := range []time.Duration{0, time.Second, 2 * time.Second, 3 * time.Second} {
		require.Equal(t, want, delay("bob", at, n))
	}
	require.Equal(t, ratelimit.Never, delay("bob", at, -1))
	late := mapStart.Add(time.Second - 1)
	require.Zero(t, delay("bob", late, 0))
	require.Equal(t, time.Minute+1, delay("bob", late, 1))
}

// A limiter that tells no delay has none.
func TestMapDelayOfOthers(t *testing.T) {
	c := limittest.NewClock(mapStart)
	m := ratelimit.Must(keyed.NewMap(1, func(string) (ratelimit.Limiter, error) {
		return undelayed{ratelimit.Must(gcra.New(ratelimit.PerSecond(1), 1, ratelimit.WithClock(c)))}, nil
	}, keyed.WithClock(c)))
	require.True(t, m.Allow("ann"))
	require.Zero(t, m.Limiter("ann").(ratelimit.Delayer).DelayAt(mapStart, 1))
}

// otherStore is a store that tells no delays.
type otherStore struct{ keyed.Store[string] }

// A Group tells the longest delay of its members, of which those that tell none have none.
func TestGroupDelay(t *testing.T) {
	c := limittest.NewClock(mapStart)
	slow, fast := newMap[string](ratelimit.PerMinute(1), 1, 9, c), newMap[string](ratelimit.PerSecond(1), 1, 9, c)
	key := func(k string) string { return k }
	all := ratelimit.Must(keyed.NewGroup(keyed.By(slow, key), keyed.By(fast, key)))
	others := ratelimit.Must(keyed.NewGroup(keyed.By(otherStore{slow}, key), keyed.By(otherStore{fast}, key)))
	require.True(t, all.Allow("ann"))
	require.Equal(t, time.Minute, all.Limiter("ann").(ratelimit.Delayer).DelayAt(mapStart, 1))
	require.Zero(t, others.Limiter("ann").(ratelimit.Delayer).DelayAt(mapStart, 1))
}

// A key of a Table tells its delay; a new key of one that fails open has none.
func TestTableDelay(t *testing.T) {
	c := limittest.NewClock(mapStart)
	m := ratelimit.Must(keyed.NewGCRA[string](ratelimit.PerSecond(1), 2, 1, keyed.WithClock(c), keyed.FailOpen()))
	delay := func(k string, n int) time.Duration { return m.Limiter(k).(ratelimit.Delayer).DelayAt(mapStart, n) }
	require.True(t, m.Take("ann", 2).OK)
	require.Equal(t, []time.Duration{0, time.Second, 2 * time.Second}, []time.Duration{delay("ann", 0), delay("ann", 1), delay("ann", 2)})
	require.Equal(t, ratelimit.Never, delay("ann", -1))
	require.Zero(t, delay("bob", 9))
}
