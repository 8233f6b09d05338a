package httplimit_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/httplimit"
	"github.com/seed-3506548a/ratelimit/keyed"
	"github.com/seed-3506548a/ratelimit/limittest"
	"github.com/seed-3506548a/ratelimit/policy"
)

// onePerSecond is a policy of one limit, with what else a rule has.
func onePerSecond(limit, more string) string {
	return `{"rules": [{"name": "api", ` + more + ` "limits": [{"name": "all", "rate": "1/s", "as": "gcra"` + limit + `}]}]}`
}

func TestErrorsOfMiddleware(t *testing.T) {
	e, _ := newEngine(t, onePerSecond("", `"key": ["user|ip"],`))
	who := httplimit.Attributes{"user": httplimit.Header("X-User"), "ip": httplimit.ClientIP()}
	good := httplimit.IETF(11)
	var noDialect httplimit.Dialect
	var nilFields *httplimit.Fields
	fail := func(want string, e *policy.Engine, who httplimit.Attributes, dialect httplimit.Dialect, opts ...httplimit.Option) {
		t.Helper()
		limit, err := httplimit.Middleware(e, who, dialect, opts...)
		var argument *ratelimit.ArgumentError
		require.ErrorAs(t, err, &argument)
		require.EqualError(t, err, want)
		require.Nil(t, limit)
	}
	fail("httplimit.Middleware: engine is nil, want an engine", nil, who, good)
	fail("httplimit.Middleware: dialect is nil, want a dialect, such as IETF(11)", e, who, noDialect)
	fail("httplimit.Middleware: dialect is nil, want a dialect, such as IETF(11)", e, who, nilFields)
	fail(`httplimit.Middleware: who["ip"] is nil, want an attribute, as the policy names it`, e, httplimit.Attributes{"user": who["user"]}, good)
	fail(`httplimit.Middleware: who["user"] is nil, want an attribute, as the policy names it`, e, httplimit.Attributes{"ip": who["ip"]}, good)
	fail(`httplimit.Middleware: who["user"] is nil, want an attribute`, e, httplimit.Attributes{"user": nil}, good)
	fail("httplimit.Middleware: opts[1] is nil, want an option", e, who, good, httplimit.Jitter(1), nil)
	fail("httplimit.Middleware: Jitter is 0, want 1 to 100", e, who, good, httplimit.Jitter(0))
	fail("httplimit.Middleware: Jitter is 101, want 1 to 100", e, who, good, httplimit.Jitter(101))
	fail("httplimit.Middleware: Cost is nil, want a function", e, who, good, httplimit.Cost(nil))
	fail("httplimit.Middleware: Estimate is nil, want a function", e, who, good, httplimit.Estimate(nil))
	fail("httplimit.Middleware: OnError is nil, want a function", e, who, good, httplimit.OnError(nil))
	fail(`httplimit.Fields: Reset is "X Reset", want the name of a header field that no other one has, other than Retry-After`,
		e, who, httplimit.Fields{Reset: "X Reset"})
	fail(`httplimit.Fields: Used is "x-limit", want the name of a header field that no other one has, other than Retry-After`,
		e, who, httplimit.Fields{Limit: "X-Limit", Used: "x-limit"})
	fail(`httplimit.Fields: Limit is "retry-after", want the name of a header field that no other one has, other than Retry-After`,
		e, who, httplimit.Fields{Limit: "retry-after"})
	fail("httplimit.Fields: Unit is 4, want UnixSeconds, Seconds, RFC3339 or HTTPDate", e, who, httplimit.Fields{Unit: 4})
	fail("httplimit.Fields: Status is 200, want 400 to 599, or 0 for 429", e, who, httplimit.Fields{Status: 200})

	none, _ := newEngine(t, onePerSecond("", ""))
	_, err := httplimit.Middleware(none, nil, good)
	require.NoError(t, err, "the policy names no attribute")
}

// An attribute may need what an authentication before it has put into the context. It is probed
// without that.
func TestProbesMayPanic(t *testing.T) {
	e, _ := newEngine(t, onePerSecond("", `"key": ["user"],`))
	type key struct{}
	calls := 0
	_, err := httplimit.Middleware(e, httplimit.Attributes{"user": func(r *http.Request) (string, bool) {
		calls++
		require.NotNil(t, r.URL)
		require.NotNil(t, r.Body)
		require.NotEmpty(t, r.RemoteAddr)
		return r.Context().Value(key{}).(string), true
	}}, httplimit.IETF(11))
	require.NoError(t, err)
	require.Equal(t, 1, calls)
}

// A refusal is one response, and its handler does not run.
func TestOneResponse(t *testing.T) {
	for name, dialect := range dialects {
		e, _ := newEngine(t, onePerSecond("", ""))
		served := 0
		h := limited(t, e, dialect, http.HandlerFunc(func(http.ResponseWriter, *http.Request) { served++ }))
		do(h, "/")
		w := &once{ResponseRecorder: httptest.NewRecorder()}
		h.ServeHTTP(w, request("/"))
		require.Equal(t, 1, served, name)
		require.Equal(t, 1, w.heads, name)
		require.GreaterOrEqual(t, w.Code, 400, name)
		require.Equal(t, []string{"1"}, field(w.ResponseRecorder, "Retry-After"), name)
	}
}

// once counts how often the head of a response is written.
type once struct {
	*httptest.ResponseRecorder
	heads int
}

func (o *once) WriteHeader(status int) {
	o.heads++
	o.ResponseRecorder.WriteHeader(status)
}

// What was granted stays charged when the handler panics or the client is gone, and the panic goes
// on to the server.
func TestChargedIsCharged(t *testing.T) {
	e, _ := newEngine(t, onePerSecond("", ""))
	abort := limited(t, e, httplimit.IETF(11), http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }))
	require.PanicsWithValue(t, http.ErrAbortHandler, func() { do(abort, "/") })
	require.Equal(t, 429, do(abort, "/").Code)

	e, clock := newEngine(t, onePerSecond("", ""))
	h := limited(t, e, httplimit.IETF(11), fine)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	w := httptest.NewRecorder()
	h.ServeHTTP(w, request("/").WithContext(ctx))
	require.Equal(t, 200, w.Code)
	require.Equal(t, 429, do(h, "/").Code)
	clock.Set(t0.Add(time.Second - 1))
	require.Equal(t, 429, do(h, "/").Code, "a refusal charges nothing, nor does it")
	clock.Set(t0.Add(time.Second))
	require.Equal(t, 200, do(h, "/").Code)
}

// Fields that something before has set are replaced, in whatever case they are written, and others
// are left alone.
func TestHeadersAreSet(t *testing.T) {
	e, _ := newEngine(t, onePerSecond("", ""))
	inner := limited(t, e, httplimit.GitHub, fine)
	h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header()["X-Ratelimit-Limit"] = []string{"a", "b"}
		w.Header()["x-ratelimit-limit"] = []string{"c"}
		w.Header().Set("Retry-After", "120")
		w.Header().Set("Content-Length", "4")
		w.Header().Set("Access-Control-Allow-Origin", "*")
		inner.ServeHTTP(w, r)
	})
	for range 2 {
		w := do(h, "/")
		require.Equal(t, []string{"1"}, field(w, "X-RateLimit-Limit"))
		require.Equal(t, []string{"*"}, field(w, "Access-Control-Allow-Origin"), "or no script could read the refusal")
	}
	w := do(h, "/")
	require.Equal(t, 403, w.Code)
	require.Equal(t, []string{"1"}, field(w, "Retry-After"))
	require.Empty(t, field(w, "Content-Length"))
}

// A request that no rule is for, and one that is exempt, has none of the fields.
func TestNotLimited(t *testing.T) {
	e, _ := newEngine(t, `{"rules": [{"name": "health", "match": ["/health"], "mode": "exempt"}, {"name": "api", "match": ["/v1/"],
		"limits": [{"name": "all", "rate": "1/s", "as": "gcra"}]}]}`)
	h := limited(t, e, httplimit.IETF(11), fine)
	for range 3 {
		for _, target := range []string{"/health", "/other", "/v2/v1/"} {
			w := do(h, target)
			require.Equal(t, 200, w.Code)
			require.Equal(t, http.Header{"Content-Type": {"text/plain; charset=utf-8"}}, w.Header())
		}
	}
}

// The path that the rules match is the one that is served, however it is written.
func TestTargets(t *testing.T) {
	for _, target := range []string{"//v1/x", "/./v1/x", "/a/../v1/x", "/v1//x", "/v1/x?a=/health", "/%76%31/x", "/v1/%2e%2e/x", "/v1/a%2Fb", "http://other.example/v1/x", "POST /v1/x", "OPTIONS /v1/x"} {
		e, _ := newEngine(t, `{"rules": [{"name": "health", "match": ["/health"], "mode": "exempt"}, {"name": "api", "match": ["/v1/"],
			"limits": [{"name": "all", "rate": "1/s", "as": "gcra"}]}]}`)
		h := limited(t, e, httplimit.IETF(11), fine)
		require.Equal(t, 200, do(h, target).Code, target)
		require.Equal(t, 429, do(h, target).Code, target)
		require.Equal(t, 200, do(h, "OPTIONS *").Code)
		require.Equal(t, 200, do(h, "/health").Code)
	}
	e, _ := newEngine(t, onePerSecond("", ""))
	h := limited(t, e, httplimit.IETF(11), fine)
	require.Equal(t, 200, do(h, "OPTIONS *").Code)
	require.Equal(t, 429, do(h, "OPTIONS *").Code, "a rule without patterns is for all")
}

func TestMissing(t *testing.T) {
	for missing, want := range map[string][]int{"": {403, 403}, `"missing": "skip",`: {200, 200}, `"missing": "share",`: {200, 429}} {
		for name, dialect := range dialects {
			e, _ := newEngine(t, onePerSecond("", `"key": ["user"], `+missing))
			h := limited(t, e, dialect, fine)
			for _, code := range want {
				w := do(h, "/")
				if code == 429 && name == "GitHub" {
					code = 403
				}
				require.Equal(t, code, w.Code, "%s, %s", missing, name)
				if missing != "" {
					continue
				}
				require.Empty(t, w.Header().Get("Retry-After"))
				if w.Header().Get("Content-Type") == "application/json" {
					requireJSON(t, w.Body.String())
				}
			}
		}
	}
}

func TestCost(t *testing.T) {
	e, _ := newEngine(t, `{"costs": [{"match": ["POST /"], "n": 5}], "rules": [{"name": "api", "limits": [{"name": "all", "rate": "10/s", "as": "gcra"}]}]}`)
	cost := 0
	h := limited(t, e, httplimit.WillItTrack, fine, httplimit.Cost(func(*http.Request) int { return cost }))
	remaining := func(target string) string { return strings.Join(field(do(h, target), "X-RateLimit-Remaining"), "") }
	require.Equal(t, "9", remaining("/"))
	require.Equal(t, "4", remaining("POST /"), "the policy's")
	cost = 3
	require.Equal(t, "1", remaining("POST /"))
	cost = -1
	require.Equal(t, 429, do(h, "/").Code)

	e, _ = newEngine(t, `{"costs": [{"n": 5}], "rules": [{"name": "api", "limits": [{"name": "all", "rate": "10/s", "as": "gcra"}]}]}`)
	h = limited(t, e, httplimit.WillItTrack, fine)
	require.Equal(t, "5", remaining("/"), "without the option, the policy's")
}

func TestJitter(t *testing.T) {
	e, _ := newEngine(t, `{"rules": [{"name": "api", "limits": [{"name": "all", "rate": "1/1000s", "as": "gcra"}]}]}`)
	h := limited(t, e, httplimit.AniList, fine, httplimit.Jitter(10))
	use(t, h, 1, "/")
	seen := map[string]bool{}
	for range 200 {
		w := do(h, "/")
		after := w.Header().Get("Retry-After")
		seen[after] = true
		require.GreaterOrEqual(t, after, "1000")
		require.LessOrEqual(t, after, "1100")
		require.Len(t, after, 4)
	}
	require.Greater(t, len(seen), 20)

	e, _ = newEngine(t, onePerSecond("", `"key": ["user"],`))
	h = limited(t, e, httplimit.AniList, fine, httplimit.Jitter(100))
	require.Empty(t, do(h, "/").Header().Get("Retry-After"), "never stays never")
}

// Of two middlewares, each charges its own engine, and the inner one is told.
func TestTwoEngines(t *testing.T) {
	addresses, _ := newEngine(t, `{"rules": [{"name": "addresses", "key": ["ip"], "limits": [{"name": "all", "rate": "3/s", "as": "gcra"}]}]}`)
	users, _ := newEngine(t, `{"rules": [{"name": "users", "key": ["user"], "limits": [{"name": "all", "rate": "1/s", "as": "gcra"}]}]}`)
	var told *policy.Decision
	h := limited(t, addresses, httplimit.GitHub, limited(t, users, httplimit.GitHub, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		told, _ = httplimit.FromContext(r.Context())
	}), httplimit.OnError(never(t))), httplimit.OnError(never(t)))
	require.Equal(t, []string{"users"}, field(do(h, "/", "X-User: 7"), "X-RateLimit-Resource"))
	require.Equal(t, "users", told.Standings[0].Rule)
	require.Equal(t, 403, do(h, "/", "X-User: 7").Code, "by the inner one; the outer one is charged")
	require.Equal(t, 200, do(h, "/", "X-User: 8").Code)
	w := do(h, "/", "X-User: 9")
	require.Equal(t, []string{"addresses"}, field(w, "X-RateLimit-Resource"))
	require.Equal(t, 403, w.Code)
}

// never fails the test when OnError is called.
func never(t testing.TB) func(http.ResponseWriter, *http.Request, error) bool {
	return func(_ http.ResponseWriter, _ *http.Request, err error) bool {
		t.Errorf("OnError: %v", err)
		return true
	}
}

// reports collects what OnError is told.
type reports struct {
	mutex   sync.Mutex
	all     []error
	proceed bool
	answer  int
}

func (o *reports) onError(w http.ResponseWriter, _ *http.Request, err error) bool {
	o.mutex.Lock()
	defer o.mutex.Unlock()
	o.all = append(o.all, err)
	if o.answer != 0 {
		w.WriteHeader(o.answer)
	}
	return o.proceed
}

func TestTheSameEngineTwice(t *testing.T) {
	e, clock := newEngine(t, `{"rules": [{"name": "api", "limits": [{"name": "all", "rate": "1000/s", "as": "gcra"}]}]}`)
	told := reports{proceed: true}
	h := limited(t, e, httplimit.WillItTrack, limited(t, e, httplimit.WillItTrack, fine, httplimit.OnError(told.onError)), httplimit.OnError(told.onError))
	for i := range 5 {
		require.Equal(t, []string{itoa(998 - 2*i)}, field(do(h, "/"), "X-RateLimit-Remaining"), "charged twice")
	}
	require.Equal(t, []error{httplimit.ErrTwice}, told.all, "once")

	// Not to proceed answers the request, the first time.
	told = reports{}
	clock.Set(t0.Add(time.Hour))
	h = limited(t, e, httplimit.WillItTrack, limited(t, e, httplimit.WillItTrack, fine, httplimit.OnError(told.onError)))
	w := do(h, "/")
	require.Equal(t, 503, w.Code)
	require.Equal(t, "Service Unavailable\n", w.Body.String(), "and nothing else")
	require.Equal(t, 200, do(h, "/").Code)

	// Without OnError nobody is told, and between them may be what it will.
	between := limited(t, e, httplimit.WillItTrack, fine)
	h = limited(t, e, httplimit.WillItTrack, http.TimeoutHandler(http.StripPrefix("/a", between), time.Hour, ""))
	require.Equal(t, 200, do(h, "/a/b").Code)
}

func TestNobodyIsTrusted(t *testing.T) {
	e, _ := newEngine(t, `{"rules": [{"name": "api", "key": ["ip"], "limits": [{"name": "all", "rate": "1000/s", "as": "gcra"}]}]}`)
	serve := func(ip httplimit.Attribute, told *reports) http.Handler {
		limit, err := httplimit.Middleware(e, httplimit.Attributes{"ip": ip, "unused": httplimit.ClientIP()}, httplimit.IETF(11), httplimit.OnError(told.onError))
		require.NoError(t, err)
		return limit(fine)
	}
	for _, ip := range []httplimit.Attribute{httplimit.ClientIP(), httplimit.ClientIP().Prefix(24, 64), httplimit.ClientIP().Hash()} {
		told := reports{proceed: true}
		h := serve(ip, &told)
		use(t, h, 2, "/")
		require.Empty(t, told.all)
		use(t, h, 3, "/", "X-Forwarded-For: 203.0.113.9")
		require.Equal(t, []error{httplimit.ErrTrustsNobody}, told.all)
	}
	told := reports{proceed: true}
	use(t, serve(httplimit.ClientIP(prefix("192.0.2.0/24")), &told), 1, "/", "X-Forwarded-For: 203.0.113.9")
	use(t, serve(httplimit.Header("X-Forwarded-For"), &told), 1, "/", "X-Forwarded-For: 203.0.113.9")
	require.Empty(t, told.all, "somebody is, or the user has chosen to believe it")
	h := serve(httplimit.ClientIP(), &reports{})
	require.Equal(t, 503, do(h, "/", "X-Forwarded-For: 203.0.113.9").Code, "not to proceed")
	require.Equal(t, 200, do(h, "/", "X-Forwarded-For: 203.0.113.9").Code)
}

// Neither is it by PerKey, which says so, too.
func TestNobodyIsTrustedByPerKey(t *testing.T) {
	table := ratelimit.Must(keyed.NewGCRA[string](ratelimit.PerMinute(60), 60, 100, keyed.WithClock(limittest.NewClock(t0))))
	serve := func(key httplimit.Attribute, opts ...httplimit.Option) http.Handler {
		return ratelimit.Must(httplimit.PerKey(table, key, httplimit.IETF(11), opts...))(fine)
	}
	own := func(r *http.Request) (string, bool) { return httplimit.ClientIP()(r) }
	for _, key := range []httplimit.Attribute{httplimit.ClientIP(), httplimit.ClientIP().Prefix(24, 64), own} {
		told := reports{proceed: true}
		h := serve(key, httplimit.OnError(told.onError))
		use(t, h, 2, "/")
		require.Empty(t, told.all)
		use(t, h, 3, "/", "X-Forwarded-For: 203.0.113.9")
		require.Equal(t, []error{httplimit.ErrTrustsNobody}, told.all)
	}
	told := reports{proceed: true}
	use(t, serve(httplimit.ClientIP(prefix("192.0.2.0/24")), httplimit.OnError(told.onError)), 1, "/", "X-Forwarded-For: 203.0.113.9")
	require.Empty(t, told.all)
	use(t, serve(httplimit.ClientIP()), 1, "/", "X-Forwarded-For: 203.0.113.9")
	told = reports{}
	h := serve(httplimit.ClientIP(), httplimit.OnError(told.onError))
	before := table.PeekAt(t0, "192.0.2.1", 1).Remaining
	require.Equal(t, 503, do(h, "/", "X-Forwarded-For: 203.0.113.9").Code, "not to proceed")
	require.Equal(t, before, table.PeekAt(t0, "192.0.2.1", 1).Remaining, "nothing is charged")
	require.Equal(t, 200, do(h, "/", "X-Forwarded-For: 203.0.113.9").Code)
}

// A policy may be replaced by one that names what nobody provides. Then each request is an error.
func TestReplacedByAPolicyOfOtherAttributes(t *testing.T) {
	const want = `httplimit.Middleware: who["tenant"] is nil, want an attribute, as the policy names it`
	for _, c := range []struct {
		told *reports
		code int
	}{
		{nil, 503}, // fail closed
		{&reports{}, 503},
		{&reports{answer: 500}, 500},
		{&reports{answer: 500, proceed: true}, 500}, // one response
		{&reports{proceed: true}, 403},              // decided without a tenant: it is missing
	} {
		e, _ := newEngine(t, onePerSecond("", `"key": ["user"],`))
		var opts []httplimit.Option
		if c.told != nil {
			opts = append(opts, httplimit.OnError(c.told.onError))
		}
		served := 0
		h := limited(t, e, httplimit.IETF(11), http.HandlerFunc(func(http.ResponseWriter, *http.Request) { served++ }), opts...)
		require.Equal(t, 200, do(h, "/", "X-User: 7").Code)
		p := e.Policy()
		p.Rules[0].Key = []string{"tenant"}
		require.NoError(t, e.Replace(p))
		for range 3 {
			w := do(h, "/", "X-User: 7")
			require.Equal(t, c.code, w.Code)
			if c.code == 503 {
				require.Equal(t, "Service Unavailable\n", w.Body.String(), "and nothing else")
			}
		}
		require.Equal(t, 1, served)
		if c.told != nil {
			require.Len(t, c.told.all, 3)
			require.EqualError(t, c.told.all[0], want)
		}
		p.Rules[0].Key = []string{"client"}
		require.NoError(t, e.Replace(p))
		require.Equal(t, 200, do(h, "/", "X-Client: app").Code, "and that is over with the policy")
	}
}

// A Replace while requests are decided loses none of them: here between the plan and the decision.
func TestReplacedMeanwhile(t *testing.T) {
	e, _ := newEngine(t, onePerSecond("", `"key": ["user"],`))
	next := e.Policy()
	next.Rules[0].Key = []string{"plan"}
	next.Rules[0].Limits[0].Name = "failures"
	next.Rules[0].Limits[0].Count = []string{"4xx"}
	replaced := false
	limit, err := httplimit.Middleware(e, httplimit.Attributes{
		"user": func(*http.Request) (string, bool) {
			if !replaced {
				replaced = true
				if err := e.Replace(next); err != nil {
					t.Error(err)
				}
			}
			return "7", true
		},
		"plan": func(*http.Request) (string, bool) { return "free", true },
	}, httplimit.IETF(11))
	require.NoError(t, err)
	replaced = false // what the probe has done
	require.NoError(t, e.Replace(mustParse(t, onePerSecond("", `"key": ["user"],`))))
	h := limit(http.NotFoundHandler())
	require.Equal(t, 404, do(h, "/").Code, "it has a plan, as the new policy wants")
	require.True(t, replaced)
	require.Equal(t, 429, do(h, "/").Code, "and its 404 was counted")
}

func mustParse(t testing.TB, document string) policy.Policy {
	t.Helper()
	p, err := policy.Parse([]byte(document))
	require.NoError(t, err)
	return p
}

// With NoContext a handler gets the request as it came, unless a limit is settled after it.
func TestNoContext(t *testing.T) {
	var served *http.Request
	next := http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { served = r })
	table, err := keyed.NewGCRA[string](ratelimit.PerSecond(1), 2, 100)
	require.NoError(t, err)
	perKey, err := httplimit.PerKey(table, httplimit.Header("X-User"), httplimit.IETF(11), httplimit.NoContext())
	require.NoError(t, err)
	granting, _ := newEngine(t, onePerSecond("", ""))
	settling, _ := newEngine(t, onePerSecond(`, "count": ["404"]`, ""))
	for name, h := range map[string]http.Handler{
		"PerKey":     perKey(next),
		"Middleware": limited(t, granting, httplimit.IETF(11), next, httplimit.NoContext()),
		"settled":    limited(t, settling, httplimit.IETF(11), next, httplimit.NoContext()),
	} {
		r, w := request("/", "X-User: alice"), httptest.NewRecorder()
		h.ServeHTTP(w, r)
		require.NotEmpty(t, field(w, "RateLimit-Policy"), name)
		_, ok := httplimit.FromContext(served.Context())
		require.Equal(t, name == "settled", ok || served != r, name)
	}
}

// The handler finds the decision in its context, as a copy that it may keep.
func TestFromContext(t *testing.T) {
	type visitor struct{}
	_, ok := httplimit.FromContext(t.Context())
	require.False(t, ok)
	e, _ := newEngine(t, `{"rules": [{"name": "api", "limits": [{"name": "all", "rate": "3/s", "as": "gcra"}]}]}`)
	var kept []*policy.Decision
	var late []context.Context
	ask := true
	h := limited(t, e, httplimit.IETF(11), http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if ask {
			d, _ := httplimit.FromContext(context.WithValue(r.Context(), visitor{}, 7))
			again, _ := httplimit.FromContext(r.Context())
			kept = append(kept, d, again)
		}
		late = append(late, r.Context())
	}))
	for i := range 3 {
		ask = i < 2
		do(h, "/")
	}
	require.Len(t, kept, 4)
	for i, d := range kept {
		require.True(t, d.OK)
		require.Equal(t, 2-i/2, d.Standings[0].Remaining, "others have been decided since")
		again, _ := httplimit.FromContext(late[i/2])
		require.Same(t, d, again)
	}
	_, ok = httplimit.FromContext(late[2])
	require.False(t, ok, "the handler has returned, and had not asked")
	require.False(t, httplimit.Settle(late[2], "tokens", 1))
}

func TestCountedByStatus(t *testing.T) {
	for _, c := range []struct {
		name  string
		serve http.HandlerFunc
		count string
		want  bool
	}{
		{"a status", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(401) }, "401", true},
		{"another", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(403) }, "401", false},
		{"the first counts", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(403); w.WriteHeader(401) }, "401", false},
		{"an early hint is none", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(103); w.WriteHeader(401) }, "401", true},
		{"nothing is 200", func(http.ResponseWriter, *http.Request) {}, "200", true},
		{"a write is 200", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(nil); w.WriteHeader(401) }, "200", true},
		{"a string is 200", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, ""); w.WriteHeader(401) }, "200", true},
		{"a flush is 200", func(w http.ResponseWriter, _ *http.Request) { w.(http.Flusher).Flush(); w.WriteHeader(401) }, "200", true},
		{"a controller's is, too", func(w http.ResponseWriter, _ *http.Request) {
			_ = http.NewResponseController(w).Flush()
			w.WriteHeader(401)
		}, "200", true},
		{"a panic is 500", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, "500", true},
		{"a panic after a status is not", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(404); panic(http.ErrAbortHandler) }, "500", false},
		{"but the status counts, with a panic", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(404); panic(http.ErrAbortHandler) }, "4xx", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			e, clock := newEngine(t, onePerSecond(`, "count": ["`+c.count+`"]`, ""))
			h := limited(t, e, httplimit.IETF(11), c.serve)
			if strings.Contains(c.name, "panic") {
				require.PanicsWithValue(t, http.ErrAbortHandler, func() { do(h, "/") })
			} else {
				do(h, "/")
			}
			again := limited(t, e, httplimit.IETF(11), fine)
			require.Equal(t, c.want, do(again, "/").Code == 429)
			clock.Set(t0.Add(time.Hour))
			require.Equal(t, 200, do(again, "/").Code)
		})
	}
}

// Amounts: the estimate before, and afterwards what the handler says, or what the middleware has
// counted of bytes.
// A request without a body stays one, also if bytes are counted.
func TestNoBodyIsNoBody(t *testing.T) {
	e, _ := newEngine(t, `{"rules": [{"name": "api", "limits": [{"name": "minute", "rate": "1000/min", "as": "anchored", "of": "bytes"}]}]}`)
	var body io.ReadCloser
	h := limited(t, e, httplimit.IETF(11), http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { body = r.Body }))
	for _, came := range []io.ReadCloser{http.NoBody, nil} {
		r := request("/")
		r.Body = came
		h.ServeHTTP(httptest.NewRecorder(), r)
		require.Equal(t, came, body)
	}
}

func TestAmounts(t *testing.T) {
	read := func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		_, _ = w.Write(make([]byte, 10))
		_, _ = io.WriteString(w, "0123456789")
		_, _ = io.Copy(w, struct{ io.Reader }{strings.NewReader("0123456789")})
	}
	for _, c := range []struct {
		name, of  string
		estimate  int
		serve     http.HandlerFunc
		remaining int // of 1000
	}{
		{"no estimate, nothing said", "tokens", 0, fine, 1000},
		{"an estimate, nothing said", "tokens", 100, fine, 900},
		{"said", "tokens", 0, func(_ http.ResponseWriter, r *http.Request) { httplimit.Settle(r.Context(), "tokens", 70) }, 930},
		{"less than estimated", "tokens", 100, func(_ http.ResponseWriter, r *http.Request) { httplimit.Settle(r.Context(), "tokens", 70) }, 930},
		{"more than estimated", "tokens", 100, func(_ http.ResponseWriter, r *http.Request) { httplimit.Settle(r.Context(), "tokens", 170) }, 830},
		{"the last counts", "tokens", 100, func(_ http.ResponseWriter, r *http.Request) {
			httplimit.Settle(r.Context(), "tokens", 700)
			httplimit.Settle(r.Context(), "tokens", 7)
		}, 993},
		{"the last counts, also if it is negative", "tokens", 100, func(_ http.ResponseWriter, r *http.Request) {
			for _, n := range []int{700, -7} {
				if !httplimit.Settle(r.Context(), "tokens", n) {
					t.Error("nobody is waiting for it")
				}
			}
		}, 1000},
		{"negative", "tokens", 100, func(_ http.ResponseWriter, r *http.Request) { httplimit.Settle(r.Context(), "tokens", -7) }, 1000},
		{"something else", "tokens", 100, func(_ http.ResponseWriter, r *http.Request) { httplimit.Settle(r.Context(), "images", 7) }, 900},
		{"said before a panic", "tokens", 100, func(_ http.ResponseWriter, r *http.Request) {
			httplimit.Settle(r.Context(), "tokens", 70)
			panic(http.ErrAbortHandler)
		}, 930},
		{"bytes", "bytes", 0, read, 1000 - 500 - 30},
		{"bytes read", "bytes-in", 0, read, 1000 - 500},
		{"bytes written", "bytes-out", 0, read, 1000 - 30},
		{"more bytes than estimated", "bytes", 100, read, 1000 - 500 - 30},
		{"bytes that are not read", "bytes-in", 0, fine, 1000},
		{"bytes, as the handler counts them", "bytes", 0, func(w http.ResponseWriter, r *http.Request) {
			read(w, r)
			httplimit.Settle(r.Context(), "bytes", 1)
		}, 999},
	} {
		t.Run(c.name, func(t *testing.T) {
			e, _ := newEngine(t, `{"rules": [{"name": "api", "key": ["client"], "limits": [{"name": "minute", "rate": "1000/min", "as": "anchored", "of": "`+c.of+`"}]}]}`)
			h := limited(t, e, httplimit.IETF(11), c.serve, httplimit.Estimate(func(*http.Request) []policy.Amount {
				if c.estimate == 0 {
					return nil
				}
				return []policy.Amount{{Name: c.of, N: c.estimate}}
			}))
			func() {
				defer func() { _ = recover() }()
				r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(strings.Repeat("x", 500)))
				r.Header.Set("X-Client", "app")
				h.ServeHTTP(httptest.NewRecorder(), r)
			}()
			var d policy.Decision
			e.Peek(&policy.Request{Attrs: []policy.Attr{{Name: "client", Value: "app"}}, Amounts: []policy.Amount{{Name: c.of, N: 0}}}, &d)
			require.Equal(t, c.remaining, d.Standings[0].Remaining)
		})
	}
}

// Settle reaches all engines of a chain, and returns false where nobody waits for it.
func TestSettleReachesAll(t *testing.T) {
	require.False(t, httplimit.Settle(t.Context(), "tokens", 1))
	document := `{"rules": [{"name": "api", "limits": [{"name": "minute", "rate": "1000/min", "as": "anchored", "of": "tokens"}]}]}`
	outer, _ := newEngine(t, document)
	inner, _ := newEngine(t, document)
	var said bool
	h := limited(t, outer, httplimit.IETF(11), limited(t, inner, httplimit.IETF(11), http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		var group sync.WaitGroup
		group.Go(func() { said = httplimit.Settle(r.Context(), "tokens", 100) })
		group.Wait()
	})))
	do(h, "/")
	require.True(t, said)
	for _, e := range []*policy.Engine{outer, inner} {
		var d policy.Decision
		e.Peek(&policy.Request{Amounts: []policy.Amount{{Name: "tokens"}}}, &d)
		require.Equal(t, 900, d.Standings[0].Remaining)
	}
}
