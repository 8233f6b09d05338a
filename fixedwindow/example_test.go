package fixedwindow_test

import (
	"fmt"
	"time"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/fixedwindow"
)

// 60 requests in each full minute, as many HTTP APIs count them.
func ExampleNewAligned() {
	limiter := ratelimit.Must(fixedwindow.NewAligned(ratelimit.PerMinute(60)))
	now := time.Date(2026, 1, 1, 12, 0, 45, 0, time.UTC)
	fmt.Println(limiter.TakeAt(now, 60).OK)
	d := limiter.TakeAt(now, 1)
	fmt.Println(d.OK, d.RetryAfter)
	// Output:
	// true
	// false 15s
}

// 1000 requests a week that begins on Monday, at midnight UTC.
func ExampleNewAlignedTo() {
	monday := time.Date(2026, 1, 5, 0, 0, 0, 0, time.UTC)
	limiter := ratelimit.Must(fixedwindow.NewAlignedTo(ratelimit.Per(1000, 7*24*time.Hour), monday))
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC) // a Sunday
	fmt.Println(limiter.TakeAt(now, 1000).OK)
	fmt.Println(now.Add(limiter.TakeAt(now, 1).RetryAfter).Format("Monday 15:04"))
	// Output:
	// true
	// Monday 00:00
}

// 1000 requests in 5 minutes, counted from the first.
func ExampleNewAnchored() {
	limiter := ratelimit.Must(fixedwindow.NewAnchored(ratelimit.Per(1000, 5*time.Minute)))
	now := time.Date(2026, 1, 1, 12, 0, 45, 0, time.UTC)
	fmt.Println(limiter.TakeAt(now, 1000).Remaining)
	fmt.Println(limiter.TakeAt(now.Add(time.Minute), 1).RetryAfter)
	// Output:
	// 0
	// 4m0s
}
