package httplimit_test

import (
	"net/http"
	"net/http/httptest"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-3506548a/ratelimit/httplimit"
	"github.com/seed-3506548a/ratelimit/policy"
)

// A reset is told in each unit, rounded up, and of a refusal not before a request is granted again.
func TestFieldsUnits(t *testing.T) {
	for unit, want := range map[httplimit.Unit][2]string{
		httplimit.UnixSeconds: {"1772438460", "1772439000"},
		httplimit.Seconds:     {"45", "585"},
		httplimit.RFC3339:     {"2026-03-02T08:01:00Z", "2026-03-02T08:10:00Z"},
		httplimit.HTTPDate:    {"Mon, 02 Mar 2026 08:01:00 GMT", "Mon, 02 Mar 2026 08:10:00 GMT"},
	} {
		e, clock := newEngine(t, `{"rules": [{"name": "api", "limits": [{"name": "minute", "rate": "2/min", "as": "aligned"}],
			"ladder": [{"after": 1, "do": "block", "for": "9m44999ms"}]}]}`)
		clock.Set(t0.Add(15*time.Second + time.Millisecond))
		h := limited(t, e, httplimit.Fields{Reset: "X-Reset", Unit: unit}, fine)
		w := do(h, "/")
		require.Equal(t, []string{want[0]}, field(w, "X-Reset"))
		require.Len(t, w.Header(), 2, "nothing else, but the handler's Content-Type")
		do(h, "/")
		w = do(h, "/")
		require.Equal(t, []string{want[1]}, field(w, "X-Reset"), "when the block ends")
		require.Equal(t, []string{"585"}, field(w, "Retry-After"))
	}
}

func TestFieldsAnswers(t *testing.T) {
	e, _ := newEngine(t, onePerSecond("", `"when": ["user"], "key": ["user"],`))
	h := limited(t, e, httplimit.Fields{Status: 503}, fine)
	use(t, h, 1, "/", "X-User: 7")
	require.Equal(t, answer{"503 Service Unavailable", "Content-Type: text/plain; charset=utf-8\nRetry-After: 1\n", "Service Unavailable\n"},
		wire(t, h, "/", "X-User: 7"))

	e, _ = newEngine(t, onePerSecond("", `"key": ["user"],`))
	require.Equal(t, answer{"403 Forbidden", "Content-Type: text/plain; charset=utf-8\n", "Forbidden\n"},
		wire(t, limited(t, e, httplimit.Fields{Status: 503}, fine), "/"), "no wait would help")
	h = limited(t, e, httplimit.Fields{Body: func(w http.ResponseWriter, _ *http.Request, d *policy.Decision) {
		http.Error(w, string(d.Action), http.StatusTeapot)
	}}, fine)
	require.Equal(t, "418 I'm a teapot", wire(t, h, "/").status)
}

// Status is what Fields writes, so that a Body need not know why a request was refused.
func TestStatus(t *testing.T) {
	body := httplimit.Fields{Body: func(w http.ResponseWriter, _ *http.Request, d *policy.Decision) {
		http.Error(w, http.StatusText(httplimit.Status(d)), httplimit.Status(d))
	}}
	for action, want := range map[policy.Action]int{
		policy.ByLimit: 429, policy.ByThrottle: 429, policy.ByBlock: 429, policy.ByTest: 429,
		policy.ByRevoke: 403, policy.ByMissing: 403, policy.ByStore: 503,
	} {
		d := &policy.Decision{Action: action, Binding: -1}
		require.Equal(t, want, httplimit.Status(d), action)
		own, none := httptest.NewRecorder(), httptest.NewRecorder()
		body.Refuse(own, request("/"), d)
		httplimit.Fields{}.Refuse(none, request("/"), d)
		require.Equal(t, want, none.Code, action)
		require.Equal(t, none.Code, own.Code, action)
		require.Equal(t, none.Body.String(), own.Body.String(), action)
	}
}

// A Body finds Retry-After set, with what Jitter has added, and none if no wait helps.
func TestFieldsBodyReadsRetryAfter(t *testing.T) {
	e, _ := newEngine(t, `{"rules": [{"name": "api", "key": ["user"], "limits": [{"name": "hour", "rate": "1/hour", "as": "anchored"}]}]}`)
	var told string
	h := limited(t, e, httplimit.Fields{Body: func(w http.ResponseWriter, _ *http.Request, d *policy.Decision) {
		told = w.Header().Get("Retry-After")
		w.WriteHeader(httplimit.Status(d))
	}}, fine, httplimit.Jitter(100))
	use(t, h, 1, "/", "X-User: 7")
	longer := false
	for range 100 {
		w := do(h, "/", "X-User: 7")
		require.Equal(t, []string{told}, field(w, "Retry-After"))
		seconds, err := strconv.Atoi(told)
		require.NoError(t, err)
		require.GreaterOrEqual(t, seconds, 3600)
		longer = longer || seconds > 3600
	}
	require.True(t, longer)
	require.Equal(t, 403, do(h, "/").Code)
	require.Empty(t, told)
}

// What each dialect says of who is revoked, who is unknown and who is blocked.
func TestWordsOfRefusals(t *testing.T) {
	for name, want := range map[string][3]string{
		"Trakt":         {"Forbidden.", "Forbidden.", "API rate limit exceeded. Please wait 600 seconds then retry your request."},
		"WillItTrack":   {`"code":"access_revoked","message":"Access is revoked."`, `"code":"unidentified","message":"The request does not say whose it is."`, `"code":"rate_limited","message":"Rate limit exceeded. Try again in 600 seconds."`},
		"AniList":       {`{"message":"Forbidden.","status":403}`, `{"message":"Forbidden.","status":403}`, `{"message":"Too Many Requests.","status":429}`},
		"PrayerLetters": {`{"status":403,"error":"forbidden","limits":{"all":1},"message":"You may not use this."`, `{"status":403,"error":"forbidden","message":"You may not use this."`, `{"status":429,"error":"too_many_requests","limits":{"all":1},"message":"You have made too many requests."`},
		"GitHub":        {`"message":"Forbidden."`, `"message":"Forbidden."`, `"message":"You have exceeded a secondary rate limit. Please wait before you try again."`},
		"IETF 11":       {`#abnormal-usage-detected"`, `{"type":"about:blank","title":"Forbidden","status":403}`, `#abnormal-usage-detected"`},
	} {
		ladder := func(do string) string {
			return `{"rules": [{"name": "api", "key": ["user"], "limits": [{"name": "all", "rate": "1/s", "as": "gcra"}], "ladder": [` + do + `]}]}`
		}
		revoking, _ := newEngine(t, ladder(`{"after": 1, "do": "revoke"}`))
		h := limited(t, revoking, dialects[name], fine)
		use(t, h, 1, "/", "X-User: 7")
		do(h, "/", "X-User: 7")
		w := do(h, "/", "X-User: 7")
		require.Equal(t, 403, w.Code, name)
		require.Empty(t, field(w, "Retry-After"), name)
		require.Contains(t, w.Body.String(), want[0], name)

		w = do(h, "/")
		require.Equal(t, 403, w.Code, name)
		require.Contains(t, w.Body.String(), want[1], name)

		blocking, _ := newEngine(t, ladder(`{"after": 1, "do": "block", "for": "10m"}`))
		h = limited(t, blocking, dialects[name], fine)
		use(t, h, 1, "/", "X-User: 7")
		do(h, "/", "X-User: 7")
		w = do(h, "/", "X-User: 7")
		require.Equal(t, 429, w.Code, name)
		require.Equal(t, []string{"600"}, field(w, "Retry-After"), name)
		require.Contains(t, w.Body.String(), want[2], name)
	}
}
