package httplimit_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/httplimit"
	"github.com/seed-3506548a/ratelimit/keyed"
	"github.com/seed-3506548a/ratelimit/policy"
)

func mustParse(t testing.TB, document string) policy.Policy {
	t.Helper()
	p, err := policy.Parse([]byte(document))
	require.NoError(t, err)
	return p
}

// With NoContext a handler gets the request as it came, unless a limit is settled after it.
func TestNoContext(t *testing.T) {
	var served *http.Request
	next := http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { served = r })
	table, err := keyed.NewGCRA[string](ratelimit.PerSecond(1), 2, 100)
	require.NoError(t, err)
	perKey, err := httplimit.PerKey(table, httplimit.Header("X-User"), httplimit.IETF(11), httplimit.NoContext())
	require.NoError(t, err)
	granting, _ := newEngine(t, onePerSecond("", ""))
	settling, _ := newEngine(t, onePerSecond(`, "count": ["404"]`, ""))
	others, _ := newEngine(t, `{"rules": [{"name": "api", "limits": [{"name": "all", "rate": "1/s", "as": "gcra"}]},
		{"name": "pages", "match": ["/pages/"], "limits": [{"name": "missing", "rate": "1/s", "as": "gcra", "count": ["404"]}]}]}`)
	for name, h := range map[string]http.Handler{
		"PerKey":     perKey(next),
		"Middleware": limited(t, granting, httplimit.IETF(11), next, httplimit.NoContext()),
		"others are": limited(t, others, httplimit.IETF(11), next, httplimit.NoContext()),
		"settled":    limited(t, settling, httplimit.IETF(11), next, httplimit.NoContext()),
	} {
		r, w := request("/", "X-User: alice"), httptest.NewRecorder()
		h.ServeHTTP(w, r)
		require.NotEmpty(t, field(w, "RateLimit-Policy"), name)
		_, ok := httplimit.FromContext(served.Context())
		require.Equal(t, name == "settled", ok || served != r, name)
	}
}

// The handler finds the decision in its context, as a copy that it may keep.
func TestFromContext(t *testing.T) {
	type visitor struct{}
	_, ok := httplimit.FromContext(t.Context())
	require.False(t, ok)
	e, _ := newEngine(t, `{"rules": [{"name": "api", "limits": [{"name": "all", "rate": "3/s", "as": "gcra"}]}]}`)
	var kept []*policy.Decision
	var late []context.Context
	ask := true
	h := limited(t, e, httplimit.IETF(11), http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if ask {
			d, _ := httplimit.FromContext(context.WithValue(r.Context(), visitor{}, 7))
			again, _ := httplimit.FromContext(r.Context())
			kept = append(kept, d, again)
		}
		late = append(late, r.Context())
	}))
	for i := range 3 {
		ask = i < 2
		do(h, "/")
	}
	require.Len(t, kept, 4)
	for i, d := range kept {
		require.True(t, d.OK)
		require.Equal(t, 2-i/2, d.Standings[0].Remaining, "others have been decided since")
		again, _ := httplimit.FromContext(late[i/2])
		require.Same(t, d, again)
	}
	_, ok = httplimit.FromContext(late[2])
	require.False(t, ok, "the handler has returned, and had not asked")
	require.False(t, httplimit.Settle(late[2], "tokens", 1))
}

func TestCountedByStatus(t *testing.T) {
	for _, c := range []struct {
		name  string
		serve http.HandlerFunc
		count string
		want  bool
	}{
		{"a status", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(401) }, "401", true},
		{"another", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(403) }, "401", false},
		{"the first counts", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(403); w.WriteHeader(401) }, "401", false},
		{"an early hint is none", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(103); w.WriteHeader(401) }, "401", true},
		{"nothing is 200", func(http.ResponseWriter, *http.Request) {}, "200", true},
		{"a write is 200", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(nil); w.WriteHeader(401) }, "200", true},
		{"a string is 200", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, ""); w.WriteHeader(401) }, "200", true},
		{"a flush is 200", func(w http.ResponseWriter, _ *http.Request) { w.(http.Flusher).Flush(); w.WriteHeader(401) }, "200", true},
		{"a controller's is, too", func(w http.ResponseWriter, _ *http.Request) {
			_ = http.NewResponseController(w).Flush()
			w.WriteHeader(401)
		}, "200", true},
		{"a panic is 500", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, "500", true},
		{"a panic after a status is not", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(404); panic(http.ErrAbortHandler) }, "500", false},
		{"but the status counts, with a panic", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(404); panic(http.ErrAbortHandler) }, "4xx", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			e, clock := newEngine(t, onePerSecond(`, "count": ["`+c.count+`"]`, ""))
			h := limited(t, e, httplimit.IETF(11), c.serve)
			if strings.Contains(c.name, "panic") {
				require.PanicsWithValue(t, http.ErrAbortHandler, func() { do(h, "/") })
			} else {
				do(h, "/")
			}
			again := limited(t, e, httplimit.IETF(11), fine)
			require.Equal(t, c.want, do(again, "/").Code == 429)
			clock.Set(t0.Add(time.Hour))
			require.Equal(t, 200, do(again, "/").Code)
		})
	}
}

// Amounts: the estimate before, and afterwards what the handler says, or what the middleware has
// counted of bytes.
// A request without a body stays one, also if bytes are counted.
func TestNoBodyIsNoBody(t *testing.T) {
	e, _ := newEngine(t, `{"rules": [{"name": "api", "limits": [{"name": "minute", "rate": "1000/min", "as": "anchored", "of": "bytes"}]}]}`)
	var body io.ReadCloser
	h := limited(t, e, httplimit.IETF(11), http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { body = r.Body }))
	for _, came := range []io.ReadCloser{http.NoBody, nil} {
		r := request("/")
		r.Body = came
		h.ServeHTTP(httptest.NewRecorder(), r)
		require.Equal(t, came, body)
	}
}

func TestAmounts(t *testing.T) {
	read := func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		_, _ = w.Write(make([]byte, 10))
		_, _ = io.WriteString(w, "0123456789")
		_, _ = io.Copy(w, struct{ io.Reader }{strings.NewReader("0123456789")})
	}
	for _, c := range []struct {
		name, of  string
		estimate  int
		serve     http.HandlerFunc
		remaining int // of 1000
	}{
		{"no estimate, nothing said", "tokens", 0, fine, 1000},
		{"an estimate, nothing said", "tokens", 100, fine, 900},
		{"said", "tokens", 0, func(_ http.ResponseWriter, r *http.Request) { httplimit.Settle(r.Context(), "tokens", 70) }, 930},
		{"less than estimated", "tokens", 100, func(_ http.ResponseWriter, r *http.Request) { httplimit.Settle(r.Context(), "tokens", 70) }, 930},
		{"more than estimated", "tokens", 100, func(_ http.ResponseWriter, r *http.Request) { httplimit.Settle(r.Context(), "tokens", 170) }, 830},
		{"the last counts", "tokens", 100, func(_ http.ResponseWriter, r *http.Request) {
			httplimit.Settle(r.Context(), "tokens", 700)
			httplimit.Settle(r.Context(), "tokens", 7)
		}, 993},
		{"the last counts, also if it is negative", "tokens", 100, func(_ http.ResponseWriter, r *http.Request) {
			for _, n := range []int{700, -7} {
				if !httplimit.Settle(r.Context(), "tokens", n) {
					t.Error("nobody is waiting for it")
				}
			}
		}, 1000},
		{"negative", "tokens", 100, func(_ http.ResponseWriter, r *http.Request) { httplimit.Settle(r.Context(), "tokens", -7) }, 1000},
		{"something else", "tokens", 100, func(_ http.ResponseWriter, r *http.Request) { httplimit.Settle(r.Context(), "images", 7) }, 900},
		{"said before a panic", "tokens", 100, func(_ http.ResponseWriter, r *http.Request) {
			httplimit.Settle(r.Context(), "tokens", 70)
			panic(http.ErrAbortHandler)
		}, 930},
		{"bytes", "bytes", 0, read, 1000 - 500 - 30},
		{"bytes read", "bytes-in", 0, read, 1000 - 500},
		{"bytes written", "bytes-out", 0, read, 1000 - 30},
		{"more bytes than estimated", "bytes", 100, read, 1000 - 500 - 30},
		{"bytes that are not read", "bytes-in", 0, fine, 1000},
		{"bytes, as the handler counts them", "bytes", 0, func(w http.ResponseWriter, r *http.Request) {
			read(w, r)
			httplimit.Settle(r.Context(), "bytes", 1)
		}, 999},
	} {
		t.Run(c.name, func(t *testing.T) {
			e, _ := newEngine(t, `{"rules": [{"name": "api", "key": ["client"], "limits": [{"name": "minute", "rate": "1000/min", "as": "anchored", "of": "`+c.of+`"}]}]}`)
			h := limited(t, e, httplimit.IETF(11), c.serve, httplimit.Estimate(func(*http.Request) []policy.Amount {
				if c.estimate == 0 {
					return nil
				}
				return []policy.Amount{{Name: c.of, N: c.estimate}}
			}))
			func() {
				defer func() { _ = recover() }()
				r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(strings.Repeat("x", 500)))
				r.Header.Set("X-Client", "app")
				h.ServeHTTP(httptest.NewRecorder(), r)
			}()
			var d policy.Decision
			e.Peek(&policy.Request{Attrs: []policy.Attr{{Name: "client", Value: "app"}}, Amounts: []policy.Amount{{Name: c.of, N: 0}}}, &d)
			require.Equal(t, c.remaining, d.Standings[0].Remaining)
		})
	}
}

// Settle reaches all engines of a chain, and returns false where nobody waits for it.
func TestSettleReachesAll(t *testing.T) {
	require.False(t, httplimit.Settle(t.Context(), "tokens", 1))
	document := `{"rules": [{"name": "api", "limits": [{"name": "minute", "rate": "1000/min", "as": "anchored", "of": "tokens"}]}]}`
	outer, _ := newEngine(t, document)
	inner, _ := newEngine(t, document)
	var said bool
	h := limited(t, outer, httplimit.IETF(11), limited(t, inner, httplimit.IETF(11), http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		var group sync.WaitGroup
		group.Go(func() { said = httplimit.Settle(r.Context(), "tokens", 100) })
		group.Wait()
	})))
	do(h, "/")
	require.True(t, said)
	for _, e := range []*policy.Engine{outer, inner} {
		var d policy.Decision
		e.Peek(&policy.Request{Amounts: []policy.Amount{{Name: "tokens"}}}, &d)
		require.Equal(t, 900, d.Standings[0].Remaining)
	}
}
