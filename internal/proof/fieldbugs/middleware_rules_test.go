package fieldbugs_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-3506548a/ratelimit/httplimit"
)

// Laravel, laravel/framework#51967: two limits of one key are counted together.
//
// 5 a minute and 50 a day: the third request of a minute was refused.
func TestLaravelTwoLimitsOfAKeyAreOneCount(t *testing.T) {
	for _, as := range []string{"anchored", "aligned", "log", "gcra"} {
		h := newFront(t, users("{'name': 'minute', 'rate': '5/min', 'as': '"+as+"'}, {'name': 'day', 'rate': '50/day', 'as': '"+as+"'}"), xRateLimit, fine)
		granted := 0
		for range 12 {
			granted += passed(h, 6, "/")
			h.advance(time.Minute)
		}
		require.Equal(t, 50, granted, as)
	}
}

// Laravel, laravel/framework#16786: a middleware that is in a chain twice counts each request
// twice, and does not report it.
func TestLaravelAMiddlewareTwiceCountsTwice(t *testing.T) {
	var found error
	h := newFront(t, users("{'name': 'api', 'rate': '10/min', 'as': 'gcra'}"), xRateLimit, fine,
		httplimit.OnError(func(_ http.ResponseWriter, _ *http.Request, err error) bool {
			found = errors.Join(found, err)
			return false
		}))
	twice := h.limit(h)
	require.Equal(t, http.StatusServiceUnavailable, ask(twice, "/").Code)
	require.ErrorIs(t, found, httplimit.ErrTwice)
}

// Flask-Limiter, alisaifee/flask-limiter#108: the limit of the application counts requests twice to
// routes with a limit of their own.
func TestFlaskLimiterTheApplicationsLimitCountsTwice(t *testing.T) {
	h := newFront(t, `{'rules': [
		{'name': 'application', 'key': ['user'], 'limits': [{'name': 'application', 'rate': '600/min', 'as': 'log'}]},
		{'name': 'route', 'match': ['/{$}'], 'key': ['user'], 'limits': [{'name': 'route', 'rate': '300/min', 'as': 'log'}]}]}`, xRateLimit, fine)
	require.Equal(t, 300, passed(h, 310, "/"))
	require.Equal(t, 300, h.remaining(t, "application"))
	require.Equal(t, 300, passed(h, 310, "/2"))
}

// django-brake, gmcquillan/django-brake#19: what is granted counts for the limit of failures too,
// if both have one period.
//
// 200 valid requests a minute and 2 invalid ones: two of any kind were granted.
func TestDjangoBrakeSuccessesCountAsFailures(t *testing.T) {
	forbid := false
	h := newFront(t, users("{'name': 'all', 'rate': '200/min', 'as': 'log'}, {'name': 'failures', 'rate': '2/min', 'as': 'log', 'count': ['403']}"),
		xRateLimit, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			if forbid {
				w.WriteHeader(http.StatusForbidden)
			}
		}))
	require.Equal(t, 100, passed(h, 100, "/"))
	forbid = true
	for range 2 {
		require.Equal(t, http.StatusForbidden, ask(h, "/").Code)
	}
	require.Equal(t, http.StatusTooManyRequests, ask(h, "/").Code)
}

// express-rate-limit, express-rate-limit/express-rate-limit#112: refusals count as requests that
// failed, or that are not to be counted.
func TestExpressRateLimitRefusalsCountAsFailures(t *testing.T) {
	h := newFront(t, users("{'name': 'failures', 'rate': '2/min', 'as': 'log', 'count': ['4xx']}"), xRateLimit, http.NotFoundHandler())
	for range 2 {
		require.Equal(t, http.StatusNotFound, ask(h, "/").Code)
	}
	for range 59 {
		h.advance(time.Second)
		require.Equal(t, http.StatusTooManyRequests, ask(h, "/").Code)
	}
	h.advance(time.Second)
	require.Equal(t, http.StatusNotFound, ask(h, "/").Code)
}

// AspNetCoreRateLimit, stefanprodan/AspNetCoreRateLimit#277: no endpoint can have a higher limit
// than the general one.
func TestAspNetCoreRateLimitNoEndpointHasMore(t *testing.T) {
	h := newFront(t, `{'rules': [{'name': 'api', 'key': ['user'], 'limits': [{'name': 'api', 'rate': '5/s', 'as': 'log'}]}],
		'overrides': [{'match': ['/values'], 'limit': 'api', 'rate': '10/s'}]}`, xRateLimit, fine)
	require.Equal(t, 10, passed(h, 20, "/values"))
	h.advance(time.Second)
	require.Equal(t, 5, passed(h, 20, "/other"))
}

// AspNetCoreRateLimit, stefanprodan/AspNetCoreRateLimit#22: a client that is exempt is limited by
// the rule of an endpoint.
func TestAspNetCoreRateLimitAnExemptClientIsLimited(t *testing.T) {
	h := newFront(t, `{'rules': [
		{'name': 'all', 'limits': [{'name': 'all', 'rate': '5/10s', 'as': 'log'}]},
		{'name': 'links', 'match': ['GET /v4/links'], 'limits': [{'name': 'links', 'rate': '1/h', 'as': 'log'}]},
		{'name': 'tests', 'when': ['user=test-client'], 'mode': 'exempt'}]}`, xRateLimit, fine)
	require.Equal(t, 100, passed(h, 100, "/v4/links", "X-User: test-client"))
	require.Equal(t, 1, passed(h, 100, "/v4/links"))
}

// AspNetCoreRateLimit, stefanprodan/AspNetCoreRateLimit#21: all GET requests are exempt, and are
// limited.
//
// "get:*" was accepted, and matched nothing.
func TestAspNetCoreRateLimitAnExemptionOfAMethodIsIgnored(t *testing.T) {
	h := newFront(t, `{'rules': [
		{'name': 'reads', 'match': ['GET /'], 'mode': 'exempt'},
		{'name': 'all', 'limits': [{'name': 'second', 'rate': '1/s', 'as': 'log'}]}]}`, xRateLimit, fine)
	require.Equal(t, 10, passed(h, 10, "/api/photos/1"))
	require.Equal(t, 1, passed(h, 10, "POST /api/photos/1"))
}

// Nager.Date, nager/Nager.Date#330: to exempt the page at / exempts everything.
func TestNagerDateAnExemptionOfTheRootIsOfAll(t *testing.T) {
	h := newFront(t, `{'rules': [
		{'name': 'page', 'match': ['/{$}'], 'mode': 'exempt'},
		{'name': 'all', 'limits': [{'name': 'second', 'rate': '1/s', 'as': 'log'}]}]}`, xRateLimit, fine)
	require.Equal(t, 10, passed(h, 10, "/"))
	require.Equal(t, 1, passed(h, 10, "/api"))
}

// Unkey, unkeyed/unkey#5519: the limit is in the key, so a client that gets another limit begins
// anew.
func TestUnkeyAnotherLimitIsAnotherCount(t *testing.T) {
	h := newFront(t, `{'rules': [{'name': 'api', 'key': ['user'], 'limits': [{'name': 'api', 'rate': '5/min', 'as': 'log'}]}],
		'overrides': [{'when': ['plan=pro'], 'limit': 'api', 'rate': '8/min'}]}`, xRateLimit, fine)
	require.Equal(t, 5, passed(h, 9, "/"))
	require.Equal(t, 3, passed(h, 9, "/", "X-Plan: pro"))
	require.Equal(t, 0, passed(h, 9, "/"))
}

// openrouteservice, GIScience/openrouteservice#164: preflights of browsers are counted, and cannot
// be left out.
//
// 20 requests of 40 a minute were granted.
func TestOpenRouteServicePreflightsAreCounted(t *testing.T) {
	h := newFront(t, `{'rules': [
		{'name': 'preflights', 'match': ['OPTIONS /'], 'mode': 'exempt'},
		{'name': 'api', 'key': ['user'], 'limits': [{'name': 'api', 'rate': '40/min', 'as': 'log'}]}]}`, xRateLimit, fine)
	granted := 0
	for range 60 {
		require.Equal(t, http.StatusOK, ask(h, "OPTIONS /directions").Code)
		granted += passed(h, 1, "/directions")
	}
	require.Equal(t, 40, granted)
}

// agentgateway, agentgateway/agentgateway#926: a refusal has lost the fields that CORS has set, so
// a browser does not show it to its script.
func TestAgentgatewayARefusalLosesCORS(t *testing.T) {
	for name, dialect := range dialects {
		h := newFront(t, users("{'name': 'api', 'rate': '0/min', 'as': 'gcra'}"), dialect, fine)
		w := httptest.NewRecorder()
		w.Header().Set("Access-Control-Allow-Origin", "https://example.com")
		w.Header().Set("Access-Control-Expose-Headers", "Retry-After")
		w.Header().Set("Vary", "Origin")
		h.ServeHTTP(w, newRequest("/"))
		require.NotEqual(t, http.StatusOK, w.Code, name)
		require.Equal(t, "https://example.com", w.Header().Get("Access-Control-Allow-Origin"), name)
		require.Equal(t, "Retry-After", w.Header().Get("Access-Control-Expose-Headers"), name)
		require.Equal(t, "Origin", w.Header().Get("Vary"), name)
	}
}

// Hookaido, nuetzliches/hookaido#239: a reload of the configuration fills all buckets.
func TestHookaidoAReloadFillsTheBuckets(t *testing.T) {
	for _, as := range []string{"gcra", "interval", "anchored", "aligned", "log", "counter"} {
		limit := "{'name': 'api', 'rate': '10/min', 'as': '" + as + "'}"
		h := newFront(t, users(limit), xRateLimit, fine)
		granted := 0
		for range 5 {
			granted += passed(h, 4, "/")
			require.NoError(t, h.engine.Replace(parsed(t, users(limit))))
		}
		require.Equal(t, 10, granted, as)
	}
}

// Tyk, TykTechnologies/tyk#1208: a reload of the configuration changes no rate.
func TestTykAReloadChangesNoRate(t *testing.T) {
	h := newFront(t, users("{'name': 'api', 'rate': '10/min', 'as': 'log'}"), xRateLimit, fine)
	require.Equal(t, 3, passed(h, 3, "/"))
	require.NoError(t, h.engine.Replace(parsed(t, users("{'name': 'api', 'rate': '5/min', 'as': 'log'}"))))
	require.Equal(t, 2, passed(h, 10, "/"))
	require.NoError(t, h.engine.Replace(parsed(t, users("{'name': 'api', 'rate': '9/min', 'as': 'log'}"))))
	require.Equal(t, 4, passed(h, 10, "/"))
}

// Kong, Kong/kong#8227: requests at the same time are compared with the same count, and all are
// granted.
func TestKongRequestsAtTheSameTimeSeeOneCount(t *testing.T) {
	for _, as := range []string{"gcra", "aligned", "log"} {
		var granted atomic.Int64
		h := newFront(t, users("{'name': 'api', 'rate': '50/min', 'as': '"+as+"'}"), xRateLimit, fine)
		var clients sync.WaitGroup
		for range 10 {
			clients.Go(func() { granted.Add(int64(passed(h, 20, "/"))) })
		}
		clients.Wait()
		require.EqualValues(t, 50, granted.Load(), as)
	}
}

// gin-limit, aviddiviner/gin-limit#3: while a handler serves a connection, such as a websocket,
// other requests hang.
func TestGinLimitALongRequestHoldsUpOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		done := make(chan struct{})
		h := newFront(t, users("{'name': 'api', 'rate': '10/min', 'as': 'log'}, {'name': 'bytes', 'rate': '10/min', 'as': 'log', 'count': ['5xx']}"), xRateLimit,
			http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				if r.URL.Path == "/socket" {
					<-done
				}
			}))
		var long sync.WaitGroup
		long.Go(func() { ask(h, "/socket") })
		synctest.Wait()
		require.Equal(t, 9, passed(h, 20, "/"))
		close(done)
		long.Wait()
	})
}

// go-http-metrics, slok/go-http-metrics#28: behind the middleware no connection can be taken over,
// so there are no websockets.
func TestGoHTTPMetricsNoConnectionCanBeTakenOver(t *testing.T) {
	h := newFront(t, users("{'name': 'api', 'rate': '10/min', 'as': 'log'}, {'name': 'errors', 'rate': '10/min', 'as': 'log', 'count': ['5xx']}"), xRateLimit,
		http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			_, flushes := w.(http.Flusher)
			conn, buffered, err := w.(http.Hijacker).Hijack()
			if flushes && err == nil {
				_, _ = buffered.WriteString("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: test\r\n\r\n")
				_ = buffered.Flush()
				_ = conn.Close()
			}
		}))
	server := httptest.NewServer(h)
	defer server.Close()
	r := newRequest("/", "Connection: Upgrade", "Upgrade: test")
	r.RequestURI, r.URL.Scheme, r.URL.Host = "", "http", server.Listener.Addr().String()
	resp, err := server.Client().Do(r)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	require.Equal(t, http.StatusSwitchingProtocols, resp.StatusCode)
}
