package httplimit_test

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/httplimit"
	"github.com/seed-3506548a/ratelimit/policy"
)

// headers returns what a dialect says of a decision that is granted.
func headers(dialect httplimit.Dialect, binding int, standings ...policy.Standing) http.Header {
	h := http.Header{}
	dialect.Headers(h, &policy.Decision{OK: true, Binding: binding, Standings: standings, MoreAfter: ratelimit.Never}, t0)
	return h
}

// The quota is that of the rate, and the limit itself where no rate is known. What may not be told
// is left out, wherever it stands.
func TestIETFPolicies(t *testing.T) {
	for want, standings := range map[string][]policy.Standing{
		``:                 nil,
		`"a";q=5`:          {{Name: "a", Limit: 5}},
		`"a";q=2;w=1`:      {{Name: "a", Limit: 5, Rate: ratelimit.PerSecond(2)}},
		`"a";q=1`:          {{Name: "a", Limit: 5, Rate: ratelimit.Per(1, time.Nanosecond)}},
		`"b";q=7`:          {{Name: "a", Limit: 5, Hidden: true}, {Name: "b", Limit: 7}},
		`"a";q=5, "c";q=9`: {{Name: "a", Limit: 5}, {Name: "b", Limit: 7, Shadow: true}, {Name: "c", Limit: 9}},
	} {
		got := ""
		for name, values := range headers(httplimit.IETF(11), -1, standings...) {
			require.Equal(t, "RateLimit-Policy", name)
			require.NotEmpty(t, values[0])
			got += values[0]
		}
		require.Equal(t, want, got)
	}
}

// Fields that have no name are left out.
func TestFieldsThatAreLeftOut(t *testing.T) {
	idle := policy.Standing{Name: "a", Limit: 5, Remaining: 5}
	require.Equal(t, http.Header{"X-Used": {"0"}}, headers(httplimit.Fields{Used: "X-Used"}, 0, idle))
	require.Equal(t, http.Header{"X-Limit": {"5"}}, headers(httplimit.Fields{Limit: "X-Limit"}, 0, idle))
	closed := policy.Standing{Name: "a", ResetAfter: ratelimit.Never}
	require.Empty(t, headers(httplimit.Fields{Reset: "X-Reset"}, 0, closed))
}

// A refusal is an error of the client, or of the server.
func TestFieldsStatus(t *testing.T) {
	e, _ := newCatalogEngine(t, "trakt")
	for status, ok := range map[int]bool{0: true, 399: false, 400: true, 599: true, 600: false} {
		_, err := httplimit.Middleware(e, everybody, httplimit.Fields{Status: status})
		require.Equal(t, ok, err == nil, status)
	}
}

// Where only a hidden limit refuses, the one that is told in its place is violated.
func TestIETFNamesTheLimitThatIsTold(t *testing.T) {
	w := httptest.NewRecorder()
	httplimit.IETF(11).Refuse(w, request("/"), &policy.Decision{Action: policy.ByLimit, RetryAfter: time.Second, Standings: []policy.Standing{
		{Name: "minute", Limit: 90, Remaining: 80}, {Name: "peak", Limit: 10, Hidden: true, Crossed: true}}})
	require.Contains(t, w.Body.String(), `"violated-policies":["minute"]`)
}
