package httplimit_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
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

// What a client or a StripPrefix leaves without a slash at its front is a path, as for a ServeMux.
func TestTargetsWithoutASlash(t *testing.T) {
	slashes := `{"rules": [{"name": "health", "match": ["/health"], "mode": "exempt"}, {"name": "api", "match": ["/"],
		"limits": [{"name": "all", "rate": "1/s", "as": "gcra"}]}]}`
	for _, target := range []string{"http://other.example", "HEAD http://other.example?x", "OPTIONS http://other.example", "GET http:v1", "GET *"} {
		e, _ := newEngine(t, slashes)
		h := limited(t, e, httplimit.IETF(11), fine)
		require.Equal(t, "200 OK", wire(t, h, target).status, target)
		require.Equal(t, "429 Too Many Requests", wire(t, h, target).status, target)
	}
	e, _ := newEngine(t, slashes)
	h := limited(t, e, httplimit.IETF(11), fine)
	require.Equal(t, 200, do(h, "CONNECT example.com:80").Code)
	require.Equal(t, 200, do(h, "OPTIONS *").Code)
	h = http.StripPrefix("/v1/", h)
	for range 2 {
		require.Equal(t, 200, do(h, "/v1/health").Code, "its path is health")
	}
	require.Equal(t, 200, do(h, "/v1/x%2Fy").Code)
	require.Equal(t, 429, do(h, "/v1/").Code)
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
