package redislimit_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/httplimit"
	"github.com/seed-3506548a/ratelimit/limittest"
	"github.com/seed-3506548a/ratelimit/redislimit"
)

// These are the bugs of limits on Redis, each with one test, as in internal/proof/fieldbugs, whose
// TestCatalogue writes the first paragraphs into the table of docs/correctness.md.

// keyLimit is what all limits have.
type keyLimit interface {
	taker
	Peek(ctx context.Context, key string, n int) (ratelimit.Decision, error)
	Charge(ctx context.Context, key string, n int) (ratelimit.Decision, error)
	Refund(ctx context.Context, key string, n int, held time.Duration) error
	Reset(ctx context.Context, key string) error
	TakeAt(t time.Time, key string, n int) ratelimit.Decision
	Clock() ratelimit.Clock
}

// algorithms are all there are, of a rate whose events may all be granted at once.
var algorithms = map[string]func(e redislimit.Engine, rate ratelimit.Rate, opts ...redislimit.Option) (keyLimit, error){
	"GCRA": func(e redislimit.Engine, rate ratelimit.Rate, opts ...redislimit.Option) (keyLimit, error) {
		return redislimit.NewGCRA(e, "gcra", rate, rate.Events, opts...)
	},
	"several": func(e redislimit.Engine, rate ratelimit.Rate, opts ...redislimit.Option) (keyLimit, error) {
		return redislimit.NewSeveral(e, "several", []redislimit.Bucket{{rate, rate.Events}, {ratelimit.PerDay(1e6), 1e6}}, opts...)
	},
	"window": func(e redislimit.Engine, rate ratelimit.Rate, opts ...redislimit.Option) (keyLimit, error) {
		return redislimit.NewAlignedWindow(e, "window", rate, opts...)
	},
	"log": func(e redislimit.Engine, rate ratelimit.Rate, opts ...redislimit.Option) (keyLimit, error) {
		return redislimit.NewLog(e, "log", rate, opts...)
	},
}

// eachAlgorithm runs f with a limit of each algorithm, on a server of its own.
func eachAlgorithm(t *testing.T, rate ratelimit.Rate, f func(t *testing.T, m *mini, l keyLimit), opts ...redislimit.Option) {
	for name, build := range algorithms {
		t.Run(name, func(t *testing.T) {
			m := newMini(t)
			l, err := build(m, rate, append([]redislimit.Option{redislimit.Remember(0)}, opts...)...)
			require.NoError(t, err)
			f(t, m, l)
		})
	}
}

// after moves the server's clock on, which also ends what has expired.
func (m *mini) after(d time.Duration, since *time.Time) {
	*since = since.Add(d)
	m.SetTime(*since)
	m.FastForward(d)
}

// granted takes single events n times, and returns how many were granted.
func granted(t *testing.T, l taker, key string, n int) (all int) {
	t.Helper()
	for range n {
		d, err := l.Take(t.Context(), key, 1)
		require.NoError(t, err)
		if d.OK {
			all++
		}
	}
	return all
}

// front puts a limit in front of a handler, and returns what a request is answered.
func front(t *testing.T, l keyLimit, opts ...httplimit.Option) func() *httptest.ResponseRecorder {
	t.Helper()
	limit, err := httplimit.PerKey(l, func(*http.Request) (string, bool) { return "k", true }, httplimit.Fields{
		Remaining: "X-Ratelimit-Remaining", Reset: "X-Ratelimit-Reset", Unit: httplimit.Seconds}, opts...)
	require.NoError(t, err)
	h := limit(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	return func() *httptest.ResponseRecorder {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/", nil))
		return w
	}
}

// redis-rate-limiter, Tabcorp/redis-rate-limiter#1: a key that expires between two commands comes
// back without an expiry, and its client is refused for ever.
func TestRedisRateLimiterAKeyNeverExpires(t *testing.T) {
	eachAlgorithm(t, ratelimit.PerSecond(4), func(t *testing.T, m *mini, l keyLimit) {
		now := t0
		for i := range 60 {
			m.after(time.Duration(i%7)*333*time.Millisecond, &now)
			_, err := l.Take(t.Context(), "k", 1+i%4)
			require.NoError(t, err)
			_, err = l.Charge(t.Context(), "k", i%2)
			require.NoError(t, err)
			require.NoError(t, l.Refund(t.Context(), "k", i%3, 0))
			for _, key := range m.Keys() {
				require.Positive(t, m.TTL(key), "%s after %d", key, i)
			}
		}
		m.after(time.Hour, &now)
		require.Empty(t, m.Keys())
		require.Equal(t, 4, granted(t, l, "k", 10))
	})
}

// spring-cloud-zuul-ratelimit, marcosbarbero/spring-cloud-zuul-ratelimit#200: a key that is first
// charged nothing never expires.
func TestZuulAChargeOfNothingMakesAKeyForEver(t *testing.T) {
	eachAlgorithm(t, ratelimit.PerMinute(60), func(t *testing.T, m *mini, l keyLimit) {
		_, err := l.Charge(t.Context(), "k", 0)
		require.NoError(t, err)
		_, err = l.Take(t.Context(), "k", 0)
		require.NoError(t, err)
		for _, key := range m.Keys() {
			require.Positive(t, m.TTL(key))
		}
		_, err = l.Charge(t.Context(), "k", 33)
		require.NoError(t, err)
		require.Len(t, m.Keys(), 1)
		require.Positive(t, m.TTL(m.Keys()[0]))
	})
}

// rate-limit-redis, express-rate-limit/rate-limit-redis#216: at the end of a window the next one
// begins with the count of the last.
//
// 99603 of 100000 remained, with a new reset.
func TestRateLimitRedisTheNextWindowHasTheOldCount(t *testing.T) {
	m, now := newMini(t), t0
	l, err := redislimit.NewAlignedWindow(m, "test", ratelimit.Per(20, 5*time.Second))
	require.NoError(t, err)
	for range 5 {
		require.Equal(t, 10, granted(t, l, "k", 10))
		d, err := l.Peek(t.Context(), "k", 0)
		require.NoError(t, err)
		require.Equal(t, 10, d.Remaining)
		m.SetTime(now.Add(5*time.Second - time.Microsecond)) // nothing has expired yet
		d, err = l.Peek(t.Context(), "k", 0)
		require.NoError(t, err)
		require.Equal(t, 10, d.Remaining)
		now = now.Add(5 * time.Second)
		m.SetTime(now)
	}
}

// RateLimitJ, mokies/ratelimitj#20: when the server has forgotten the script, each request is an
// error.
func TestRateLimitJAForgottenScriptIsAnError(t *testing.T) {
	eachAlgorithm(t, ratelimit.PerDay(10), func(t *testing.T, m *mini, l keyLimit) {
		client := redis.NewClient(&redis.Options{Addr: m.Addr()})
		defer func() { _ = client.Close() }()
		all := 0
		for range 20 {
			all += granted(t, l, "k", 1)
			require.NoError(t, client.ScriptFlush(t.Context()).Err())
		}
		require.Equal(t, 10, all)
	})
}

// rate-limit-redis, express-rate-limit/rate-limit-redis#251: a script is sent again after every
// error, so a request whose reply was lost is counted twice.
func TestRateLimitRedisALostReplyIsCountedTwice(t *testing.T) {
	eachAlgorithm(t, ratelimit.PerDay(10), func(t *testing.T, m *mini, l keyLimit) {
		m.fault = errors.New("i/o timeout")
		_, err := l.Take(t.Context(), "k", 1)
		require.ErrorIs(t, err, m.fault)
		m.fault = nil
		d, err := l.Peek(t.Context(), "k", 0)
		require.NoError(t, err)
		require.Equal(t, 9, d.Remaining)
	})
}

// spy is an engine that keeps the keys that scripts were given.
type spy struct {
	redislimit.Engine
	keys [][]string
}

func (s *spy) Run(ctx context.Context, script *redislimit.Script, keys, args []string) ([]int64, error) {
	s.keys = append(s.keys, slices.Clone(keys))
	return s.Engine.Run(ctx, script, keys, args)
}

// use asks for all that a limit can do.
func use(t *testing.T, l keyLimit, key string) {
	t.Helper()
	_, err := l.Take(t.Context(), key, 1)
	require.NoError(t, err)
	_, err = l.Peek(t.Context(), key, 1)
	require.NoError(t, err)
	_, err = l.Charge(t.Context(), key, 1)
	require.NoError(t, err)
	require.NoError(t, l.Refund(t.Context(), key, 1, 0))
}

// Spring Cloud Gateway, spring-cloud/spring-cloud-gateway#248: a script has keys in several slots
// of a cluster, which is an error, so nothing is limited.
func TestSpringCloudGatewayKeysAreInSeveralSlots(t *testing.T) {
	for name, build := range algorithms {
		s := &spy{Engine: newMini(t)}
		l, err := build(s, ratelimit.PerDay(10))
		require.NoError(t, err)
		use(t, l, "user:7")
		for _, keys := range s.keys {
			require.Len(t, keys, 1, name)
			require.Contains(t, keys[0], "{user:7}", "all that is counted of a key is in one slot")
		}
	}
}

// Wurk, developerz-ai/wurk#92: a script uses a key that it was not given, which a cluster refuses.
func TestWurkAScriptUsesAnotherKey(t *testing.T) {
	for name, build := range algorithms {
		m := newMini(t)
		s := &spy{Engine: m}
		l, err := build(s, ratelimit.PerDay(10))
		require.NoError(t, err)
		use(t, l, "k")
		require.Equal(t, s.keys[0], m.Keys(), name)
	}
}

// ShenYu, apache/shenyu#6645: an error of the server is taken for a grant, and not reported.
func TestShenyuAnErrorIsAGrant(t *testing.T) {
	eachAlgorithm(t, ratelimit.PerDay(10), func(t *testing.T, m *mini, l keyLimit) {
		var told error
		ask := front(t, l, httplimit.OnError(func(_ http.ResponseWriter, _ *http.Request, err error) bool { told = err; return false }))
		require.Equal(t, http.StatusOK, ask().Code)
		m.SetError("READONLY You can't write against a read only replica.")
		require.Equal(t, http.StatusServiceUnavailable, ask().Code)
		require.ErrorContains(t, told, "READONLY")
		m.SetError("")
		require.Equal(t, http.StatusOK, ask().Code)
	})
}

// prorate, WeTransfer/prorate#40: a wait of less than a second becomes 0 on the way from the
// server, and the request is granted.
func TestProrateAShortWaitIsAGrant(t *testing.T) {
	m, now := newMini(t), t0
	l, err := redislimit.NewGCRA(m, "test", ratelimit.Per(1, 1500*time.Millisecond), 1, redislimit.Remember(0))
	require.NoError(t, err)
	require.Equal(t, 1, granted(t, l, "k", 1))
	for _, wait := range []time.Duration{1500, 900, 300, 1} {
		m.SetTime(now.Add((1500 - wait) * time.Millisecond))
		d, err := l.Peek(t.Context(), "k", 1)
		require.NoError(t, err)
		require.False(t, d.OK)
		require.Equal(t, wait*time.Millisecond, d.RetryAfter)
	}
}

// graphql-rate-limit, teamplanes/graphql-rate-limit#22: a window of no whole number of seconds is
// an error of the server.
//
// It was 600.001 s.
func TestGraphQLRateLimitAFractionOfASecondIsAnError(t *testing.T) {
	for _, per := range []time.Duration{600001 * time.Millisecond, 1500 * time.Millisecond, 10 * time.Millisecond} {
		eachAlgorithm(t, ratelimit.Per(5, per), func(t *testing.T, m *mini, l keyLimit) {
			now := t0
			require.Equal(t, 5, granted(t, l, "k", 6))
			m.after(per, &now)
			require.Equal(t, 5, granted(t, l, "k", 6))
		})
	}
}

// redis_rate, go-redis/redis_rate#42: the wait of a grant is -1 ns.
func TestRedisRateTheWaitOfAGrantIsNegative(t *testing.T) {
	eachAlgorithm(t, ratelimit.Per(1, 10*time.Second), func(t *testing.T, m *mini, l keyLimit) {
		now := t0
		for range 120 {
			d, err := l.Take(t.Context(), "k", 1)
			require.NoError(t, err)
			require.Equal(t, d.OK, d.RetryAfter == 0)
			require.GreaterOrEqual(t, d.RetryAfter, time.Duration(0))
			require.LessOrEqual(t, d.RetryAfter, 10*time.Second)
			m.after(200*time.Millisecond, &now)
		}
	})
}

// Sourcegraph, sourcegraph/sourcegraph-public-snapshot#56826: the nodes' clocks decide, so one that
// is behind gets less, and one that is ahead more.
func TestSourcegraphTheNodesClocksDecide(t *testing.T) {
	for name, build := range algorithms {
		m, now := newMini(t), t0
		var nodes []keyLimit
		for _, ahead := range []time.Duration{-time.Hour, 0, time.Hour} {
			l, err := build(m, ratelimit.PerMinute(6), redislimit.WithClock(limittest.NewClock(t0.Add(ahead))), redislimit.Remember(0))
			require.NoError(t, err)
			nodes = append(nodes, l)
		}
		for range 3 {
			all := 0
			for _, l := range nodes {
				require.Equal(t, 2, granted(t, l, "k", 2), name)
				all += 2
			}
			for _, l := range nodes {
				all += granted(t, l, "k", 5)
			}
			require.Equal(t, 6, all, name)
			m.after(time.Minute, &now)
		}
	}
}

// Spring Cloud Gateway, spring-cloud/spring-cloud-gateway#1117: time is in whole seconds, so
// requests that come more often refill nothing.
func TestSpringCloudGatewayFrequentRequestsRefillNothing(t *testing.T) {
	m, now := newMini(t), t0
	l, err := redislimit.NewGCRA(m, "test", ratelimit.PerSecond(3), 1, redislimit.Remember(0))
	require.NoError(t, err)
	all := 0
	for range 200 {
		all += granted(t, l, "k", 1)
		m.after(50*time.Millisecond, &now)
	}
	require.GreaterOrEqual(t, all, 28, "of 30 in 10 s: each is granted up to 50 ms late")
	require.LessOrEqual(t, all, 31)
}

// Sockudo, sockudo/sockudo#251: requests at the same time are counted as one.
//
// The time was the member of a sorted set, which has each member once.
func TestSockudoRequestsAtTheSameTimeAreOne(t *testing.T) {
	eachAlgorithm(t, ratelimit.PerMinute(10), func(t *testing.T, _ *mini, l keyLimit) {
		require.Equal(t, 10, granted(t, l, "k", 100))
	})
}

// Dust, dust-tt/dust#16066: nodes that read the same count at the same time all grant.
func TestDustNodesThatReadTheSameCountAllGrant(t *testing.T) {
	for name, build := range algorithms {
		m := newMini(t)
		var all atomic.Int64
		var nodes sync.WaitGroup
		for range 4 {
			l, err := build(m, ratelimit.PerDay(30))
			require.NoError(t, err)
			for range 3 {
				nodes.Go(func() {
					for range 10 {
						if l.TakeAt(t0, "k", 1).OK {
							all.Add(1)
						}
					}
				})
			}
		}
		nodes.Wait()
		require.EqualValues(t, 30, all.Load(), name)
	}
}

// deaf is an engine that never answers.
type deaf struct{ redislimit.Engine }

func (deaf) Run(ctx context.Context, _ *redislimit.Script, _, _ []string) ([]int64, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}

// bucket4j, bucket4j/bucket4j#406: a server that does not answer is waited for without an end.
func TestBucket4jAServerIsWaitedForWithoutAnEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, err := redislimit.NewGCRA(deaf{}, "test", ratelimit.PerDay(10), 10, redislimit.Timeout(200*time.Millisecond))
		require.NoError(t, err)
		began := time.Now()
		require.Equal(t, http.StatusServiceUnavailable, front(t, l)().Code)
		require.Equal(t, 200*time.Millisecond, time.Since(began))
	})
}

// caddy-ratelimit, mholt/caddy-ratelimit#22: Retry-After of a limit that nodes share is always 0.
func TestCaddyRateLimitASharedLimitHasNoRetryAfter(t *testing.T) {
	eachAlgorithm(t, ratelimit.Per(2, 10*time.Second), func(t *testing.T, m *mini, l keyLimit) {
		ask := front(t, l)
		require.Equal(t, http.StatusOK, ask().Code)
		require.Equal(t, http.StatusOK, ask().Code)
		m.SetTime(t0.Add(1500 * time.Millisecond))
		w := ask()
		require.Equal(t, http.StatusTooManyRequests, w.Code)
		require.Contains(t, []string{"4", "9"}, w.Header().Get("Retry-After"), "of a bucket 3.5 s, of a window 8.5 s")
	})
}

// django-modern-rest, wemake-services/django-modern-rest#1312: the reset mixes the server's clock
// and that of the node.
func TestDjangoModernRESTTheResetMixesClocks(t *testing.T) {
	for _, ahead := range []time.Duration{-time.Hour, -time.Second, time.Second, time.Hour} {
		eachAlgorithm(t, ratelimit.PerMinute(1), func(t *testing.T, _ *mini, l keyLimit) {
			w := front(t, l)()
			require.Equal(t, "60", w.Header().Get("X-Ratelimit-Reset"))
		}, redislimit.WithClock(limittest.NewClock(t0.Add(ahead))))
	}
}

// ratelimiter (Node), tj/node-ratelimiter#13: what is kept of a key is in several keys, of which
// one expires before the others.
func TestNodeRatelimiterAPartOfAKeyExpires(t *testing.T) {
	m, now := newMini(t), t0
	l, err := redislimit.NewSeveral(m, "test", []redislimit.Bucket{{ratelimit.PerSecond(10), 10}, {ratelimit.PerHour(30), 30}}, redislimit.Remember(0))
	require.NoError(t, err)
	for range 3 {
		require.Equal(t, 10, granted(t, l, "k", 11))
		require.Len(t, m.Keys(), 1)
		m.after(5*time.Second, &now)
	}
	require.Equal(t, 0, granted(t, l, "k", 1))
	m.after(30*time.Minute, &now)
	require.Equal(t, 10, granted(t, l, "k", 20))
}

// redis-cell, brandur/redis-cell#41: a rate of 0 crashes the server.
func TestRedisCellARateOfZeroCrashesTheServer(t *testing.T) {
	m := newMini(t)
	for name, build := range map[string]func() (keyLimit, error){
		"GCRA":   func() (keyLimit, error) { return redislimit.NewGCRA(m, "gcra", ratelimit.PerMinute(0), 1) },
		"window": func() (keyLimit, error) { return redislimit.NewAlignedWindow(m, "window", ratelimit.PerMinute(0)) },
		"log":    func() (keyLimit, error) { return redislimit.NewLog(m, "log", ratelimit.PerMinute(0)) },
	} {
		l, err := build()
		require.NoError(t, err)
		d, err := l.Take(t.Context(), "k", 1)
		require.NoError(t, err, name)
		require.False(t, d.OK, name)
		require.Equal(t, ratelimit.Never, d.RetryAfter, name)
	}
}

// redis-cell, brandur/redis-cell#80: more than 1000 a second are refused as a rate of 0.
func TestRedisCellMoreThanAThousandASecondAreAnError(t *testing.T) {
	for _, events := range []int{1500, 2000, 1_000_000, 3_000_001} {
		m := newMini(t)
		l, err := redislimit.NewGCRA(m, "test", ratelimit.PerSecond(events), 20, redislimit.Remember(0))
		require.NoError(t, err)
		require.Equal(t, 20, granted(t, l, "k", 21), events)
		m.SetTime(t0.Add(time.Millisecond))
		require.Equal(t, min(events/1000, 20), granted(t, l, "k", 21), events)
	}
}

// MeetOnMemory, imuniqueshiv/MeetOnMemory#1120: limits of different names share their counts.
func TestMeetOnMemoryLimitsOfDifferentNamesShareCounts(t *testing.T) {
	m := newMini(t)
	for i, one := range [][2]string{{"a", "b"}, {"ab", ""}, {"a", "b}"}, {"a:", "b"}, {"a", ":b"}, {"a", "{b"}, {"a:b", "c"}, {"a", "b:c"}, {"a", "b:{c"}, {"a:", "}:{b"}} {
		l, err := redislimit.NewGCRA(m, one[0], ratelimit.PerDay(1), 1)
		require.NoError(t, err)
		require.Equal(t, 1, granted(t, l, one[1], 2), one)
		require.Len(t, m.Keys(), i+1)
	}
	_, err := redislimit.NewGCRA(m, "a:{b", ratelimit.PerDay(1), 1)
	require.Error(t, err, "a name with a brace could be another name and a key")
}

// limiter (Go), nccapo/rate-limiter#18: keys have no expiry, and fill the memory of the server.
func TestNccapoKeysFillTheServer(t *testing.T) {
	eachAlgorithm(t, ratelimit.PerSecond(1), func(t *testing.T, m *mini, l keyLimit) {
		now := t0
		for i := range 50 {
			require.Equal(t, 1, granted(t, l, fmt.Sprint(i), 1))
			m.after(400*time.Millisecond, &now)
			require.LessOrEqual(t, len(m.Keys()), 10, "a key lives for a second more than it counts, or two windows")
		}
	})
}
