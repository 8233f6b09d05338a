package httplimit_test

import (
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-3506548a/ratelimit/httplimit"
)

// The published answer: X-Ratelimit and Retry-After, ten seconds before the window ends.
func TestTrakt(t *testing.T) {
	e, clock := newCatalogEngine(t, "trakt")
	h := limited(t, e, httplimit.Trakt, fine)
	clock.Set(time.Date(2020, 10, 10, 0, 19, 0, 0, time.UTC))
	require.Equal(t, answer{"200 OK",
		"Content-Type: text/plain; charset=utf-8\n" +
			`X-Ratelimit: {"name":"UNAUTHED_API_GET_LIMIT","period":300,"limit":1000,"remaining":999,"until":"2020-10-10T00:24:00Z"}` + "\n", "fine"},
		wire(t, h, "/shows", "X-Client: app"))
	use(t, h, 999, "/shows", "X-Client: app")
	clock.Set(time.Date(2020, 10, 10, 0, 23, 50, 0, time.UTC))
	require.Equal(t, answer{"429 Too Many Requests",
		"Content-Type: text/plain; charset=utf-8\nRetry-After: 10\n" +
			`X-Ratelimit: {"name":"UNAUTHED_API_GET_LIMIT","period":300,"limit":1000,"remaining":0,"until":"2020-10-10T00:24:00Z"}` + "\n",
		"UNAUTHED_API_GET_LIMIT rate limit exceeded. Please wait 10 seconds then retry your request."},
		wire(t, h, "/shows", "X-Client: app"))

	use(t, h, 1, "POST /sync/history", "X-User: 7")
	w := do(h, "POST /sync/history", "X-User: 7")
	require.Equal(t, "AUTHED_API_POST_LIMIT rate limit exceeded. Please wait 1 seconds then retry your request.", w.Body.String())
	require.Equal(t, []string{`{"name":"AUTHED_API_POST_LIMIT","period":1,"limit":1,"remaining":0,"until":"2020-10-10T00:23:51Z"}`}, field(w, "X-Ratelimit"))
	require.NotContains(t, do(h, "POST /sync/history", "X-Client: app").Header(), "X-Ratelimit", "no rule is for it")
}

// A refusal by a block comes before the limiter, and has no X-Ratelimit.
func TestTraktBlocksWithoutALimit(t *testing.T) {
	e, clock := newEngine(t, `{"rules": [{"name": "writes", "key": ["user"], "limits": [{"name": "AUTHED_API_POST_LIMIT", "rate": "1/s", "as": "gcra"}],
		"ladder": [{"after": 1, "do": "block", "for": "5m", "who": ["client"]}, {"after": 2, "within": "1h", "do": "revoke"}]}]}`)
	h := limited(t, e, httplimit.Trakt, fine)
	ask := func(user string) (code int, after string, limit []string, body string) {
		w := do(h, "POST /", "X-Client: app", "X-User: "+user)
		return w.Code, w.Header().Get("Retry-After"), field(w, "X-Ratelimit"), w.Body.String()
	}
	use(t, h, 1, "POST /", "X-Client: app", "X-User: 7")
	code, after, limit, body := ask("7")
	require.Equal(t, 429, code)
	require.Equal(t, "300", after)
	require.Equal(t, []string{`{"name":"AUTHED_API_POST_LIMIT","period":1,"limit":1,"remaining":0,"until":"2026-03-02T08:05:00Z"}`}, limit)
	require.Equal(t, "AUTHED_API_POST_LIMIT rate limit exceeded. Please wait 300 seconds then retry your request.", body)
	clock.Set(t0.Add(time.Second))
	code, after, limit, body = ask("8")
	require.Equal(t, 429, code)
	require.Equal(t, "299", after)
	require.Empty(t, limit)
	require.Equal(t, "API rate limit exceeded. Please wait 299 seconds then retry your request.", body)

	clock.Set(t0.Add(5 * time.Minute))
	_, _, _, _ = ask("7")
	code, after, _, _ = ask("7") // the second strike revokes
	require.Equal(t, 429, code)
	require.Empty(t, after)
	code, after, limit, body = ask("7")
	require.Equal(t, 403, code)
	require.Empty(t, after)
	require.Empty(t, limit)
	require.Equal(t, "Forbidden.", body)
}

// The published answer: 60 is the window's length in the text, and Retry-After what is left of it.
func TestWillItTrack(t *testing.T) {
	e, clock := newCatalogEngine(t, "willittrack")
	h := limited(t, e, httplimit.WillItTrack, fine)
	clock.Set(t0.Add(15 * time.Second))
	require.Equal(t, answer{"200 OK",
		"Content-Type: text/plain; charset=utf-8\nX-RateLimit-Limit: 60\nX-RateLimit-Remaining: 59\n", "fine"},
		wire(t, h, "/v1/shows", "X-User: 7"))
	use(t, h, 59, "/v1/shows", "X-User: 7")
	a := wire(t, h, "/v1/shows", "X-User: 7")
	require.Equal(t, "429 Too Many Requests", a.status)
	require.Equal(t, "Content-Type: application/json\nRetry-After: 45\nX-RateLimit-Limit: 60\nX-RateLimit-Remaining: 0\n", a.fields)
	id := regexp.MustCompile(`"req_[A-Z2-7]{26}"`)
	require.Regexp(t, id, a.body)
	require.Equal(t,
		[]string{`{"error":{"type":"invalid_request_error","code":"rate_limited","message":"Rate limit exceeded. Try again in 60 seconds.","request_id":"req_..."}}`},
		[]string{id.ReplaceAllString(a.body, `"req_..."`)})
	requireJSON(t, a.body)

	require.Equal(t, answer{"200 OK", "Content-Type: text/plain; charset=utf-8\n", "fine"}, wire(t, h, "/health"))
	use(t, h, 1, "/v1/shows", "X-User: 7", "X-Route: another")
	use(t, h, 1, "/v1/shows", "X-User: 8")
	clock.Set(t0.Add(time.Minute))
	use(t, h, 1, "/v1/shows", "X-User: 7")
}

func TestWillItTrackTakesTheRequestsID(t *testing.T) {
	e, _ := newCatalogEngine(t, "willittrack")
	inner := limited(t, e, httplimit.WillItTrack, fine)
	h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Request-Id", `a"b`)
		inner.ServeHTTP(w, r)
	})
	use(t, h, 60, "/v1/shows")
	body := do(h, "/v1/shows").Body.String()
	require.Contains(t, body, `"request_id":"a\"b"`)
	requireJSON(t, body)
}

// The published answers: 90, and 30 seconds before the minute of the block ends.
func TestAniList(t *testing.T) {
	e, clock := newCatalogEngine(t, "anilist")
	h := limited(t, e, httplimit.AniList, fine)
	tripped := time.Unix(1502035959, 0).Add(-time.Minute)
	for i := range 90 {
		clock.Set(tripped.Add(time.Duration(i-90) * time.Second / 2))
		use(t, h, 1, "POST /", "X-User: 7")
	}
	clock.Set(tripped)
	const body = `{"data":null,"errors":[{"message":"Too Many Requests.","status":429}]}`
	requireJSON(t, body)
	require.Equal(t, answer{"429 Too Many Requests",
		"Content-Type: application/json\nRetry-After: 60\nX-RateLimit-Limit: 90\nX-RateLimit-Remaining: 0\nX-RateLimit-Reset: 1502035959\n", body},
		wire(t, h, "POST /", "X-User: 7"))
	clock.Set(tripped.Add(30 * time.Second)) // the window has ended, the block has not
	require.Equal(t, answer{"429 Too Many Requests",
		"Content-Type: application/json\nRetry-After: 30\nX-RateLimit-Limit: 90\nX-RateLimit-Remaining: 90\nX-RateLimit-Reset: 1502035959\n", body},
		wire(t, h, "POST /", "X-User: 7"))
	clock.Set(tripped.Add(time.Minute - 1))
	require.Equal(t, "1", do(h, "POST /", "X-User: 7").Header().Get("Retry-After"))
	clock.Set(tripped.Add(time.Minute))
	require.Equal(t, answer{"200 OK",
		"Content-Type: text/plain; charset=utf-8\nX-RateLimit-Limit: 90\nX-RateLimit-Remaining: 89\n", "fine"},
		wire(t, h, "POST /", "X-User: 7"))
}

// While degraded, a caller is refused at a remaining 60.
func TestAniListDegraded(t *testing.T) {
	e, clock := newCatalogEngine(t, "anilist-degraded")
	h := limited(t, e, httplimit.AniList, fine)
	for i := range 30 {
		clock.Set(t0.Add(time.Duration(i) * time.Second))
		require.Equal(t, itoa(89-i), field(do(h, "POST /"), "X-RateLimit-Remaining")[0])
	}
	w := do(h, "POST /")
	require.Equal(t, 429, w.Code)
	require.Equal(t, []string{"90"}, field(w, "X-RateLimit-Limit"))
	require.Equal(t, []string{"60"}, field(w, "X-RateLimit-Remaining"))
	require.Equal(t, "60", w.Header().Get("Retry-After"))
}

// The cap on bursts refuses, and is in no header and no body of any dialect.
func TestHiddenLimitsAreNotTold(t *testing.T) {
	for name, dialect := range dialects {
		e, _ := newEngine(t, `{"rules": [{"name": "api", "key": ["ip"], "limits": [{"name": "minute", "rate": "90/min", "as": "gcra"},
			{"name": "unheard-of", "rate": "10/s", "as": "log", "hidden": true}]},
			{"name": "coming", "mode": "shadow", "limits": [{"name": "unseen", "rate": "10/s", "as": "log"}]}]}`)
		h := limited(t, e, dialect, fine)
		for range 11 {
			w := do(h, "/")
			var all strings.Builder
			require.NoError(t, w.Header().Write(&all))
			all.WriteString(w.Body.String())
			require.NotContains(t, all.String(), "unheard-of", name)
			require.NotContains(t, all.String(), "unseen", name)
		}
		w := do(h, "/")
		require.GreaterOrEqual(t, w.Code, 400, name)
		require.Equal(t, "1", w.Header().Get("Retry-After"), name)
	}
}

var dialects = map[string]httplimit.Dialect{
	"Trakt": httplimit.Trakt, "WillItTrack": httplimit.WillItTrack, "AniList": httplimit.AniList, "PrayerLetters": httplimit.PrayerLetters,
	"GitHub": httplimit.GitHub, "IETF 6": httplimit.IETF(6), "IETF 7": httplimit.IETF(7), "IETF 11": httplimit.IETF(11),
	"Fields": httplimit.Fields{Limit: "X-Limit", Remaining: "X-Remaining", Reset: "X-Reset", Used: "X-Used", Resource: "X-Resource"},
}

func TestPrayerLetters(t *testing.T) {
	e, clock := newCatalogEngine(t, "prayerletters")
	h := limited(t, e, httplimit.PrayerLetters, fine)
	require.Equal(t, answer{"200 OK", "Content-Type: text/plain; charset=utf-8\n", "fine"}, wire(t, h, "/letters", "X-Token: a"))
	use(t, h, 49, "/letters", "X-Token: a")
	a := wire(t, h, "/letters", "X-Token: a")
	require.Equal(t, answer{"429 Too Many Requests", "Content-Type: application/json\nRetry-After: 3600\n",
		`{"status":429,"error":"too_many_requests","limit_exceeded":"hour","limits":{"hour":50,"day":600},` +
			`"message":"You have made too many requests: the limit \"hour\" is 50.","more_info":"https://www.prayerletters.com/dev/errors/429"}`}, a)
	require.True(t, jsonValid(a.body))
	for i := range 11 {
		clock.Set(t0.Add(time.Duration(i+1) * time.Hour))
		use(t, h, 50, "/letters", "X-Token: a")
	}
	clock.Set(t0.Add(12 * time.Hour))
	w := do(h, "/letters", "X-Token: a")
	require.Contains(t, w.Body.String(), `"limit_exceeded":"day"`)
	require.Equal(t, "43200", w.Header().Get("Retry-After"))
}

// The clients of an API can test how they cope.
func TestTestHeaders(t *testing.T) {
	e, _ := newCatalogEngine(t, "prayerletters")
	h := limited(t, e, httplimit.PrayerLetters, fine, httplimit.TestHeaders())
	code := func(fields ...string) int { return do(h, "/letters", append(fields, "X-Token: a")...).Code }
	for range 1000 { // it costs nothing
		require.Equal(t, 429, code("X-RateLimit: yes"))
	}
	w := do(h, "/letters", "X-Token: a", "X-RateLimit: 1")
	require.Equal(t, "1", w.Header().Get("Retry-After"))
	require.Contains(t, w.Body.String(), `"limit_exceeded":"hour"`)
	for _, nothing := range []string{"X-RateLimit: 0", "X-RateLimit: ", "X-RateLimit:  \t ", "X-RateLimit: 000", "X-RateLimit-Week: 0",
		"X-RateLimit-Hour: 51", "X-RateLimit-Hour: 99999999999999999999999", "X-RateLimit-Hour: -1", "X-RateLimit-Hour: 1e0", "X-RateLimit-Hour: five", "X-RateLimit-Hour: "} {
		require.Equal(t, 200, code(nothing), nothing)
	}
	use(t, h, 5, "/letters", "X-Token: b", "X-RateLimit-Hour: 5")
	w = do(h, "/letters", "X-Token: b", "X-RateLimit-Hour: 5")
	require.Equal(t, 429, w.Code)
	require.Contains(t, w.Body.String(), `"limit_exceeded":"hour","limits":{"hour":5,"day":600}`)
	require.Equal(t, "3600", w.Header().Get("Retry-After"))
	require.Equal(t, 429, do(h, "/letters", "X-Token: b", "x-ratelimit-DAY: 0").Code)
	use(t, h, 45, "/letters", "X-Token: b")

	plain := limited(t, e, httplimit.PrayerLetters, fine)
	require.Equal(t, 200, do(plain, "/letters", "X-Token: c", "X-RateLimit: yes").Code, "only with the option")
}

func TestGitHub(t *testing.T) {
	e, clock := newEngine(t, `{"rules": [{"name": "core", "key": ["user"], "limits": [{"name": "hour", "rate": "60/hour", "as": "aligned"}],
		"ladder": [{"after": 1, "do": "block", "for": "10m"}]}]}`)
	h := limited(t, e, httplimit.GitHub, fine)
	clock.Set(t0.Add(30*time.Minute + time.Nanosecond))
	require.Equal(t, answer{"200 OK", "Content-Type: text/plain; charset=utf-8\nX-RateLimit-Limit: 60\nX-RateLimit-Remaining: 59\n" +
		"X-RateLimit-Reset: " + itoa(int(t0.Unix())+3600) + "\nX-RateLimit-Resource: core\nX-RateLimit-Used: 1\n", "fine"}, wire(t, h, "/user", "X-User: 7"))
	use(t, h, 59, "/user", "X-User: 7")
	require.Equal(t, answer{"403 Forbidden", "Content-Type: application/json\nRetry-After: 1800\nX-RateLimit-Limit: 60\nX-RateLimit-Remaining: 0\n" +
		"X-RateLimit-Reset: " + itoa(int(t0.Unix())+3600) + "\nX-RateLimit-Resource: core\nX-RateLimit-Used: 60\n",
		`{"message":"API rate limit exceeded.","documentation_url":"https://docs.github.com/rest/using-the-rest-api/rate-limits-for-the-rest-api"}`},
		wire(t, h, "/user", "X-User: 7"))
	w := do(h, "/user", "X-User: 7")
	require.Equal(t, 429, w.Code)
	require.Contains(t, w.Body.String(), "secondary rate limit")
	requireJSON(t, w.Body.String())
}
