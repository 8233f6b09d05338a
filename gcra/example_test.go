package gcra_test

import (
	"fmt"
	"time"

	"github.com/benbjohnson/clock"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/gcra"
)

// 90 requests a minute, 10 of them at once. On a mock clock, so that the output is always the same.
func Example() {
	mock := clock.NewMock()
	limiter, err := gcra.New(ratelimit.PerMinute(90), 10, ratelimit.WithClock(mock))
	if err != nil {
		fmt.Println(err)
		return
	}
	for range 10 {
		limiter.Allow()
	}
	d := limiter.Take(1)
	fmt.Println(d.OK, d.RetryAfter)
	mock.Add(d.RetryAfter)
	fmt.Println(limiter.Take(1).OK)
	// Output:
	// false 666.666667ms
	// true
}

// TakeAt plays a policy through without a clock: at 100 a minute and no burst, who sends every 400
// ms is let through every second time.
func ExampleLimiter_TakeAt() {
	limiter := ratelimit.Must(gcra.New(ratelimit.PerMinute(100), 1))
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for range 6 {
		d := limiter.TakeAt(now, 1)
		fmt.Println(now.Format("05.0"), d.OK, d.RetryAfter)
		now = now.Add(400 * time.Millisecond)
	}
	// Output:
	// 00.0 true 0s
	// 00.4 false 200ms
	// 00.8 true 0s
	// 01.2 false 200ms
	// 01.6 true 0s
	// 02.0 false 200ms
}

// A paced client asks when it may send, and gives up if that is not soon.
func ExampleLimiter_ReserveAt() {
	limiter := ratelimit.Must(gcra.New(ratelimit.PerSecond(1), 1))
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for range 4 {
		reservation, d := limiter.ReserveAt(now, 1, 2*time.Second)
		if !d.OK {
			fmt.Println("not within 2s, ask again in", d.RetryAfter)
			continue
		}
		fmt.Println("send in", reservation.ActAt().Sub(now))
	}
	// Output:
	// send in 0s
	// send in 1s
	// send in 2s
	// not within 2s, ask again in 1s
}

// Tokens of a language model, 90,000 a minute: an estimate is taken before the request, and settled
// when the answer tells what it was.
func ExampleLimiter_ChargeAt() {
	mock := clock.NewMock() // in a program: no clock, the limiter takes the system's
	tokens := ratelimit.Must(gcra.New(ratelimit.PerMinute(90_000), 3_000, ratelimit.WithClock(mock)))
	settle := func(estimate, used int) {
		taken := mock.Now()
		fmt.Println("may send:", tokens.TakeAt(taken, estimate).OK)
		mock.Add(time.Second) // the model answers
		now := mock.Now()
		if used > estimate {
			tokens.ChargeAt(now, used-estimate)
		} else {
			tokens.RefundAt(now, estimate-used, now.Sub(taken))
		}
		fmt.Println("wait for:", tokens.Peek(1).RetryAfter)
	}
	settle(2_000, 1_500)
	settle(2_000, 9_000) // more than may be used at once: it is owed
	// Output:
	// may send: true
	// wait for: 0s
	// may send: true
	// wait for: 3.334s
}

// 50 GB a day, 1 GB of them at once, is more than 2^31-1 bytes. So kilobytes are counted, and one
// that is begun counts.
func ExampleNew_kilobytes() {
	limiter := ratelimit.Must(gcra.New(ratelimit.PerDay(50_000_000), 1_000_000))
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for _, bytes := range []int{1_500, 999_000_000, 1_000_000} {
		d := limiter.TakeAt(now, (bytes+999)/1000)
		fmt.Println(d.OK, d.Remaining, "kB remain")
	}
	// Output:
	// true 999998 kB remain
	// true 998 kB remain
	// false 998 kB remain
}
