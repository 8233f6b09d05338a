package examples

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/go-chi/chi/v5/middleware"
	"github.com/gorilla/mux"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/httplimit"
	"github.com/seed-3506548a/ratelimit/limittest"
	"github.com/seed-3506548a/ratelimit/policy"
)

// newEngine returns an engine of a policy: two requests a minute of each user to each route.
func newEngine() *policy.Engine {
	p, err := policy.Parse([]byte(`{"rules": [
		{"name": "health", "match": ["/health"], "mode": "exempt"},
		{"name": "api", "key": ["user|ip", "route"], "missing": "share",
			"limits": [{"name": "minute", "rate": "2/min", "as": "aligned"}]}
	]}`))
	if err != nil {
		panic(err)
	}
	clock := limittest.NewClock(time.Date(2026, 3, 2, 8, 0, 0, 0, time.UTC)) // in a server: without
	return ratelimit.Must(policy.New(p, 100_000, policy.WithClock(clock)))
}

var rateLimit = "RateLimit" // as it is written; Header.Get would look for Ratelimit

// show prints what a client sees.
func show(h http.Handler, target, user string) {
	r := httptest.NewRequest(http.MethodGet, target, nil)
	r.Header.Set("X-User", user)
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	fmt.Println(target, w.Code, strings.Join(w.Header()[rateLimit], ""))
}

func letter(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "Dear reader") }

// With chi, r.Use puts the limit in front of all routes. The route is not known yet by then: it is
// looked up, so that each letter is not counted by itself.
func Example_chi() {
	r := chi.NewRouter()
	route := func(request *http.Request) (string, bool) {
		found := chi.NewRouteContext()
		if !r.Match(found, request.Method, request.URL.Path) {
			return "", false
		}
		return request.Method + " " + found.RoutePattern(), true
	}
	limit, err := httplimit.Middleware(newEngine(), httplimit.Attributes{
		"user": httplimit.Header("X-User"), "ip": httplimit.ClientIP().Prefix(32, 64), "route": route,
	}, httplimit.IETF(11))
	if err != nil {
		panic(err)
	}
	r.Use(middleware.RequestID, middleware.Recoverer, limit)
	r.Get("/letters/{id}", letter)
	r.Route("/admin", func(r chi.Router) { r.Get("/letters/{id}", letter) })
	r.Get("/health", letter)

	show(r, "/letters/1", "alice")
	show(r, "/letters/2", "alice")
	show(r, "/letters/3", "alice")
	show(r, "/admin/letters/1", "alice")
	show(r, "/letters/1", "bob")
	show(r, "/health", "alice")
	// Output:
	// /letters/1 200 "minute";r=1;t=60
	// /letters/2 200 "minute";r=0;t=60
	// /letters/3 429 "minute";r=0;t=60
	// /admin/letters/1 200 "minute";r=1;t=60
	// /letters/1 200 "minute";r=1;t=60
	// /health 200
}

// With gorilla/mux, a middleware runs when the route is known.
func Example_gorilla() {
	r := mux.NewRouter()
	route := func(request *http.Request) (string, bool) {
		current := mux.CurrentRoute(request)
		if current == nil {
			return "", false
		}
		template, err := current.GetPathTemplate()
		return request.Method + " " + template, err == nil
	}
	limit, err := httplimit.Middleware(newEngine(), httplimit.Attributes{
		"user": httplimit.Header("X-User"), "ip": httplimit.ClientIP().Prefix(32, 64), "route": route,
	}, httplimit.IETF(11))
	if err != nil {
		panic(err)
	}
	r.Use(limit)
	r.HandleFunc("/letters/{id}", letter).Methods(http.MethodGet)
	r.PathPrefix("/admin").Subrouter().HandleFunc("/letters/{id}", letter)
	r.HandleFunc("/health", letter)

	show(r, "/letters/1", "alice")
	show(r, "/letters/2", "alice")
	show(r, "/letters/3", "alice")
	show(r, "/admin/letters/1", "alice")
	show(r, "/health", "alice")
	// Output:
	// /letters/1 200 "minute";r=1;t=60
	// /letters/2 200 "minute";r=0;t=60
	// /letters/3 429 "minute";r=0;t=60
	// /admin/letters/1 200 "minute";r=1;t=60
	// /health 200
}

// With the mux of the standard library, around all of it.
func Example_serveMux() {
	r := http.NewServeMux()
	r.HandleFunc("GET /letters/{id}", letter)
	r.HandleFunc("GET /admin/letters/{id}", letter)
	limit, err := httplimit.Middleware(newEngine(), httplimit.Attributes{
		"user": httplimit.Header("X-User"), "ip": httplimit.ClientIP().Prefix(32, 64), "route": httplimit.Route(r),
	}, httplimit.IETF(11))
	if err != nil {
		panic(err)
	}
	h := limit(r)

	show(h, "/letters/1", "alice")
	show(h, "/letters/2", "alice")
	show(h, "/letters/3", "alice")
	show(h, "/admin/letters/1", "alice")
	show(h, "/nothing/1", "alice")
	show(h, "/nothing/2", "alice")
	show(h, "/nothing/3", "alice")
	// Output:
	// /letters/1 200 "minute";r=1;t=60
	// /letters/2 200 "minute";r=0;t=60
	// /letters/3 429 "minute";r=0;t=60
	// /admin/letters/1 200 "minute";r=1;t=60
	// /nothing/1 404 "minute";r=1;t=60
	// /nothing/2 404 "minute";r=0;t=60
	// /nothing/3 429 "minute";r=0;t=60
}
