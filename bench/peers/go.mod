module github.com/seed-3506548a/ratelimit/bench/peers

go 1.26.0

replace github.com/seed-3506548a/ratelimit => ../..

require (
	github.com/puzpuzpuz/xsync/v4 v4.5.0
	github.com/seed-3506548a/ratelimit v0.0.0-00010101000000-000000000000
	github.com/sethvargo/go-limiter v0.7.1
	golang.org/x/time v0.16.0
)
