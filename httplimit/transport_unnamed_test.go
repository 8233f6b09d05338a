package httplimit_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-3506548a/ratelimit/httplimit"
)

// TestPartsWithoutName asks parts of an API that no response names, after one that is named: one
// request finds out, and then they go at once. So it is again when another name shows that there
// are more parts.
func TestPartsWithoutName(t *testing.T) {
	virtually(t, func(t *testing.T) {
		server := &api{latency: 200 * time.Millisecond}
		server.answer = func(r *http.Request, _ time.Time) (int, http.Header, string) {
			part := strings.Split(r.URL.Path, "/")[1]
			if part == "plain" {
				return http.StatusOK, nil, ""
			}
			return http.StatusOK, fields("X-RateLimit-Limit: 5000", "X-RateLimit-Remaining: 4000",
				"X-RateLimit-Resource: "+part, "X-RateLimit-Reset: 3600"), ""
		}
		transport := &httplimit.Transport{Base: server}
		for _, round := range []struct {
			path string
			want time.Duration // of 20 requests at once
		}{
			{"/core/1", 2 * server.latency}, {"/core/2", server.latency},
			{"/plain/1", 2 * server.latency}, {"/plain/2", server.latency}, {"/plain/3", server.latency},
			{"/search/1", server.latency}, // it may be plain, as far as is known
			{"/graphql/1", 2 * server.latency}, {"/code/1", 2 * server.latency}, {"/code/2", server.latency},
			{"/plain/4", 2 * server.latency}, {"/plain/5", server.latency},
		} {
			require.Equal(t, round.want, run(t, transport, job{20, 20, http.MethodGet, round.path}), round.path)
		}
	})
}

// TestALimitThatIsNamedNoMore is used up when responses stop naming it. One request finds out after
// the reset that it is no more.
func TestALimitThatIsNamedNoMore(t *testing.T) {
	for _, c := range []struct {
		name  string
		named []string
		wait  time.Duration // until there is more
	}{
		{"with a reset", []string{"X-RateLimit-Limit: 10", "X-RateLimit-Remaining: 0", "X-RateLimit-Reset: 60"}, time.Minute},
		{"without one", []string{"X-RateLimit-Limit: 10", "X-RateLimit-Remaining: 0"}, 0},
		{"of a part", []string{"X-RateLimit-Resource: core", "X-RateLimit-Remaining: 0", "X-RateLimit-Reset: 60"}, time.Minute},
		{"of the host", []string{"X-RateLimit-Global: true", "X-RateLimit-Remaining: 0", "X-RateLimit-Reset: 60"}, time.Minute},
	} {
		bubble(t, c.name, func(t *testing.T) {
			server := &api{latency: 100 * time.Millisecond}
			server.answer = func(*http.Request, time.Time) (int, http.Header, string) {
				if server.served == 0 {
					return http.StatusOK, fields(c.named...), ""
				}
				return http.StatusOK, nil, ""
			}
			transport := &httplimit.Transport{Base: server}
			run(t, transport, job{1, 1, http.MethodGet, "/a"})
			require.Equal(t, c.wait+2*server.latency, run(t, transport, job{20, 20, http.MethodGet, "/a"}))
			require.Equal(t, server.latency, run(t, transport, job{20, 20, http.MethodGet, "/a"}))
		})
	}
}

// TestALimitThatIsStillNamed is used up all the time, without a word on when there is more: then
// requests go one at a time, as each could be refused.
func TestALimitThatIsStillNamed(t *testing.T) {
	virtually(t, func(t *testing.T) {
		server := &api{latency: 100 * time.Millisecond}
		server.answer = func(*http.Request, time.Time) (int, http.Header, string) {
			return http.StatusOK, fields("X-RateLimit-Remaining: 0"), ""
		}
		require.Equal(t, 20*server.latency, run(t, &httplimit.Transport{Base: server}, job{20, 20, http.MethodGet, "/a"}))
	})
}
