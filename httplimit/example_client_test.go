package httplimit_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"time"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/gcra"
	"github.com/seed-3506548a/ratelimit/httplimit"
)

// skipping is a clock that whoever waits sets forward, so that examples take no time.
type skipping struct{ now time.Time }

func (c *skipping) Now() time.Time { return c.now }

func (c *skipping) After(d time.Duration) <-chan time.Time {
	c.now = c.now.Add(d)
	over := make(chan time.Time, 1)
	over <- c.now
	return over
}

// busy returns a server that refuses every third request.
func busy() *httptest.Server {
	requests := 0
	return httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if requests++; requests%3 == 0 {
			w.Header().Set("Retry-After", "30")
			w.WriteHeader(http.StatusTooManyRequests)
			return
		}
		_, _ = fmt.Fprintln(w, "answer", requests)
	}))
}

func ExampleTransport() {
	server := busy()
	defer server.Close()
	clock := ratelimit.WithClock(&skipping{now: time.Now()}) // only here: leave it out

	client := &http.Client{Transport: &httplimit.Transport{
		Limiter: ratelimit.Must(gcra.New(ratelimit.PerMinute(60), 2, clock)), // as the API's documentation says
		On429: func(e *httplimit.RefusedError) {
			fmt.Println(e.Request.Method, e.Request.URL.Path, "refused:", e.Status)
		},
		OnWait: func(_ *http.Request, d time.Duration) { fmt.Println("waiting", d) },
	}}
	for range 3 {
		resp, err := client.Get(server.URL + "/shows")
		if err != nil {
			fmt.Println(err)
			return
		}
		_, _ = io.Copy(os.Stdout, resp.Body)
		_ = resp.Body.Close()
	}
	// Output:
	// answer 1
	// answer 2
	// waiting 1s
	// GET /shows refused: 429
	// waiting 30s
	// answer 4
}

// A request that would have to wait longer than its context allows is not sent.
func ExampleRefusedError() {
	server := busy()
	defer server.Close()
	client := &http.Client{Transport: &httplimit.Transport{Tries: 1}}
	get := func(ctx context.Context) error {
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, server.URL, http.NoBody)
		if err != nil {
			return err
		}
		resp, err := client.Do(r)
		if err != nil {
			return err
		}
		fmt.Println(resp.Status)
		return resp.Body.Close()
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	for range 4 {
		if err := get(ctx); err != nil {
			var refused *httplimit.RefusedError
			fmt.Println(errors.As(err, &refused), errors.Is(err, context.DeadlineExceeded))
		}
	}
	// Output:
	// 200 OK
	// 200 OK
	// 429 Too Many Requests
	// true true
}

func ExampleAsRefused() {
	server := busy()
	defer server.Close()
	client := &http.Client{Transport: &httplimit.Transport{Tries: 1}} // a refusal is not sent again
	for range 3 {
		resp, err := client.Get(server.URL)
		if err != nil {
			fmt.Println(err)
			return
		}
		if refused, ok := httplimit.AsRefused(resp); ok {
			fmt.Println("again in", time.Until(refused.Next).Round(time.Second))
		}
		_ = resp.Body.Close()
	}
	// Output:
	// again in 30s
}

func ExampleRead() {
	header := http.Header{}
	header.Set("Date", "Sat, 10 Oct 2020 00:23:50 GMT")
	header.Set("X-Ratelimit", `{"name":"UNAUTHED_API_GET_LIMIT","period":300,"limit":1000,"remaining":0,"until":"2020-10-10T00:24:00Z"}`)
	header.Set("X-RateLimit-Remaining-Tokens", "149984")
	header.Set("X-RateLimit-Reset-Tokens", "6m0s")
	header.Set("Retry-After", "Sat, 10 Oct 2020 00:24:00 GMT")
	for _, r := range httplimit.Read(header, time.Now()) {
		fmt.Printf("%q: %d of %d left, more in %v, retry after %v\n", r.Name, r.Remaining, r.Limit, r.Reset, r.RetryAfter)
	}
	// Output:
	// "tokens": 149984 of -1 left, more in 6m0s, retry after 0s
	// "UNAUTHED_API_GET_LIMIT": 0 of 1000 left, more in 10s, retry after 0s
	// "": -1 of -1 left, more in 0s, retry after 10s
}
