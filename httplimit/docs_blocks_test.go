package httplimit_test

import (
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/burst"
	"github.com/seed-3506548a/ratelimit/fixedwindow"
	"github.com/seed-3506548a/ratelimit/httplimit"
	"github.com/seed-3506548a/ratelimit/keyed"
	"github.com/seed-3506548a/ratelimit/limittest"
	"github.com/seed-3506548a/ratelimit/policy"
	"github.com/seed-3506548a/ratelimit/slidingwindow"
)

// The code of docs/http.md and docs/client.md, as TestDocs demands: so it compiles.
var _ = []any{docsPolicy, docsPerKey, docsClient, docsHooks, docsLimiter, docsScope, docsAniList, send}

func reload(engine *policy.Engine, who httplimit.Attributes, document []byte) error {
	p, err := policy.Parse(document)
	if err != nil {
		return err
	}
	for _, name := range p.Attributes() {
		if who[name] == nil {
			return fmt.Errorf("the policy names the attribute %q, which the program does not provide", name)
		}
	}
	return engine.Replace(p)
}

func TestDocsReload(t *testing.T) {
	who := httplimit.Attributes{"ip": httplimit.ClientIP()}
	engine, _ := newEngine(t, onePerSecond("", `"key": ["ip"],`))
	before := engine.Policy()
	require.Error(t, reload(engine, who, []byte(`{}`)))
	require.ErrorContains(t, reload(engine, who, []byte(onePerSecond("", `"key": ["user"],`))), `"user"`)
	require.Equal(t, before, engine.Policy())
	require.NoError(t, reload(engine, who, []byte(strings.ReplaceAll(onePerSecond("", `"key": ["ip"],`), "1/s", "2/s"))))
	require.NotEqual(t, before, engine.Policy())
}

func docsPolicy(mux http.Handler) error {
	p := ratelimit.Must(policy.Parse([]byte(`{"rules": [
	{"name": "api", "match": ["/v1/"], "key": ["user|ip"], "limits": [{"name": "minute", "rate": "60/min", "as": "gcra"}]}
]}`)))
	engine := ratelimit.Must(policy.New(p, 100_000)) // room for so many users and addresses that owe something
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
	slack := 200 * time.Millisecond
	transport := &httplimit.Transport{Patience: 25 * time.Hour, Limiter: ratelimit.Must(ratelimit.All(
		ratelimit.Must(slidingwindow.NewLog(ratelimit.Per(50, time.Hour+slack))),
		ratelimit.Must(slidingwindow.NewLog(ratelimit.Per(600, 24*time.Hour+slack))),
	))}
	return transport
}

func docsScope() *httplimit.Transport {
	transport := &httplimit.Transport{Scope: func(r *http.Request) string {
		return r.URL.Host + " " + r.Header.Get("Authorization")
	}}
	return transport
}

func docsRetry() *httplimit.Transport {
	transport := &httplimit.Transport{Retry: func(r *http.Request, resp *http.Response) bool {
		_, refused := httplimit.AsRefused(resp)
		return refused && (r.Method != http.MethodPost || resp.StatusCode == http.StatusTooManyRequests)
	}}
	return transport
}

func TestDocsRetry(t *testing.T) {
	for _, row := range []struct {
		method        string
		status, tries int
	}{
		{http.MethodPost, 429, 3}, {http.MethodPost, 503, 1}, {http.MethodGet, 503, 3}, {http.MethodGet, 500, 1},
	} {
		bubble(t, fmt.Sprint(row), func(t *testing.T) {
			tries := 0
			transport := docsRetry()
			transport.Base = roundTripper(func(r *http.Request) (*http.Response, error) {
				tries++
				return &http.Response{StatusCode: row.status, Header: http.Header{"Retry-After": {"1"}}, Body: http.NoBody, Request: r}, nil
			})
			resp, err := transport.RoundTrip(newRequest(t.Context(), t, row.method, "/", nil))
			status, _ := closing(t, resp, err)
			require.Equal(t, []int{row.status, row.tries}, []int{status, tries})
		})
	}
}

func docsAniList() *http.Client {
	slack := 200 * time.Millisecond // the slowest way to the server, less the fastest
	perMinute := ratelimit.Must(fixedwindow.NewAnchored(ratelimit.Per(90, time.Minute+slack)))
	aniList := ratelimit.Must(burst.New(perMinute, ratelimit.Per(10, time.Second+slack)))
	client := &http.Client{Transport: &httplimit.Transport{Limiter: aniList}}
	return client
}

func send(client *http.Client, r *http.Request) (*http.Response, error) {
	resp, err := client.Do(r)
	if err != nil {
		return nil, err
	}
	if refused, ok := httplimit.AsRefused(resp); ok {
		_ = resp.Body.Close()
		return nil, refused // whose Body is the beginning of it
	}
	return resp, nil
}

// TestDocsServerErrors leaves requests out that fail with 5xx, as docs/http.md says. To undo one in
// the handler gives an amount back twice.
func TestDocsServerErrors(t *testing.T) {
	failing := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/fails" {
			w.WriteHeader(http.StatusBadGateway)
		}
	})
	e, _ := newEngine(t, onePerSecond(`, "count": ["1xx", "2xx", "3xx", "4xx"]`, ""))
	h := limited(t, e, httplimit.AniList, failing)
	for _, row := range []struct {
		path   string
		status int
		shown  []string
	}{{"/fails", 502, nil}, {"/fails", 502, nil}, {"/", 200, nil}, {"/", 429, []string{"0"}}} {
		w := do(h, row.path)
		require.Equal(t, row.status, w.Code)
		require.Equal(t, row.shown, field(w, "X-RateLimit-Remaining"))
	}

	e, _ = newEngine(t, `{"rules": [{"name": "api", "limits": [{"name": "tokens", "rate": "10/h", "as": "log", "of": "tokens"}]}]}`)
	undone := http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/undone" {
			httplimit.Settle(r.Context(), "tokens", 0)
			d, _ := httplimit.FromContext(r.Context())
			e.Undo(d)
		}
	})
	h = limited(t, e, httplimit.AniList, undone, httplimit.Estimate(func(*http.Request) []policy.Amount {
		return []policy.Amount{{Name: "tokens", N: 3}}
	}))
	for _, row := range []struct{ path, left string }{{"/", "7"}, {"/undone", "4"}, {"/", "7"}} {
		require.Equal(t, []string{row.left}, field(do(h, row.path), "X-RateLimit-Remaining"))
	}
}

// docsServer is what the tests of the pages test: letters, limited to a rate.
func docsServer(t *testing.T, rate string) (p policy.Policy, attributes httplimit.Attributes, mux http.Handler) {
	t.Helper()
	return mustParse(t, `{"rules": [
		{"name": "api", "match": ["/v1/"], "key": ["ip"], "limits": [{"name": "minute", "rate": "`+rate+`", "as": "gcra"}]}
	]}`), httplimit.Attributes{"ip": httplimit.ClientIP()}, fine
}

func TestDocsService(t *testing.T) {
	p, attributes, mux := docsServer(t, "90/min")
	clock := limittest.NewClock(time.Date(2026, 3, 2, 8, 0, 0, 0, time.UTC))
	var wait time.Duration // of the latest decision, to the nanosecond
	engine := ratelimit.Must(policy.New(p, 100, policy.WithClock(clock),
		policy.Observe(func(_ *policy.Request, d *policy.Decision) { wait = d.RetryAfter })))
	served := ratelimit.Must(httplimit.Middleware(engine, attributes, httplimit.IETF(11)))(mux)
	expect := func(status int) {
		t.Helper()
		w := httptest.NewRecorder()
		served.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/v1/letters", nil))
		if w.Code != status {
			t.Errorf("status %d at %v, want %d", w.Code, clock.Now(), status)
		}
	}
	for range 90 {
		expect(http.StatusOK)
	}
	expect(http.StatusTooManyRequests) // wait is 666.666667ms, and Retry-After is 1
	clock.Advance(wait - time.Nanosecond)
	expect(http.StatusTooManyRequests)
	clock.Advance(time.Nanosecond)
	expect(http.StatusOK)
}

type inMemory struct{ http.Handler }

func (h inMemory) RoundTrip(r *http.Request) (*http.Response, error) {
	time.Sleep(10 * time.Millisecond) // the way to the server, in virtual time
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	w := httptest.NewRecorder()
	served := httptest.NewRequestWithContext(r.Context(), r.Method, r.URL.String(), r.Body)
	served.Header = r.Header.Clone()
	h.ServeHTTP(w, served)
	time.Sleep(10 * time.Millisecond) // and back
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	resp := w.Result()
	resp.Request = r
	return resp, nil
}

func TestDocsClient(t *testing.T) {
	p, attributes, mux := docsServer(t, "60/min")
	synctest.Test(t, func(t *testing.T) {
		engine := ratelimit.Must(policy.New(p, 100)) // in here, where its clock is the virtual one
		served := ratelimit.Must(httplimit.Middleware(engine, attributes, httplimit.IETF(11)))(mux)
		client := &http.Client{Transport: &httplimit.Transport{Base: inMemory{served}}}
		start := time.Now()
		for range 90 {
			resp, err := client.Get("http://api.example.com/v1/letters")
			require.NoError(t, err)
			require.Equal(t, http.StatusOK, resp.StatusCode)
			require.NoError(t, resp.Body.Close())
		}
		require.InDelta(t, 30, time.Since(start).Seconds(), 2) // 60 at once, then one a second
	})
}
