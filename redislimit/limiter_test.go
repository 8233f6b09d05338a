package redislimit_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/gcra"
	"github.com/seed-3506548a/ratelimit/httplimit"
	"github.com/seed-3506548a/ratelimit/keyed"
	"github.com/seed-3506548a/ratelimit/limittest"
	"github.com/seed-3506548a/ratelimit/redislimit"
	"github.com/seed-3506548a/ratelimit/redislimit/goredis"
	adapter "github.com/seed-3506548a/ratelimit/redislimit/rueidis"
)

// A key's limit is a member of All and can be waited for, charged and given back.
func TestLimiterOfAKey(t *testing.T) {
	m := newMini(t)
	limit, err := redislimit.NewGCRA(m, "test", ratelimit.PerMinute(6), 3)
	require.NoError(t, err)
	l := limit.Limiter("k", redislimit.FailClosed)
	require.Equal(t, l, limit.Limiter("k", redislimit.FailClosed))
	require.True(t, l.Allow())
	require.Equal(t, 1, ratelimit.Charge(l, t0, 1).Remaining)
	l.RefundAt(t0, 1, 0)
	require.Equal(t, 2, l.PeekAt(t0, 0).Remaining)

	near := ratelimit.Must(gcra.New(ratelimit.PerMinute(6), 10))
	both := ratelimit.Must(ratelimit.All(near, l))
	require.Equal(t, 1, both.Take(1).Remaining)
	require.False(t, both.Take(2).OK)
	require.Equal(t, 9, near.Peek(0).Remaining, "a refusal charges nothing")
	_, err = ratelimit.All(l, limit.Limiter("k", redislimit.FailOpen))
	require.Error(t, err, "they are the same limit")
	_, err = ratelimit.All(l, limit.Limiter("other", redislimit.FailOpen))
	require.NoError(t, err)

	require.NoError(t, ratelimit.Wait(t.Context(), l, 1))
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	require.ErrorIs(t, ratelimit.Wait(ctx, l, 1), context.DeadlineExceeded)
	require.ErrorIs(t, ratelimit.Wait(t.Context(), l, 4), ratelimit.ErrNever)

	// A refund reaches those that wait, whatever their OnError.
	served := make(chan error)
	go func() { served <- ratelimit.Wait(t.Context(), limit.Limiter("k", redislimit.FailOpen), 1) }()
	require.Eventually(t, func() bool {
		require.NoError(t, limit.Refund(t.Context(), "k", 1, 0))
		select {
		case err := <-served:
			return err == nil
		default:
			return false
		}
	}, 20*time.Second, time.Millisecond)
}

// getAs serves a request of the user.
func getAs(h http.Handler, user string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r.Header.Set("X-User", user)
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

// A limit on an engine in front of a handler: what it refuses is refused, and what the engine does
// not answer goes to OnError.
func TestPerKey(t *testing.T) {
	m := newMini(t)
	limit, err := redislimit.NewGCRA(m, "http", ratelimit.PerMinute(6), 2)
	require.NoError(t, err)
	var told error
	wrap, err := httplimit.PerKey(limit, httplimit.Header("X-User"), httplimit.IETF(11),
		httplimit.OnError(func(_ http.ResponseWriter, _ *http.Request, err error) bool {
			told = err
			return true
		}))
	require.NoError(t, err)
	handler := wrap(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) }))
	get := func(user string) *httptest.ResponseRecorder { return getAs(handler, user) }
	for _, want := range []int{204, 204, 429} {
		require.Equal(t, want, get("a").Code)
	}
	header := get("b").Header()
	require.Contains(t, header, "RateLimit-Policy")
	for name, value := range header {
		if name == "RateLimit-Policy" {
			require.Equal(t, []string{`"default";q=6;w=60`}, value)
		}
	}
	require.NoError(t, told)
	m.fault = errors.New("gone")
	require.Equal(t, 204, get("c").Code)
	var failed *redislimit.Error
	require.ErrorAs(t, told, &failed)
	require.ErrorIs(t, told, m.fault)
}

// What the engine does not answer is decided by a limit of this process, and refused by 429 as by
// any limit. OnError is asked only if that cannot decide either.
func TestPerKeyThatFailsTo(t *testing.T) {
	m := newMini(t)
	limits := ratelimit.Must(redislimit.NewGCRA(m, "http", ratelimit.PerMinute(6), 2))
	var local redislimit.Local = ratelimit.Must(keyed.NewGCRA[string](ratelimit.PerMinute(3), 1, 100))
	asked := 0
	counted := localFunc(func(t time.Time, key string, n int) ratelimit.Decision {
		asked++
		return local.TakeAt(t, key, n)
	})
	var told error
	limit, err := httplimit.PerKey(limits.FailTo(counted), httplimit.Header("X-User"), httplimit.IETF(11),
		httplimit.OnError(func(_ http.ResponseWriter, _ *http.Request, err error) bool {
			told = err
			return false
		}))
	require.NoError(t, err)
	handler := limit(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) }))
	get := func(user string) *httptest.ResponseRecorder { return getAs(handler, user) }
	first := get("a")
	require.Equal(t, 204, first.Code)
	require.Contains(t, fmt.Sprint(first.Header()), `"default";q=6;w=60`, "as without FailTo")
	require.Zero(t, asked)

	m.fault = errors.New("gone")
	require.Equal(t, 204, get("a").Code)
	w := get("a")
	require.Equal(t, 429, w.Code)
	require.Equal(t, "20", w.Header().Get("Retry-After"), "as the limit of this process says")
	require.Equal(t, 204, get("b").Code)
	require.Equal(t, 3, asked)
	require.NoError(t, told)

	local = ratelimit.Must(keyed.NewMap(1, func(string) (ratelimit.Limiter, error) { return nil, errors.New("none") }))
	require.Equal(t, 503, get("c").Code)
	var failed *httplimit.StoreError
	require.ErrorAs(t, told, &failed)

	m.fault = nil
	for _, want := range []int{204, 204, 429} { // as the engine says
		require.Equal(t, want, get("d").Code)
	}
	require.Equal(t, 4, asked)
	require.NoError(t, limits.SetRate(ratelimit.PerMinute(12), 2))
	require.Contains(t, fmt.Sprint(get("d").Header()), `"default";q=12;w=60`, "the rate that it has now")

	several := ratelimit.Must(redislimit.NewSeveral(m, "several", []redislimit.Bucket{{Rate: ratelimit.PerHour(7), Burst: 7}, {Rate: ratelimit.PerDay(9), Burst: 9}}))
	require.Zero(t, several.FailTo(counted).Rate())
	for _, one := range []interface {
		FailTo(redislimit.Local) *redislimit.Fallback
	}{
		ratelimit.Must(redislimit.NewLog(m, "log", ratelimit.PerHour(7))), ratelimit.Must(redislimit.NewAlignedWindow(m, "window", ratelimit.PerHour(7))),
	} {
		require.Equal(t, ratelimit.PerHour(7), one.FailTo(counted).Rate())
	}
}

type localFunc func(t time.Time, key string, n int) ratelimit.Decision

func (f localFunc) TakeAt(t time.Time, key string, n int) ratelimit.Decision { return f(t, key, n) }

// A limit for each key in front of one for all, as docs/redis.md has it: a key that is refused
// charges nothing to all, one that all refuses stays charged, and a client sees its own limit.
func TestPerKeyForEachAndForAll(t *testing.T) {
	m := newMini(t)
	each := ratelimit.Must(redislimit.NewGCRA(m, "each", ratelimit.PerHour(3), 3))
	all := ratelimit.Must(redislimit.NewGCRA(m, "all", ratelimit.PerDay(4), 4))
	perUser := ratelimit.Must(httplimit.PerKey(each, httplimit.Header("X-User"), httplimit.IETF(7)))
	overall := ratelimit.Must(httplimit.PerKey(all, func(*http.Request) (string, bool) { return "", true },
		httplimit.Fields{Status: http.StatusServiceUnavailable}))
	handler := perUser(overall(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})))
	for i, row := range []struct {
		user                string
		code, ofUser, ofAll int
		wait                string
	}{
		{"a", 200, 2, 3, ""},
		{"a", 200, 1, 2, ""},
		{"a", 200, 0, 1, ""},
		{"a", 429, 0, 1, "1200"},
		{"b", 200, 2, 0, ""},
		{"b", 503, 1, 0, "21600"},
	} {
		w := getAs(handler, row.user)
		require.Equal(t, row.code, w.Code, "%d", i)
		require.Equal(t, row.wait, w.Header().Get("Retry-After"), "%d", i)
		for field, want := range map[string]string{
			"RateLimit":        fmt.Sprintf("limit=3, remaining=%d, ", row.ofUser),
			"RateLimit-Policy": "3;w=3600",
		} {
			require.Len(t, w.Header()[field], 1)
			require.Contains(t, w.Header()[field][0], want, "%d", i)
		}
		require.Equal(t, row.ofUser, each.Limiter(row.user, redislimit.FailClosed).PeekAt(t0, 0).Remaining, "%d", i)
		require.Equal(t, row.ofAll, all.Limiter("", redislimit.FailClosed).PeekAt(t0, 0).Remaining, "%d", i)
	}
	require.Equal(t, []string{"all:{}", "each:{a}", "each:{b}"}, m.Keys())
}

func TestArguments(t *testing.T) {
	m := newMini(t)
	hour := ratelimit.PerHour(1)
	for _, row := range []struct {
		build func() error
		want  string
	}{
		{func() error { _, err := redislimit.NewGCRA(nil, "a", hour, 1); return err }, "redislimit.NewGCRA: engine is nil, want an engine, such as goredis.New returns"},
		{func() error { _, err := redislimit.NewGCRA(m, "", hour, 1); return err }, `redislimit.NewGCRA: name is "", want a name without braces`},
		{func() error { _, err := redislimit.NewGCRA(m, "a{b", hour, 1); return err }, `redislimit.NewGCRA: name is "a{b", want a name without braces`},
		{func() error { _, err := redislimit.NewGCRA(m, "a", hour, 0); return err }, "redislimit.NewGCRA: burst is 0, want 1 to 2147483647"},
		{func() error { _, err := redislimit.NewGCRA(m, "a", ratelimit.PerHour(-1), 1); return err }, "redislimit.NewGCRA: rate.Events is -1, want 0 to 2147483647"},
		{func() error { _, err := redislimit.NewGCRA(m, "a", ratelimit.Per(1, 0), 1); return err }, "redislimit.NewGCRA: rate.Per is 0s, want more than 0s"},
		{func() error { _, err := redislimit.NewGCRA(m, "a", ratelimit.PerDay(1), math.MaxInt32); return err },
			"redislimit.NewGCRA: burst is 2147483647, want at most 26062: burst * ceil(rate.Per in us / rate.Events) <= 2^51 us (71 years)"},
		{func() error { _, err := redislimit.NewGCRA(m, "a", hour, 1, nil); return err }, "redislimit.NewGCRA: opts[0] is nil, want an option"},
		{func() error { _, err := redislimit.NewGCRA(m, "a", hour, 1, redislimit.Timeout(0)); return err }, "redislimit.NewGCRA: Timeout is 0s, want more than 0s"},
		{func() error { _, err := redislimit.NewLog(m, "a", hour, redislimit.Remember(-1)); return err }, "redislimit.NewLog: Remember is -1, want 0 to 1073741824"},
		{func() error { _, err := redislimit.NewLog(m, "a", hour, redislimit.WithClock(nil)); return err }, "redislimit.NewLog: WithClock is nil, want a clock, or no such option for the system's"},
		{func() error { _, err := redislimit.NewLog(m, "a", ratelimit.PerHour(1<<16)); return err }, "redislimit.NewLog: rate.Events is 65536, want 0 to 65535"},
		{func() error { _, err := redislimit.NewAlignedWindow(m, "a", ratelimit.Per(1, 1500)); return err },
			"redislimit.NewAlignedWindow: rate.Per is 1.5µs, want a whole number of microseconds, at most 2^51 of them (71 years)"},
		{func() error { _, err := redislimit.NewSeveral(m, "a", nil); return err }, "redislimit.NewSeveral: len(limits) is 0, want 1 to 16"},
		{func() error {
			_, err := redislimit.NewSeveral(m, "a", []redislimit.Bucket{{hour, 1}, {hour, 0}})
			return err
		},
			"redislimit.NewSeveral: limits[1].burst is 0, want 1 to 2147483647"},
		{func() error {
			return ratelimit.Must(redislimit.NewLog(m, "a", hour)).SetRate(ratelimit.PerDay(1))
		}, "redislimit.Log.SetRate: rate.Per is 24h0m0s, want 1h0m0s, as the limit was made: only Events can change"},
		{func() error {
			return ratelimit.Must(redislimit.NewGCRA(m, "a", ratelimit.PerSecond(1), 1<<30)).SetRate(ratelimit.PerDay(1), 1)
		}, "redislimit.GCRA.SetRate: rate is 1/day, want one at which the 1073741824 events that may be owed take at most 2^51 ticks, or 0"},
		{func() error { _, err := goredis.New(nil); return err }, "goredis.New: client is nil, want a client"},
		{func() error { _, err := adapter.New(nil); return err }, "rueidis.New: client is nil, want a client"},
		{func() error {
			client := redis.NewClient(&redis.Options{Addr: m.Addr()})
			defer func() { _ = client.Close() }()
			_, err := goredis.New(client)
			return err
		}, "goredis.New: client.Options().ContextTimeoutEnabled is false, want true, so that the client heeds deadlines"},
	} {
		err := row.build()
		require.EqualError(t, err, row.want)
		var argument *ratelimit.ArgumentError
		require.ErrorAs(t, err, &argument)
	}
}

// At a rate of 0 everything is refused, and nobody is asked.
func TestRateOfZero(t *testing.T) {
	m := newMini(t)
	limit, err := redislimit.NewGCRA(m, "test", ratelimit.PerDay(0), 10)
	require.NoError(t, err)
	for n, ok := range map[int]bool{0: true, 1: false, 11: false} {
		d, err := limit.Take(t.Context(), "k", n)
		require.NoError(t, err)
		require.Equal(t, ok, d.OK)
	}
	require.Zero(t, m.trips)
}

// The state of a full bucket with the coarsest ticks, and times after the year 2100, stay whole
// numbers.
func TestGreatNumbers(t *testing.T) {
	m := newMini(t)
	clock := limittest.NewClock(t0)
	for _, at := range []time.Time{t0, t0.AddDate(100, 0, 0)} {
		m.SetTime(at)
		clock.Set(at)
		for _, row := range []struct {
			rate  ratelimit.Rate
			burst int
		}{
			{ratelimit.Per(1, 71*365*24*time.Hour), 1},
			{ratelimit.PerHour(1), 500_000},
			{ratelimit.Per(math.MaxInt32, time.Nanosecond), math.MaxInt32},
			{ratelimit.PerSecond(math.MaxInt32), 1000},
		} {
			limit, err := redislimit.NewGCRA(m, at.String()+row.rate.String(), row.rate, row.burst, redislimit.Remember(0))
			require.NoError(t, err)
			model := ratelimit.Must(gcra.New(row.rate, row.burst, ratelimit.WithClock(clock)))
			for _, n := range []int{1, row.burst - 1, 1, row.burst, 0} {
				got, err := limit.Take(t.Context(), "k", n)
				require.NoError(t, err)
				require.Equal(t, model.Take(n), got, "%v", row.rate)
			}
		}
	}
}
