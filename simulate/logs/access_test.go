package logs_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-3506548a/ratelimit/simulate/logs"
)

// A line of an access log without a host, an identity or a user is an error. What syslog writes
// before a line is no virtual host.
func TestClients(t *testing.T) {
	access := logs.Format{Kind: "access"}
	for _, client := range []string{"", "192.0.2.1", "192.0.2.1 -", "192.0.2.1 - ", " - bob", "nginx: - bob"} {
		records, faults := read(t, strings.Replace(line, "192.0.2.1 - -", client, 1), access)
		require.Empty(t, records, "%q", client)
		require.Equal(t, 1, faults.Lost, "%q", client)
	}
	records, _ := read(t, "2026-03-02T08:0001 192.0.2.9 nginx: "+line+"\uff21 - -"+strings.TrimPrefix(line, "192.0.2.1 - -"), access)
	require.Equal(t, []string{"192.0.2.1", "\uff21"}, []string{records[0].Host, records[1].Host})
	require.False(t, records[0].Has("vhost"))
}

// A request that is none of HTTP is the target as a whole, and has no method.
func TestRequestLines(t *testing.T) {
	for request, want := range map[string][3]string{
		"GET /a HTTP/1.1":          {"GET", "/a", "HTTP/1.1"},
		"GET /a b HTTP/1.1":        {"", "GET /a b HTTP/1.1", ""},
		"GET /a HTTP/1.1 HTTP/1.1": {"", "GET /a HTTP/1.1 HTTP/1.1", ""},
		"GET /a SPDY":              {"", "GET /a SPDY", ""},
		"GET /a":                   {"", "GET /a", ""},
		"GET  HTTP/1.1":            {"", "GET  HTTP/1.1", ""},
		"junk":                     {"", "junk", ""},
	} {
		records, faults := read(t, strings.Replace(line, "GET / HTTP/1.1", request, 1), logs.Auto)
		require.Empty(t, faults.Summary(), request)
		require.Equal(t, want, [3]string{records[0].Method, records[0].Target, records[0].Get("protocol")}, request)
	}
}

// A status has three digits in an access log, and is from 0 to 999 in others. - is none. A fault
// tells at most 64 bytes of a status that is none.
func TestStatuses(t *testing.T) {
	for text, status := range map[string]int{"100": 100, "101": 101, "999": 999, "-": 0} {
		records, faults := read(t, strings.Replace(line, "200", text, 1), logs.Auto)
		require.Empty(t, faults.Summary(), text)
		require.Equal(t, status, records[0].Status, text)
		require.Equal(t, strings.Trim(text, "-"), records[0].Get("status"), text)
		require.Equal(t, status > 0, records[0].Has("status"), text)
	}
	for _, text := range []string{"", "OK", "abc", "20", "099", "1000", "2000", "+99"} {
		records, faults := read(t, strings.Replace(line, "200", text, 1), logs.Auto)
		require.Equal(t, []int{1, 0, 0}, []int{faults.Lines, faults.Lost, records[0].Status}, text)
	}
	for text, status := range map[string]int{"0": 0, "1": 1, "999": 999} {
		records, faults := read(t, `{"time":2000000000,"code":`+text+`}`, logs.Auto)
		require.Empty(t, faults.Summary(), text)
		require.Equal(t, status, records[0].Status, text)
		require.Equal(t, strings.Trim(text, "0"), records[0].Get("status"), text)
	}
	for _, text := range []string{"-1", "1000", "1.5", `"x"`} {
		records, faults := read(t, `{"time":2000000000,"code":`+text+`}`, logs.Auto)
		require.Equal(t, []int{1, 0, 0}, []int{faults.Lines, faults.Lost, records[0].Status}, text)
	}
	for n, want := range map[int]int{63: 63, 64: 64, 65: 64, 66: 64} {
		_, faults := read(t, strings.Replace(line, "200", strings.Repeat("x", n), 1), logs.Auto)
		require.Contains(t, faults.Summary()[0], `: "`+strings.Repeat("x", want)+`", want`)
	}
}

// Path is what follows the host of a target that a proxy was asked for, without the query.
func TestPaths(t *testing.T) {
	for target, path := range map[string]string{
		"/a?b=/c":                   "/a",
		"/a?b=http://c/d":           "/a",
		"http://example.com/a/b?c":  "/a/b",
		"http://example.com":        "/",
		"a://example.com/b":         "/b",
		"file:///a":                 "/a",
		"http://h/":                 "/",
		"://h/a":                    "://h/a",
		"*":                         "*",
		"example.com:443":           "example.com:443",
		"http://example.com:80/?/c": "/",
		"":                          "",
	} {
		require.Equal(t, path, (&logs.Record{Target: target}).Path(), target)
	}
}
