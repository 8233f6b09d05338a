package httplimit_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"time"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/httplimit"
	"github.com/seed-3506548a/ratelimit/keyed"
	"github.com/seed-3506548a/ratelimit/limittest"
	"github.com/seed-3506548a/ratelimit/policy"
)

// show prints what a client sees of a request by a user.
func show(h http.Handler, user string) {
	r := httptest.NewRequest(http.MethodGet, "/v1/letters", nil)
	r.Header.Set("X-User", user)
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	fmt.Println(w.Code, field(w, "RateLimit"), field(w, "Retry-After"))
}

var hello = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = fmt.Fprintln(w, "hello") })

// A limit for each user: 60 a minute, two of them at once. X-User is set by what has authenticated
// the request, and never by the client.
func Example() {
	clock := limittest.NewClock(time.Date(2026, 3, 2, 8, 0, 0, 0, time.UTC)) // in a server: without

	p, err := policy.Parse([]byte(`{"rules": [
		{"name": "api", "match": ["/v1/"], "key": ["user"], "limits": [{"name": "minute", "rate": "60/min", "as": "gcra", "burst": 2}]}
	]}`))
	if err != nil {
		panic(err)
	}
	engine, err := policy.New(p, 100_000, policy.WithClock(clock))
	if err != nil {
		panic(err)
	}
	limit, err := httplimit.Middleware(engine, httplimit.Attributes{"user": httplimit.Header("X-User")}, httplimit.IETF(11))
	if err != nil {
		panic(err)
	}
	handler := limit(hello)

	show(handler, "alice")
	show(handler, "alice")
	show(handler, "alice")
	show(handler, "bob")
	// Output:
	// 200 ["minute";r=1;t=1] []
	// 200 ["minute";r=0;t=1] []
	// 429 ["minute";r=0;t=1] [1]
	// 200 ["minute";r=1;t=1] []
}

// authenticate stands for what a service has.
func authenticate(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("X-User") == "" {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// Addresses are counted before the authentication, which costs a lot, and users after it. The
// addresses that fail to authenticate are counted by these failures, and shut out after three.
func ExampleMiddleware_addressBeforeAuthentication() {
	clock := limittest.NewClock(time.Date(2026, 3, 2, 8, 0, 0, 0, time.UTC)) // in a server: without
	engine := func(document string) *policy.Engine {
		p, err := policy.Parse([]byte(document))
		if err != nil {
			panic(err)
		}
		return ratelimit.Must(policy.New(p, 100_000, policy.WithClock(clock)))
	}
	before := engine(`{"rules": [{"name": "addresses", "key": ["ip"], "limits": [
		{"name": "second", "rate": "100/s", "as": "gcra"},
		{"name": "logins", "rate": "3/10m", "as": "log", "count": ["401"]}
	]}]}`)
	after := engine(`{"rules": [{"name": "users", "key": ["user"], "limits": [{"name": "minute", "rate": "60/min", "as": "gcra"}]}]}`)

	behind := netip.MustParsePrefix("10.0.0.0/8") // the network of one's own proxies
	addresses, err := httplimit.Middleware(before, httplimit.Attributes{"ip": httplimit.ClientIP(behind).Prefix(32, 64)}, httplimit.IETF(11))
	if err != nil {
		panic(err)
	}
	users, err := httplimit.Middleware(after, httplimit.Attributes{"user": httplimit.Header("X-User")}, httplimit.IETF(11))
	if err != nil {
		panic(err)
	}
	handler := addresses(authenticate(users(hello)))

	show(handler, "alice")
	for range 4 {
		show(handler, "")
	}
	show(handler, "alice") // she has the same address
	// Output:
	// 200 ["minute";r=59;t=1] []
	// 401 ["second";r=98;t=1] []
	// 401 ["second";r=97;t=1] []
	// 401 ["second";r=96;t=1] []
	// 429 ["logins";r=0;t=600] [600]
	// 429 ["logins";r=0;t=600] [600]
}

type userKey struct{}

// userOf returns the user of a request, which identify has found.
func userOf(r *http.Request) (string, bool) {
	user, ok := r.Context().Value(userKey{}).(string)
	return user, ok
}

// identify stands for what a service has. It refuses nobody.
func identify(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if user := r.Header.Get("X-User"); user != "" { // in a server: if a token is valid, its user
			r = r.WithContext(context.WithValue(r.Context(), userKey{}, user))
		}
		next.ServeHTTP(w, r)
	})
}

// requireUser answers 401 to strangers.
func requireUser(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, ok := userOf(r); !ok {
			http.Error(w, "a token, please", http.StatusUnauthorized)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// Users have one limit each, and requests without a user have another one, by their address. The
// 401 for strangers comes from behind the limit, so it is limited, too.
func ExampleMiddleware_usersAndStrangers() {
	clock := limittest.NewClock(time.Date(2026, 3, 2, 8, 0, 0, 0, time.UTC)) // in a server: without

	p, err := policy.Parse([]byte(`{"rules": [
		{"name": "users", "when": ["user"], "key": ["user"],
			"limits": [{"name": "minute", "rate": "90/min", "as": "gcra", "burst": 10}]},
		{"name": "strangers", "when": ["!user"], "key": ["ip"],
			"limits": [{"name": "minute", "rate": "10/min", "as": "gcra", "burst": 2}]}
	]}`))
	if err != nil {
		panic(err)
	}
	engine, err := policy.New(p, 100_000, policy.WithClock(clock))
	if err != nil {
		panic(err)
	}
	mux := http.NewServeMux()
	mux.Handle("GET /v1/letters", hello)
	limit := ratelimit.Must(httplimit.Middleware(engine, httplimit.Attributes{
		"user": userOf,
		"ip":   httplimit.ClientIP().Prefix(32, 64),
	}, httplimit.IETF(11)))
	handler := identify(limit(requireUser(mux)))

	show(handler, "alice")
	for range 3 {
		show(handler, "")
	}
	show(handler, "alice") // at the same address
	show(handler, "bob")
	// Output:
	// 200 ["minute";r=9;t=1] []
	// 401 ["minute";r=1;t=6] []
	// 401 ["minute";r=0;t=6] []
	// 429 ["minute";r=0;t=6] [6]
	// 200 ["minute";r=8;t=1] []
	// 200 ["minute";r=9;t=1] []
}

// One limit for each address needs no policy.
func ExamplePerKey() {
	clock := limittest.NewClock(time.Date(2026, 3, 2, 8, 0, 0, 0, time.UTC)) // in a server: without

	table, err := keyed.NewGCRA[string](ratelimit.PerMinute(90), 2, 100_000, keyed.WithClock(clock))
	if err != nil {
		panic(err)
	}
	limit, err := httplimit.PerKey(table, httplimit.ClientIP().Prefix(32, 64), httplimit.IETF(11))
	if err != nil {
		panic(err)
	}
	handler := limit(hello)

	show(handler, "")
	show(handler, "")
	show(handler, "")
	// Output:
	// 200 ["default";r=1;t=1] []
	// 200 ["default";r=0;t=1] []
	// 429 ["default";r=0;t=1] [1]
}

// Tokens of a language model: the estimate is charged before, and the rest when it is known.
func ExampleSettle() {
	clock := limittest.NewClock(time.Date(2026, 3, 2, 8, 0, 0, 0, time.UTC)) // in a server: without

	p, err := policy.Parse([]byte(`{"rules": [{"name": "completions", "key": ["user"],
		"limits": [{"name": "tokens", "rate": "1000/min", "as": "anchored", "of": "tokens"}]}]}`))
	if err != nil {
		panic(err)
	}
	engine := ratelimit.Must(policy.New(p, 100_000, policy.WithClock(clock)))
	limit, err := httplimit.Middleware(engine, httplimit.Attributes{"user": httplimit.Header("X-User")}, httplimit.IETF(11),
		httplimit.Estimate(func(*http.Request) []policy.Amount {
			return []policy.Amount{{Name: "tokens", N: 300}}
		}))
	if err != nil {
		panic(err)
	}
	handler := limit(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		httplimit.Settle(r.Context(), "tokens", 100) // what it took in the end
	}))

	show(handler, "alice") // 300 are charged, of which 200 come back
	show(handler, "alice")
	// Output:
	// 200 ["tokens";r=700;t=60] []
	// 200 ["tokens";r=600;t=60] []
}

// OnError says what becomes of requests about which nothing can be decided: here they are served.
func ExampleOnError() {
	logger := slog.New(slog.NewTextHandler(os.Stdout, &slog.HandlerOptions{ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey || a.Key == slog.MessageKey {
			return slog.Attr{}
		}
		return a
	}}))
	p, err := policy.Parse([]byte(`{"rules": [{"name": "api", "key": ["ip"], "limits": [{"name": "minute", "rate": "60/min", "as": "gcra"}]}]}`))
	if err != nil {
		panic(err)
	}
	engine := ratelimit.Must(policy.New(p, 100_000))
	limit, err := httplimit.Middleware(engine, httplimit.Attributes{"ip": httplimit.ClientIP()}, httplimit.IETF(11),
		httplimit.OnError(func(_ http.ResponseWriter, _ *http.Request, err error) bool {
			logger.Error("rate limit", "err", err)
			return true
		}))
	if err != nil {
		panic(err)
	}
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r.Header.Set("X-Forwarded-For", "203.0.113.9")
	w := httptest.NewRecorder()
	limit(hello).ServeHTTP(w, r)
	fmt.Print(w.Body)
	// Output:
	// level=ERROR err="httplimit: there is X-Forwarded-For, and ClientIP trusts no proxy: name yours"
	// hello
}

// A dialect of your own: refusals are JSON, as the other errors of the API are.
func ExampleFields() {
	dialect := httplimit.Fields{
		Limit: "X-Rate-Limit-Limit", Remaining: "X-Rate-Limit-Remaining", Reset: "X-Rate-Limit-Reset", Unit: httplimit.Seconds,
		Body: func(w http.ResponseWriter, _ *http.Request, d *policy.Decision) {
			refusal := map[string]any{"refused_by": d.Action}
			if d.Binding >= 0 {
				refusal["limit"] = d.Standings[d.Binding].Name // its name in the policy; PerKey says "default"
			}
			if d.RetryAfter != ratelimit.Never { // else no wait helps, and there is no Retry-After
				refusal["retry_after"] = json.Number(w.Header().Get("Retry-After")) // whole seconds
			}
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(httplimit.Status(d)) // 429, or 403 without a key
			_ = json.NewEncoder(w).Encode(refusal)
		},
	}
	clock := limittest.NewClock(time.Date(2026, 3, 2, 8, 0, 15, 0, time.UTC)) // in a server: without
	table := ratelimit.Must(keyed.NewAlignedWindow[string](ratelimit.PerMinute(1), 100_000, keyed.WithClock(clock)))
	limit, err := httplimit.PerKey(table, httplimit.Header("X-User"), dialect)
	if err != nil {
		panic(err)
	}
	handler := limit(hello)
	for _, user := range []string{"alice", "alice", ""} {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.Header.Set("X-User", user)
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, r)
		fmt.Print(w.Code, w.Header()["X-Rate-Limit-Remaining"], w.Header()["X-Rate-Limit-Reset"], w.Header()["Retry-After"], " ", w.Body)
	}
	// Output:
	// 200 [0] [45] [] hello
	// 429 [0] [45] [45] {"limit":"default","refused_by":"limit","retry_after":45}
	// 403 [] [] [] {"refused_by":"missing"}
}
