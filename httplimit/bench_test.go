package httplimit_test

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/httplimit"
	"github.com/seed-3506548a/ratelimit/keyed"
	"github.com/seed-3506548a/ratelimit/policy"
)

// discard is a ResponseWriter that costs nothing but its header.
type discard struct {
	header http.Header
	status int
}

func (d *discard) Header() http.Header { return d.header }

func (d *discard) Write(p []byte) (int, error) { return len(p), nil }

func (d *discard) WriteHeader(status int) { d.status = status }

// BenchmarkMiddleware is what a request costs beside the bare handler: by policies and dialects,
// granted and refused.
func BenchmarkMiddleware(b *testing.B) {
	const granting, refusing = "1000000000/s", "1/10000d"
	rule := func(rate, more string) string {
		return `{"name": "api", "key": ["ip"], "limits": [{"name": "all", "rate": "` + rate + `", "as": "gcra"` + more + `}]}`
	}
	for _, c := range []struct {
		name, policy string
		dialect      httplimit.Dialect
		status       int
	}{
		{"limits=none/dialect=IETF11/outcome=granted", `{"name": "api", "mode": "exempt"}`, httplimit.IETF(11), 0},
		{"limits=1/dialect=IETF11/outcome=granted", rule(granting, ""), httplimit.IETF(11), 0},
		{"limits=1/dialect=WillItTrack/outcome=granted", rule(granting, ""), httplimit.WillItTrack, 0},
		{"limits=1/dialect=Trakt/outcome=granted", rule(granting, ""), httplimit.Trakt, 0},
		{"limits=1/dialect=Fields/outcome=granted", rule(granting, ""), httplimit.Fields{}, 0},
		{"limits=count/dialect=IETF11/outcome=granted", rule(granting, `, "count": ["5xx"]`), httplimit.IETF(11), 0},
		{"limits=1/dialect=IETF11/outcome=refused", rule(refusing, ""), httplimit.IETF(11), 429},
		{"limits=1/dialect=WillItTrack/outcome=refused", rule(refusing, ""), httplimit.WillItTrack, 429},
		{"limits=1/dialect=Fields/outcome=refused", rule(refusing, ""), httplimit.Fields{}, 429},
	} {
		b.Run(c.name, func(b *testing.B) {
			e, err := policy.New(mustParse(b, `{"rules": [`+c.policy+`]}`), 1000)
			require.NoError(b, err)
			benchmark(b, limited(b, e, c.dialect, silent), c.status)
		})
	}
	b.Run("handler=bare", func(b *testing.B) { benchmark(b, silent, 0) })
	b.Run("perkey/dialect=WillItTrack/outcome=granted", func(b *testing.B) {
		table := ratelimit.Must(keyed.NewGCRA[string](ratelimit.PerSecond(1000000000), 1000000, 1000))
		limit, err := httplimit.PerKey(table, httplimit.ClientIP(), httplimit.WillItTrack)
		require.NoError(b, err)
		benchmark(b, limit(silent), 0)
	})
}

var silent = http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})

func benchmark(b *testing.B, h http.Handler, status int) {
	b.Helper()
	r := request("/v1/letters")
	w := &discard{header: http.Header{}}
	if status != 0 { // use up what there is
		h.ServeHTTP(w, r)
	}
	b.ReportAllocs()
	for b.Loop() {
		clear(w.header)
		h.ServeHTTP(w, r)
	}
	require.Equal(b, status, w.status)
}
