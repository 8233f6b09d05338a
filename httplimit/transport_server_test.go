package httplimit_test

import (
	"io"
	"maps"
	"math"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/httplimit"
)

// api is a server in memory, an http.RoundTripper: a request takes latency, and is answered in the
// middle of it.
type api struct {
	latency time.Duration
	jitter  func() time.Duration // how much longer each way takes; nil: none
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
	way := a.latency / 2
	if a.jitter != nil {
		a.mutex.Lock()
		way += a.jitter()
		a.mutex.Unlock()
	}
	timer := time.NewTimer(way)
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

// behind is a server in memory of a handler. Each request has these header fields besides.
func behind(h http.Handler, more http.Header) *api {
	return &api{latency: 20 * time.Millisecond, answer: func(r *http.Request, _ time.Time) (int, http.Header, string) {
		r = r.Clone(r.Context())
		maps.Copy(r.Header, more)
		r.RemoteAddr = "192.0.2.1:1234"
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		return w.Code, w.Header(), w.Body.String()
	}}
}

// catalogAPI is a server of a policy of the catalog, whose requests are those of one user.
func catalogAPI(t testing.TB, name string, dialect httplimit.Dialect) *api {
	t.Helper()
	return behind(limited(t, catalogEngine(t, name), dialect, fine), fields("X-User: alice", "X-Client: app", "X-Route: /v1/shows"))
}
