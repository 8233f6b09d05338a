package ratelimit_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strconv"
	"time"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/gcra"
	"github.com/seed-3506548a/ratelimit/limittest"
	"github.com/seed-3506548a/ratelimit/slidingwindow"
)

// guard answers 429 to requests that the limiter refuses, with a Retry-After header.
func guard(limiter ratelimit.Limiter, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		d := limiter.Take(1)
		if d.OK {
			next.ServeHTTP(w, r)
			return
		}
		if d.RetryAfter != ratelimit.Never {
			seconds := int64((d.RetryAfter + time.Second - 1) / time.Second) // rounded up
			w.Header().Set("Retry-After", strconv.FormatInt(seconds, 10))
		}
		http.Error(w, "too many requests", http.StatusTooManyRequests)
	})
}

// A handler that serves 90 requests a minute, 2 of them at once.
func Example_guard() {
	clock := limittest.NewClock(time.Unix(0, 0)) // a server needs no clock: the system's is the default
	limiter := ratelimit.Must(gcra.New(ratelimit.PerMinute(90), 2, ratelimit.WithClock(clock)))
	handler := guard(limiter, http.NotFoundHandler())
	for range 3 {
		response := httptest.NewRecorder()
		handler.ServeHTTP(response, httptest.NewRequest(http.MethodGet, "/", nil))
		fmt.Printf("%d %q\n", response.Code, response.Header().Get("Retry-After"))
	}
	// Output:
	// 404 ""
	// 404 ""
	// 429 "1"
}

// paced sends no faster than the limiter grants.
type paced struct {
	limiter ratelimit.Limiter
	next    http.RoundTripper
}

func (p paced) RoundTrip(r *http.Request) (*http.Response, error) {
	if err := ratelimit.Wait(r.Context(), p.limiter, 1); err != nil {
		return nil, err
	}
	return p.next.RoundTrip(r)
}

// A client that sends at most one request a second. It fails at once if it would have to wait
// beyond its deadline.
func Example_client() {
	now := &virtual{time.Unix(0, 0)} // a client needs no clock: the system's is the default
	start := now.Now()
	api := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		fmt.Println("asked after", now.Now().Sub(start))
	}))
	defer api.Close()
	limiter := ratelimit.Must(gcra.New(ratelimit.PerSecond(1), 1, ratelimit.WithClock(now)))
	client := http.Client{Transport: paced{limiter, http.DefaultTransport}}
	for range 3 {
		response, err := client.Get(api.URL)
		if err != nil {
			fmt.Println(err)
			return
		}
		_ = response.Body.Close()
	}
	// Output:
	// asked after 0s
	// asked after 1s
	// asked after 2s
}

// virtual is a clock that jumps to the time that a caller waits for.
type virtual struct{ now time.Time }

func (v *virtual) Now() time.Time { return v.now }

func (v *virtual) After(d time.Duration) <-chan time.Time {
	v.now = v.now.Add(d)
	woken := make(chan time.Time, 1)
	woken <- v.now
	return woken
}

func ExampleWait() {
	limiter := ratelimit.Must(gcra.New(ratelimit.PerMinute(10), 1))
	limiter.Allow()
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	err := ratelimit.Wait(ctx, limiter, 1) // granted in 6 s: it returns at once
	fmt.Println(context.Cause(ctx), err != nil)
	fmt.Println(errors.Is(ratelimit.Wait(ctx, limiter, 2), ratelimit.ErrNever))
	// Output:
	// <nil> true
	// true
}

// 50 an hour and 600 a day, both at once.
func ExampleAll() {
	clock := limittest.NewClock(time.Unix(0, 0))
	perHour := ratelimit.Must(slidingwindow.NewLog(ratelimit.PerHour(50), ratelimit.WithClock(clock)))
	perDay := ratelimit.Must(slidingwindow.NewLog(ratelimit.PerDay(600), ratelimit.WithClock(clock)))
	limiter := ratelimit.Must(ratelimit.All(perHour, perDay))
	for {
		for limiter.Allow() {
		}
		d := limiter.Take(1)
		fmt.Printf("limit %d binds for %v\n", d.By, d.RetryAfter)
		if d.By == 1 {
			return
		}
		clock.Advance(d.RetryAfter)
	}
	// Output:
	// limit 0 binds for 1h0m0s
	// limit 0 binds for 1h0m0s
	// limit 0 binds for 1h0m0s
	// limit 0 binds for 1h0m0s
	// limit 0 binds for 1h0m0s
	// limit 0 binds for 1h0m0s
	// limit 0 binds for 1h0m0s
	// limit 0 binds for 1h0m0s
	// limit 0 binds for 1h0m0s
	// limit 0 binds for 1h0m0s
	// limit 0 binds for 1h0m0s
	// limit 1 binds for 13h0m0s
}

// Events that were granted and did not happen are given back. The time of the grant is read once,
// so that it is known exactly at the refund.
func ExampleLimiter_refund() {
	clock := limittest.NewClock(time.Unix(0, 0))
	var limiter ratelimit.Limiter = ratelimit.Must(gcra.New(ratelimit.PerMinute(60), 10, ratelimit.WithClock(clock)))
	send := func() error {
		clock.Advance(200 * time.Millisecond)
		return errors.New("connection refused")
	}

	t := limiter.Clock().Now()
	if !limiter.TakeAt(t, 3).OK {
		return
	}
	if err := send(); err != nil {
		now := limiter.Clock().Now()
		limiter.RefundAt(now, 3, now.Sub(t))
		fmt.Println(err)
	}
	d := limiter.PeekAt(limiter.Clock().Now(), 0)
	fmt.Println(d.Remaining, "of", d.Limit, "remain")
	// Output:
	// connection refused
	// 10 of 10 remain
}

func ExampleParseRate() {
	rate, err := ratelimit.ParseRate("1000/5m")
	fmt.Println(rate.Events, rate.Per, err)
	_, err = ratelimit.ParseRate("many")
	fmt.Println(err != nil)
	// Output:
	// 1000 5m0s <nil>
	// true
}

// A limit that the configuration can switch off.
func ExampleUnlimited() {
	for _, limit := range []int{0, 1} {
		limiter := ratelimit.Unlimited()
		if limit > 0 {
			limiter = ratelimit.Must(gcra.New(ratelimit.PerHour(limit), limit))
		}
		fmt.Println(limiter.Allow(), limiter.Allow())
	}
	// Output:
	// true true
	// true false
}
