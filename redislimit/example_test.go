package redislimit_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/redislimit"
	"github.com/seed-3506548a/ratelimit/redislimit/goredis"
)

func ExampleNewGCRA() {
	server, err := miniredis.Run() // in place of a server
	if err != nil {
		panic(err)
	}
	defer server.Close()
	server.SetTime(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC))

	client := redis.NewClient(&redis.Options{Addr: server.Addr(), ContextTimeoutEnabled: true})
	defer func() { _ = client.Close() }()
	engine := ratelimit.Must(goredis.New(client))
	limits := ratelimit.Must(redislimit.NewGCRA(engine, "api", ratelimit.PerMinute(90), 2))
	for range 3 {
		d, err := limits.Take(context.Background(), "user 7", 1)
		if err != nil {
			fmt.Println(err) // not known, so refused
		}
		fmt.Println(d.OK, d.Remaining, d.RetryAfter)
	}
	// Output:
	// true 1 0s
	// true 0 0s
	// false 0 666.666667ms
}

// A key expires a second after it is full again, and not before that: what it owes would be granted
// once more.
func TestExpiry(t *testing.T) {
	m := newMini(t)
	limit, err := redislimit.NewGCRA(m, "test", ratelimit.PerSecond(3), 10)
	require.NoError(t, err)
	_, err = limit.Take(t.Context(), "k", 1)
	require.NoError(t, err)
	require.Equal(t, 1334*time.Millisecond, m.TTL("test:{k}"))
	window, err := redislimit.NewAlignedWindow(m, "window", ratelimit.PerMinute(3))
	require.NoError(t, err)
	_, err = window.Take(t.Context(), "k", 1)
	require.NoError(t, err)
	require.Equal(t, time.Minute+time.Second, m.TTL("window:{k}"))
	log, err := redislimit.NewLog(m, "log", ratelimit.Per(3, 1500*time.Microsecond))
	require.NoError(t, err)
	_, err = log.Take(t.Context(), "k", 1)
	require.NoError(t, err)
	require.Equal(t, 1002*time.Millisecond, m.TTL("log:{k}"))
}
