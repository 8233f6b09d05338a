package redislimit_test

import (
	"context"
	"fmt"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/policy"
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

	client := redis.NewClient(&redis.Options{Addr: server.Addr(), ContextTimeoutEnabled: true, DialerRetries: 1})
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

// A policy of which one limit is shared by all processes, and one is each process's own.
func ExampleForPolicy() {
	server, err := miniredis.Run() // in place of a server
	if err != nil {
		panic(err)
	}
	defer server.Close()
	client := redis.NewClient(&redis.Options{Addr: server.Addr(), ContextTimeoutEnabled: true, DialerRetries: 1})
	defer func() { _ = client.Close() }()
	engine := ratelimit.Must(goredis.New(client))

	document := ratelimit.Must(policy.Parse([]byte(`{"rules": [{
		"name": "api", "key": ["user"],
		"limits": [
			{"name": "day", "rate": "3/day", "as": "log"},
			{"name": "peak", "rate": "100/s", "as": "gcra"}
		]
	}]}`)))
	shared := redislimit.ForPolicy(engine, "shop", redislimit.FailClosed)
	one := ratelimit.Must(policy.New(document, 1000, policy.WithStore("day", shared)))
	two := ratelimit.Must(policy.New(document, 1000, policy.WithStore("day", shared))) // in another process

	var d policy.Decision
	request := policy.Request{Attrs: []policy.Attr{{Name: "user", Value: "7"}}}
	for range 2 {
		one.Decide(&request, &d)
		fmt.Println("one", d.OK, d.Standings[0].Remaining)
		two.Decide(&request, &d)
		fmt.Println("two", d.OK, d.Standings[0].Remaining)
	}
	fmt.Println(server.Keys())

	server.Close()
	one.Decide(&policy.Request{Attrs: []policy.Attr{{Name: "user", Value: "8"}}}, &d)
	fmt.Println(d.OK, d.Action) // and d.Err says why
	// Output:
	// one true 2
	// two true 1
	// one true 0
	// two false 0
	// [shop:api/day:log:24h0m0s:{user=7}]
	// false store
}
