// Package httprate has as much of the API of github.com/go-chi/httprate as that module's own tests
// need, on httplimit: so these run on it, see TestHTTPRate.
package httprate

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"time"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/httplimit"
	"github.com/seed-3506548a/ratelimit/policy"
)

// KeyFunc returns what a request is counted by.
type KeyFunc func(r *http.Request) (string, error)

// ResponseHeaders are the names of header fields; "" leaves one out.
type ResponseHeaders struct{ Limit, Remaining, Increment, Reset, RetryAfter string }

// Option adjusts a RateLimiter.
type Option func(*RateLimiter)

// WithLimitHandler has h answer refusals.
func WithLimitHandler(h http.HandlerFunc) Option { return func(l *RateLimiter) { l.refuse = h } }

// WithResponseHeaders has fields called otherwise.
func WithResponseHeaders(headers ResponseHeaders) Option {
	return func(l *RateLimiter) { l.headers = headers }
}

type contextKey int

const (
	increment contextKey = iota
	requestLimit
	keyed
)

// WithIncrement has a request count as so many.
func WithIncrement(ctx context.Context, n int) context.Context {
	return context.WithValue(ctx, increment, n)
}

// WithRequestLimit gives a request another limit.
func WithRequestLimit(ctx context.Context, n int) context.Context {
	return context.WithValue(ctx, requestLimit, n)
}

// RateLimiter is a policy with one limit, and overrides of it.
type RateLimiter struct {
	headers    ResponseHeaders
	refuse     http.HandlerFunc
	middleware func(http.Handler) http.Handler
}

const (
	free         = "/-free-" // the path of what counts as nothing
	mostOverride = 10        // limits that a request may be given
)

// NewRateLimiter returns a limiter of so many requests in so much time.
func NewRateLimiter(limit int, window time.Duration, opts ...Option) *RateLimiter {
	l := &RateLimiter{
		headers: ResponseHeaders{"X-Ratelimit-Limit", "X-Ratelimit-Remaining", "X-Ratelimit-Increment", "X-Ratelimit-Reset", "Retry-After"},
		refuse: func(w http.ResponseWriter, _ *http.Request) {
			http.Error(w, "Too Many Requests", http.StatusTooManyRequests)
		},
	}
	for _, opt := range opts {
		opt(l)
	}
	p := policy.Policy{
		Costs: []policy.Cost{{N: 1}, {Match: []string{free}, N: 0}},
		Rules: []policy.Rule{{Name: "all", Key: []string{"key"}, Missing: "share",
			Limits: []policy.Limit{{Name: "requests", Rate: ratelimit.Per(limit, window), As: policy.Log}}}},
	}
	for n := 1; n <= mostOverride; n++ {
		rate := ratelimit.Per(n, window)
		p.Overrides = append(p.Overrides, policy.Override{When: []string{fmt.Sprintf("limit=%d", n)}, Limit: "requests", Rate: &rate})
	}
	engine := ratelimit.Must(policy.New(p, 1000))
	value := func(key contextKey) httplimit.Attribute {
		return func(r *http.Request) (string, bool) {
			v := r.Context().Value(key)
			return fmt.Sprint(v), v != nil
		}
	}
	l.middleware = ratelimit.Must(httplimit.Middleware(engine, httplimit.Attributes{"key": value(keyed), "limit": value(requestLimit)}, dialect{l},
		httplimit.Cost(func(r *http.Request) int {
			n, _ := r.Context().Value(increment).(int)
			return n
		})))
	return l
}

// dialect tells as httprate does.
type dialect struct{ *RateLimiter }

func (d dialect) Headers(h http.Header, decided *policy.Decision, now time.Time) {
	key := http.CanonicalHeaderKey // as its tests look for them, by Header.Get in a recorder
	httplimit.Fields{Limit: key(d.headers.Limit), Remaining: key(d.headers.Remaining), Reset: key(d.headers.Reset)}.Headers(h, decided, now)
	if after := h.Get("Retry-After"); after != "" {
		h.Del("Retry-After")
		if d.headers.RetryAfter != "" {
			h.Set(d.headers.RetryAfter, after)
		} else if d.headers.Increment != "" {
			h.Set(d.headers.Increment, strconv.Itoa(1))
		}
	}
	if decided.RetryAfter == ratelimit.Never && d.headers.RetryAfter != "" { // httprate names the window
		h.Set(d.headers.RetryAfter, "60")
	}
}

func (d dialect) Refuse(w http.ResponseWriter, r *http.Request, _ *policy.Decision) { d.refuse(w, r) }

// RespondOnLimit reports whether the request was refused, and has been answered.
func (l *RateLimiter) RespondOnLimit(w http.ResponseWriter, r *http.Request, key string) bool {
	refused := true
	counted := r.WithContext(context.WithValue(r.Context(), keyed, key))
	if n, ok := r.Context().Value(increment).(int); ok && n == 0 {
		path := *r.URL
		path.Path = free
		counted.URL = &path
	}
	l.middleware(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { refused = false })).ServeHTTP(w, counted)
	return refused
}

// LimitBy limits each key.
func LimitBy(limit int, window time.Duration, key KeyFunc, opts ...Option) func(http.Handler) http.Handler {
	l := NewRateLimiter(limit, window, opts...)
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			k, err := key(r)
			if err != nil {
				http.Error(w, err.Error(), http.StatusPreconditionRequired)
				return
			}
			if !l.RespondOnLimit(w, r, k) {
				next.ServeHTTP(w, r)
			}
		})
	}
}

// Limit limits all requests together.
func Limit(limit int, window time.Duration, opts ...Option) func(http.Handler) http.Handler {
	return LimitBy(limit, window, func(*http.Request) (string, error) { return "*", nil }, opts...)
}

// LimitAll limits all requests together.
func LimitAll(limit int, window time.Duration) func(http.Handler) http.Handler {
	return Limit(limit, window)
}

// LimitByIP limits each address, and each /64.
func LimitByIP(limit int, window time.Duration) func(http.Handler) http.Handler {
	return LimitBy(limit, window, KeyByIP)
}

var network = httplimit.ClientIP().Prefix(32, 64)

// KeyByIP returns the address, or the /64.
func KeyByIP(r *http.Request) (string, error) {
	value, _ := network(r)
	return value, nil
}

// KeyByEndpoint returns the path.
func KeyByEndpoint(r *http.Request) (string, error) { return r.URL.Path, nil }

// CanonicalizeIP returns the address, or the /64; what is no address as it is.
func CanonicalizeIP(ip string) string {
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r.RemoteAddr = ip
	value, ok := network(r)
	if !ok {
		return ip
	}
	value, v4 := strings.CutSuffix(value, "/32")
	if v4 {
		return value
	}
	return strings.TrimSuffix(value, "/64")
}

// KeyByRealIP is not there: it takes a client's word.
func KeyByRealIP(*http.Request) (string, error) { return "", errors.ErrUnsupported }

// JoinKeys joins keys by colons.
func JoinKeys(keys ...KeyFunc) KeyFunc {
	return func(r *http.Request) (string, error) {
		var all []string
		for _, key := range keys {
			k, err := key(r)
			if err != nil {
				return "", err
			}
			all = append(all, k)
		}
		return strings.Join(all, ":"), nil
	}
}
