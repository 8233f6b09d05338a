package httplimit_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-3506548a/ratelimit/httplimit"
	"github.com/seed-3506548a/ratelimit/limittest"
	"github.com/seed-3506548a/ratelimit/policy"
	"github.com/seed-3506548a/ratelimit/policy/catalog"
)

var t0 = time.Date(2026, 3, 2, 8, 0, 0, 0, time.UTC)

// newEngine returns an engine whose clock shows t0.
func newEngine(t testing.TB, document string) (*policy.Engine, *limittest.Clock) {
	t.Helper()
	return newEngineFor(t, 1000, document)
}

// newEngineFor returns one with room for so many keys.
func newEngineFor(t testing.TB, capacity int, document string) (*policy.Engine, *limittest.Clock) {
	t.Helper()
	p, err := policy.Parse([]byte(document))
	require.NoError(t, err)
	clock := limittest.NewClock(t0)
	e, err := policy.New(p, capacity, policy.WithClock(clock))
	require.NoError(t, err)
	return e, clock
}

// catalogEngine returns an engine of the catalog's policy of that name.
func catalogEngine(t testing.TB, name string, opts ...policy.Option) *policy.Engine {
	t.Helper()
	e, err := policy.New(loaded(t, name), 1000, opts...)
	require.NoError(t, err)
	return e
}

func loaded(t testing.TB, name string) policy.Policy {
	t.Helper()
	p, err := catalog.Load(name)
	require.NoError(t, err)
	return p
}

// newCatalogEngine returns an engine of the catalog's policy whose clock shows t0.
func newCatalogEngine(t testing.TB, name string) (*policy.Engine, *limittest.Clock) {
	t.Helper()
	clock := limittest.NewClock(t0)
	return catalogEngine(t, name, policy.WithClock(clock)), clock
}

// everybody reads the attributes that the tests' policies name: from header fields, but for ip.
var everybody = httplimit.Attributes{
	"user": httplimit.Header("X-User"), "client": httplimit.Header("X-Client"), "token": httplimit.Header("X-Token"),
	"ip": httplimit.ClientIP(), "route": httplimit.Header("X-Route"), "plan": httplimit.Header("X-Plan"),
}

// limited returns the handler behind a middleware.
func limited(t testing.TB, e *policy.Engine, dialect httplimit.Dialect, next http.Handler, opts ...httplimit.Option) http.Handler {
	t.Helper()
	limit, err := httplimit.Middleware(e, everybody, dialect, opts...)
	require.NoError(t, err)
	return limit(next)
}

var fine = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "fine") })

// request returns one with header fields given as "Name: value".
func request(target string, fields ...string) *http.Request {
	method, path, ok := strings.Cut(target, " ")
	if !ok {
		method, path = http.MethodGet, target
	}
	r := httptest.NewRequest(method, path, nil)
	for _, f := range fields {
		name, value, _ := strings.Cut(f, ": ")
		r.Header.Add(name, value)
	}
	return r
}

// do serves the request.
func do(h http.Handler, target string, fields ...string) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, request(target, fields...))
	return w
}

// field returns the values of a header field, in whatever case its name is written.
func field(w *httptest.ResponseRecorder, name string) (values []string) {
	for there, of := range w.Header() {
		if strings.EqualFold(there, name) {
			values = append(values, of...)
		}
	}
	return values
}

// use has n requests granted.
func use(t testing.TB, h http.Handler, n int, target string, fields ...string) {
	t.Helper()
	for i := range n {
		require.Less(t, do(h, target, fields...).Code, 300, "request %d", i)
	}
}

// answer is a response as it is on the wire, in HTTP/1.1: its status line, its header fields,
// sorted and without those of the server, and its body.
type answer struct{ status, fields, body string }

// wire serves one request over loopback and returns the answer, byte for byte.
func wire(t testing.TB, h http.Handler, target string, fields ...string) answer {
	t.Helper()
	server := httptest.NewServer(h)
	defer server.Close()
	conn, err := net.Dial("tcp", server.Listener.Addr().String())
	require.NoError(t, err)
	defer func() { _ = conn.Close() }()
	method, path, ok := strings.Cut(target, " ")
	if !ok {
		method, path = http.MethodGet, target
	}
	_, err = fmt.Fprintf(conn, "%s %s HTTP/1.1\r\nHost: example.com\r\nConnection: close\r\n%s\r\n", method, path,
		strings.Join(append(fields, ""), "\r\n"))
	require.NoError(t, err)
	whole, err := io.ReadAll(bufio.NewReader(conn))
	require.NoError(t, err)
	head, body, ok := strings.Cut(string(whole), "\r\n\r\n")
	require.True(t, ok, "%q", whole)
	lines := strings.Split(head, "\r\n")
	first := strings.TrimPrefix(lines[0], "HTTP/1.1 ")
	if method != http.MethodHead {
		require.Contains(t, lines, fmt.Sprintf("Content-Length: %d", len(body)))
	}
	lines = slices.DeleteFunc(lines[1:], func(line string) bool {
		return strings.HasPrefix(line, "Date: ") || line == "Connection: close" || strings.HasPrefix(line, "Content-Length: ")
	})
	name := func(line string) string { return line[:strings.IndexByte(line, ':')] }
	slices.SortFunc(lines, func(a, b string) int { return strings.Compare(name(a), name(b)) })
	return answer{first, strings.Join(append(lines, ""), "\n"), body}
}

// requireJSON requires the text to be valid JSON, and no name in it to be there twice.
func requireJSON(t testing.TB, text string) {
	t.Helper()
	require.True(t, json.Valid([]byte(text)), text)
	var value any
	require.NoError(t, json.Unmarshal([]byte(text), &value))
	again, err := json.Marshal(value)
	require.NoError(t, err)
	require.Len(t, again, len(text), "a name is there twice, or there are spaces: %s", text)
}

func prefix(s string) netip.Prefix { return netip.MustParsePrefix(s) }
