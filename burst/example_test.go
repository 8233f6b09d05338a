package burst_test

import (
	"fmt"
	"time"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/burst"
	"github.com/seed-3506548a/ratelimit/gcra"
)

// 90 a minute, all of which may come at once as far as the minute is concerned, but no more than 10
// in any second.
func ExampleNew() {
	perMinute := ratelimit.Must(gcra.New(ratelimit.PerMinute(90), 90))
	limiter := ratelimit.Must(burst.New(perMinute, ratelimit.PerSecond(10)))
	now := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	fmt.Println(limiter.TakeAt(now, 10).OK)
	d := limiter.TakeAt(now, 1)
	fmt.Println(d.OK, d.RetryAfter)
	// Output:
	// true
	// false 1s
}
