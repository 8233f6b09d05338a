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
