package keyed_test

import (
	"fmt"

	"github.com/benbjohnson/clock"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/keyed"
	"github.com/seed-3506548a/ratelimit/slidingwindow"
)

// 50 requests an hour and 600 a day, for each token, as the API of PrayerLetters has it.
func ExampleMap() {
	mock := clock.NewMock() // in a server leave both WithClock out, for the system's clock
	perToken := ratelimit.Must(keyed.NewMap(10_000, func(string) (ratelimit.Limiter, error) {
		perHour, err := slidingwindow.NewLog(ratelimit.PerHour(50), ratelimit.WithClock(mock))
		if err != nil {
			return nil, err
		}
		perDay, err := slidingwindow.NewLog(ratelimit.PerDay(600), ratelimit.WithClock(mock))
		if err != nil {
			return nil, err
		}
		return ratelimit.All(perHour, perDay)
	}, keyed.WithClock(mock)))

	fmt.Println(perToken.Take("ann", 50).OK)
	d := perToken.Take("ann", 1)
	fmt.Println(d.OK, d.By, d.RetryAfter)
	d = perToken.Take("bob", 1)
	fmt.Println(d.OK, d.Remaining)
	for token, limiter := range perToken.All() {
		if limiter.Take(0).Remaining == 0 {
			fmt.Println(token, "has used up an hour's or a day's")
		}
	}
	// Output:
	// true
	// false 0 1h0m0s
	// true 49
	// ann has used up an hour's or a day's
}
