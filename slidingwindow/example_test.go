package slidingwindow_test

import (
	"fmt"
	"time"

	"github.com/benbjohnson/clock"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/slidingwindow"
)

// 50 requests in any hour, as PrayerLetters counts them: who has used them up waits until the first
// of them is an hour old.
func ExampleNewLog() {
	limiter := ratelimit.Must(slidingwindow.NewLog(ratelimit.PerHour(50)))
	now := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	for range 50 {
		limiter.TakeAt(now, 1)
		now = now.Add(time.Minute)
	}
	fmt.Println(limiter.TakeAt(now, 1).RetryAfter)
	fmt.Println(limiter.TakeAt(now, 3).RetryAfter)
	// Output:
	// 10m0s
	// 12m0s
}

// A million in any minute, in a kilobyte: the window moves by a second at a time.
func ExampleNewCounter() {
	mock := clock.NewMock() // buckets are counted from when the limiter was made
	limiter := ratelimit.Must(slidingwindow.NewCounter(ratelimit.PerMinute(1_000_000), 60, ratelimit.WithClock(mock)))
	now := mock.Now().Add(500 * time.Millisecond)
	fmt.Println(limiter.TakeAt(now, 1_000_000).OK)
	now = now.Add(time.Minute)
	fmt.Println(limiter.TakeAt(now, 1).OK)
	fmt.Println(limiter.TakeAt(now.Add(time.Second), 1).OK)
	// Output:
	// true
	// false
	// true
}
