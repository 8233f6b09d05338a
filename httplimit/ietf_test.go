package httplimit_test

import (
	"encoding/json"
	"net/http"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-3506548a/ratelimit/httplimit"
)

func itoa(n int) string { return strconv.Itoa(n) }

func jsonValid(s string) bool { return json.Valid([]byte(s)) }

// The draft's example: ten hours before midnight, 100 of 5000 a day remain, and more of 1000 an
// hour.
func TestIETF11(t *testing.T) {
	e, clock := newEngine(t, `{"rules": [{"name": "api", "key": ["user"], "limits": [
		{"name": "hour", "rate": "1000/hour", "as": "aligned"}, {"name": "day", "rate": "5000/day", "as": "aligned"}]}]}`)
	h := limited(t, e, httplimit.IETF(11), fine)
	midnight := time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC)
	for hour := range 8 {
		clock.Set(midnight.Add(time.Duration(hour) * time.Hour))
		use(t, h, 600, "/", "X-User: 7")
	}
	clock.Set(midnight.Add(14 * time.Hour))
	use(t, h, 99, "/", "X-User: 7")
	require.Equal(t, answer{"200 OK", "Content-Type: text/plain; charset=utf-8\n" +
		`RateLimit: "day";r=100;t=36000` + "\n" +
		`RateLimit-Policy: "hour";q=1000;w=3600, "day";q=5000;w=86400` + "\n", "fine"}, wire(t, h, "/", "X-User: 7"))
	use(t, h, 100, "/", "X-User: 7")
	require.Equal(t, answer{"429 Too Many Requests", "Content-Type: application/problem+json\n" +
		`RateLimit: "day";r=0;t=36000` + "\n" +
		`RateLimit-Policy: "hour";q=1000;w=3600, "day";q=5000;w=86400` + "\nRetry-After: 36000\n",
		`{"type":"https://iana.org/assignments/http-problem-types#quota-exceeded","title":"Request cannot be satisfied as assigned quota has been exceeded",` +
			`"status":429,"violated-policies":["day"]}`}, wire(t, h, "/", "X-User: 7"))
}

func TestIETFDrafts(t *testing.T) {
	for draft, want := range map[int]string{
		6:  "RateLimit-Limit: 100\nRateLimit-Policy: 100;w=60\nRateLimit-Remaining: 50\nRateLimit-Reset: 15\n",
		7:  "RateLimit: limit=100, remaining=50, reset=15\nRateLimit-Policy: 100;w=60\n",
		11: "RateLimit: \"minute\";r=50;t=15\nRateLimit-Policy: \"minute\";q=100;w=60\n",
	} {
		e, clock := newEngine(t, `{"rules": [{"name": "api", "limits": [{"name": "minute", "rate": "100/min", "as": "aligned"}]}]}`)
		h := limited(t, e, httplimit.IETF(draft), fine)
		clock.Set(t0.Add(45 * time.Second))
		use(t, h, 49, "/")
		require.Equal(t, "Content-Type: text/plain; charset=utf-8\n"+want, wire(t, h, "/").fields)
	}
	for _, draft := range []int{-1, 0, 5, 8, 12} {
		e, _ := newCatalogEngine(t, "trakt")
		_, err := httplimit.Middleware(e, everybody, httplimit.IETF(draft))
		require.EqualError(t, err, "httplimit.IETF: draft is "+itoa(draft)+", want 6, 7 or 11")
	}
}

// A gcra's quota is its rate, over the rate's period; a window of less than a second is left out.
// What is full says no t.
func TestIETFQuotas(t *testing.T) {
	e, clock := newEngine(t, `{"rules": [
		{"name": "user", "key": ["user"], "limits": [{"name": "pace", "rate": "90/min", "as": "gcra", "burst": 10}]},
		{"name": "all", "limits": [{"name": "pace", "rate": "5/100ms", "as": "gcra", "burst": 1000}, {"name": "odd", "rate": "2/1500ms", "as": "gcra", "burst": 2000}]}]}`)
	h := limited(t, e, httplimit.IETF(11), fine, httplimit.Cost(func(r *http.Request) int {
		n, _ := strconv.Atoi(r.Header.Get("X-Cost"))
		return n
	}))
	w := do(h, "/", "X-User: 7", "X-Cost: 10")
	require.Equal(t, []string{`"user/pace";q=90;w=60, "all/pace";q=5, "odd";q=2;w=2`}, field(w, "RateLimit-Policy"))
	require.Equal(t, []string{`"user/pace";r=0;t=1`}, field(w, "RateLimit"))
	w = do(h, "/", "X-User: 7", "X-Cost: 2")
	require.Equal(t, 429, w.Code)
	require.Equal(t, "2", w.Header().Get("Retry-After"), "two thirds of a second each")
	require.Contains(t, w.Body.String(), `"violated-policies":["user/pace"]`)
	w = do(h, "/", "X-User: 7", "X-Cost: 11")
	require.Equal(t, 429, w.Code)
	require.Empty(t, w.Header().Get("Retry-After"), "no wait would help")
	clock.Set(t0.Add(time.Hour))
	w = do(h, "/", "X-User: 7", "X-Cost: -1")
	require.Equal(t, 429, w.Code)
	require.Equal(t, []string{`"user/pace";r=10`}, field(w, "RateLimit"), "the first of those that refuse")
}

func TestIETFProblems(t *testing.T) {
	problem := func(h http.Handler, fields ...string) (code int, after, kind string, violated []any) {
		w := do(h, "/", fields...)
		require.Equal(t, "application/problem+json", w.Header().Get("Content-Type"))
		requireJSON(t, w.Body.String())
		var p map[string]any
		require.NoError(t, json.Unmarshal(w.Body.Bytes(), &p))
		require.EqualValues(t, w.Code, p["status"])
		violated, _ = p["violated-policies"].([]any)
		return w.Code, w.Header().Get("Retry-After"), p["type"].(string), violated
	}
	const types = "https://iana.org/assignments/http-problem-types#"

	e, clock := newEngine(t, `{"rules": [{"name": "api", "key": ["user"], "limits": [{"name": "minute", "rate": "30/min", "as": "aligned", "shown": "90/min"}],
		"ladder": [{"after": 2, "within": "1h", "do": "throttle", "to": "1/min", "for": "1h"}, {"after": 3, "within": "1h", "do": "revoke"}]}]}`)
	h := limited(t, e, httplimit.IETF(11), fine)
	use(t, h, 30, "/", "X-User: 7")
	code, after, kind, violated := problem(h, "X-User: 7")
	require.Equal(t, []any{503, "60", types + "temporary-reduced-capacity", []any{"minute"}}, []any{code, after, kind, violated})

	clock.Set(t0.Add(time.Minute))
	use(t, h, 30, "/", "X-User: 7")
	problem(h, "X-User: 7") // the second strike: throttled from now on
	clock.Set(t0.Add(2 * time.Minute))
	use(t, h, 1, "/", "X-User: 7")
	code, after, kind, violated = problem(h, "X-User: 7")
	require.Equal(t, []any{429, "60", types + "abnormal-usage-detected", []any(nil)}, []any{code, after, kind, violated})

	code, after, kind, _ = problem(h)
	require.Equal(t, []any{403, "", "about:blank"}, []any{code, after, kind}, "there is no user")
}

// One wait is told, the longest; and the names of all that are crossed.
func TestIETFNamesAllThatAreCrossed(t *testing.T) {
	e, _ := newEngine(t, `{"rules": [{"name": "api", "limits": [{"name": "hour", "rate": "2/hour", "as": "aligned"}, {"name": "day", "rate": "2/day", "as": "aligned"}]}]}`)
	h := limited(t, e, httplimit.IETF(11), fine)
	use(t, h, 2, "/")
	w := do(h, "/")
	require.Equal(t, "57600", w.Header().Get("Retry-After"))
	require.Contains(t, w.Body.String(), `"violated-policies":["hour","day"]`)
	require.Equal(t, []string{`"day";r=0;t=57600`}, field(w, "RateLimit"))
}

// The answer that docs/http.md shows is the one that there is.
func TestTheAnswerOfTheDocs(t *testing.T) {
	page, err := os.ReadFile("../docs/http.md")
	require.NoError(t, err)
	_, shown, _ := strings.Cut(string(page), "```\nHTTP/1.1 ")
	shown, _, _ = strings.Cut(shown, "\n```")
	e, _ := newEngine(t, `{"rules": [
		{"name": "api", "match": ["/v1/"], "key": ["user|ip"], "limits": [{"name": "minute", "rate": "60/min", "as": "gcra"}]}
	]}`)
	h := limited(t, e, httplimit.IETF(11), fine)
	use(t, h, 60, "/v1/letters", "X-User: 7")
	a := wire(t, h, "/v1/letters", "X-User: 7")
	require.Equal(t, shown, a.status+"\n"+a.fields+"\n"+a.body)
}
