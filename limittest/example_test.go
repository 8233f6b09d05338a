package limittest_test

import (
	"fmt"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/gcra"
	"github.com/seed-3506548a/ratelimit/limittest"
)

// In a test, the error is for t.Fatal.
func Example() {
	err := limittest.TestLimiter(func(opts ...ratelimit.Option) (ratelimit.Limiter, error) {
		return gcra.New(ratelimit.PerSecond(10), 5, opts...)
	})
	fmt.Println(err)
	// Output: <nil>
}
