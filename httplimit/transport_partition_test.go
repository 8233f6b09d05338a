package httplimit_test

import (
	"net/http"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-3506548a/ratelimit/httplimit"
)

func TestPartitions(t *testing.T) {
	bubble(t, "a bucket", func(t *testing.T) {
		server := &api{answer: func(r *http.Request, _ time.Time) (int, http.Header, string) {
			if strings.HasPrefix(r.URL.Path, "/search") {
				return http.StatusOK, fields("X-RateLimit-Resource: search", "X-RateLimit-Remaining: 0", "X-RateLimit-Reset: 60"), ""
			}
			return http.StatusOK, fields("X-RateLimit-Resource: core", "X-RateLimit-Remaining: 4000", "X-RateLimit-Reset: 3600"), ""
		}}
		transport := &httplimit.Transport{Base: server}
		start := time.Now()
		for _, one := range []struct {
			path string
			at   time.Duration
		}{
			{"/repos/a/b", 0}, {"/search/code", 0}, {"/repos/a/c", 0}, {"/repos/x", 0}, {"/user", 0}, // not known, so not waited for
			{"/search/code", time.Minute}, {"/search/issues", 2 * time.Minute}, {"/repos/a/b", 2 * time.Minute},
		} {
			resp, err := transport.RoundTrip(newRequest(t.Context(), t, http.MethodGet, one.path, nil))
			closing(t, resp, err)
			require.Equal(t, one.at, time.Since(start), one.path)
		}
	})
	bubble(t, "refused", func(t *testing.T) {
		for _, one := range []struct {
			global string
			other  time.Duration // when a request of another bucket is sent
		}{{"false", 0}, {"true", time.Minute}} {
			server := &api{answer: func(r *http.Request, _ time.Time) (int, http.Header, string) {
				if r.Header.Get("Refuse") != "" {
					return http.StatusTooManyRequests, fields("X-RateLimit-Bucket: a", "X-RateLimit-Global: "+one.global, "Retry-After: 60"), ""
				}
				return http.StatusOK, fields("X-RateLimit-Bucket: " + r.URL.Path[1:]), ""
			}}
			byPath := func(r *http.Request) string { return r.URL.Path }
			for _, scope := range []func(*http.Request) string{nil, byPath} {
				transport := &httplimit.Transport{Base: server, Scope: scope, Tries: 1}
				start := time.Now()
				for _, target := range []string{"/a", "/b", "/a refused", "/b"} {
					path, refuse, _ := strings.Cut(target, " ")
					r := newRequest(t.Context(), t, http.MethodGet, path, nil)
					r.Header.Set("Refuse", refuse)
					resp, err := transport.RoundTrip(r)
					closing(t, resp, err)
				}
				require.Equal(t, one.other, time.Since(start))
				resp, err := transport.RoundTrip(newRequest(t.Context(), t, http.MethodGet, "/a", nil))
				closing(t, resp, err)
				require.Equal(t, time.Minute, time.Since(start))
			}
		}
	})
	bubble(t, "not known yet", func(t *testing.T) {
		server := &api{latency: 100 * time.Millisecond}
		server.answer = func(r *http.Request, _ time.Time) (int, http.Header, string) {
			return http.StatusOK, fields("X-RateLimit-Bucket: "+r.URL.Path[1:], "X-RateLimit-Remaining: 0", "X-RateLimit-Reset: 60"), ""
		}
		transport := &httplimit.Transport{Base: server}
		start := time.Now()
		run(t, transport, job{1, 1, http.MethodGet, "/a"})
		run(t, transport, job{3, 3, http.MethodGet, "/b"}) // the first finds out
		require.Greater(t, server.arrivals[2].Sub(start), time.Minute)
	})
	bubble(t, "other hosts go on", func(t *testing.T) {
		transport := &httplimit.Transport{Base: script(step{429, []string{"Retry-After: 60", "X-RateLimit-Global: true"}}), Tries: 1}
		start := time.Now()
		for _, host := range []string{"a.example.com", "b.example.com"} {
			r := newRequest(t.Context(), t, http.MethodGet, "/", nil)
			r.URL.Host = host
			resp, err := transport.RoundTrip(r)
			closing(t, resp, err)
		}
		require.Zero(t, time.Since(start))
	})
}

// TestScopesAreForgotten uses a scope for each of many users.
func TestScopesAreForgotten(t *testing.T) {
	virtually(t, func(t *testing.T) {
		transport := &httplimit.Transport{
			Base:  script(step{429, []string{"Retry-After: 3600"}}),
			Scope: func(r *http.Request) string { return r.Header.Get("X-User") }, Tries: 1,
		}
		start := time.Now()
		for i := range 5000 {
			r := newRequest(t.Context(), t, http.MethodGet, "/"+strconv.Itoa(i), nil)
			r.Header.Set("X-User", strconv.Itoa(i))
			resp, err := transport.RoundTrip(r)
			closing(t, resp, err)
		}
		require.Zero(t, time.Since(start))
		r := newRequest(t.Context(), t, http.MethodGet, "/", nil)
		r.Header.Set("X-User", "0")
		resp, err := transport.RoundTrip(r)
		closing(t, resp, err)
		require.Equal(t, time.Hour, time.Since(start)) // that one is not
	})
}

// TestPartitionsAreBounded names a bucket for each request, which is exhausted for a day.
func TestPartitionsAreBounded(t *testing.T) {
	virtually(t, func(t *testing.T) {
		server := &api{}
		server.answer = func(*http.Request, time.Time) (int, http.Header, string) {
			return http.StatusOK, fields("X-RateLimit-Bucket: "+strconv.Itoa(server.served), "X-RateLimit-Remaining: 0", "X-RateLimit-Reset: 86400"), ""
		}
		transport := &httplimit.Transport{Base: server}
		get := func(i int) {
			resp, err := transport.RoundTrip(newRequest(t.Context(), t, http.MethodGet, "/"+strconv.Itoa(i), nil))
			closing(t, resp, err)
		}
		get(0)
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		for i := range 20_000 {
			get(i + 1)
		}
		runtime.GC()
		runtime.ReadMemStats(&after)
		require.Less(t, int64(after.HeapAlloc)-int64(before.HeapAlloc), int64(4<<20))
	})
}

// A host is one, in whatever case it is written, and whether or not its port is that of the scheme.
func TestAHostInOtherWords(t *testing.T) {
	for _, c := range []struct {
		refused, next string
		wait          time.Duration
	}{
		{"https://a.example", "https://A.example", time.Minute}, {"https://a.example", "https://a.example:443", time.Minute},
		{"http://a.example:80", "http://a.example", time.Minute}, {"https://[::1]:443", "https://[::1]", time.Minute},
		{"https://a.example", "https://a.example:80", 0}, {"http://a.example", "http://a.example:443", 0},
		{"http://a.example", "http://a.example:8080", 0}, {"http://a.example", "https://a.example", 0},
	} {
		bubble(t, c.refused+" and "+c.next, func(t *testing.T) {
			transport := &httplimit.Transport{Base: script(step{http.StatusTooManyRequests, []string{"Retry-After: 60"}}), Tries: 1}
			start := time.Now()
			for _, target := range []string{c.refused, c.next} {
				r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, target, nil)
				require.NoError(t, err)
				resp, err := transport.RoundTrip(r)
				closing(t, resp, err)
			}
			require.Equal(t, c.wait, time.Since(start))
		})
	}
}
