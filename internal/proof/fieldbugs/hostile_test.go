package fieldbugs_test

import (
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/internal/proof/bounds"
)

// hostileClocks return the next reading of a clock, given the last one.
var hostileClocks = map[string]func(random *rand.Rand, last, origin time.Time) time.Time{
	"frozen":         func(_ *rand.Rand, last, _ time.Time) time.Time { return last },
	"runs backwards": func(_ *rand.Rand, last, _ time.Time) time.Time { return last.Add(-time.Millisecond) },
	"repeats itself": func(random *rand.Rand, _, origin time.Time) time.Time {
		return origin.Add(time.Duration(random.IntN(5)) * 300 * time.Millisecond)
	},
	"jumps": func(random *rand.Rand, last, _ time.Time) time.Time {
		jumps := []time.Duration{1, -1, time.Second, -time.Second, time.Hour, -time.Hour, 100 * time.Millisecond}
		return last.Add(jumps[random.IntN(len(jumps))])
	},
	"jumps by lifetimes": func(random *rand.Rand, _, origin time.Time) time.Time {
		return origin.AddDate(random.IntN(201)-100, 0, 0).Add(time.Duration(random.IntN(1e9)))
	},
	"goes on and falls back": func(random *rand.Rand, last, _ time.Time) time.Time {
		if random.IntN(50) == 0 {
			return last.Add(-time.Duration(random.Int64N(int64(time.Minute))))
		}
		return last.Add(time.Duration(random.IntN(3e8)))
	},
	"ends of time": func(random *rand.Rand, _, origin time.Time) time.Time {
		ends := []time.Time{{}, time.Unix(0, 0), time.Unix(1<<62, 0), time.Unix(-1<<62, 0), origin, origin.Add(time.Second)}
		return ends[random.IntN(len(ends))]
	},
}

var hostileOrigins = []time.Time{
	time.Unix(0, 0),
	time.Unix(-86400, 0),
	{},
	time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC),
	start,
	time.Date(2157, 1, 1, 0, 0, 0, 0, time.UTC),
}

// On any clock the bound holds in the times that the clock showed, Decisions make sense, and the
// limiter is full again once all these times have passed.
func TestHostileClocks(t *testing.T) {
	for name, tell := range hostileClocks {
		for _, origin := range hostileOrigins {
			t.Run(name+" from "+origin.Format(time.DateOnly), func(t *testing.T) {
				eachAt(t, limiters, origin, ratelimit.PerSecond(5), 10, func(t *testing.T, l *subject) {
					random := rand.New(rand.NewPCG(1, 2))
					var grants []bounds.Grant
					now, latest := origin, origin
					for range 500 {
						now = tell(random, now, origin)
						if now.After(latest) {
							latest = now
						}
						l.clock.Set(now)
						n := 1 + random.IntN(4)
						d := l.PeekAt(now, n)
						require.LessOrEqual(t, d.Remaining, d.Limit)
						require.GreaterOrEqual(t, d.Remaining, 0)
						require.GreaterOrEqual(t, d.RetryAfter, time.Duration(0))
						require.GreaterOrEqual(t, d.ResetAfter, time.Duration(0))
						require.Equal(t, d.OK, d.RetryAfter == 0)
						var ok bool
						if n == 1 {
							ok = l.Allow()
						} else {
							ok = l.Take(n).OK
						}
						require.Equal(t, d.OK, ok)
						if ok {
							grants = append(grants, bounds.Grant{At: now, N: n})
						}
					}
					require.NotEmpty(t, grants)
					if name != "ends of time" { // which are further apart than a time.Duration can hold
						bounds.Require(t, grants, l.bound)
					}
					if later := latest.AddDate(1, 0, 0); later.Year() < 10_000 {
						l.clock.Set(later)
						require.True(t, l.TakeAt(later, 10).OK, "it has not recovered")
					}
				})
			})
		}
	}
}

// Callers read the clock and are suspended before they use the reading.
func TestSuspendedCallers(t *testing.T) {
	rate, size := ratelimit.PerSecond(20), 5
	eachWaiting(t, limiters, rate, size, func(t *testing.T, l ratelimit.Limiter, row limiter) {
		var mu sync.Mutex
		var grants []bounds.Grant
		var callers sync.WaitGroup
		for c := range 10 {
			callers.Go(func() {
				random := rand.New(rand.NewPCG(1, uint64(c)))
				for range 100 {
					read := time.Now()
					if random.IntN(3) == 0 {
						time.Sleep(time.Duration(random.IntN(2e9)))
					}
					n := 1 + random.IntN(2)
					if l.TakeAt(read, n).OK {
						mu.Lock()
						grants = append(grants, bounds.Grant{At: read, N: n})
						mu.Unlock()
					}
					time.Sleep(time.Duration(random.IntN(1e8)))
				}
			})
		}
		synctest.Wait()
		callers.Wait()
		require.Greater(t, len(grants), 100)
		bounds.Require(t, grants, row.bound(rate, size))
	})
}
