package redislimit_test

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/gcra"
	"github.com/seed-3506548a/ratelimit/limittest"
	"github.com/seed-3506548a/ratelimit/redislimit"
)

// Several limits decide as an All of gcras, in every field, in whatever order they are given, and
// for any number of events.
func TestSeveralIsAll(t *testing.T) {
	for i, limits := range [][]redislimit.Bucket{
		{{ratelimit.PerSecond(7), 3}},
		{{ratelimit.PerMinute(90), 10}, {ratelimit.PerHour(900), 40}},
		{{ratelimit.PerHour(900), 40}, {ratelimit.PerMinute(90), 10}},
		{{ratelimit.PerSecond(2), 5}, {ratelimit.PerSecond(1), 5}, {ratelimit.PerMinute(100), 9}},
		{{ratelimit.PerDay(100_000), 8}, {ratelimit.PerMinute(70), 12}, {ratelimit.PerSecond(3), 4}, {ratelimit.PerSecond(2), 6}, {ratelimit.PerSecond(3), 3}},
	} {
		m, clock := newMini(t), limittest.NewClock(t0)
		random := rand.New(rand.NewPCG(uint64(i), 7))
		far := ratelimit.Must(redislimit.NewSeveral(m, "test", limits, redislimit.Remember(0)))
		require.Equal(t, limits, far.Limits())
		var members []ratelimit.Limiter
		for _, l := range limits {
			members = append(members, ratelimit.Must(gcra.New(l.Rate, l.Burst, ratelimit.WithClock(clock))))
		}
		near := ratelimit.Must(ratelimit.All(members...))
		for range 150 {
			clock.Set(clock.Now().Add(time.Duration(random.IntN(1000)*random.IntN(1000)) * us))
			m.SetTime(clock.Now())
			n := random.IntN(4) - 1
			if random.IntN(3) == 0 {
				n = limits[random.IntN(len(limits))].Burst - 1 + random.IntN(3)
			}
			ask, model := far.Take, near.TakeAt
			if random.IntN(4) == 0 {
				ask, model = far.Peek, near.PeekAt
			}
			got, err := ask(t.Context(), "k", n)
			require.NoError(t, err)
			require.Equal(t, model(clock.Now(), n), got, "%d of %v", n, limits)
		}
	}
}

// The limits can be changed, but not their number. What is owed stays.
func TestSeveralSetRate(t *testing.T) {
	m := newMini(t)
	day := func(bursts ...int) (all []redislimit.Bucket) {
		for _, burst := range bursts {
			all = append(all, redislimit.Bucket{Rate: ratelimit.PerDay(1), Burst: burst})
		}
		return all
	}
	limit := ratelimit.Must(redislimit.NewSeveral(m, "test", day(10, 7)))
	take := func(n int) ratelimit.Decision {
		d, err := limit.Take(t.Context(), "k", n)
		require.NoError(t, err)
		return d
	}
	require.Equal(t, 7, take(3).Limit)
	require.NoError(t, limit.SetRate(day(5, 20)))
	require.Equal(t, day(5, 20), limit.Limits())
	d := take(1)
	require.True(t, d.OK)
	require.Equal(t, [2]int{5, 1}, [2]int{d.Limit, d.Remaining})
	for want, limits := range map[string][]redislimit.Bucket{
		"len(limits) is 1, want 2":                   day(5),
		"len(limits) is 3, want 2":                   day(5, 6, 7),
		"len(limits) is 0, want 1 to 16":             nil,
		"limits[1].burst is 0, want 1 to 2147483647": day(5, 0),
		"limits[1].rate is 1/600000h, want one at which the 20 events that may be owed take at most 2^51 ticks, or 0": {day(5)[0], {ratelimit.Per(1, 600_000*time.Hour), 1}},
	} {
		require.EqualError(t, limit.SetRate(limits), "redislimit.Several.SetRate: "+want)
		require.Equal(t, day(5, 20), limit.Limits())
	}
	require.NoError(t, limit.SetRate([]redislimit.Bucket{{ratelimit.Per(1, 100_000*time.Hour), 5}, {ratelimit.PerDay(0), 20}}))
}

// There are 1 to 16 limits of a key.
func TestHowManySeveral(t *testing.T) {
	for n := range 19 {
		limits := make([]redislimit.Bucket, n)
		for i := range limits {
			limits[i] = redislimit.Bucket{Rate: ratelimit.PerDay(1), Burst: 20 - i}
		}
		limit, err := redislimit.NewSeveral(newMini(t), "test", limits)
		if n < 1 || n > 16 {
			require.EqualError(t, err, fmt.Sprintf("redislimit.NewSeveral: len(limits) is %d, want 1 to 16", n))
			continue
		}
		require.NoError(t, err)
		d, err := limit.Take(t.Context(), "k", 1)
		require.NoError(t, err)
		require.Equal(t, ratelimit.Decision{OK: true, Limit: 21 - n, Remaining: 20 - n, ResetAfter: 24 * time.Hour, By: n - 1}, d)
	}
	_, err := redislimit.NewSeveral(newMini(t), "a{b", []redislimit.Bucket{{ratelimit.PerDay(1), 1}})
	require.EqualError(t, err, "redislimit.NewSeveral: name is \"a{b\", want a name without braces")
}
