package allocations_test

import (
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/httplimit"
	"github.com/seed-3506548a/ratelimit/internal/proof/allocations"
	"github.com/seed-3506548a/ratelimit/policy"
	"github.com/seed-3506548a/ratelimit/simulate"
	"github.com/seed-3506548a/ratelimit/simulate/logs"
)

// foreign are the parsers of what comes from outside, with what each of them is given again and
// again, and how many bytes it may allocate for each byte.
var foreign = []struct {
	name   string
	parse  func(text string)
	pieces []string
	most   uint64
}{
	{"policy.Parse", func(text string) { _, _ = policy.Parse([]byte(text)) }, []string{
		"[", "{", `{"rules":[`, `{"a":`, `"`, `\u0000`, ",", "0", "1e9", " ", "\n", "\x00", "\xff", `{"rules":{"rules":`,
		`{"x":1},`, `"/v1/{x}/",`, `{"rules":[{"name":"a","match":["/"],"limits":[{"name":"b","rate":"1/s"}]}]}`,
	}, 32},
	{"policy.Parse of rules", func(text string) { _, _ = policy.Parse([]byte(`{"rules":[` + text + `{}]}`)) }, []string{
		"{},", "[],", "1,", `"",`, `{"name":""},`, `{"limits":[{},{}]},`, `{"ladder":[{},{}]},`, `{"match":["/","/"]},`, `{"when":["a","a=b|c"]},`,
		`{"name":"a","match":["/"],"limits":[{"name":"b","rate":"1/s","as":"gcra"}]},`,
	}, 512},
	{"policy.Parse of overrides", func(text string) { _, _ = policy.Parse([]byte(`{"overrides":[` + text + `{}]}`)) }, []string{
		"{},", `{"limit":"a"},`, `{"when":["tenant=a"],"limit":"a/b","rate":"1/s"},`,
	}, 512},
	{"policy.Parse of a pattern", func(text string) { _, _ = policy.Parse([]byte(`{"rules":[{"name":"a","match":["/` + text + `"]}]}`)) }, []string{
		"/", "a/", "{x}/", "%2F", "{", "*", "é",
	}, 128},
	{"policy.Parse of a condition", func(text string) { _, _ = policy.Parse([]byte(`{"rules":[{"name":"a","when":["a=` + text + `"]}]}`)) }, []string{
		"|", "a|", "%7C", "=", "a",
	}, 128},
	{"policy.ParseLimit", func(text string) { _, _ = policy.ParseLimit(text) }, []string{"gcra ", " ", "1/s ", "burst 1 ", "count 4xx,", "9"}, 16},
	{"policy.Span", func(text string) { _ = new(policy.Span).UnmarshalText([]byte(text)) }, []string{"1h", "9", "s", " "}, 16},
	{"ratelimit.ParseRate", func(text string) { _, _ = ratelimit.ParseRate(text) }, []string{"1/s", "9", "1/1h", "/"}, 16},
	{"httplimit.Read", func(text string) {
		for _, name := range fields {
			httplimit.Read(http.Header{name: {text}}, start)
		}
	}, []string{
		`"a";r=1;t=1,`, `"a`, `a;`, `limit=1,`, "100;w=60,", `{"name":"a","limit":1},`, "[", "9", ",", ";", "Mon, 02 Mar 2026 08:00:00 GMT ", `\"`,
	}, 512},
	{"httplimit.ClientIP", func(text string) {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.RemoteAddr = "10.0.0.1:80"
		r.Header["X-Forwarded-For"] = []string{text}
		httplimit.ClientIP(netip.MustParsePrefix("10.0.0.0/8"))(r)
	}, []string{"10.0.0.1,", "10.0.0.1, ", ",", "[::1]:80,", "x", "fe80::1%a,"}, 16},
	{"logs.Read", func(text string) {
		for _, err := range logs.Read(strings.NewReader(text), logs.Auto) {
			_ = err
		}
	}, []string{
		`192.0.2.1 - bob [02/Mar/2026:08:00:08 +0000] "GET / HTTP/1.1" 200 512` + "\n", "\n", "x", "x\n", "\x00", "a,b\n", `"`, "{", `{"ts":1.5e9}` + "\n", "\t", "[\n",
	}, 512},
	{"simulate.ReadLog", func(text string) {
		for _, err := range simulate.ReadLog(strings.NewReader(text)) {
			_ = err
		}
	}, []string{`192.0.2.1 - bob [02/Mar/2026:08:00:08 +0000] "GET / HTTP/1.1" 200 512` + "\n", "\n", "x", "x\n", `"`}, 512},
}

// fields are those that httplimit.Read parses, each in another way.
var fields = []string{"Ratelimit", "Ratelimit-Policy", "X-Ratelimit", "X-Ratelimit-Limit", "X-Ratelimit-Reset", "Retry-After"}

var start = time.Date(2026, 3, 2, 8, 0, 0, 0, time.UTC)

// besides is what a parser may allocate whatever it reads: a log is read by 64 KiB.
const besides = 80 << 10

// What a parser allocates is in proportion to what it reads, whatever that is: to its length, and
// not to its square.
func TestForeignBytes(t *testing.T) {
	for _, c := range foreign {
		for _, piece := range c.pieces {
			for _, size := range []int{1 << 10, 1 << 14, 1 << 17} {
				text := strings.Repeat(piece, size/len(piece))
				require.LessOrEqual(t, allocations.Bytes(func() { c.parse(text) }), c.most*uint64(len(text))+besides, "%s: %d times %q", c.name, size/len(piece), piece)
			}
		}
	}
}
