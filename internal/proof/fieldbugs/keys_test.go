package fieldbugs_test

import (
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/fixedwindow"
	"github.com/seed-3506548a/ratelimit/internal/proof/bounds"
	"github.com/seed-3506548a/ratelimit/keyed"
	"github.com/seed-3506548a/ratelimit/limittest"
)

// store is a Table or a Map, of buckets.
type store interface {
	TakeAt(at time.Time, k string, n int) ratelimit.Decision
	Reset(k string)
}

// eachStore runs f for a table and for a map of that capacity.
func eachStore(t *testing.T, rate ratelimit.Rate, size, capacity int, f func(t *testing.T, take func(after time.Duration, key string, n int) bool, s store)) {
	t.Helper()
	clock := limittest.NewClock(start)
	for name, s := range map[string]store{
		"keyed table": ratelimit.Must(keyed.NewGCRA[string](rate, size, capacity, keyed.WithClock(clock))),
		"keyed map":   ratelimit.Must(newMap(rate, size, capacity, clock)),
	} {
		t.Run(name, func(t *testing.T) {
			f(t, func(after time.Duration, key string, n int) bool {
				clock.Set(start.Add(after))
				return s.TakeAt(start.Add(after), key, n).OK
			}, s)
		})
	}
}

// APM Server, elastic/apm-server#1367: an evicted key comes back with a full burst.
//
// The least recently used key made room for a new one.
func TestAPMServerAnEvictedKeyComesBackFull(t *testing.T) {
	eachStore(t, ratelimit.PerMinute(10), 10, 16, func(t *testing.T, take func(time.Duration, string, int) bool, _ store) {
		granted := 0
		for i := range 5000 {
			now := time.Duration(i) * ms
			take(now, "attacker "+strconv.Itoa(i), 10)
			if take(now, "the same again", 1) {
				granted++
			}
		}
		require.LessOrEqual(t, granted, 10)
	})
}

// gonka, gonka-ai/gonka#1056: a full map forgets all keys.
//
// With more than 1000 entries all were cleared, and every sender had a full burst again.
func TestGonkaAFullMapForgetsAllKeys(t *testing.T) {
	eachStore(t, ratelimit.PerHour(3), 3, 1000, func(t *testing.T, take func(time.Duration, string, int) bool, _ store) {
		for i := range 900 {
			take(0, strconv.Itoa(i), 3)
		}
		for i := range 5000 {
			take(time.Second, "more "+strconv.Itoa(i), 3)
		}
		for i := range 900 {
			require.False(t, take(2*time.Second, strconv.Itoa(i), 1))
		}
	})
}

// Traefik: a key expires before its bucket is full again.
//
// 1 in 10 s with a burst of 3: three times as much passed.
func TestTraefikAKeyExpiresBeforeItHasRefilled(t *testing.T) {
	rate := ratelimit.Every(10 * time.Second)
	eachStore(t, rate, 3, 8, func(t *testing.T, take func(time.Duration, string, int) bool, _ store) {
		var grants []bounds.Grant
		for i := range 1000 {
			now := time.Duration(i) * 100 * ms
			take(now, strconv.Itoa(i), 1)
			for pause := 20; pause < 130; pause += 10 { // keys that are asked for each 2, 3, ... 12 s
				if i%pause == 0 && take(now, "k"+strconv.Itoa(pause), 1) && pause == 20 {
					grants = append(grants, bounds.Grant{At: start.Add(now), N: 1})
				}
			}
		}
		bounds.Require(t, grants, tableBound(rate, 3))
	})
}

// oxy, vulcand/oxy#132: a key in use expires.
//
// An entry ended a fixed time after it was made, even if it was in use.
func TestOxyAnActiveKeyExpires(t *testing.T) {
	rate := ratelimit.Every(10 * time.Second)
	eachStore(t, rate, 3, 100, func(t *testing.T, take func(time.Duration, string, int) bool, _ store) {
		granted := 0
		for second := range time.Duration(600) {
			take(second*time.Second, strconv.Itoa(int(second)), 1)
			if take(second*time.Second, "active", 1) {
				granted++
			}
		}
		require.LessOrEqual(t, granted, 3+59)
	})
}

// Traefik, traefik/traefik#13704: idle keys fill the map.
//
// They stayed, and each took a place.
func TestTraefikKeysThatAreOverFillTheMap(t *testing.T) {
	eachStore(t, ratelimit.Per(30, 10*time.Second), 10, 64, func(t *testing.T, take func(time.Duration, string, int) bool, s store) {
		for i := range 10_000 {
			require.True(t, take(time.Duration(i)*400*ms, strconv.Itoa(i), 1), "key %d", i)
			if m, ok := s.(*keyed.Map[string]); ok {
				require.LessOrEqual(t, m.Len(), 64)
			}
		}
	})
}

// sethvargo/go-limiter, sethvargo/go-limiter#57: a key that is newer than the sweep's time is
// purged.
//
// The key's start was after the sweep's reading of the time, so its age underflowed.
func TestGoLimiterAKeyOfTheFutureIsPurged(t *testing.T) {
	eachStore(t, ratelimit.PerMinute(1), 2, 8, func(t *testing.T, take func(time.Duration, string, int) bool, _ store) {
		require.True(t, take(time.Second, "in use", 2))
		for i := range 1000 {
			take(time.Second-1, strconv.Itoa(i), 1)
		}
		require.False(t, take(time.Second, "in use", 1))
	})
}

// ulule/limiter, ulule/limiter#230: limits in one store reset each other.
//
// 10 a second for one key and 30 an hour for another: when the second ended, so did the hour.
func TestUluleLimitsInOneStoreResetEachOther(t *testing.T) {
	table := ratelimit.Must(keyed.NewGCRA[string](ratelimit.PerSecond(10), 10, 8, keyed.WithClock(limittest.NewClock(start))))
	second := ratelimit.Must(table.Limit(ratelimit.PerSecond(10), 10))
	hour := ratelimit.Must(table.Limit(ratelimit.PerHour(30), 30))
	for i := range 10 {
		now := start.Add(time.Duration(i) * 1100 * ms)
		require.Equal(t, 9, table.TakeLimitAt(now, "second", 1, second).Remaining)
		require.Equal(t, 29-i, table.TakeLimitAt(now, "hour", 1, hour).Remaining)
	}
}

// express-rate-limit, express-rate-limit/express-rate-limit#194: one timer resets all keys.
//
// Each user's minute began with its first request, but one timer ended them all.
func TestExpressRateLimitOneTimerResetsAllKeys(t *testing.T) {
	clock := limittest.NewClock(start)
	m := ratelimit.Must(keyed.NewMap(8, func(string) (ratelimit.Limiter, error) {
		return fixedwindow.NewAnchored(ratelimit.Per(5, 3*time.Minute), ratelimit.WithClock(clock))
	}, keyed.WithClock(clock)))
	take := func(after time.Duration, user string) bool {
		clock.Set(start.Add(after))
		return m.Allow(user)
	}
	for range 5 {
		require.True(t, take(0, "ann"))
	}
	for i := range time.Duration(5) {
		require.True(t, take(2*time.Minute+i*10*time.Second, "bob"))
	}
	require.False(t, take(3*time.Minute-1, "ann"))
	require.False(t, take(3*time.Minute-1, "bob"))
	require.True(t, take(3*time.Minute, "ann"))
	require.False(t, take(3*time.Minute, "bob"))
	require.False(t, take(5*time.Minute-1, "bob"))
	require.True(t, take(5*time.Minute, "bob"))
}

// mcp-ts-core, cyanheads/mcp-ts-core#405: the empty key counts as no key.
//
// It was never evicted, and the map grew beyond its capacity.
func TestMCPTheEmptyKeyIsNoKey(t *testing.T) {
	eachStore(t, ratelimit.PerMinute(2), 2, 2, func(t *testing.T, take func(time.Duration, string, int) bool, s store) {
		require.True(t, take(0, "", 2))
		require.False(t, take(0, "", 1))
		for i, key := range []string{"one", "two", "three", "", "four"} {
			require.True(t, take(time.Duration(i+1)*time.Hour, key, 2), key)
			if m, ok := s.(*keyed.Map[string]); ok {
				require.LessOrEqual(t, m.Len(), 2)
			}
		}
	})
}

// CommitPulse, JhaSourav07/commitpulse#4064: a reset of a key forgets nothing.
//
// The key was stored by one name and reset by another.
func TestCommitpulseAResetForgetsNothing(t *testing.T) {
	eachStore(t, ratelimit.PerMinute(2), 2, 8, func(t *testing.T, take func(time.Duration, string, int) bool, s store) {
		require.True(t, take(0, "ip", 2))
		require.True(t, take(0, "other", 2))
		s.Reset("ip")
		require.True(t, take(0, "ip", 2))
		require.False(t, take(0, "ip", 1))
		require.False(t, take(0, "other", 1))
	})
}
