package httplimit_test

import (
	"fmt"
	"io"
	"math"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/fixedwindow"
	"github.com/seed-3506548a/ratelimit/gcra"
	"github.com/seed-3506548a/ratelimit/penalty"
	"github.com/seed-3506548a/ratelimit/slidingwindow"
)

// api is a server in memory, an http.RoundTripper: a request takes latency, and is answered in the
// middle of it.
type api struct {
	latency time.Duration
	answer  func(r *http.Request, now time.Time) (status int, header http.Header, body string)

	mutex    sync.Mutex
	served   int // requests
	refused  int // of them, with 429
	open     int // bodies of responses that were not closed
	arrivals []time.Time
}

func (a *api) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Body != nil {
		if _, err := io.Copy(io.Discard, r.Body); err != nil {
			return nil, err
		}
		if err := r.Body.Close(); err != nil {
			return nil, err
		}
	}
	if err := a.halfWay(r); err != nil {
		return nil, err
	}
	a.mutex.Lock()
	now := time.Now()
	status, header, body := a.answer(r, now)
	a.served++
	a.arrivals = append(a.arrivals, now)
	if status == http.StatusTooManyRequests {
		a.refused++
	}
	a.open++
	a.mutex.Unlock()
	if header == nil {
		header = http.Header{}
	}
	if header["Date"] == nil {
		header.Set("Date", now.UTC().Format(http.TimeFormat))
	}
	if err := a.halfWay(r); err != nil {
		a.closed()
		return nil, err
	}
	return &http.Response{
		StatusCode: status, Header: header, Request: r, ContentLength: -1,
		Body: &countedBody{Reader: strings.NewReader(body), closed: sync.OnceFunc(a.closed)},
	}, nil
}

func (a *api) halfWay(r *http.Request) error {
	if a.latency == 0 {
		return r.Context().Err()
	}
	timer := time.NewTimer(a.latency / 2)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-r.Context().Done():
		return r.Context().Err()
	}
}

func (a *api) closed() {
	a.mutex.Lock()
	defer a.mutex.Unlock()
	a.open--
}

// requireClosed fails if a body of a response was not closed.
func (a *api) requireClosed(t testing.TB) {
	t.Helper()
	a.mutex.Lock()
	defer a.mutex.Unlock()
	require.Zero(t, a.open)
}

type countedBody struct {
	io.Reader
	closed func()
}

func (b *countedBody) Close() error {
	b.closed()
	return nil
}

// wholeSeconds is a wait as Retry-After has it.
func wholeSeconds(d time.Duration) string {
	return strconv.FormatInt(int64((d+time.Second-1)/time.Second), 10)
}

// unixUp is a time as X-RateLimit-Reset has it.
func unixUp(at time.Time) string {
	return strconv.FormatInt(int64(math.Ceil(float64(at.UnixMilli())/1000)), 10)
}

func status(d ratelimit.Decision) int {
	if d.OK {
		return http.StatusOK
	}
	return http.StatusTooManyRequests
}

// aniList has the headers and limits of AniList. It enforces so many a minute, and 10 a second, and
// says 90.
func aniList(enforced int) *api {
	minute := ratelimit.Must(fixedwindow.NewAnchored(ratelimit.PerMinute(enforced)))
	limiter := ratelimit.Must(penalty.New(ratelimit.Must(ratelimit.All(minute,
		ratelimit.Must(slidingwindow.NewLog(ratelimit.PerSecond(10))))), time.Minute))
	return &api{latency: 20 * time.Millisecond, answer: func(_ *http.Request, now time.Time) (int, http.Header, string) {
		d := limiter.TakeAt(now, 1)
		h := http.Header{}
		h.Set("X-RateLimit-Limit", "90")
		h.Set("X-RateLimit-Remaining", strconv.Itoa(minute.PeekAt(now, 1).Remaining+90-enforced))
		if !d.OK {
			h.Set("Retry-After", wholeSeconds(d.RetryAfter))
			h.Set("X-RateLimit-Reset", unixUp(now.Add(d.RetryAfter)))
			return status(d), h, `{"data":null,"errors":[{"message":"Too Many Requests.","status":429}]}`
		}
		return status(d), h, "{}"
	}}
}

// trakt has the headers and limits of Trakt.
func trakt() *api {
	reads := ratelimit.Must(fixedwindow.NewAnchored(ratelimit.Per(1000, 5*time.Minute)))
	writes := ratelimit.Must(gcra.New(ratelimit.PerSecond(1), 1))
	return &api{latency: 20 * time.Millisecond, answer: func(r *http.Request, now time.Time) (int, http.Header, string) {
		limiter, name, period := ratelimit.Limiter(reads), "AUTHED_API_GET_LIMIT", 300
		if r.Method != http.MethodGet {
			limiter, name, period = writes, "AUTHED_API_POST_LIMIT", 1
		}
		d := limiter.TakeAt(now, 1)
		h := http.Header{}
		h.Set("X-Ratelimit", fmt.Sprintf(`{"name":%q,"period":%d,"limit":%d,"remaining":%d,"until":%q}`,
			name, period, d.Limit, d.Remaining, now.Add(d.ResetAfter+time.Second-1).Truncate(time.Second).UTC().Format(time.RFC3339)))
		if !d.OK {
			h.Set("Retry-After", wholeSeconds(d.RetryAfter))
		}
		return status(d), h, ""
	}}
}

// willItTrack has the headers and limits of WillItTrack.
func willItTrack() *api {
	limiter := ratelimit.Must(fixedwindow.NewAligned(ratelimit.PerMinute(60)))
	return &api{latency: 20 * time.Millisecond, answer: func(_ *http.Request, now time.Time) (int, http.Header, string) {
		d := limiter.TakeAt(now, 1)
		h := http.Header{}
		h.Set("X-RateLimit-Limit", "60")
		h.Set("X-RateLimit-Remaining", strconv.Itoa(d.Remaining))
		if !d.OK {
			h.Set("Retry-After", wholeSeconds(d.RetryAfter))
		}
		return status(d), h, ""
	}}
}

// prayerLetters has the limits of PrayerLetters, whose responses say nothing unless they refuse.
func prayerLetters() *api {
	limiter := ratelimit.Must(prayerLettersLimit())
	return &api{latency: 20 * time.Millisecond, answer: func(_ *http.Request, now time.Time) (int, http.Header, string) {
		d := limiter.TakeAt(now, 1)
		h := http.Header{}
		if !d.OK {
			h.Set("Retry-After", wholeSeconds(d.RetryAfter))
			return status(d), h, `{"status":429,"error":"too_many_requests"}`
		}
		return status(d), h, ""
	}}
}

func prayerLettersLimit() (ratelimit.Limiter, error) {
	return ratelimit.All(
		ratelimit.Must(slidingwindow.NewLog(ratelimit.PerHour(50))),
		ratelimit.Must(slidingwindow.NewLog(ratelimit.PerDay(600))))
}
