package httplimit_test

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/httplimit"
	"github.com/seed-3506548a/ratelimit/policy"
)

// headers returns what a dialect says of a decision that is granted.
func headers(dialect httplimit.Dialect, binding int, standings ...policy.Standing) http.Header {
	h := http.Header{}
	dialect.Headers(h, &policy.Decision{OK: true, Binding: binding, Standings: standings, MoreAfter: ratelimit.Never}, t0)
	return h
}

// The quota is that of the rate, and the limit itself where no rate is known. What may not be told
// is left out, wherever it stands.
func TestIETFPolicies(t *testing.T) {
	for want, standings := range map[string][]policy.Standing{
		``:                 nil,
		`"a";q=5`:          {{Name: "a", Limit: 5}},
		`"a";q=2;w=1`:      {{Name: "a", Limit: 5, Rate: ratelimit.PerSecond(2)}},
		`"a";q=1`:          {{Name: "a", Limit: 5, Rate: ratelimit.Per(1, time.Nanosecond)}},
		`"b";q=7`:          {{Name: "a", Limit: 5, Hidden: true}, {Name: "b", Limit: 7}},
		`"a";q=5, "c";q=9`: {{Name: "a", Limit: 5}, {Name: "b", Limit: 7, Shadow: true}, {Name: "c", Limit: 9}},
	} {
		got := ""
		for name, values := range headers(httplimit.IETF(11), -1, standings...) {
			require.Equal(t, "RateLimit-Policy", name)
			require.NotEmpty(t, values[0])
			got += values[0]
		}
		require.Equal(t, want, got)
	}
}

// Fields that have no name are left out.
func TestFieldsThatAreLeftOut(t *testing.T) {
	idle := policy.Standing{Name: "a", Limit: 5, Remaining: 5}
	require.Equal(t, http.Header{"X-Used": {"0"}}, headers(httplimit.Fields{Used: "X-Used"}, 0, idle))
	require.Equal(t, http.Header{"X-Limit": {"5"}}, headers(httplimit.Fields{Limit: "X-Limit"}, 0, idle))
	closed := policy.Standing{Name: "a", ResetAfter: ratelimit.Never}
	require.Empty(t, headers(httplimit.Fields{Reset: "X-Reset"}, 0, closed))
}

// A refusal is an error of the client, or of the server.
func TestFieldsStatus(t *testing.T) {
	e, _ := newCatalogEngine(t, "trakt")
	for status, ok := range map[int]bool{0: true, 399: false, 400: true, 599: true, 600: false} {
		_, err := httplimit.Middleware(e, everybody, httplimit.Fields{Status: status})
		require.Equal(t, ok, err == nil, status)
	}
}

// Where only a hidden limit refuses, the one that is told in its place is violated.
func TestIETFNamesTheLimitThatIsTold(t *testing.T) {
	w := httptest.NewRecorder()
	httplimit.IETF(11).Refuse(w, request("/"), &policy.Decision{Action: policy.ByLimit, RetryAfter: time.Second, Standings: []policy.Standing{
		{Name: "minute", Limit: 90, Remaining: 80}, {Name: "peak", Limit: 10, Hidden: true, Crossed: true}}})
	require.Contains(t, w.Body.String(), `"violated-policies":["minute"]`)
}

// refusal returns what a dialect answers to a request that a limit refuses, by the rule "api".
func refusal(dialect httplimit.Dialect, wait time.Duration, s policy.Standing) *httptest.ResponseRecorder {
	s.Rule, s.Crossed = "api", true
	d := &policy.Decision{Action: policy.ByLimit, RetryAfter: wait, MoreAfter: ratelimit.Never, Standings: []policy.Standing{s}}
	w := httptest.NewRecorder()
	dialect.Headers(w.Header(), d, t0)
	dialect.Refuse(w, request("/"), d)
	return w
}

// Parts of a second are rounded up, however small they are, and Retry-After is at least 1.
func TestSecondsAreRoundedUp(t *testing.T) {
	for _, c := range []struct {
		wait       time.Duration
		retryAfter string
		reset      int64 // from t0 on
	}{
		{0, "1", 0}, {1, "1", 1}, {time.Second - 1, "1", 1}, {time.Second, "1", 1}, {time.Second + 1, "2", 2}, {1500 * time.Millisecond, "2", 2},
		{2*time.Second - 1, "2", 2}, {2 * time.Second, "2", 2}, {365 * 24 * time.Hour, "31536000", 31536000}, {365*24*time.Hour + 1, "31536001", 31536001},
	} {
		unix := itoa(int(t0.Unix() + c.reset))
		w := refusal(httplimit.AniList, c.wait, policy.Standing{Limit: 5})
		require.Equal(t, []string{c.retryAfter}, field(w, "Retry-After"), c.wait)
		require.Equal(t, []string{unix}, field(w, "X-RateLimit-Reset"), c.wait)
		for unit, want := range map[httplimit.Unit]string{httplimit.UnixSeconds: unix, httplimit.Seconds: itoa(int(c.reset))} {
			w = refusal(httplimit.Fields{Reset: "X-Reset", Unit: unit}, 0, policy.Standing{Limit: 5, ResetAfter: c.wait})
			require.Equal(t, []string{want}, field(w, "X-Reset"), c.wait)
		}
	}
}

// Trakt's period is that of the rate, and left out where no rate is known. WillItTrack says it in
// the text, and in its place how long to wait.
func TestPeriodsInWords(t *testing.T) {
	for _, c := range []struct {
		per, wait     time.Duration
		period, words string
	}{
		{0, 5 * time.Second, ``, " Try again in 5 seconds."},
		{0, time.Millisecond, ``, " Try again in 1 seconds."},
		{0, ratelimit.Never, ``, ""},
		{1, 5 * time.Second, `,"period":1`, " Try again in 1 seconds."},
		{time.Second, 5 * time.Second, `,"period":1`, " Try again in 1 seconds."},
		{time.Minute, 5 * time.Second, `,"period":60`, " Try again in 60 seconds."},
		{time.Minute + 1, 5 * time.Second, `,"period":61`, " Try again in 61 seconds."},
	} {
		s := policy.Standing{Name: "a", Limit: 7, ResetAfter: ratelimit.Never}
		if c.per > 0 {
			s.Rate = ratelimit.Per(7, c.per)
		}
		require.Contains(t, refusal(httplimit.WillItTrack, c.wait, s).Body.String(), `"message":"Rate limit exceeded.`+c.words+`"`, "%+v", c)
		require.Equal(t, []string{`{"name":"a"` + c.period + `,"limit":7,"remaining":0}`}, field(refusal(httplimit.Trakt, c.wait, s), "X-Ratelimit"), "%+v", c)
	}
}

// A refusal that no wait would help still says when the limit is full again.
func TestResetOfARefusalForEver(t *testing.T) {
	w := refusal(httplimit.Fields{Reset: "X-Reset", Unit: httplimit.Seconds}, ratelimit.Never, policy.Standing{Limit: 5, ResetAfter: 3 * time.Second})
	require.Equal(t, []string{"3"}, field(w, "X-Reset"))
	require.Empty(t, field(w, "Retry-After"))
}

// The name of a rule is told as it is, if it can be in a header field.
func TestFieldsResource(t *testing.T) {
	for rule, want := range map[string]string{"a ~b": "a ~b", "a\x1fb\x7fc\u00e9": "a_b_c__"} {
		require.Equal(t, http.Header{"X-Resource": {want}}, headers(httplimit.Fields{Resource: "X-Resource"}, 0, policy.Standing{Rule: rule}))
	}
}

// A decision whose Binding is no index of its Standings tells of no limit.
func TestBindingIsAnIndex(t *testing.T) {
	for _, binding := range []int{-2, -1, 1, 2} {
		for name, dialect := range dialects {
			for field := range headers(dialect, binding, policy.Standing{Name: "a", Limit: 5}) {
				require.Equal(t, "RateLimit-Policy", field, name)
			}
		}
	}
}

// Fields of the same name are replaced, in whatever case they are; and others stay, however alike.
func TestFieldsReplaceTheirNames(t *testing.T) {
	h := http.Header{"X-Other": {"1"}, "x-limit": {"2"}, "X-LIMIT": {"3"}, "X-Limit": {"4"}, "X-Limits": {"5"}}
	httplimit.Fields{Limit: "X-Limit"}.Headers(h, &policy.Decision{OK: true, Standings: []policy.Standing{{Limit: 9}}}, t0)
	require.Equal(t, http.Header{"X-Other": {"1"}, "X-Limit": {"9"}, "X-Limits": {"5"}}, h)
}
