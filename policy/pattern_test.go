package policy

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestPattern(t *testing.T) {
	for _, c := range []struct{ pattern, yes, no string }{
		{"/", "/ /a /a/b /%2F", ""},
		{"/{$}", "/ /%2F // /. /.. /a/..", "/a /a/ /%2F/"},
		{"/a", "/a /%61 /x/../a /x/../%61 //a /./a", "/ /a/ /A /a/b /ab /%62"},
		{"/a/", "/a/ /a/b /a/b/c /a// /%61/b /a/..//a/", "/a /ab /b/ /a/../b"},
		{"/a/{x}", "/a/b /a/%20 /a/b%2Fc /%61/b", "/a /a/ /%61/ /a/b/ /a/b/c /a/%2F"},
		{"/a/{$}", "/a/ /a// /a/b/../", "/a /a/. /a/b"},
		{"/a/{x}/", "/a/b/ /a/b/c", "/a/b /a/"},
		{"/a/{x...}", "/a/ /a/b /a/b/c/", "/a"},
		{"/a/{x}/c/{y}", "/a/b/c/d", "/a/b/c /a/b/d/d"},
		{"/a b"[:2] + "%20b", "/a%20b", "/a+b /ab"},
		{"/a%2Fb", "/a%2Fb /a%2fb", "/a/b"},
		{"/a%2541", "/a%2541", "/aA /a%41"},
		{"/{x}/x", "/a/x /x/x", "/x/a"},
		{"/ä", "/%C3%A4", "/a"},
		{"/9Z", "/9Z /%39%5a /%39%5A", "/9"},
		{"/a%25", "/a%25 /a%", "/a%2525"}, // an escape that is none is text
		{"/a%254", "/a%254 /a%4", "/a%"},
		{"/a%254z", "/a%254z /a%4z", "/a%4"},
		{"/a%25z4", "/a%25z4 /a%z4", "/a%z"},
	} {
		p, want := compilePattern(c.pattern)
		require.Empty(t, want, c.pattern)
		for _, path := range strings.Fields(c.yes) {
			at := newTarget("PUT", path)
			require.True(t, p.match(&at), "%s is for %s", c.pattern, path)
		}
		for _, path := range append(strings.Fields(c.no), "", "a", "*") {
			at := newTarget("PUT", path)
			require.False(t, p.match(&at), "%s is not for %s", c.pattern, path)
		}
	}
	for _, c := range []struct {
		pattern, method string
		ok              bool
	}{
		{"GET /", "GET", true}, {"GET /", "HEAD", true}, {"GET /", "POST", false}, {"GET /", "get", false},
		{"HEAD /", "GET", false}, {"HEAD /", "HEAD", true}, {"/", "", true}, {"M-SEARCH /", "M-SEARCH", true},
	} {
		p, _ := compilePattern(c.pattern)
		at := newTarget(c.method, "/x")
		require.Equal(t, c.ok, p.match(&at), c)
	}
}

// Each method is told from each other, those of RFC 9110 by a bit and others by their names. Only
// GET is for HEAD, too.
func TestPatternMethods(t *testing.T) {
	methods := []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "CONNECT", "OPTIONS", "TRACE", "M-SEARCH", "LINK"}
	for _, of := range methods {
		p, want := compilePattern(of + " /")
		require.Empty(t, want)
		for _, method := range methods {
			at := newTarget(method, "/x")
			require.Equal(t, of == method || of == "GET" && method == "HEAD", p.match(&at), "%s and %s", of, method)
		}
	}
}

func TestPatternFaults(t *testing.T) {
	for pattern, want := range map[string]string{
		"":              "a path that begins with a slash",
		"a":             "a path that begins with a slash",
		"example.com/a": "no host",
		"GET":           "a path that begins with a slash",
		"GET  /a":       "a path that begins with a slash",
		" /a":           "one method in capitals",
		"get /a":        "one method in capitals",
		"GET|POST /a":   "one method in capitals",
		"GET\t/a":       "a path that begins with a slash",
		"/a b":          "one method in capitals",
		"GET /a b":      "a space is %20",
		"/a\x00":        "control characters",
		"/search?q=x":   "without a query",
		"/a#b":          "# is %23",
		"//a":           "without empty segments",
		"/a//":          "without empty segments",
		"/a/./b":        "without empty segments",
		"/..":           "without empty segments",
		"/{$}/":         "{$} at the end only",
		"/{x...}/a":     "{x...} at the end only",
		"/{}":           "in braces a name",
		"/{...}":        "in braces a name",
		"/{1}":          "in braces a name",
		"/{a-b}":        "in braces a name",
		"/a{x}":         "in braces a name",
		"/{x}a":         "in braces a name",
		"/{x":           "in braces a name",
		"/x}":           "in braces a name",
		"/{{x}}":        "in braces a name",
		"/{x}/{x}":      "names in braces that differ",
		"/{x}/{x...}":   "names in braces that differ",
		"/v1/*":         "a slash at the end for everything below",
		"/*.jpg":        "* is %2A",
		"/users/:id":    "{id} for any segment",
		"/100%":         "two hexadecimal digits",
		"/a/%2F":        "which a ServeMux takes for {$}",
	} {
		_, got := compilePattern(pattern)
		require.Contains(t, got, want, pattern)
	}
}

// The first look at the patterns of a rule rejects no request that one of them is for. It tells
// methods apart that none of them is for, and paths without their common prefix.
func TestGates(t *testing.T) {
	patterns := []string{"/", "GET /", "POST /", "REPORT /", "/a/", "PUT /a/", "/b/", "POST /a/b", "/ab", "DELETE /{x}", "/{x}/b", "/a%2Fb", "/{$}"}
	targets := []target{{}}
	for _, method := range []string{"GET", "HEAD", "POST", "PUT", "REPORT", "SEARCH", ""} {
		for _, path := range []string{"", "a", "/", "/a", "/a/", "/a/b", "/ab", "/b/c", "/%61/", "/a%2Fb", "/x/b", "/a/../b/"} {
			targets = append(targets, newTarget(method, path))
		}
	}
	scopeOf := func(of ...string) (s scope) {
		for _, one := range of {
			p, want := compilePattern(one)
			require.Empty(t, want)
			s.match = append(s.match, p)
		}
		return s
	}
	rejected := func(s scope, method, path string) bool {
		at := newTarget(method, path)
		return s.gate().rejects(&at)
	}
	open := scopeOf()
	for i := range targets {
		require.False(t, open.gate().rejects(&targets[i]), "a rule without patterns is for all")
	}
	for _, a := range patterns {
		for _, b := range patterns {
			for _, s := range []scope{scopeOf(a), scopeOf(a, b), scopeOf("/b/", a, b)} {
				for i := range targets {
					at := &targets[i]
					require.False(t, s.gate().rejects(at) && s.includes(at, nil), "%s, %s: %v", a, b, at)
				}
			}
		}
	}
	require.True(t, rejected(scopeOf("POST /", "PUT /"), "GET", "/"))
	require.False(t, rejected(scopeOf("POST /", "PUT /"), "PUT", "/"))
	require.True(t, rejected(scopeOf("/ab", "/cd"), "GET", "/abc"))
	require.False(t, rejected(scopeOf("/ab", "/cd"), "GET", "/cd/"))
}

func TestPatternDoesNotAllocate(t *testing.T) {
	p, _ := compilePattern("GET /v1/users/{id}/%C3%A4")
	require.Zero(t, testing.AllocsPerRun(100, func() {
		at := newTarget("GET", "/v1/users/7/%c3%a4")
		if !p.match(&at) {
			t.Fail()
		}
	}))
}

// FuzzPattern compares with a ServeMux that has only the pattern. A redirect to the cleaned path
// counts as what it leads to, since that is what a target is; one to a slash at the end is no
// match.
func FuzzPattern(f *testing.F) {
	for _, seed := range []string{"/", "/{$}", "/a/", "GET /a/{x}", "POST /a/{x}/b/{y...}", "/a%2Fb", "/{x}/", "/a%25", "/ä/{ä}"} {
		for _, path := range []string{"/", "/a/", "/a/b", "/a/../b//", "/a%2Fb", "/a/%2F", "/%2F", "/a/b/b/c/d", "/a%25", "/%C3%A4/1", "/a%", ""} {
			f.Add(seed, "GET", path)
			f.Add(seed, "HEAD", path)
		}
	}
	f.Fuzz(func(t *testing.T, pattern, method, path string) {
		p, want := compilePattern(pattern)
		if want != "" {
			return
		}
		u, err := url.ParseRequestURI(path)
		if err != nil || u.Host != "" || !strings.HasPrefix(path, "/") || method == http.MethodConnect {
			return // no request has such a path; and to CONNECT paths mean nothing
		}
		served := false
		mux := http.NewServeMux()
		mux.HandleFunc(pattern, func(http.ResponseWriter, *http.Request) { served = true })
		mux.ServeHTTP(httptest.NewRecorder(), &http.Request{Method: method, URL: u})

		at := newTarget(method, u.EscapedPath())
		if at.path != u.EscapedPath() {
			require.False(t, served, "a ServeMux only redirects")
			if u, err = url.ParseRequestURI(at.path); err != nil || u.EscapedPath() != at.path {
				return
			}
			mux.ServeHTTP(httptest.NewRecorder(), &http.Request{Method: method, URL: u})
		}
		require.Equal(t, served, p.match(&at), "%q, %q, %q", pattern, method, at.path)
	})
}
