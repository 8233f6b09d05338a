package fieldbugs_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/httplimit"
	"github.com/seed-3506548a/ratelimit/keyed"
	"github.com/seed-3506548a/ratelimit/limittest"
)

// go-chi/httprate, go-chi/httprate#47: Retry-After is always the length of the window.
//
// 10 a minute, one every 2 s: the 11th was told to wait for 60 s instead of 40 s.
func TestHTTPRateRetryAfterIsTheWindow(t *testing.T) {
	eachDialect(t, "{'name': 'minute', 'rate': '10/min', 'as': 'log'}", func(t *testing.T, h *front) {
		for range 10 {
			require.Equal(t, http.StatusOK, ask(h, "/").Code)
			h.advance(2 * time.Second)
		}
		require.Equal(t, 40*time.Second, retryAfter(t, ask(h, "/")))
	})
}

// fastify-rate-limit, fastify/fastify-rate-limit#301: Retry-After is in milliseconds.
//
// 5 a minute: it was 60000.
func TestFastifyRetryAfterIsInMilliseconds(t *testing.T) {
	eachDialect(t, "{'name': 'minute', 'rate': '5/min', 'as': 'anchored'}", func(t *testing.T, h *front) {
		require.Equal(t, 5, passed(h, 5, "/"))
		require.Equal(t, []string{"60"}, values(ask(h, "/"), "Retry-After"))
	})
}

// Boundary, hashicorp/boundary#4094: Retry-After is rounded down.
//
// A client that waited for that time was refused again.
func TestBoundaryRetryAfterIsRoundedDown(t *testing.T) {
	eachDialect(t, "{'name': 'api', 'rate': '7/17s', 'as': 'gcra', 'burst': 1}", func(t *testing.T, h *front) {
		for range 20 {
			require.Equal(t, http.StatusOK, ask(h, "/").Code)
			h.advance(123456789)
			h.advance(retryAfter(t, ask(h, "/")))
		}
	})
}

// Fiber, gofiber/limiter#8: Retry-After is negative when the window is over.
//
// A timer reset the windows, a little late.
func TestFiberRetryAfterIsNegative(t *testing.T) {
	for _, as := range []string{"anchored", "aligned", "log"} {
		eachDialect(t, "{'name': 'api', 'rate': '1/3s', 'as': '"+as+"'}", func(t *testing.T, h *front) {
			for range 100 {
				if w := ask(h, "/"); w.Code != http.StatusOK {
					require.GreaterOrEqual(t, retryAfter(t, w), time.Second)
					require.LessOrEqual(t, retryAfter(t, w), 3*time.Second)
				}
				h.advance(333 * ms)
			}
		})
	}
}

// express-rate-limit, express-rate-limit/express-rate-limit#49: granted requests have a
// Retry-After, too.
func TestExpressRateLimitGrantedRequestsHaveARetryAfter(t *testing.T) {
	eachDialect(t, "{'name': 'api', 'rate': '2/min', 'as': 'log'}", func(t *testing.T, h *front) {
		require.Empty(t, values(ask(h, "/"), "Retry-After"))
		require.Empty(t, values(ask(h, "/"), "Retry-After"), "also if nothing is left")
		require.Len(t, values(ask(h, "/"), "Retry-After"), 1)
	})
}

// Pulse, rcourtman/Pulse#579: Retry-After is a minute, whichever limit refuses.
func TestPulseRetryAfterIsAConstant(t *testing.T) {
	h := newFront(t, users(`{'name': 'second', 'rate': '2/s', 'as': 'log'}, {'name': 'minutes', 'rate': '4/5m', 'as': 'log'},
		{'name': 'hour', 'rate': '6/h', 'as': 'log'}`), xRateLimit, fine)
	for _, wait := range []time.Duration{time.Second, 299 * time.Second, 55 * time.Minute} {
		require.Equal(t, 2, passed(h, 2, "/"))
		require.Equal(t, wait, retryAfter(t, ask(h, "/")))
		h.advance(wait)
	}
}

// fastify-rate-limit, fastify/fastify-rate-limit#394: the answer's text has another wait than
// Retry-After.
//
// With 5 s left of 50 s the text said 50.
func TestFastifyTheTextHasAnotherWait(t *testing.T) {
	h := newFront(t, users("{'name': 'api', 'rate': '1/50s', 'as': 'log'}"), httplimit.Trakt, fine)
	require.Equal(t, 1, passed(h, 1, "/"))
	h.advance(45 * time.Second)
	w := ask(h, "/")
	require.Equal(t, 5*time.Second, retryAfter(t, w))
	require.Contains(t, w.Body.String(), " 5 seconds")
}

// Homeserver, pubky/pubky-homeserver#548: to find the longest wait, all other limits are charged.
func TestPubkyALookAtTheWaitCharges(t *testing.T) {
	h := newFront(t, users(`{'name': 'second', 'rate': '1/s', 'as': 'log'}, {'name': 'minute', 'rate': '2/min', 'as': 'log'},
		{'name': 'day', 'rate': '9/day', 'as': 'log'}`), xRateLimit, fine)
	require.Equal(t, 1, passed(h, 10, "/"))
	h.advance(time.Second)
	require.Equal(t, 1, passed(h, 10, "/"))
	h.advance(time.Hour)
	require.Equal(t, []string{"0"}, values(ask(h, "/"), "X-RateLimit-Remaining"))
	require.Equal(t, 6, h.remaining(t, "day"))
}

// caddy-rate-limit, xuqingfeng/caddy-rate-limit#24: the middleware takes a second token to find out
// Retry-After, also of requests that are granted.
func TestCaddyRateLimitRetryAfterTakesAToken(t *testing.T) {
	eachDialect(t, "{'name': 'api', 'rate': '10/min', 'as': 'gcra'}", func(t *testing.T, h *front) {
		require.Equal(t, 10, passed(h, 30, "/"))
	})
	table, err := keyed.NewGCRA[string](ratelimit.PerMinute(10), 10, 10, keyed.WithClock(limittest.NewClock(start)))
	require.NoError(t, err)
	require.Equal(t, 10, passed(perKey(t, table, httplimit.Header("X-User")), 30, "/"))
}

// rack-ratelimit, jeremy/rack-ratelimit#3: one more remains than the limit has, and less than 0
// after it.
//
// Of 3: it showed 3, 2, 1, 0 and -1.
func TestRackRatelimitRemainingIsOneTooMany(t *testing.T) {
	h := newFront(t, users("{'name': 'api', 'rate': '3/min', 'as': 'anchored'}"), xRateLimit, fine)
	for _, remaining := range []int64{2, 1, 0, 0, 0} {
		require.Equal(t, remaining, number(t, ask(h, "/"), "X-RateLimit-Remaining"))
	}
}

// rate-limiter-flexible, animir/node-rate-limiter-flexible#173: what remains is negative.
//
// A request counted for more than was left.
func TestRateLimiterFlexibleRemainingIsNegative(t *testing.T) {
	cost := httplimit.Cost(func(*http.Request) int { return 5 })
	h := newFront(t, users("{'name': 'api', 'rate': '8/min', 'as': 'log'}"), xRateLimit, fine, cost)
	require.Equal(t, int64(3), number(t, ask(h, "/"), "X-RateLimit-Remaining"))
	require.Equal(t, int64(3), number(t, ask(h, "/"), "X-RateLimit-Remaining"))
	settled := http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		httplimit.Settle(r.Context(), "tokens", 1000)
	})
	h = newFront(t, users("{'name': 'tokens', 'rate': '100/min', 'as': 'gcra', 'of': 'tokens'}"), xRateLimit, settled)
	require.Equal(t, http.StatusOK, ask(h, "/").Code)
	require.Zero(t, number(t, ask(h, "/"), "X-RateLimit-Remaining"))
}

// SlowAPI, laurentS/slowapi#33: the fields are there twice if two limits are for a request.
//
// X-RateLimit-Limit was "1000,1000".
func TestSlowAPITheFieldsAreThereTwice(t *testing.T) {
	inner := newFront(t, users("{'name': 'route', 'rate': '10/min', 'as': 'log'}"), xRateLimit, fine)
	outer := newFront(t, users("{'name': 'all', 'rate': '1000/min', 'as': 'log'}"), httplimit.Fields{
		Limit: "x-ratelimit-limit", Remaining: "x-ratelimit-remaining", Reset: "x-ratelimit-reset",
	}, inner)
	w := ask(outer, "/")
	require.Equal(t, []string{"10"}, values(w, "X-RateLimit-Limit"))
	require.Equal(t, []string{"9"}, values(w, "X-RateLimit-Remaining"))
	require.Len(t, values(w, "X-RateLimit-Reset"), 1)
}

// Flask-Limiter, alisaifee/flask-limiter#143: a Retry-After of the application is replaced.
//
// It had asked another server, which had refused.
func TestFlaskLimiterTheApplicationsRetryAfterIsReplaced(t *testing.T) {
	busy := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", "120")
		w.WriteHeader(http.StatusTooManyRequests)
	})
	w := ask(newFront(t, users("{'name': 'api', 'rate': '10/min', 'as': 'log'}"), xRateLimit, busy), "/")
	require.Equal(t, []string{"120"}, values(w, "Retry-After"))
	require.Equal(t, []string{"10"}, values(w, "X-RateLimit-Limit"))
}

// Flask-Limiter, alisaifee/flask-limiter#393: the fields show another limit than the one that is
// reached first.
//
// 20 a minute for the application, 2 for a route: they showed 20, until the route's refused.
func TestFlaskLimiterTheFieldsShowTheOtherLimit(t *testing.T) {
	h := newFront(t, `{'rules': [
		{'name': 'application', 'key': ['user'], 'limits': [{'name': 'all', 'rate': '20/min', 'as': 'log'}]},
		{'name': 'route', 'match': ['/slow'], 'key': ['user'], 'limits': [{'name': 'slow', 'rate': '2/min', 'as': 'log'}]}]}`, xRateLimit, fine)
	for _, remaining := range []int64{1, 0, 0} {
		w := ask(h, "/slow")
		require.Equal(t, int64(2), number(t, w, "X-RateLimit-Limit"))
		require.Equal(t, remaining, number(t, w, "X-RateLimit-Remaining"))
	}
	require.Equal(t, int64(20), number(t, ask(h, "/"), "X-RateLimit-Limit"))
}

// ulule/limiter, ulule/limiter#94: at the reset that a response shows, requests are still refused.
//
// The client computed a wait of -81 ms.
func TestUluleTheResetIsTooEarly(t *testing.T) {
	for _, as := range []string{"gcra", "interval", "anchored", "aligned", "log", "counter"} {
		h := newFront(t, users("{'name': 'api', 'rate': '2/30s', 'as': '"+as+"'}"), xRateLimit, fine)
		h.advance(12345678 * time.Microsecond)
		require.Equal(t, 2, passed(h, 2, "/"))
		for range 20 {
			w := ask(h, "/")
			require.Equal(t, http.StatusTooManyRequests, w.Code)
			h.clock.Set(time.Unix(number(t, w, "X-RateLimit-Reset"), 0))
			require.Equal(t, 2, passed(h, 2, "/"), as)
			h.advance(77 * ms)
		}
	}
}

// tenso, avoidwork/tenso#17: the first request after the reset is not counted.
//
// 150 remained instead of 149.
func TestTensoTheFirstRequestAfterTheResetIsFree(t *testing.T) {
	for _, as := range []string{"anchored", "aligned"} {
		h := newFront(t, users("{'name': 'api', 'rate': '150/15m', 'as': '"+as+"'}"), xRateLimit, fine)
		require.Equal(t, 150, passed(h, 151, "/"))
		h.advance(15 * time.Minute)
		require.Equal(t, int64(149), number(t, ask(h, "/"), "X-RateLimit-Remaining"), as)
	}
}

// Discord, discord/discord-api-docs#122: after a response that 0 remain, one more is granted.
func TestDiscordOneMoreIsGrantedWhenNothingRemains(t *testing.T) {
	for _, as := range []string{"gcra", "interval", "anchored", "aligned", "log", "counter"} {
		h := newFront(t, users("{'name': 'api', 'rate': '10/min', 'as': '"+as+"'}"), xRateLimit, fine)
		for remaining := int64(-1); remaining != 0; {
			w := ask(h, "/")
			require.Equal(t, http.StatusOK, w.Code)
			remaining = number(t, w, "X-RateLimit-Remaining")
		}
		require.Equal(t, http.StatusTooManyRequests, ask(h, "/").Code, as)
	}
}

// asgi-ratelimit, abersheeran/asgi-ratelimit#27: a blocked client gets the wait of the limit.
//
// It was blocked for 5 s, and told to wait for 1 s.
func TestASGIRatelimitABlockHasTheLimitsWait(t *testing.T) {
	for name, dialect := range dialects {
		h := newFront(t, `{'rules': [{'name': 'api', 'key': ['user'], 'limits': [{'name': 'api', 'rate': '1/s', 'as': 'log'}],
			'ladder': [{'after': 1, 'do': 'block', 'for': '5m'}]}]}`, dialect, fine)
		require.Equal(t, 1, passed(h, 3, "/"), name)
		h.advance(time.Minute)
		w := ask(h, "/")
		require.Equal(t, http.StatusTooManyRequests, w.Code, name)
		require.Equal(t, 4*time.Minute, retryAfter(t, w), name)
	}
}
