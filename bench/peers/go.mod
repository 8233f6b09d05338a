module github.com/seed-3506548a/ratelimit/bench/peers

go 1.26.0

replace github.com/seed-3506548a/ratelimit => ../..

require (
	github.com/seed-3506548a/ratelimit v0.0.0-00010101000000-000000000000
	golang.org/x/time v0.16.0
)
