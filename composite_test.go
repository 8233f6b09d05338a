package ratelimit_test

import (
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/benbjohnson/clock"
	"github.com/stretchr/testify/require"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/gcra"
	"github.com/seed-3506548a/ratelimit/internal/limittest"
	"github.com/seed-3506548a/ratelimit/slidingwindow"
)

// A language model's limits: 60 requests and 90,000 tokens a minute.
func ExampleComposite() {
	mock := clock.NewMock() // in a program: no clock, the limiters take the system's
	with := ratelimit.WithClock(mock)
	both := ratelimit.Must(ratelimit.All(
		ratelimit.Must(gcra.New(ratelimit.PerMinute(60), 10, with)),
		ratelimit.Must(gcra.New(ratelimit.PerMinute(90_000), 6_000, with)),
	)).(ratelimit.Composite)
	for range 5 {
		d := both.TakeEach(mock.Now(), 1, 1_500)
		fmt.Println(d.OK, d.Remaining, d.RetryAfter)
	}
	// Output:
	// true 3 0s
	// true 2 0s
	// true 1 0s
	// true 0 0s
	// false 0 1s
}

func TestTakeEach(t *testing.T) {
	c := limittest.NewClock(t0)
	with := ratelimit.WithClock(c)
	requests := ratelimit.Must(slidingwindow.NewLog(ratelimit.PerMinute(3), with))
	tokens := ratelimit.Must(gcra.New(ratelimit.PerSecond(1000), 5000, with))
	l := ratelimit.Must(ratelimit.All(requests, tokens)).(ratelimit.Composite)
	fresh := ratelimit.Decision{OK: true, Limit: 3, Remaining: 3}
	never := func(by int) ratelimit.Decision {
		return ratelimit.Decision{Limit: 3, Remaining: 3, RetryAfter: ratelimit.Never, By: by}
	}
	require.Equal(t, never(0), l.TakeEach(t0))
	require.Equal(t, never(0), l.TakeEach(t0, 1))
	require.Equal(t, never(0), l.TakeEach(t0, 1, 1, 1))
	require.Equal(t, never(1), l.TakeEach(t0, 1, -1))
	require.Equal(t, never(0), l.TakeEach(t0, math.MinInt, -1))
	require.Equal(t, fresh, l.TakeEach(t0, 0, 0), "asks nothing")
	require.Equal(t, fresh, l.PeekAt(t0, 0), "nothing was charged")

	require.Equal(t, ratelimit.Decision{OK: true, Limit: 2, Remaining: 1, ResetAfter: time.Minute, By: 1}, l.TakeEach(t0, 1, 2000))
	require.Equal(t, ratelimit.Decision{Limit: 1, Remaining: 0, RetryAfter: time.Second, ResetAfter: time.Minute, By: 1}, l.TakeEach(t0, 1, 4000))
	require.Equal(t, 2, requests.Peek(0).Remaining, "all or none")
	require.Equal(t, ratelimit.Decision{OK: true, Limit: 500, Remaining: 299, ResetAfter: time.Minute, By: 1}, l.TakeEach(t0, 0, 10), "of one only")
	require.Equal(t, ratelimit.Decision{Limit: 0, Remaining: 0, RetryAfter: ratelimit.Never, ResetAfter: time.Minute, By: 1}, l.TakeEach(t0, 1, 5001))
	l.RefundEach(t0, 0, 0)
	l.RefundEach(t0, 0, 1, 2000)
	require.Equal(t, 3, requests.Peek(0).Remaining)
	require.Equal(t, 4990, tokens.Peek(0).Remaining)
}

// A member that is no Charger is charged what it grants.
func TestChargeOfAll(t *testing.T) {
	c := limittest.NewClock(t0)
	with := ratelimit.WithClock(c)
	charger := ratelimit.Must(gcra.New(ratelimit.PerSecond(1), 10, with))
	plain := struct{ ratelimit.Limiter }{ratelimit.Must(gcra.New(ratelimit.PerSecond(1), 10, with))}
	l := ratelimit.Must(ratelimit.All(charger, plain, ratelimit.Unlimited())).(ratelimit.Charger)
	require.Equal(t, ratelimit.Decision{OK: true, Limit: 10, Remaining: 6, ResetAfter: 4 * time.Second}, l.ChargeAt(t0, 4))
	require.Equal(t, ratelimit.Decision{OK: true, Limit: 10, Remaining: 6, ResetAfter: 4 * time.Second}, l.ChargeAt(t0, 0))
	require.Equal(t, ratelimit.Decision{Limit: 10, RetryAfter: 5 * time.Second, ResetAfter: 14 * time.Second}, l.ChargeAt(t0, 10))
	require.Equal(t, time.Second, plain.PeekAt(t0, 1).RetryAfter, "it owes no more than it grants")
	d := l.ChargeAt(t0, -1)
	require.False(t, d.OK)
	require.Equal(t, ratelimit.Never, d.RetryAfter)
	require.Equal(t, 14*time.Second, charger.Peek(0).ResetAfter)
}
