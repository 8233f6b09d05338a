package penalty_test

import (
	"fmt"
	"time"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/gcra"
	"github.com/seed-3506548a/ratelimit/penalty"
)

// Two requests at once, and one a second; after a request too many, nothing for a minute.
func ExampleNew() {
	perSecond := ratelimit.Must(gcra.New(ratelimit.PerSecond(1), 2))
	limiter := ratelimit.Must(penalty.New(perSecond, time.Minute))
	now := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	for _, after := range []time.Duration{0, 0, 0, 30 * time.Second, 60 * time.Second} {
		d := limiter.TakeAt(now.Add(after), 1)
		fmt.Println(after, d.OK, d.RetryAfter)
	}
	// Output:
	// 0s true 0s
	// 0s true 0s
	// 0s false 1m0s
	// 30s false 30s
	// 1m0s true 0s
}
