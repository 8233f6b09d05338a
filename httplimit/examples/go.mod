module github.com/seed-3506548a/ratelimit/httplimit/examples

go 1.26.0

replace github.com/seed-3506548a/ratelimit => ../..

require (
	github.com/go-chi/chi/v5 v5.5.0
	github.com/gorilla/mux v1.8.1
	github.com/seed-3506548a/ratelimit v0.0.0-00010101000000-000000000000
)
