package tokenbucket_test

import (
	"fmt"
	"time"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/tokenbucket"
)

// A bucket of 10 tokens, into which one comes back every 100 ms.
func ExampleNew() {
	limiter := ratelimit.Must(tokenbucket.New(ratelimit.PerSecond(10), 10))
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	fmt.Println(limiter.TakeAt(now, 8).Remaining)
	fmt.Println(limiter.PeekAt(now.Add(500*time.Millisecond), 0).Remaining)
	// Output:
	// 2
	// 7
}

// A bucket of 10 tokens, into which 10 come back at the end of each second.
func ExampleNewInterval() {
	limiter := ratelimit.Must(tokenbucket.NewInterval(ratelimit.PerSecond(10), 10))
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	fmt.Println(limiter.TakeAt(now, 8).Remaining)
	fmt.Println(limiter.PeekAt(now.Add(500*time.Millisecond), 0).Remaining)
	fmt.Println(limiter.PeekAt(now.Add(time.Second), 0).Remaining)
	// Output:
	// 2
	// 2
	// 10
}
