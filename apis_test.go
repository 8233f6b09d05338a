package ratelimit_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/benbjohnson/clock"
	"github.com/stretchr/testify/require"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/burst"
	"github.com/seed-3506548a/ratelimit/fixedwindow"
	"github.com/seed-3506548a/ratelimit/gcra"
	"github.com/seed-3506548a/ratelimit/httplimit"
	"github.com/seed-3506548a/ratelimit/penalty"
	"github.com/seed-3506548a/ratelimit/policy"
	"github.com/seed-3506548a/ratelimit/policy/catalog"
	"github.com/seed-3506548a/ratelimit/slidingwindow"
)

// step is a request for n events at a time of a day, and its answer: ok, how many remain, how long
// to wait, and which limit binds.
type step struct {
	at   string
	n    int
	ok   bool
	left int
	wait time.Duration
	by   int
}

// follow makes the steps, by a mock.
func follow(t *testing.T, mock *clock.Mock, l ratelimit.Limiter, steps []step) {
	for _, s := range steps {
		at, err := time.Parse("2006-01-02 15:04:05.999999999", "2026-01-0"+s.at)
		require.NoError(t, err)
		mock.Set(at)
		d := l.Take(s.n)
		got := step{s.at, s.n, d.OK, d.Remaining, d.RetryAfter, d.By}
		require.Equal(t, s, got)
	}
}

func asTrakt(next http.Handler) http.Handler {
	engine := ratelimit.Must(policy.New(ratelimit.Must(catalog.Load("trakt")), 100_000)) // room for so many users that owe something
	who := httplimit.Attributes{"client": httplimit.Header("Trakt-Api-Key"), "user": httplimit.Header("X-User")}
	return ratelimit.Must(httplimit.Middleware(engine, who, httplimit.Trakt))(next)
}

// The page begins with a server.
func TestAsTrakt(t *testing.T) {
	handler := asTrakt(http.NotFoundHandler())
	for _, want := range []int{http.StatusNotFound, http.StatusTooManyRequests} {
		r := httptest.NewRequest(http.MethodPost, "/sync/history", nil)
		r.Header.Set("X-User", "alice")
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, r)
		require.Equal(t, want, w.Code)
	}
}

func asPrayerLetters(mux *http.ServeMux) http.Handler {
	engine := ratelimit.Must(policy.New(ratelimit.Must(catalog.Load("prayerletters")), 100_000))
	bearer := func(r *http.Request) (string, bool) {
		return strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	}
	who := httplimit.Attributes{
		"client": httplimit.Header("X-Client"), // the application, as your authentication says it
		"ip":     httplimit.ClientIP().Prefix(32, 64),
		"route":  httplimit.Route(mux),
		"token":  bearer, // an override names a token as this returns it: its hash, if this is a Hash()
	}
	return ratelimit.Must(httplimit.Middleware(engine, who, httplimit.PrayerLetters))(mux)
}

func TestAsPrayerLetters(t *testing.T) {
	mux := http.NewServeMux()
	mux.Handle("GET /letters/{id}", http.NotFoundHandler())
	mux.Handle("GET /letters", http.NotFoundHandler())
	handler := asPrayerLetters(mux)
	ask := func(path, token string) *httptest.ResponseRecorder {
		r := httptest.NewRequest(http.MethodGet, path, nil)
		r.Header.Set("Authorization", "Bearer "+token)
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, r)
		return w
	}
	for range 50 {
		require.Equal(t, http.StatusNotFound, ask("/letters/7", "1").Code)
	}
	refused := ask("/letters/8", "1")
	require.Equal(t, http.StatusTooManyRequests, refused.Code)
	require.Equal(t, "application/json", refused.Header().Get("Content-Type"))
	require.Equal(t, "3600", refused.Header().Get("Retry-After"))
	require.True(t, strings.HasSuffix(refused.Body.String(), "}"))
	require.Equal(t, http.StatusNotFound, ask("/letters", "1").Code, "another endpoint")
	require.Equal(t, http.StatusNotFound, ask("/letters/8", "2").Code, "another token")
	for range 51 {
		require.Equal(t, http.StatusNotFound, ask("/letters/8", "example-token").Code, "an exception")
	}
}

func traktWrites(opts ...ratelimit.Option) (ratelimit.Limiter, error) {
	return gcra.New(ratelimit.PerSecond(1), 1, opts...)
}

func traktReads(opts ...ratelimit.Option) (ratelimit.Limiter, error) {
	return slidingwindow.NewLog(ratelimit.Per(1000, 5*time.Minute), opts...)
}

func TestTrakt(t *testing.T) {
	mock := clock.NewMock()
	with := ratelimit.WithClock(mock)
	follow(t, mock, ratelimit.Must(traktWrites(with)), []step{
		{at: "1 12:00:00", n: 1, ok: true},
		{at: "1 12:00:00", n: 1, wait: time.Second},
		{at: "1 12:00:00.4", n: 1, wait: 600 * time.Millisecond},
		{at: "1 12:00:01", n: 1, ok: true},
		{at: "1 12:00:01.999999999", n: 1, wait: 1},
		{at: "1 12:00:02", n: 1, ok: true},
	})
	follow(t, mock, ratelimit.Must(traktReads(with)), []step{
		{at: "1 12:03:10", n: 999, ok: true, left: 1},
		{at: "1 12:04:00", n: 2, left: 1, wait: 4*time.Minute + 10*time.Second},
		{at: "1 12:04:00", n: 1, ok: true},
		{at: "1 12:05:00", n: 1, wait: 3*time.Minute + 10*time.Second}, // whether its windows are cut by the clock or not
		{at: "1 12:08:09.999999999", n: 1, wait: 1},
		{at: "1 12:08:10", n: 999, ok: true},
		{at: "1 12:08:10", n: 1, wait: 50 * time.Second},
		{at: "1 12:08:10", n: 1001, wait: ratelimit.Never},
	})
}

func willItTrack(opts ...ratelimit.Option) (ratelimit.Limiter, error) {
	return fixedwindow.NewAligned(ratelimit.PerMinute(60), opts...)
}

func TestWillItTrack(t *testing.T) {
	mock := clock.NewMock()
	follow(t, mock, ratelimit.Must(willItTrack(ratelimit.WithClock(mock))), []step{
		{at: "1 12:00:10", n: 59, ok: true, left: 1},
		{at: "1 12:00:12", n: 1, ok: true},
		{at: "1 12:00:15", n: 1, wait: 45 * time.Second}, // the Retry-After of its documentation
		{at: "1 12:00:59.999999999", n: 1, wait: 1},
		{at: "1 12:01:00", n: 1, ok: true, left: 59},
		{at: "1 12:01:59", n: 59, ok: true},
		{at: "1 12:02:00", n: 60, ok: true}, // 119 in two seconds: so do windows
	})
}

func aniList(opts ...ratelimit.Option) (waitFor ratelimit.Limiter, asTheServer *penalty.Limiter, err error) {
	perMinute, err := fixedwindow.NewAnchored(ratelimit.PerMinute(90), opts...)
	if err != nil {
		return nil, nil, err
	}
	limited, err := burst.New(perMinute, ratelimit.PerSecond(10))
	if err != nil {
		return nil, nil, err
	}
	punished, err := penalty.New(limited, time.Minute)
	return limited, punished, err
}

func TestAniList(t *testing.T) {
	mock := clock.NewMock()
	const minute, peak = 0, 1 // which binds
	limited, _, err := aniList(ratelimit.WithClock(mock))
	require.NoError(t, err)
	follow(t, mock, limited, []step{
		{at: "1 12:00:00", n: 10, ok: true, by: peak},
		{at: "1 12:00:00.5", n: 1, wait: 500 * time.Millisecond, by: peak},
		{at: "1 12:00:01", n: 10, ok: true, by: peak},
	})
	for i := range 7 {
		follow(t, mock, limited, []step{{at: fmt.Sprintf("1 12:00:0%d", 2+i), n: 9, ok: true, left: 1, by: peak}})
	}
	follow(t, mock, limited, []step{
		{at: "1 12:00:09", n: 7, ok: true, by: minute},
		{at: "1 12:00:10", n: 1, wait: 50 * time.Second, by: minute},
		{at: "1 12:01:00", n: 1, ok: true, left: 9, by: peak},
	})

	_, server, err := aniList(ratelimit.WithClock(mock))
	require.NoError(t, err)
	follow(t, mock, server, []step{
		{at: "1 13:00:00", n: 10, ok: true, by: peak},
		{at: "1 13:00:00.5", n: 1, wait: time.Minute, by: peak},
		{at: "1 13:00:30.5", n: 1, wait: 30 * time.Second, by: peak}, // the Retry-After of its documentation
		{at: "1 13:01:00.499999999", n: 1, wait: 1, by: peak},
		{at: "1 13:01:00.5", n: 1, ok: true, left: 9, by: peak},
	})
}

func prayerLetters(opts ...ratelimit.Option) (ratelimit.Limiter, error) {
	perHour, err := slidingwindow.NewLog(ratelimit.PerHour(50), opts...)
	if err != nil {
		return nil, err
	}
	perDay, err := slidingwindow.NewLog(ratelimit.PerDay(600), opts...)
	if err != nil {
		return nil, err
	}
	return ratelimit.All(perHour, perDay)
}

func TestPrayerLetters(t *testing.T) {
	mock := clock.NewMock()
	limiter := ratelimit.Must(prayerLetters(ratelimit.WithClock(mock)))
	const hour, day = 0, 1 // its limit_exceeded
	follow(t, mock, limiter, []step{
		{at: "1 08:30:00", n: 30, ok: true, left: 20, by: hour},
		{at: "1 08:59:00", n: 20, ok: true, by: hour},
		{at: "1 09:00:00", n: 1, wait: 30 * time.Minute, by: hour}, // it is not reset on the hour
		{at: "1 09:29:59.999999999", n: 1, wait: 1, by: hour},
		{at: "1 09:30:00", n: 30, ok: true, by: hour},
		{at: "1 09:30:00", n: 21, wait: time.Hour, by: hour}, // 20 of them could pass at 09:59 already
	})
	for at := range 10 { // a full hour's, ten times
		follow(t, mock, limiter, []step{{at: fmt.Sprintf("1 %d:00:00", 11+at), n: 50, ok: true, by: hour}})
	}
	follow(t, mock, limiter, []step{
		{at: "1 21:00:00", n: 50, left: 20, wait: 11*time.Hour + 30*time.Minute, by: day}, // 580 in a day, until those of 08:30 are old
		{at: "1 21:00:00", n: 20, ok: true, by: day},
		{at: "1 23:00:00", n: 1, wait: 9*time.Hour + 30*time.Minute, by: day},
		{at: "2 08:30:00", n: 30, ok: true, by: day},
		{at: "2 08:59:00", n: 21, left: 20, wait: 31 * time.Minute, by: hour},
	})
}

// What the documentation shows is what is tested here.
func TestAPIsAreDocumented(t *testing.T) {
	page, err := os.ReadFile("docs/apis.md")
	require.NoError(t, err)
	source, err := os.ReadFile("apis_test.go")
	require.NoError(t, err)
	parts := strings.Split(string(page), "```")
	found := 0
	for i := 1; i < len(parts); i += 2 {
		if code, ok := strings.CutPrefix(parts[i], "go\nfunc "); ok {
			require.Contains(t, string(source), code)
			found++
		}
	}
	require.Equal(t, 6, found)
}
