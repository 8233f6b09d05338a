package keyed_test

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/keyed"
	"github.com/seed-3506548a/ratelimit/limittest"
)

// TakeFunc, PeekFunc and ChargeFunc are TakeAt, PeekAt and ChargeAt of one event, if f asks the
// limiter for that: among keys that come and go, of callers who are late, or in a map that is full.
func TestMapFuncsAreItsMethods(t *testing.T) {
	seen := map[string]int{}
	for seed := range uint64(200) {
		random := rand.New(rand.NewPCG(seed, 1))
		c := limittest.NewClock(mapStart)
		plain, asked := newMap[string](ratelimit.PerSecond(1), 2, 3, c), newMap[string](ratelimit.PerSecond(1), 2, 3, c)
		now := mapStart
		for range 60 {
			now = now.Add(time.Duration(1 + random.Int64N(int64(time.Second))))
			c.Set(now)
			at, k := now, fmt.Sprint(random.IntN(5))
			switch random.IntN(4) {
			case 0:
				at = now.Add(-time.Duration(random.Int64N(int64(4 * time.Second))))
			case 1:
				at = mapStart.Add(-time.Duration(1 + random.Int64N(3)))
			}
			switch random.IntN(3) {
			case 0:
				want := plain.TakeAt(at, k, 1)
				got := asked.TakeFunc(at, k, func(l ratelimit.Limiter) ratelimit.Decision { return l.TakeAt(at, 1) })
				if want.By == keyed.Late { // f is not called, so what the limiter would add is not known
					require.LessOrEqual(t, got.RetryAfter, want.RetryAfter)
					want.RetryAfter = max(got.RetryAfter, 1)
				}
				require.Equal(t, []any{want.OK, want.By, want.RetryAfter}, []any{got.OK, got.By, got.RetryAfter}, "take %s at %v of seed %d", k, at.Sub(mapStart), seed)
				seen[fmt.Sprint("take ", want.OK, want.By)]++
			case 1:
				want := plain.PeekAt(at, k, 1)
				got, ok := asked.PeekFunc(at, k, func(l ratelimit.Limiter, t time.Time) ratelimit.Decision { return l.PeekAt(t, 1) })
				if !ok {
					require.Equal(t, []any{true, 0}, []any{want.OK, want.By}, "a new limiter")
					break
				}
				require.Equal(t, []any{want.OK, want.By, want.RetryAfter}, []any{got.OK, got.By, got.RetryAfter}, "peek %s at %v of seed %d", k, at.Sub(mapStart), seed)
				if got.Limit > 0 { // the key is there
					require.Equal(t, want, got, "peek %s at %v of seed %d", k, at.Sub(mapStart), seed)
				}
				seen[fmt.Sprint("peek ", want.OK, want.By)]++
			default:
				want := plain.ChargeAt(at, k, 1)
				got := asked.ChargeFunc(at, k, func(l ratelimit.Limiter, t time.Time) { ratelimit.Charge(l, t, 1) })
				require.Equal(t, want.By != keyed.Full, got, "charge %s at %v of seed %d", k, at.Sub(mapStart), seed)
				seen[fmt.Sprint("charge ", got)]++
			}
			if there(plain, now) != there(asked, now) {
				break // of keys that were idle for as long, each has evicted another
			}
			require.Equal(t, plain.Stats(), asked.Stats(), "seed %d", seed)
		}
	}
	for _, what := range []string{"take true 0", "take false 0", "take false -1", "take false -3", "peek true 0", "peek false 0", "peek false -1", "peek false -3", "charge true", "charge false"} {
		require.Greater(t, seen[what], 20, "%s: %v", what, seen)
	}
}

// there returns which keys the map has.
func there(m *keyed.Map[string], now time.Time) (keys string) {
	for i := range 5 {
		m.PeekFunc(now, fmt.Sprint(i), func(ratelimit.Limiter, time.Time) (d ratelimit.Decision) {
			keys += fmt.Sprint(i)
			return d
		})
	}
	return keys
}

// A caller who is late by a nanosecond is late, and a map that has room in a nanosecond is full.
func TestMapFuncsByANanosecond(t *testing.T) {
	c := limittest.NewClock(mapStart.Add(time.Hour))
	m := newMap[string](ratelimit.PerSecond(1), 2, 1, c)
	take := func(at time.Time, k string) ratelimit.Decision {
		return m.TakeFunc(at, k, func(l ratelimit.Limiter) ratelimit.Decision { return l.TakeAt(at, 1) })
	}
	peek := func(at time.Time, k string) ratelimit.Decision {
		d, ok := m.PeekFunc(at, k, func(l ratelimit.Limiter, as time.Time) ratelimit.Decision {
			require.False(t, as.Before(mapStart.Add(time.Second)), "it is asked as of a time at which the map knew it")
			return l.PeekAt(as, 1)
		})
		require.True(t, ok, "the map or the limiter has said it")
		return d
	}
	require.True(t, take(mapStart, "ann").OK)
	require.True(t, take(mapStart.Add(time.Minute), "bob").OK) // ann, as new since a second, goes

	late := ratelimit.Decision{RetryAfter: 1, ResetAfter: 1, By: keyed.Late}
	require.Equal(t, late, take(mapStart.Add(time.Second-1), "ann"))
	require.Equal(t, late, peek(mapStart.Add(time.Second-1), "ann"))
	require.Equal(t, map[string]bool{"bob": true}, keysOf(m))
	require.Equal(t, keyed.Late, peek(mapStart.Add(time.Second-1), "bob").By)
	require.Zero(t, peek(mapStart.Add(time.Second), "bob").By)

	full := ratelimit.Decision{RetryAfter: 1, ResetAfter: 1, By: keyed.Full}
	require.Equal(t, full, peek(mapStart.Add(time.Minute+time.Second-1), "ann"))
}
