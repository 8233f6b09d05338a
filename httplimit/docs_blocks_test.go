package httplimit_test

import (
	"log/slog"
	"net/http"
	"time"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/httplimit"
	"github.com/seed-3506548a/ratelimit/keyed"
	"github.com/seed-3506548a/ratelimit/policy"
	"github.com/seed-3506548a/ratelimit/slidingwindow"
)

// The code of docs/http.md and docs/client.md, as TestDocs demands: so it compiles.
var _ = []any{docsPolicy, docsPerKey, docsClient, docsHooks, docsLimiter, docsScope}

func docsPolicy(mux http.Handler) error {
	p := ratelimit.Must(policy.Parse([]byte(`{"rules": [
	{"name": "api", "match": ["/v1/"], "key": ["user|ip"], "limits": [{"name": "minute", "rate": "60/min", "as": "gcra"}]}
]}`)))
	engine := ratelimit.Must(policy.New(p, 100_000)) // room for so many users and addresses at a time
	limit := ratelimit.Must(httplimit.Middleware(engine, httplimit.Attributes{
		"user": httplimit.Header("X-User"),          // set by what has authenticated the request
		"ip":   httplimit.ClientIP().Prefix(32, 64), // of requests without a user
	}, httplimit.IETF(11)))
	err := http.ListenAndServe(":8080", limit(mux))
	return err
}

func docsPerKey() func(http.Handler) http.Handler {
	table := ratelimit.Must(keyed.NewGCRA[string](ratelimit.PerMinute(60), 60, 100_000))
	limit := ratelimit.Must(httplimit.PerKey(table, httplimit.ClientIP().Prefix(32, 64), httplimit.IETF(11)))
	return limit
}

func docsClient() *http.Client {
	client := &http.Client{Transport: &httplimit.Transport{}}
	return client
}

func docsHooks() *http.Client {
	client := &http.Client{Transport: &httplimit.Transport{
		On429: func(e *httplimit.RefusedError) { slog.Warn("refused", "request", e) },
		OnWait: func(r *http.Request, d time.Duration) {
			if d > time.Second {
				slog.Info("waiting", "path", r.URL.Path, "for", d)
			}
		},
	}}
	return client
}

func docsLimiter() *httplimit.Transport {
	transport := &httplimit.Transport{Limiter: ratelimit.Must(ratelimit.All(
		ratelimit.Must(slidingwindow.NewLog(ratelimit.PerHour(50))),
		ratelimit.Must(slidingwindow.NewLog(ratelimit.PerDay(600))),
	))}
	return transport
}

func docsScope() *httplimit.Transport {
	transport := &httplimit.Transport{Scope: func(r *http.Request) string {
		return r.URL.Host + " " + r.Header.Get("Authorization")
	}}
	return transport
}
