package fieldbugs_test

import (
	"fmt"
	"net/http"
	"net/netip"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/httplimit"
	"github.com/seed-3506548a/ratelimit/keyed"
	"github.com/seed-3506548a/ratelimit/limittest"
)

// onePer grants one request of each key.
func onePer(t *testing.T, key httplimit.Attribute) http.Handler {
	t.Helper()
	table, err := keyed.NewGCRA[string](ratelimit.PerDay(1), 1, 1000, keyed.WithClock(limittest.NewClock(start)))
	require.NoError(t, err)
	return perKey(t, table, key)
}

// express-rate-limit, express-rate-limit/express-rate-limit#502: an IPv6 client has a limit for
// each of its 2^64 addresses.
func TestExpressRateLimitEachAddressOfANetworkHasALimit(t *testing.T) {
	h := onePer(t, httplimit.ClientIP().Prefix(32, 64))
	require.Equal(t, http.StatusOK, from(h, "[2001:db8:1:2::1]:1234"))
	for i := range 100 {
		require.Equal(t, http.StatusTooManyRequests, from(h, fmt.Sprintf("[2001:db8:1:2:%x::%x]:1234", i, i)))
	}
	require.Equal(t, http.StatusOK, from(h, "[2001:db8:1:3::1]:1234"))
	require.Equal(t, http.StatusOK, from(h, "192.0.2.1:1234"))
	require.Equal(t, http.StatusOK, from(h, "192.0.2.2:1234"))
}

// Better Auth, better-auth/better-auth#7300: the spellings of one address are several keys.
func TestBetterAuthEachSpellingOfAnAddressIsAKey(t *testing.T) {
	h := onePer(t, httplimit.ClientIP(netip.MustParsePrefix("10.0.0.0/8")))
	for i, same := range []string{"2001:db8::1", "2001:DB8::1", "2001:0db8:0:0:0:0:0:1", "[2001:db8::1]:443", "2001:db8::0.0.0.1"} {
		require.Equal(t, i == 0, from(h, "10.0.0.1:1", "X-Forwarded-For: "+same) == http.StatusOK, same)
	}
	for i, same := range []string{"192.0.2.1", "::ffff:192.0.2.1", "::FFFF:c000:201", "192.0.2.1:443"} {
		require.Equal(t, i == 0, from(h, "10.0.0.1:1", "X-Forwarded-For: "+same) == http.StatusOK, same)
	}
}

// Better Auth, better-auth/better-auth#7300: the parts of a key are joined without a separator, so
// different clients share a limit.
func TestBetterAuthPartsOfAKeyRunTogether(t *testing.T) {
	h := newFront(t, "{'rules': [{'name': 'api', 'key': ['user', 'plan'], 'limits': [{'name': 'api', 'rate': '1/day', 'as': 'gcra'}]}]}",
		xRateLimit, fine)
	for _, parts := range [][2]string{{"ab", "c"}, {"a", "bc"}, {"a|b", "c"}, {"a", "b|c"}, {"a,b", "c"}, {"a", "b,c"}, {"a:b", "c"}, {"a", "b:c"}} {
		require.Equal(t, http.StatusOK, ask(h, "/", "X-User: "+parts[0], "X-Plan: "+parts[1]).Code, parts)
	}
}

// EzAuth, josuebrunel/ezauth#147: the key has the port of the peer, so each connection has a new
// limit.
func TestEzAuthThePortIsInTheKey(t *testing.T) {
	h := onePer(t, httplimit.ClientIP())
	require.Equal(t, http.StatusOK, from(h, "192.0.2.1:1000"))
	require.Equal(t, http.StatusOK, from(h, "[2001:db8::1%eth0]:1000"))
	for port := range 100 {
		require.Equal(t, http.StatusTooManyRequests, from(h, fmt.Sprintf("192.0.2.1:%d", 1001+port)))
		require.Equal(t, http.StatusTooManyRequests, from(h, fmt.Sprintf("[2001:db8::1%%eth1]:%d", 1001+port)))
	}
}

// Alps, migadu/alps#18: behind a proxy, the leftmost address of X-Forwarded-For is counted, which
// is the client's word.
//
// A client had a limit for each address that it made up, and used up those of others.
func TestAlpsTheLeftmostAddressIsCounted(t *testing.T) {
	h := onePer(t, httplimit.ClientIP(netip.MustParsePrefix("10.0.0.0/8")))
	for i := range 100 {
		status := from(h, "10.0.0.1:1", fmt.Sprintf("X-Forwarded-For: 198.51.100.%d, 192.0.2.1", i))
		require.Equal(t, i == 0, status == http.StatusOK)
	}
	require.Equal(t, http.StatusOK, from(h, "10.0.0.1:1", "X-Forwarded-For: 198.51.100.1"), "it was used up by another client")
	require.Equal(t, http.StatusTooManyRequests, from(h, "10.0.0.1:1", "X-Forwarded-For: 198.51.100.9, unknown, 192.0.2.1"))
}

// reqlimit, avahowell/reqlimit#2: X-Forwarded-For and X-Real-IP are believed, whatever the peer is.
func TestReqlimitEveryPeerIsBelieved(t *testing.T) {
	for name, key := range map[string]httplimit.Attribute{
		"no proxies": httplimit.ClientIP(), "other proxies": httplimit.ClientIP(netip.MustParsePrefix("10.0.0.0/8")),
	} {
		h := onePer(t, key)
		for i := range 100 {
			made := fmt.Sprintf("198.51.100.%d", i)
			status := from(h, "192.0.2.1:1234", "X-Forwarded-For: "+made, "X-Real-IP: "+made, "Forwarded: for="+made)
			require.Equal(t, i == 0, status == http.StatusOK, name)
		}
	}
}

// Bolt, dj-bolt/django-bolt#311: a user whose name is an address shares the limit of that address.
func TestDjangoBoltAUserIsTakenForAnAddress(t *testing.T) {
	h := newFront(t, "{'rules': [{'name': 'api', 'key': ['user|ip'], 'limits': [{'name': 'api', 'rate': '1/day', 'as': 'gcra'}]}]}", xRateLimit, fine)
	require.Equal(t, http.StatusOK, from(h, "192.0.2.1:1234", "X-User: "), "the address")
	require.Equal(t, http.StatusTooManyRequests, from(h, "192.0.2.1:1234", "X-User: "))
	require.Equal(t, http.StatusOK, from(h, "192.0.2.2:1234", "X-User: 192.0.2.1"), "the user")
}

// Tessera, ashita-ai/tessera#185: only the first 10 characters of a token are in the key.
//
// They were the same in all tokens, so all clients shared one limit.
func TestTesseraOnlyTheBeginningOfATokenCounts(t *testing.T) {
	for _, key := range []httplimit.Attribute{httplimit.Header("X-Token"), httplimit.Header("X-Token").Hash()} {
		h := onePer(t, key)
		long := "tess_live_" + strings.Repeat("x", 240)
		for i := range 10 {
			require.Equal(t, http.StatusOK, ask(h, "/", fmt.Sprintf("X-Token: %s%d", long, i)).Code)
		}
	}
}

// n8n, n8n-io/n8n#24636: a key is as long as the client likes, and is kept.
func TestN8nAKeyIsAsLongAsTheClientLikes(t *testing.T) {
	h := onePer(t, httplimit.Header("X-User"))
	require.Equal(t, http.StatusOK, ask(h, "/", "X-User: "+strings.Repeat("x", 256)).Code)
	require.Equal(t, http.StatusForbidden, ask(h, "/", "X-User: "+strings.Repeat("x", 257)).Code)
	require.Equal(t, http.StatusForbidden, ask(h, "/", "X-User: "+strings.Repeat("x", 1<<20)).Code)
}

// tollbooth, didip/tollbooth#50: the path is a part of the key, so a client has a limit for each
// page.
func TestTollboothEachPathHasALimit(t *testing.T) {
	h := newFront(t, users("{'name': 'api', 'rate': '10/min', 'as': 'gcra'}"), xRateLimit, fine)
	granted := 0
	for i := range 100 {
		granted += passed(h, 1, fmt.Sprintf("/pages/%d?q=%d", i, i))
	}
	require.Equal(t, 10, granted)
}

// Traefik, traefik/traefik#6687: the field that clients are told apart by is ignored, and their
// address is counted.
func TestTraefikTheFieldIsIgnored(t *testing.T) {
	h := onePer(t, httplimit.Header("X-Token"))
	require.Equal(t, http.StatusOK, from(h, "192.0.2.1:1", "X-Token: a"))
	require.Equal(t, http.StatusOK, from(h, "192.0.2.1:1", "X-Token: b"))
	require.Equal(t, http.StatusTooManyRequests, from(h, "192.0.2.2:1", "X-Token: a"))
}

// Traefik, traefik/traefik#13706: a middleware that several routers use has a limit for each.
func TestTraefikEachRouterHasALimit(t *testing.T) {
	h := newFront(t, users("{'name': 'api', 'rate': '10/min', 'as': 'gcra'}"), xRateLimit, fine)
	other := h.limit(fine)
	require.Equal(t, 6, passed(h, 6, "/a"))
	require.Equal(t, 4, passed(other, 6, "/b"))
}

// rack-throttle, dryruby/rack-throttle#56: a path with more slashes than needed has no limit.
//
// The server took them away, and the limiter did not.
func TestRackThrottleMoreSlashesEvadeTheRule(t *testing.T) {
	h := newFront(t, "{'rules': [{'name': 'login', 'match': ['POST /login'], 'limits': [{'name': 'login', 'rate': '1/day', 'as': 'log'}]}]}",
		xRateLimit, fine)
	require.Equal(t, http.StatusOK, ask(h, "POST /login").Code)
	for _, path := range []string{"//login", "///login", "/./login", "/x/../login", "/x//../login"} {
		require.Equal(t, http.StatusTooManyRequests, ask(h, "POST http://example.com"+path).Code, path)
	}
}

// RateLimitBundle, jaytaph/RateLimitBundle#20: a path with escapes has no limit.
func TestRateLimitBundleEscapesEvadeTheRule(t *testing.T) {
	mux := http.NewServeMux()
	mux.Handle("POST /login", fine)
	h := newFront(t, "{'rules': [{'name': 'login', 'match': ['POST /login'], 'limits': [{'name': 'login', 'rate': '1/day', 'as': 'log'}]}]}",
		xRateLimit, mux)
	require.Equal(t, http.StatusOK, ask(h, "POST /login").Code)
	for _, path := range []string{"/%6Cogin", "/%6cogin", "/l%6fgi%6E", "/%6C%6F%67%69%6E"} {
		require.Equal(t, http.StatusOK, ask(mux, "POST "+path).Code, "it is served: %s", path)
		require.Equal(t, http.StatusTooManyRequests, ask(h, "POST "+path).Code, path)
	}
}

// Parse Server, parse-community/parse-server#10500: a path with a query has no limit.
func TestParseServerAQueryEvadesTheRule(t *testing.T) {
	h := newFront(t, "{'rules': [{'name': 'login', 'match': ['POST /login'], 'limits': [{'name': 'login', 'rate': '1/day', 'as': 'log'}]}]}",
		xRateLimit, fine)
	require.Equal(t, http.StatusOK, ask(h, "POST /login?x=0").Code)
	require.Equal(t, http.StatusTooManyRequests, ask(h, "POST /login?x=1").Code)
	require.Equal(t, http.StatusTooManyRequests, ask(h, "POST /login?").Code)
}

// Trakt, trakt/trakt-api#247: HEAD is counted as POST.
//
// One a second was granted instead of 1000 in 5 minutes.
func TestTraktHEADIsCountedAsPOST(t *testing.T) {
	h := newFront(t, `{'rules': [
		{'name': 'reads', 'match': ['GET /'], 'key': ['user'], 'limits': [{'name': 'reads', 'rate': '5/5m', 'as': 'log'}]},
		{'name': 'writes', 'match': ['POST /', 'PUT /', 'DELETE /'], 'key': ['user'], 'limits': [{'name': 'writes', 'rate': '1/s', 'as': 'log'}]}]}`,
		xRateLimit, fine)
	require.Equal(t, 3, passed(h, 3, "HEAD /lists/1"))
	require.Equal(t, 2, passed(h, 3, "GET /lists/1"))
	require.Equal(t, 0, passed(h, 1, "HEAD /lists/1"))
	require.Equal(t, 1, passed(h, 2, "POST /lists/1"))
}
