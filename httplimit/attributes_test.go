package httplimit_test

import (
	"crypto/sha256"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/httplimit"
	"github.com/seed-3506548a/ratelimit/keyed"
)

// read returns what an attribute reads, "" if it is not there. What is there is not empty.
func read(t testing.TB, a httplimit.Attribute, r *http.Request) string {
	t.Helper()
	value, ok := a(r)
	require.Equal(t, value != "", ok)
	return value
}

func TestHeader(t *testing.T) {
	a := httplimit.Header("x-api-KEY")
	for _, c := range []struct {
		values []string
		want   string
	}{
		{nil, ""},
		{[]string{"abc"}, "abc"},
		{[]string{"Bearer a b"}, "Bearer a b"},
		{[]string{" \tabc "}, "abc"},
		{[]string{""}, ""},
		{[]string{"  "}, ""},
		{[]string{"a", "a"}, ""},
		{[]string{"a\x00b"}, ""},
		{[]string{"a\tb"}, ""},
		{[]string{"a\x7f"}, ""},
		{[]string{"~a"}, "~a"},
		{[]string{"ü"}, ""},
		{[]string{strings.Repeat("a", 256)}, strings.Repeat("a", 256)},
		{[]string{strings.Repeat("a", 257)}, ""},
	} {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		if c.values != nil {
			r.Header["X-Api-Key"] = c.values
		}
		require.Equal(t, c.want, read(t, a, r), "%q", c.values)
	}
}

func TestPrefix(t *testing.T) {
	for _, c := range []struct {
		address string
		v4, v6  int
		want    string
	}{
		{"192.0.2.77", 24, 64, "192.0.2.0/24"},
		{"192.0.2.77", 32, 64, "192.0.2.77/32"},
		{"192.0.2.77", 0, 64, "0.0.0.0/0"},
		{"2001:db8:1:2:3:4:5:6", 24, 64, "2001:db8:1:2::/64"},
		{"2001:db8:1:2:3:4:5:6", 24, 48, "2001:db8:1::/48"},
		{"2001:db8:1:2:3:4:5:6", 24, 0, "::/0"},
		{"2001:db8:1:2:3:4:5:6", 24, 128, "2001:db8:1:2:3:4:5:6/128"},
		{"::ffff:192.0.2.77", 24, 64, "192.0.2.0/24"},
		{"fe80::1%eth0", 24, 64, "fe80::/64"},
		{"alice", 24, 64, ""},
		{"", 24, 64, ""},
	} {
		a := httplimit.Header("X-Address").Prefix(c.v4, c.v6)
		require.Equal(t, c.want, read(t, a, request("/", "X-Address: "+c.address)), c.address)
	}
}

func TestHash(t *testing.T) {
	a := httplimit.Header("X-Token").Hash()
	require.Equal(t, fmt.Sprintf("%x", sha256.Sum256([]byte("secret"))), read(t, a, request("/", "X-Token: secret")))
	require.Empty(t, read(t, a, request("/")))
	for _, none := range []httplimit.Attribute{
		func(*http.Request) (string, bool) { return "", true },
		func(*http.Request) (string, bool) { return "made up", false },
	} {
		require.Empty(t, read(t, none.Hash(), request("/")), "what is not there, or empty, has no hash")
	}
}

// A name may have all characters of a token, and no others.
func TestHeaderNames(t *testing.T) {
	for c := byte(0); c < 0x80; c++ {
		letter := '0' <= c && c <= '9' || 'A' <= c && c <= 'Z' || 'a' <= c && c <= 'z'
		isOne := letter || strings.IndexByte("!#$%&'*+-.^_`|~", c) >= 0 // as of RFC 9110, 5.6.2
		name := "X" + string(rune(c))
		e, _ := newCatalogEngine(t, "willittrack")
		_, err := httplimit.Middleware(e, httplimit.Attributes{"user": httplimit.Header(name), "ip": httplimit.ClientIP(), "route": httplimit.ClientIP()}, httplimit.Trakt)
		require.Equal(t, isOne, err == nil, "%q: %v", name, err)
	}
}

func TestRoute(t *testing.T) {
	mux := http.NewServeMux()
	mux.Handle("GET /letters/{id}", fine)
	mux.Handle("/files/", fine)
	a := httplimit.Route(mux)
	for target, want := range map[string]string{
		"/letters/1":         "GET /letters/{id}",
		"/letters/2?x=y":     "GET /letters/{id}",
		"HEAD /letters/3":    "GET /letters/{id}",
		"//letters/4":        "GET /letters/{id}",
		"/letters/a%2Fb":     "GET /letters/{id}",
		"/letters/1/2":       "",
		"POST /letters/1":    "",
		"OPTIONS /letters/1": "",
		"/files/a/b":         "/files/",
		"/nothing":           "",
		"OPTIONS *":          "",
	} {
		require.Equal(t, want, read(t, a, request(target)), target)
	}
}

func TestClientIP(t *testing.T) {
	proxies := []netip.Prefix{netip.MustParsePrefix("10.1.2.3/8"), netip.MustParsePrefix("::ffff:172.16.0.0/108"), netip.MustParsePrefix("2001:db8:ff::/48")}
	for _, c := range []struct {
		name, remote string
		forwarded    []string
		want         string
	}{
		{"the peer", "192.0.2.1:1234", nil, "192.0.2.1"},
		{"the peer, in IPv6", "[2001:db8::1]:1234", nil, "2001:db8::1"},
		{"written out", "[2001:0DB8:0:0::1]:1234", nil, "2001:db8::1"},
		{"mapped", "[::ffff:192.0.2.1]:1234", nil, "192.0.2.1"},
		{"with a zone", "[fe80::1%eth0]:1234", nil, "fe80::1"},
		{"without a port", "192.0.2.1", nil, "192.0.2.1"},
		{"without a port, in IPv6", "2001:db8::1", nil, "2001:db8::1"},
		{"a Unix socket", "@", nil, ""},
		{"none", "", nil, ""},
		{"a name", "localhost:80", nil, ""},
		{"a port", ":80", nil, ""},
		{"forged by a peer that is not trusted", "192.0.2.1:1234", []string{"198.51.100.1"}, "192.0.2.1"},
		{"through a proxy", "10.0.0.1:1234", []string{"198.51.100.1"}, "198.51.100.1"},
		{"through two", "10.0.0.1:1234", []string{"198.51.100.1, 10.0.0.2"}, "198.51.100.1"},
		{"through two, each with a field", "10.0.0.1:1234", []string{"198.51.100.1", "10.0.0.2"}, "198.51.100.1"},
		{"a client that forges what is left of it", "10.0.0.1:1234", []string{"203.0.113.9, 198.51.100.1, 10.0.0.2"}, "198.51.100.1"},
		{"a client that forges a field", "10.0.0.1:1234", []string{"203.0.113.9", "198.51.100.1"}, "198.51.100.1"},
		{"a client that says it is a proxy", "10.0.0.1:1234", []string{"10.0.0.9, 198.51.100.1"}, "198.51.100.1"},
		{"trusted, mapped", "[::ffff:10.0.0.1]:1234", []string{"::ffff:172.16.9.9", "::ffff:198.51.100.1"}, "198.51.100.1"},
		{"trusted by a mapped prefix", "172.31.0.1:1234", []string{"198.51.100.1"}, "198.51.100.1"},
		{"beside a mapped prefix", "172.15.0.1:1234", []string{"198.51.100.1"}, "172.15.0.1"},
		{"IPv6 proxies", "[2001:db8:ff::1%eth0]:1234", []string{"2001:db8::1,2001:db8:ff::2"}, "2001:db8::1"},
		{"all trusted", "10.0.0.1:1234", []string{"10.0.0.3, 10.0.0.2"}, "10.0.0.3"},
		{"with a port", "10.0.0.1:1234", []string{"198.51.100.1:4711"}, "198.51.100.1"},
		{"with a port, in IPv6", "10.0.0.1:1234", []string{"[2001:db8::1]:4711"}, "2001:db8::1"},
		{"in brackets", "10.0.0.1:1234", []string{"[2001:db8::1]"}, "2001:db8::1"},
		{"half in brackets", "10.0.0.1:1234", []string{"[2001:db8::1"}, "10.0.0.1"},
		{"with a zone", "10.0.0.1:1234", []string{"fe80::1%25eth0"}, "fe80::1"},
		{"with spaces", "10.0.0.1:1234", []string{" \t198.51.100.1\t "}, "198.51.100.1"},
		{"no address", "10.0.0.1:1234", []string{"198.51.100.1, unknown"}, "10.0.0.1"},
		{"no address, behind a proxy", "10.0.0.1:1234", []string{"198.51.100.1, _hidden, 10.0.0.2"}, "10.0.0.2"},
		{"empty", "10.0.0.1:1234", []string{""}, "10.0.0.1"},
		{"empty elements", "10.0.0.1:1234", []string{"198.51.100.1,,"}, "10.0.0.1"},
		{"an empty element, and a field that a client has forged", "10.0.0.1:1234", []string{"203.0.113.9", ",10.0.0.2"}, "10.0.0.2"},
		{"a zone as long as can be", "10.0.0.1:1234", []string{"fe80::1%" + strings.Repeat("a", 120)}, "fe80::1"},
		{"a longer zone", "10.0.0.1:1234", []string{"fe80::1%" + strings.Repeat("a", 121)}, "10.0.0.1"},
		{"control characters", "10.0.0.1:1234", []string{"198.51.100.1\x00"}, "10.0.0.1"},
		{"an octet too large", "10.0.0.1:1234", []string{"198.51.100.256"}, "10.0.0.1"},
		{"a number", "10.0.0.1:1234", []string{"3325256705"}, "10.0.0.1"},
		{"leading zeros", "10.0.0.1:1234", []string{"198.051.100.001"}, "10.0.0.1"},
		{"a network", "10.0.0.1:1234", []string{"198.51.100.0/24"}, "10.0.0.1"},
		{"huge", "10.0.0.1:1234", []string{strings.Repeat("9", 1<<20)}, "10.0.0.1"},
		{"many", "10.0.0.1:1234", []string{strings.Repeat("198.51.100.1,", 1<<16) + "203.0.113.9"}, "203.0.113.9"},
		{"many proxies", "10.0.0.1:1234", []string{"198.51.100.1" + strings.Repeat(",10.0.0.2", 1<<16)}, "198.51.100.1"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := httptest.NewRequest(http.MethodGet, "/", nil)
			r.RemoteAddr = c.remote
			for _, value := range c.forwarded {
				r.Header.Add("X-Forwarded-For", value)
			}
			for _, other := range []string{"Forwarded", "X-Real-Ip", "True-Client-Ip", "Cf-Connecting-Ip", "X-Client-Ip", "X-Forwarded-Host"} {
				r.Header.Set(other, "for=203.0.113.77")
			}
			require.Equal(t, c.want, read(t, httplimit.ClientIP(proxies...), r))
			if c.forwarded == nil {
				require.Equal(t, c.want, read(t, httplimit.ClientIP(), r))
			} else {
				require.NotEqual(t, "198.51.100.1", read(t, httplimit.ClientIP(), r), "nobody is trusted")
			}
		})
	}
}

// All IPv4 addresses, mapped.
func TestClientIPTrustsAllOfIPv4(t *testing.T) {
	a := httplimit.ClientIP(netip.MustParsePrefix("::ffff:0.0.0.0/96"))
	r := request("/", "X-Forwarded-For: 203.0.113.9")
	require.Equal(t, "203.0.113.9", read(t, a, r))
	r.RemoteAddr = "[2001:db8::1]:80"
	require.Equal(t, "2001:db8::1", read(t, a, r))
}

// The caller's list may change afterwards.
func TestClientIPKeepsItsList(t *testing.T) {
	list := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}
	a := httplimit.ClientIP(list...)
	list[0] = netip.MustParsePrefix("0.0.0.0/0")
	r := request("/", "X-Forwarded-For: 203.0.113.9")
	require.Equal(t, "192.0.2.1", read(t, a, r))
}

// An attribute has no error: Middleware and PerKey return that of its arguments.
func TestAttributesOfArgumentsThatCannotBe(t *testing.T) {
	good := httplimit.ClientIP()
	table, err := keyed.NewGCRA[string](ratelimit.PerSecond(1), 1, 10)
	require.NoError(t, err)
	for want, a := range map[string]httplimit.Attribute{
		`httplimit.Header: name is "", want the name of a header field, other than Host`:        httplimit.Header(""),
		`httplimit.Header: name is "X User", want the name of a header field, other than Host`:  httplimit.Header("X User"),
		`httplimit.Header: name is "X-User:", want the name of a header field, other than Host`: httplimit.Header("X-User:"),
		`httplimit.Header: name is "host", want the name of a header field, other than Host`:    httplimit.Header("host"),
		`httplimit.Route: mux is nil, want a mux`:                                               httplimit.Route(nil),
		`httplimit.Attribute.Prefix: v4 is 33, want 0 to 32`:                                    good.Prefix(33, 64),
		`httplimit.Attribute.Prefix: v4 is -1, want 0 to 32`:                                    good.Prefix(-1, 64),
		`httplimit.Attribute.Prefix: v6 is 129, want 0 to 128`:                                  good.Prefix(24, 129),
		`httplimit.Attribute.Prefix: v6 is -1, want 0 to 128`:                                   good.Prefix(24, -1),
		`httplimit.Attribute.Prefix: attribute is nil, want an attribute`:                       httplimit.Attribute(nil).Prefix(24, 64),
		`httplimit.Attribute.Hash: attribute is nil, want an attribute`:                         httplimit.Attribute(nil).Hash(),
		`httplimit.ClientIP: trusted[1] is invalid Prefix, want the prefix of a network, as in 10.0.0.0/8`: httplimit.ClientIP(
			netip.MustParsePrefix("10.0.0.0/8"), netip.Prefix{}),
		`httplimit.ClientIP: trusted[0] is ::ffff:10.0.0.0/90, want the prefix of a network, as in 10.0.0.0/8`: httplimit.ClientIP(
			netip.MustParsePrefix("::ffff:10.0.0.0/90")),
		`httplimit.Route: mux is nil, want a mux `: httplimit.Route(nil).Prefix(24, 64).Hash(), // the inner one's
	} {
		require.Empty(t, read(t, a, request("/")), "it is never there")
		want = strings.TrimSpace(want)
		e, _ := newCatalogEngine(t, "willittrack")
		who := httplimit.Attributes{"user": a, "ip": good, "route": good}
		_, err := httplimit.Middleware(e, who, httplimit.IETF(11))
		var argument *ratelimit.ArgumentError
		require.ErrorAs(t, err, &argument)
		require.EqualError(t, err, want)
		_, err = httplimit.PerKey(table, a, httplimit.IETF(11))
		require.EqualError(t, err, want)
	}
}

// FuzzClientIP holds that what a client writes to the left of what proxies add changes nothing, and
// that the address is one, without a zone.
func FuzzClientIP(f *testing.F) {
	for _, remote := range []string{"10.0.0.1:80", "192.0.2.1:80", "[2001:db8::1%eth0]:80", "[::ffff:10.0.0.1]:80", "@", ""} {
		for _, forged := range []string{"", "203.0.113.9", "unknown", "10.0.0.1,,", "[::1]:80", "\x00", "fe80::1%a,b"} {
			f.Add(remote, forged, "198.51.100.1")
		}
	}
	a := httplimit.ClientIP(netip.MustParsePrefix("10.0.0.0/8"))
	f.Fuzz(func(t *testing.T, remote, forged, added string) {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.RemoteAddr = remote
		r.Header["X-Forwarded-For"] = []string{forged, added}
		value, ok := a(r)
		if !ok {
			require.Empty(t, value)
			return
		}
		addr, err := netip.ParseAddr(value)
		require.NoError(t, err)
		require.Equal(t, addr.Unmap().WithZone("").String(), value)
		r.Header["X-Forwarded-For"] = []string{forged + ", " + added}
		require.Equal(t, value, read(t, a, r), "one field or two")

		own, err := netip.ParseAddr(added)
		if own = own.Unmap().WithZone(""); err == nil && netip.MustParsePrefix("10.0.0.0/8").Contains(own) {
			return // then what is left of it counts
		}
		r.Header["X-Forwarded-For"] = []string{added}
		require.Equal(t, value, read(t, a, r))
		prefix := read(t, a.Prefix(24, 64), r)
		network, err := netip.ParsePrefix(prefix)
		require.NoError(t, err)
		require.True(t, network.Contains(addr))
	})
}

func FuzzHeader(f *testing.F) {
	f.Add("abc", "")
	f.Add(" a\x00 ", "x")
	f.Add(strings.Repeat("é", 128), "")
	a := httplimit.Header("X-Token")
	f.Fuzz(func(t *testing.T, one, two string) {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.Header["X-Token"] = []string{one}
		if value, ok := a(r); ok {
			require.NotEmpty(t, value)
			require.LessOrEqual(t, len(value), 256)
			require.Equal(t, strings.Trim(one, " \t"), value)
			require.Equal(t, -1, strings.IndexFunc(value, func(c rune) bool { return c < ' ' || c > '~' }))
		}
		r.Header["X-Token"] = []string{one, two}
		require.Empty(t, read(t, a, r))
	})
}
