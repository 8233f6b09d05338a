package peers_test

import (
	"fmt"
	"math"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/didip/tollbooth/v7"
	tollboothlimiter "github.com/didip/tollbooth/v7/limiter"
	"github.com/go-chi/httprate"
	sethvargohttp "github.com/sethvargo/go-limiter/httplimit"
	"github.com/sethvargo/go-limiter/memorystore"
	"github.com/throttled/throttled/v2"
	"github.com/throttled/throttled/v2/store/memstore"
	"github.com/ulule/limiter/v3"
	"github.com/ulule/limiter/v3/drivers/middleware/stdlib"
	"github.com/ulule/limiter/v3/drivers/store/memory"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/httplimit"
	"github.com/seed-3506548a/ratelimit/keyed"
	"github.com/seed-3506548a/ratelimit/policy"
)

const addresses = 1000

// fields are those that the others set, too.
var fields = httplimit.Fields{Limit: "X-RateLimit-Limit", Remaining: "X-RateLimit-Remaining", Reset: "X-RateLimit-Reset"}

// middlewares limit each address, and tell the limit, what remains, and when it is full again.
// (Tollbooth tells no reset, and httprate counts in windows.) Each grants all, or hardly anything.
var middlewares = []struct {
	name  string
	build func(b *testing.B, o outcome) func(http.Handler) http.Handler
}{
	{"httplimit-perkey", perKey()},
	{"httplimit-perkey-no-context", perKey(httplimit.NoContext())},
	{"httplimit-middleware", whole()},
	{"httplimit-middleware-no-context", whole(httplimit.NoContext())},
	{"httprate", func(_ *testing.B, o outcome) func(http.Handler) http.Handler {
		return httprate.LimitBy(quota(o), 24*time.Hour, func(r *http.Request) (string, error) {
			host, _, err := net.SplitHostPort(r.RemoteAddr)
			return httprate.CanonicalizeIP(host), err
		})
	}},
	{"throttled", func(b *testing.B, o outcome) func(http.Handler) http.Handler {
		store, err := memstore.NewCtx(addresses)
		noError(b, err)
		rate := throttled.PerSec(1_000_000_000)
		burst := 1 << 20
		if o == refused {
			rate, burst = throttled.PerDay(1), 0
		}
		limiter, err := throttled.NewGCRARateLimiterCtx(store, throttled.RateQuota{MaxRate: rate, MaxBurst: burst})
		noError(b, err)
		return (&throttled.HTTPRateLimiterCtx{RateLimiter: limiter, VaryBy: &throttled.VaryBy{RemoteAddr: true}}).RateLimit
	}},
	{"ulule", func(_ *testing.B, o outcome) func(http.Handler) http.Handler {
		return stdlib.NewMiddleware(limiter.New(memory.NewStore(), limiter.Rate{Period: 24 * time.Hour, Limit: int64(quota(o))})).Handler
	}},
	{"tollbooth", func(_ *testing.B, o outcome) func(http.Handler) http.Handler {
		l := tollbooth.NewLimiter(float64(quota(o))/86400, &tollboothlimiter.ExpirableOptions{DefaultExpirationTTL: time.Hour})
		l.SetIPLookups([]string{"RemoteAddr"})
		l.SetBurst(quota(o))
		return func(next http.Handler) http.Handler { return tollbooth.LimitHandler(l, next) }
	}},
	{"sethvargo", func(b *testing.B, o outcome) func(http.Handler) http.Handler {
		store, err := memorystore.New(&memorystore.Config{Tokens: uint64(quota(o)), Interval: 24 * time.Hour})
		noError(b, err)
		m, err := sethvargohttp.NewMiddleware(store, sethvargohttp.IPKeyFunc())
		noError(b, err)
		return m.Handle
	}},
}

func perKey(opts ...httplimit.Option) func(*testing.B, outcome) func(http.Handler) http.Handler {
	return func(b *testing.B, o outcome) func(http.Handler) http.Handler {
		rate, burst := ratelimit.PerSecond(1_000_000_000), 1<<20
		if o == refused {
			rate, burst = ratelimit.PerDay(1), 1
		}
		table, err := keyed.NewGCRA[string](rate, burst, addresses)
		noError(b, err)
		limit, err := httplimit.PerKey(table, httplimit.ClientIP(), fields, opts...)
		noError(b, err)
		return limit
	}
}

// whole is a policy of one limit.
func whole(opts ...httplimit.Option) func(*testing.B, outcome) func(http.Handler) http.Handler {
	return func(b *testing.B, o outcome) func(http.Handler) http.Handler {
		rate := "1000000000/s"
		if o == refused {
			rate = "1/day"
		}
		p, err := policy.Parse([]byte(`{"rules": [{"name": "api", "key": ["ip"], "limits": [{"name": "all", "rate": "` + rate + `", "as": "gcra"}]}]}`))
		noError(b, err)
		engine, err := policy.New(p, addresses)
		noError(b, err)
		limit, err := httplimit.Middleware(engine, httplimit.Attributes{"ip": httplimit.ClientIP()}, fields, opts...)
		noError(b, err)
		return limit
	}
}

func quota(o outcome) int {
	if o == refused {
		return 1
	}
	return math.MaxInt32
}

func noError(b *testing.B, err error) {
	b.Helper()
	if err != nil {
		b.Fatal(err)
	}
}

// discard is a ResponseWriter that costs nothing but its header.
type discard struct {
	header http.Header
	status int
}

func (d *discard) Header() http.Header { return d.header }

func (d *discard) Write(p []byte) (int, error) { return len(p), nil }

func (d *discard) WriteHeader(status int) { d.status = status }

// BenchmarkHTTP is a request from one of a thousand addresses, through each middleware.
func BenchmarkHTTP(b *testing.B) {
	requests := make([]*http.Request, addresses)
	for i := range requests {
		requests[i] = httptest.NewRequest(http.MethodGet, "/v1/letters", http.NoBody)
		requests[i].RemoteAddr = fmt.Sprintf("192.0.%d.%d:1234", i/250, i%250)
	}
	silent := http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})
	run := func(name string, h http.Handler, status int) {
		b.Run(name, func(b *testing.B) {
			w := &discard{header: http.Header{}}
			for _, r := range requests { // each is known, and has used up what there is if it is to be refused
				h.ServeHTTP(w, r)
			}
			b.ReportAllocs()
			w.status = 0
			for i := 0; b.Loop(); i++ {
				clear(w.header)
				h.ServeHTTP(w, requests[i%addresses])
			}
			if w.status != status {
				b.Fatalf("status %d, not %d", w.status, status)
			}
		})
	}
	run("outcome=granted/middleware=none", silent, 0)
	for _, m := range middlewares {
		run("outcome=granted/middleware="+m.name, m.build(b, granted)(silent), 0)
		run("outcome=refused/middleware="+m.name, m.build(b, refused)(silent), http.StatusTooManyRequests)
	}
}
