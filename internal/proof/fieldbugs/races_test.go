package fieldbugs_test

import (
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/keyed"
	"github.com/seed-3506548a/ratelimit/limittest"
	"github.com/seed-3506548a/ratelimit/slidingwindow"
)

// together has so many callers ask for one event each, several times, by the clock; it returns what
// was granted. They begin when all are there, or one would be done before the next has begun.
func (s *subject) together(callers, times int) int {
	var granted atomic.Int64
	var all sync.WaitGroup
	var there atomic.Int64
	for range callers {
		all.Go(func() {
			for there.Add(1); there.Load() < int64(callers); {
				runtime.Gosched()
			}
			own := int64(0)
			for range times {
				if s.Allow() {
					own++
				}
			}
			granted.Add(own)
		})
	}
	all.Wait()
	return int(granted.Load())
}

// Django REST framework, encode/django-rest-framework#5181: concurrent requests overwrite each
// other.
//
// 500 an hour, 20 at a time: each read the list of times, and wrote its own over the others'.
func TestDjangoRESTConcurrentRequestsOverwriteEachOther(t *testing.T) {
	each(t, limiters, ratelimit.PerHour(500), 500, func(t *testing.T, l *subject) {
		for range 150 {
			l = l.again(t)
			granted := l.together(20, 50)
			require.LessOrEqual(t, granted, 500)
			if l.row.gives != asMembers { // which may refuse because of what is about to be given back
				require.Equal(t, 500, granted)
			}
		}
	})
}

// lua-resty-limit-traffic, openresty/lua-resty-limit-traffic#18: workers that read the same count
// are all granted.
//
// 9 of 10 were used: four workers read 9, and each added its own.
func TestLuaRestyFourWorkersSeeOneCount(t *testing.T) {
	each(t, limiters, ratelimit.PerMinute(10), 10, func(t *testing.T, l *subject) {
		for range 100 {
			l = l.again(t)
			require.True(t, l.take(0, 9))
			require.LessOrEqual(t, l.together(4, 1), 1)
		}
	})
}

// rustcommon, twitter/rustcommon#64: contended refills add tokens.
//
// The bucket was filled in two steps. If others took tokens in between, the second step added too
// much. Here each refusal moves the time on by a millisecond, so that there is always a little to
// take.
func TestRustcommonContendedRefillsAddTokens(t *testing.T) {
	each(t, limiters, ratelimit.PerSecond(1000), 10, func(t *testing.T, l *subject) {
		var granted, passed atomic.Int64
		var all sync.WaitGroup
		for range 4 {
			all.Go(func() {
				for passed.Load() < 10_000 {
					if l.Allow() {
						granted.Add(1)
					} else {
						l.clock.Set(l.at(time.Duration(passed.Add(1)) * ms))
					}
				}
			})
		}
		all.Wait()
		l.withinBound(t, int(granted.Load()), time.Duration(passed.Load())*ms)
	})
}

// leaky-bucket, udoprog/leaky-bucket#39: contention stops the refill for good.
//
// A refused caller restored an earlier state that was only transient: nothing was ever granted
// again.
func TestLeakyBucketContentionStopsTheRefill(t *testing.T) {
	each(t, limiters, ratelimit.PerSecond(20), 20, func(t *testing.T, l *subject) {
		for i := range time.Duration(20) {
			l.clock.Set(l.at(i * 1500 * ms))
			l.together(4, 50)
			require.True(t, l.take((i+1)*1500*ms-1, 20), "after %d seconds", i)
			l.clock.Set(l.at((i + 1) * 1500 * ms))
		}
	})
}

// ulule/limiter, sethvargo/go-limiter: a charge is lost between the expiry of a key and its
// deletion.
//
// Another request was counted in the entry that was about to be deleted.
func TestUluleAChargeIsLostBeforeADeletion(t *testing.T) {
	for name, take := range map[string]func(c ratelimit.Clock) func(key string) bool{
		"keyed table": func(c ratelimit.Clock) func(key string) bool {
			return ratelimit.Must(keyed.NewGCRA[string](ratelimit.PerSecond(5), 5, 4, keyed.WithClock(c))).Allow
		},
		"keyed map": func(c ratelimit.Clock) func(key string) bool {
			return ratelimit.Must(newMap(ratelimit.PerSecond(5), 5, 4, c)).Allow
		},
	} {
		t.Run(name, func(t *testing.T) {
			clock := limittest.NewClock(start)
			allow := take(clock)
			for round := range 300 {
				clock.Set(start.Add(time.Duration(round) * 2 * time.Second)) // all keys are idle, and may be evicted
				var granted atomic.Int64
				var all sync.WaitGroup
				for range 3 {
					all.Go(func() {
						for range 6 {
							if allow("hot") {
								granted.Add(1)
							}
						}
					})
				}
				all.Go(func() {
					for i := range 12 {
						allow(strconv.Itoa(12*round + i))
					}
				})
				all.Wait()
				require.LessOrEqual(t, granted.Load(), int64(5))
			}
		})
	}
}

// Unkey, unkeyed/unkey#1995: a request that one limit refuses is charged to another.
//
// Several limits were asked one after the other: the first had counted what the second refused.
func TestUnkeyARefusalByOneLimitIsChargedToTheOther(t *testing.T) {
	each(t, limiters, ratelimit.PerSecond(5), 5, func(t *testing.T, l *subject) {
		high := ratelimit.Must(slidingwindow.NewLog(ratelimit.PerHour(1000), ratelimit.WithClock(l.clock)))
		both := ratelimit.Must(ratelimit.All(high, l.Limiter))
		for range 100 {
			both.TakeAt(l.at(0), 1)
			both.Allow()
		}
		require.Equal(t, 995, high.PeekAt(l.at(0), 0).Remaining)
	})
}

// graphql-rate-limit, ravangen/graphql-rate-limit#129: refused requests use up the longer limit.
//
// 10 a minute and 30 in half an hour: 31 requests in two minutes, of which 20 were granted, used up
// the 30.
func TestGraphQLRateLimitRefusalsUseUpTheLongLimit(t *testing.T) {
	each(t, limiters.only(atAnEdge, whenOver), ratelimit.PerMinute(10), 10, func(t *testing.T, l *subject) {
		long := ratelimit.Must(slidingwindow.NewLog(ratelimit.Per(30, 30*time.Minute), ratelimit.WithClock(l.clock)))
		both := ratelimit.Must(ratelimit.All(long, l.Limiter))
		served := 0
		for i := range 31 {
			if both.TakeAt(l.at(time.Duration(i/16)*70*time.Second), 1).OK {
				served++
			}
		}
		require.Equal(t, 20, served)
		require.Equal(t, 10, long.PeekAt(l.at(70*time.Second), 0).Remaining)
	})
}
