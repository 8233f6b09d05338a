package httplimit_test

import (
	"errors"
	"net/http"
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/fixedwindow"
	"github.com/seed-3506548a/ratelimit/gcra"
	"github.com/seed-3506548a/ratelimit/httplimit"
	"github.com/seed-3506548a/ratelimit/keyed"
	"github.com/seed-3506548a/ratelimit/limittest"
	"github.com/seed-3506548a/ratelimit/policy"
)

func TestPerKey(t *testing.T) {
	clock := limittest.NewClock(t0)
	table := ratelimit.Must(keyed.NewGCRA[string](ratelimit.PerMinute(60), 3, 1000, keyed.WithClock(clock)))
	var told []*policy.Decision
	limit, err := httplimit.PerKey(table, httplimit.Header("X-User"), httplimit.IETF(11))
	require.NoError(t, err)
	h := limit(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		d, _ := httplimit.FromContext(r.Context())
		told = append(told, d)
	}))
	w := do(h, "/", "X-User: 7")
	require.Equal(t, []string{`"default";r=2;t=1`}, field(w, "RateLimit"))
	require.Equal(t, []string{`"default";q=60;w=60`}, field(w, "RateLimit-Policy"))
	use(t, h, 2, "/", "X-User: 7")
	w = do(h, "/", "X-User: 7")
	require.Equal(t, 429, w.Code)
	require.Equal(t, []string{"1"}, field(w, "Retry-After"))
	require.Contains(t, w.Body.String(), `"violated-policies":["default"]`)
	use(t, h, 1, "/", "X-User: 8")
	require.Equal(t, 403, do(h, "/").Code, "without a key")
	require.Len(t, told, 4)
	require.Equal(t, 2, told[0].Standings[0].Remaining)
	require.Equal(t, 0, told[2].Standings[0].Remaining)
	clock.Set(t0.Add(time.Second))
	use(t, h, 1, "/", "X-User: 7")
}

// unpeekable is a store that only takes, as those of package redislimit.
type unpeekable struct{ table *keyed.Table[string] }

func (s unpeekable) TakeAt(t time.Time, key string, n int) ratelimit.Decision {
	return s.table.TakeAt(t, key, n)
}

func (s unpeekable) Clock() ratelimit.Clock { return s.table.Clock() }

// A store that cannot be asked when there is one more has said so if it has refused just that.
func TestPerKeyOfAStoreWithoutPeekAt(t *testing.T) {
	clock := limittest.NewClock(t0)
	table := ratelimit.Must(keyed.NewGCRA[string](ratelimit.PerMinute(60), 3, 1000, keyed.WithClock(clock)))
	cost := 1
	limit := ratelimit.Must(httplimit.PerKey(unpeekable{table}, httplimit.Header("X-User"), httplimit.IETF(11),
		httplimit.Cost(func(*http.Request) int { return cost })))
	h := limit(fine)
	for _, want := range []struct {
		cost      int
		ratelimit string
	}{
		{1, `"default";r=2`}, {3, `"default";r=2;t=1`}, {1, `"default";r=1`}, {3, `"default";r=1`}, {4, `"default";r=1`},
		{1, `"default";r=0`}, {1, `"default";r=0;t=1`}, {2, `"default";r=0`},
	} {
		cost = want.cost
		require.Equal(t, []string{want.ratelimit}, field(do(h, "/", "X-User: 7"), "RateLimit"), "%+v", want)
	}
}

func TestPerKeyInEachDialect(t *testing.T) {
	for name, dialect := range dialects {
		clock := limittest.NewClock(t0)
		m := ratelimit.Must(keyed.NewMap(10, func(netip.Addr) (ratelimit.Limiter, error) {
			return fixedwindow.NewAligned(ratelimit.PerMinute(2), ratelimit.WithClock(clock))
		}, keyed.WithClock(clock)))
		limit, err := httplimit.PerKey(m, func(r *http.Request) (netip.Addr, bool) {
			peer, err := netip.ParseAddrPort(r.RemoteAddr)
			return peer.Addr(), err == nil
		}, dialect)
		require.NoError(t, err)
		h := limit(fine)
		use(t, h, 2, "/")
		w := do(h, "/")
		require.GreaterOrEqual(t, w.Code, 400, name)
		require.Equal(t, []string{"60"}, field(w, "Retry-After"), name)
		if w.Header().Get("Content-Type") != "text/plain; charset=utf-8" {
			require.True(t, jsonValid(w.Body.String()), name)
		}
	}
}

func TestPerKeyCost(t *testing.T) {
	table := ratelimit.Must(keyed.NewGCRA[int](ratelimit.PerMinute(60), 10, 1000, keyed.WithClock(limittest.NewClock(t0))))
	cost := 0
	limit, err := httplimit.PerKey(table, func(*http.Request) (int, bool) { return 1, true }, httplimit.WillItTrack,
		httplimit.Cost(func(*http.Request) int { return cost }))
	require.NoError(t, err)
	h := limit(fine)
	require.Equal(t, []string{"9"}, field(do(h, "/"), "X-RateLimit-Remaining"))
	cost = 4
	require.Equal(t, []string{"5"}, field(do(h, "/"), "X-RateLimit-Remaining"))
	cost = 11
	w := do(h, "/")
	require.Equal(t, 429, w.Code)
	require.Empty(t, field(w, "Retry-After"))
	require.Contains(t, w.Body.String(), `"message":"Rate limit exceeded."`)
	cost = -1
	require.Equal(t, 429, do(h, "/").Code)
}

func TestErrorsOfPerKey(t *testing.T) {
	table := ratelimit.Must(keyed.NewGCRA[string](ratelimit.PerMinute(60), 10, 1000))
	key := httplimit.Header("X-User")
	fail := func(want string, err error) {
		t.Helper()
		var argument *ratelimit.ArgumentError
		require.ErrorAs(t, err, &argument)
		require.EqualError(t, err, want)
	}
	_, err := httplimit.PerKey((*keyed.Table[string])(nil), key, httplimit.Trakt)
	fail("httplimit.PerKey: store is nil, want a limit for each key, such as a keyed.Table", err)
	_, err = httplimit.PerKey(table, nil, httplimit.Trakt)
	fail("httplimit.PerKey: key is nil, want a function, such as an Attribute", err)
	_, err = httplimit.PerKey(table, key, nil)
	fail("httplimit.PerKey: dialect is nil, want a dialect, such as IETF(11)", err)
	_, err = httplimit.PerKey(table, key, httplimit.IETF(9))
	fail("httplimit.IETF: draft is 9, want 6, 7 or 11", err)
	_, err = httplimit.PerKey(table, key, httplimit.Trakt, httplimit.TestHeaders())
	fail("httplimit.PerKey: TestHeaders is true, want no such option: it is for a policy", err)
	_, err = httplimit.PerKey(table, key, httplimit.Trakt, httplimit.Estimate(func(*http.Request) []policy.Amount { return nil }))
	fail("httplimit.PerKey: Estimate is true, want no such option: it is for a policy", err)
}

// What a store could not decide is no refusal.
func TestPerKeyUndecided(t *testing.T) {
	noPlan := errors.New("no plan")
	clock := limittest.NewClock(t0)
	full := ratelimit.Must(keyed.NewMap(1, func(string) (ratelimit.Limiter, error) {
		return gcra.New(ratelimit.PerMinute(1), 5, ratelimit.WithClock(clock))
	}, keyed.WithClock(clock)))
	require.True(t, full.Allow("somebody else"))
	broken := ratelimit.Must(keyed.NewMap(10, func(string) (ratelimit.Limiter, error) { return nil, noPlan }, keyed.WithClock(clock)))
	for _, c := range []struct {
		store *keyed.Map[string]
		want  string
		by    int
	}{
		{full, "httplimit: the store has no place for the key", keyed.Full},
		{broken, "httplimit: the store has no limiter for the key: no plan", keyed.NoLimiter},
	} {
		for _, told := range []*reports{nil, {}, {answer: 500}, {answer: 500, proceed: true}, {proceed: true}} {
			var opts []httplimit.Option
			if told != nil {
				opts = append(opts, httplimit.OnError(told.onError))
			}
			limit, err := httplimit.PerKey(c.store, httplimit.Header("X-User"), httplimit.Trakt, opts...)
			require.NoError(t, err)
			w := do(limit(fine), "/", "X-User: 7")
			switch {
			case told == nil:
				require.Equal(t, 503, w.Code)
				continue
			case told.answer != 0:
				require.Equal(t, 500, w.Code)
				require.Empty(t, w.Body.String(), "one answer is enough")
			case told.proceed:
				require.Equal(t, "fine", w.Body.String(), "without limits")
			default:
				require.Equal(t, 503, w.Code)
			}
			require.Len(t, told.all, 1)
			var failed *httplimit.StoreError
			require.ErrorAs(t, told.all[0], &failed)
			require.Equal(t, c.by, failed.By)
			require.EqualError(t, failed, c.want)
			require.Equal(t, c.by == keyed.NoLimiter, errors.Is(failed, noPlan))
		}
	}
	for by, want := range map[int]string{
		keyed.Late: "httplimit: the clock is behind what the store has seen", keyed.Ahead: "httplimit: the request's time is far ahead of the store's clock",
		keyed.NoLimiter: "httplimit: the store has no limiter for the key", -9: "httplimit: the store could not decide (-9)",
	} {
		require.EqualError(t, &httplimit.StoreError{By: by}, want)
	}
}
