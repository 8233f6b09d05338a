package oracle

import (
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"

	"github.com/go-chi/chi/v5/middleware"
	"github.com/realclientip/realclientip-go"
	"github.com/stretchr/testify/require"

	"github.com/seed-3506548a/ratelimit/httplimit"
)

// Where chi's ClientIPFromXFF finds a client, it is the same one. It finds none where all are
// trusted or something is no address, and passes over empty elements: there httplimit counts by the
// last proxy that is known.
func TestAddressesAsChi(t *testing.T) {
	trusted := []string{"10.0.0.0/8", "2001:db8:ff::/48"}
	chi := middleware.ClientIPFromXFF(trusted...)
	found := compare(t, func(r *http.Request) (ip string) {
		chi(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { ip = middleware.GetClientIP(r.Context()) })).ServeHTTP(httptest.NewRecorder(), r)
		return ip
	})
	require.Greater(t, found, 1000)
}

// So it is with realclientip's rightmost address that is not in trusted ranges. It does not look at
// the peer, and keeps zones.
func TestAddressesAsRealClientIP(t *testing.T) {
	var ranges []net.IPNet
	for _, p := range prefixes {
		_, n, err := net.ParseCIDR(p.String())
		require.NoError(t, err)
		ranges = append(ranges, *n)
	}
	strategy, err := realclientip.NewRightmostTrustedRangeStrategy("X-Forwarded-For", ranges)
	require.NoError(t, err)
	found := compare(t, func(r *http.Request) string {
		peer, err := netip.ParseAddrPort(r.RemoteAddr)
		if err != nil {
			return ""
		}
		if !trusts(peer.Addr()) {
			return plain(peer.Addr()).String()
		}
		ip, err := netip.ParseAddr(strategy.ClientIP(r.Header, r.RemoteAddr))
		if err != nil {
			return ""
		}
		return plain(ip).String()
	})
	require.Greater(t, found, 1000)
}

var prefixes = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("2001:db8:ff::/48")}

func trusts(a netip.Addr) bool {
	for _, p := range prefixes {
		if p.Contains(plain(a)) {
			return true
		}
	}
	return false
}

func plain(a netip.Addr) netip.Addr { return a.Unmap().WithZone("") }

// compare asks both about random requests, and returns how often the other found a client.
func compare(t *testing.T, other func(*http.Request) string) (found int) {
	t.Helper()
	a := httplimit.ClientIP(prefixes...)
	r := rand.New(rand.NewPCG(3, 4))
	peers := []string{"10.0.0.1:80", "192.0.2.1:80", "[2001:db8:ff::1]:80", "[::ffff:10.0.0.1]:80", "[2001:db8::9]:80", "@"}
	hops := []string{"198.51.100.1", "198.51.100.2", "10.0.0.2", "10.255.0.1", "2001:db8::1", "2001:db8:ff::2", "::ffff:198.51.100.3", "::ffff:10.0.0.9",
		"2001:DB8:0::1", "unknown", "198.51.100.256", "_x", "1.2.3"}
	for range 20000 {
		request := httptest.NewRequest(http.MethodGet, "/", nil)
		request.RemoteAddr = peers[r.IntN(len(peers))]
		for range r.IntN(3) {
			var list []string
			for range 1 + r.IntN(4) {
				list = append(list, strings.Repeat(" ", r.IntN(2))+hops[r.IntN(len(hops))])
			}
			request.Header.Add("X-Forwarded-For", strings.Join(list, ","))
		}
		want := other(request)
		if want == "" {
			continue
		}
		found++
		got, ok := a(request)
		require.True(t, ok)
		require.Equal(t, want, got, "%s %q", request.RemoteAddr, request.Header["X-Forwarded-For"])
	}
	return found
}
