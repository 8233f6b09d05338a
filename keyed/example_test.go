package keyed_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"time"

	"github.com/benbjohnson/clock"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/keyed"
)

// perUser answers 429 to users beyond their limit. The function user returns the user of a request.
func perUser(users *keyed.Table[string], user func(*http.Request) string, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !users.Allow(user(r)) {
			http.Error(w, "too many requests", http.StatusTooManyRequests)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// A guard for net/http: each user may send 90 requests a minute, 2 of them at once. Up to 100,000
// users may be live at a time.
func ExampleNewGCRA() {
	mock := clock.NewMock() // in a server leave WithClock out, for the system's clock
	users := ratelimit.Must(keyed.NewGCRA[string](ratelimit.PerMinute(90), 2, 100_000, keyed.WithClock(mock)))
	byHeader := func(r *http.Request) string { return r.Header.Get("X-User") }
	handler := perUser(users, byHeader, http.NotFoundHandler())
	for _, user := range []string{"ann", "ann", "ann", "bob"} {
		request := httptest.NewRequest(http.MethodGet, "/", nil)
		request.Header.Set("X-User", user)
		response := httptest.NewRecorder()
		handler.ServeHTTP(response, request)
		fmt.Println(user, response.Code)
	}
	// Output:
	// ann 404
	// ann 404
	// ann 429
	// bob 404
}

// 60 requests in each full minute, for each address and endpoint, as the API of WillItTrack has it.
func ExampleNewAlignedWindow() {
	type endpoint struct {
		address netip.Addr
		route   string
	}
	mock := clock.NewMock()
	limits := ratelimit.Must(keyed.NewAlignedWindow[endpoint](ratelimit.PerMinute(60), 10_000, keyed.WithClock(mock)))
	home := netip.MustParseAddr("192.0.2.1")
	fmt.Println(limits.Take(endpoint{home, "/v1/items"}, 60).OK)
	fmt.Println(limits.Take(endpoint{home, "/v1/items"}, 1).RetryAfter)
	fmt.Println(limits.Take(endpoint{home, "/v1/batches"}, 1).OK)
	// Output:
	// true
	// 1m0s
	// true
}

// A crawler waits for its turn at each host. For several limits of one request, see [keyed.Group].
func ExampleTable_Limiter() {
	hosts := ratelimit.Must(keyed.NewGCRA[string](ratelimit.PerMinute(10), 1, 1000))
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	for _, host := range []string{"a.example", "b.example", "a.example"} {
		err := ratelimit.Wait(ctx, hosts.Limiter(host), 1) // the third is due in 6 s: it fails at once
		fmt.Println(host, err == nil)
	}
	// Output:
	// a.example true
	// b.example true
	// a.example false
}

// Customers have different plans. The table has the rate of the fastest, and all plans have the same
// burst/rate, so that a customer that changes its plan waits for one event at most.
func ExampleTable_TakeLimitAt() {
	mock := clock.NewMock()
	users := ratelimit.Must(keyed.NewGCRA[string](ratelimit.PerMinute(600), 50, 1000, keyed.WithClock(mock)))
	basic := ratelimit.Must(users.Limit(ratelimit.PerMinute(60), 5)) // once
	fmt.Println(users.Take("ann", 50).OK)
	fmt.Println(users.TakeLimitAt(mock.Now(), "bob", 50, basic).OK)
	fmt.Println(users.LimiterBy("bob", basic).Take(5).OK)
	fmt.Println(users.Take("bob", 1).RetryAfter) // he has the fast plan now
	// Output:
	// true
	// false
	// true
	// 100ms
}

// A customer changes its plan within a window. Windows count events, so what it has used counts
// against its new limit, and the rest is there at once.
func ExampleTable_Limit() {
	mock := clock.NewMock()
	users := ratelimit.Must(keyed.NewAlignedWindow[string](ratelimit.PerMinute(600), 1000, keyed.WithClock(mock)))
	basic := ratelimit.Must(users.Limit(ratelimit.PerMinute(60), 60)) // burst is the events of a window
	fmt.Println(users.TakeLimitAt(users.Clock().Now(), "ann", 60, basic).Remaining)
	fmt.Println(users.Take("ann", 1).Remaining)
	fmt.Println(users.TakeLimitAt(users.Clock().Now(), "ann", 1, basic).RetryAfter)
	// Output:
	// 0
	// 539
	// 1m0s
}
