package fieldbugs_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/httplimit"
	"github.com/seed-3506548a/ratelimit/limittest"
	"github.com/seed-3506548a/ratelimit/policy"
)

// front is a handler behind a middleware with a policy. Its clock shows start until it is set.
type front struct {
	http.Handler
	limit  func(http.Handler) http.Handler
	engine *policy.Engine
	clock  *limittest.Clock
}

// xRateLimit is the dialect of most tests, which shows all that there is.
var xRateLimit = httplimit.Fields{
	Limit: "X-RateLimit-Limit", Remaining: "X-RateLimit-Remaining", Reset: "X-RateLimit-Reset",
}

// dialects are all that say how long to wait.
var dialects = map[string]httplimit.Dialect{
	"IETF 11": httplimit.IETF(11), "IETF 7": httplimit.IETF(7), "IETF 6": httplimit.IETF(6), "Trakt": httplimit.Trakt,
	"WillItTrack": httplimit.WillItTrack, "AniList": httplimit.AniList, "PrayerLetters": httplimit.PrayerLetters,
	"GitHub": httplimit.GitHub, "Fields": xRateLimit,
}

// attributes are those that the policies of tests name.
var attributes = httplimit.Attributes{
	"user": httplimit.Header("X-User"), "plan": httplimit.Header("X-Plan"), "ip": httplimit.ClientIP(),
}

var fine = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "fine") })

// newFront puts a policy in front of a handler. The document may have ' in place of ".
func newFront(t *testing.T, document string, dialect httplimit.Dialect, next http.Handler, opts ...httplimit.Option) *front {
	t.Helper()
	f := &front{engine: newEngine(t, document)}
	f.clock = f.engine.Clock().(*limittest.Clock)
	var err error
	f.limit, err = httplimit.Middleware(f.engine, attributes, dialect, opts...)
	require.NoError(t, err)
	f.Handler = f.limit(next)
	return f
}

// newEngine returns an engine for the document, whose clock shows start.
func newEngine(t *testing.T, document string) *policy.Engine {
	t.Helper()
	e, err := policy.New(parsed(t, document), 1000, policy.WithClock(limittest.NewClock(start)))
	require.NoError(t, err)
	return e
}

func parsed(t *testing.T, document string) policy.Policy {
	t.Helper()
	p, err := policy.Parse([]byte(strings.ReplaceAll(document, "'", `"`)))
	require.NoError(t, err)
	return p
}

// users limits each user, by one limit.
func users(limit string) string {
	return fmt.Sprintf("{'rules': [{'name': 'api', 'key': ['user'], 'limits': [%s]}]}", limit)
}

// newRequest returns a request of user 7, unless the fields, as "Name: value", say otherwise.
func newRequest(target string, fields ...string) *http.Request {
	method, path, ok := strings.Cut(target, " ")
	if !ok {
		method, path = http.MethodGet, target
	}
	r := httptest.NewRequest(method, path, nil)
	r.Header = header(append([]string{"X-User: 7"}, fields...)...)
	return r
}

// header returns the fields. The last of several with one name counts.
func header(fields ...string) http.Header {
	h := http.Header{}
	for _, field := range fields {
		name, value, _ := strings.Cut(field, ": ")
		h.Set(name, value)
	}
	return h
}

// ask serves a request as the handler would.
func ask(h http.Handler, target string, fields ...string) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, newRequest(target, fields...))
	return w
}

// from serves a request of a peer.
func from(h http.Handler, remote string, fields ...string) (status int) {
	w, r := httptest.NewRecorder(), newRequest("/", fields...)
	r.RemoteAddr = remote
	h.ServeHTTP(w, r)
	return w.Code
}

// passed returns how many of n requests are granted.
func passed(h http.Handler, n int, target string, fields ...string) (granted int) {
	for range n {
		if ask(h, target, fields...).Code == http.StatusOK {
			granted++
		}
	}
	return granted
}

// values returns those of a field, in whatever case its name is.
func values(w *httptest.ResponseRecorder, name string) (all []string) {
	for there, of := range w.Header() {
		if strings.EqualFold(there, name) {
			all = append(all, of...)
		}
	}
	return all
}

// number returns the one value of a field that is a number.
func number(t *testing.T, w *httptest.ResponseRecorder, name string) int64 {
	t.Helper()
	all := values(w, name)
	require.Len(t, all, 1, name)
	n, err := strconv.ParseInt(all[0], 10, 64)
	require.NoError(t, err)
	return n
}

// retryAfter returns the wait of a refusal.
func retryAfter(t *testing.T, w *httptest.ResponseRecorder) time.Duration {
	t.Helper()
	require.Contains(t, []int{http.StatusTooManyRequests, http.StatusForbidden}, w.Code)
	return time.Duration(number(t, w, "Retry-After")) * time.Second
}

// eachDialect runs f with a limit in front of a handler, in each dialect.
func eachDialect(t *testing.T, limit string, f func(t *testing.T, h *front)) {
	t.Helper()
	for name, dialect := range dialects {
		t.Run(name, func(t *testing.T) { f(t, newFront(t, users(limit), dialect, fine)) })
	}
}

// perKey puts a limit for each key in front of a handler.
func perKey(t *testing.T, s interface {
	TakeAt(time.Time, string, int) ratelimit.Decision
	Clock() ratelimit.Clock
}, key httplimit.Attribute) http.Handler {
	t.Helper()
	limit, err := httplimit.PerKey(s, key, xRateLimit)
	require.NoError(t, err)
	return limit(fine)
}

// remaining returns how much is left of a limit of user 7.
func (f *front) remaining(t *testing.T, limit string) int {
	t.Helper()
	var d policy.Decision
	f.engine.Peek(&policy.Request{Method: http.MethodGet, Path: "/", Attrs: []policy.Attr{{Name: "user", Value: "7"}}}, &d)
	for _, s := range d.Standings {
		if s.Name == limit {
			return s.Remaining
		}
	}
	require.Fail(t, "no limit "+limit)
	return 0
}

// advance moves the clock on.
func (f *front) advance(d time.Duration) { f.clock.Set(f.clock.Now().Add(d)) }
