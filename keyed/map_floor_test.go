package keyed_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/gcra"
	"github.com/seed-3506548a/ratelimit/keyed"
	"github.com/seed-3506548a/ratelimit/limittest"
	"github.com/seed-3506548a/ratelimit/slidingwindow"
)

// forward is a limiter that takes a time before its newest for that.
type forward struct {
	ratelimit.Limiter
	newest *time.Time
}

func (f forward) TakeAt(t time.Time, n int) ratelimit.Decision {
	if t.After(*f.newest) {
		*f.newest = t
	}
	return f.Limiter.TakeAt(*f.newest, n)
}

func (f forward) PeekAt(t time.Time, n int) ratelimit.Decision {
	if t.Before(*f.newest) {
		t = *f.newest
	}
	return f.Limiter.PeekAt(t, n)
}

// A limiter that does not answer for the past is known to be as new only since it was evicted: one
// that is late then might have used it all up.
func TestMapDoesNotBelieveWhatIsSaidOfThePast(t *testing.T) {
	c := limittest.NewClock(mapStart)
	m := ratelimit.Must(keyed.NewMap(1, func(string) (ratelimit.Limiter, error) {
		return forward{ratelimit.Must(gcra.New(ratelimit.PerSecond(1), 5, ratelimit.WithClock(c))), new(time.Time)}, nil
	}, keyed.WithClock(c)))
	require.True(t, m.Take("ann", 5).OK)
	c.Set(mapStart.Add(10 * time.Second))
	require.True(t, m.Take("bob", 1).OK)
	m.Reset("bob")
	d := m.TakeAt(mapStart.Add(time.Second), "ann", 5)
	require.False(t, d.OK)
	require.Equal(t, keyed.Late, d.By)
}

// vague is a limiter that owed something when it was as new.
type vague struct {
	ratelimit.Limiter
	taken int
	reset time.Duration
}

func (v vague) PeekAt(t time.Time, n int) ratelimit.Decision {
	d := v.Limiter.PeekAt(t, n)
	if t.Before(v.Clock().Now()) && d.ResetAfter == 0 {
		d.Remaining, d.ResetAfter = d.Remaining-v.taken, v.reset
	}
	return d
}

func TestMapDoesNotBelieveWhatIsNotQuiteNew(t *testing.T) {
	for _, v := range []vague{{}, {taken: 1}, {reset: 1}} {
		c := limittest.NewClock(mapStart)
		m := ratelimit.Must(keyed.NewMap(1, func(string) (ratelimit.Limiter, error) {
			return vague{ratelimit.Must(gcra.New(ratelimit.PerSecond(1), 5, ratelimit.WithClock(c))), v.taken, v.reset}, nil
		}, keyed.WithClock(c)))
		require.True(t, m.Take("ann", 1).OK)
		c.Set(mapStart.Add(10 * time.Second))
		require.True(t, m.Take("bob", 1).OK)
		m.Reset("bob")
		require.Equal(t, v == vague{}, m.TakeAt(mapStart.Add(5*time.Second), "ann", 5).OK)
	}
}

// Before the beginning of a limiter's time there is no past to ask for.
func TestMapAtTheBeginningOfTime(t *testing.T) {
	c := limittest.NewClock(mapStart)
	m := ratelimit.Must(keyed.NewMap(1, func(string) (ratelimit.Limiter, error) {
		return slidingwindow.NewLog(ratelimit.PerHour(2), ratelimit.WithClock(c))
	}, keyed.WithClock(c)))
	beginning := mapStart.Add(-1 << 62)
	require.True(t, m.TakeAt(beginning.Add(29*time.Minute), "ann", 2).OK)
	require.True(t, m.TakeAt(beginning.Add(90*time.Minute), "bob", 1).OK)
	m.Reset("bob")
	require.False(t, m.TakeAt(beginning.Add(28*time.Minute), "ann", 2).OK)
	require.Equal(t, keyed.Late, m.PeekAt(time.Time{}, "ann", 1).By, "nor long before it")
}

// The floor is that of the shard that the evicted key was in, whoever needed its place.
func TestMapRemembersWhatItEvictedFromOtherShards(t *testing.T) {
	for range 20 {
		c := limittest.NewClock(mapStart)
		m := newMap[int](ratelimit.PerHour(1), 1, 128, c)
		for key := range 128 {
			require.True(t, m.Allow(key))
		}
		c.Set(mapStart.Add(2 * time.Hour)) // all are as new
		live := map[int]bool{}
		for key := range m.All() {
			if len(live) < 96 {
				require.True(t, m.Allow(key))
				live[key] = true
			}
		}
		before := keysOf(m)
		for key := 1000; m.Stats().Evicted == 0; key++ {
			m.Allow(key)
		}
		after, evicted := keysOf(m), -1
		for key := range before {
			if !after[key] {
				evicted = key
			}
		}
		require.False(t, live[evicted])
		require.Equal(t, keyed.Late, m.PeekAt(mapStart, evicted, 1).By)
	}
}
