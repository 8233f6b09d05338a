package fieldbugs_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-3506548a/ratelimit/httplimit"
)

// answer is one of a service: a status, and header fields as "Name: value".
type answer struct {
	status int
	fields []string
}

func refused(status int, fields ...string) answer { return answer{status, fields} }

// service answers in memory: by its answers, then by the last of them if that is to be repeated, or
// else by 200. It keeps what it was asked, and when.
type service struct {
	answers []answer
	repeats bool // the last one
	stalls  bool // the bodies of answers end only when they are closed
	busy    bool // it takes no request while a body is open, as a connection does

	mutex  sync.Mutex
	at     []time.Duration // of each request, since start
	bodies []string
	last   *http.Request
	open   int // bodies of responses
	unread int // of closed ones
	fault  error
}

func (s *service) RoundTrip(r *http.Request) (*http.Response, error) {
	var text []byte
	if r.Body != nil {
		text, _ = io.ReadAll(r.Body)
		_ = r.Body.Close()
	}
	s.mutex.Lock()
	defer s.mutex.Unlock()
	n := len(s.at)
	s.at, s.bodies, s.last = append(s.at, time.Since(start)), append(s.bodies, string(text)), r
	if s.fault != nil {
		return nil, s.fault
	}
	if s.busy && s.open > 0 {
		return nil, errors.New("the only connection is in use")
	}
	a := answer{status: http.StatusOK}
	switch {
	case n < len(s.answers):
		a = s.answers[n]
	case s.repeats:
		a = s.answers[len(s.answers)-1]
	}
	h := header(a.fields...)
	if h.Get("Date") == "" {
		h.Set("Date", time.Now().UTC().Format(http.TimeFormat))
	}
	s.open++
	body := &openBody{Reader: strings.NewReader("the body"), of: s, done: make(chan struct{})}
	if s.stalls && a.status != http.StatusOK {
		return &http.Response{StatusCode: a.status, Header: h, Request: r, Body: stalled{body}}, nil
	}
	return &http.Response{StatusCode: a.status, Header: h, Request: r, Body: body}, nil
}

// stalled is a body that ends only when it is closed.
type stalled struct{ *openBody }

func (b stalled) Read(p []byte) (n int, err error) {
	if n, err = b.openBody.Read(p); errors.Is(err, io.EOF) {
		<-b.done
		return n, io.ErrClosedPipe
	}
	return n, err
}

func (b stalled) Close() error { return b.close(0) }

type openBody struct {
	*strings.Reader
	of     *service
	done   chan struct{} // closed with the body
	closed bool
}

func (b *openBody) Close() error { return b.close(b.Len()) }

func (b *openBody) close(unread int) error {
	b.of.mutex.Lock()
	defer b.of.mutex.Unlock()
	if !b.closed {
		b.closed = true
		close(b.done)
		b.of.open--
		if unread > 0 {
			b.of.unread++
		}
	}
	return nil
}

// inTime runs f where time begins at start and moves on when all wait.
func inTime(t *testing.T, f func(t *testing.T)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(time.Until(start))
		f(t)
	})
}

// send sends a request without a body by the transport, and returns the status and the body.
func send(t *testing.T, transport *httplimit.Transport) (status int, body string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://api.example.com/things", nil)
	require.NoError(t, err)
	return sent(t, transport, r)
}

func sent(t *testing.T, transport *httplimit.Transport, r *http.Request) (status int, body string) {
	t.Helper()
	resp, err := transport.RoundTrip(r)
	require.NoError(t, err)
	text, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	return resp.StatusCode, string(text)
}

// post returns a request with a body that can be had again, unless it is made once only.
func post(ctx context.Context, t *testing.T, body io.Reader) *http.Request {
	t.Helper()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, "https://api.example.com/things", body)
	require.NoError(t, err)
	return r
}

// waited fails unless a request was answered by 200 in the end, and sent at these times.
func waited(t *testing.T, s *service, at ...time.Duration) {
	t.Helper()
	inTime(t, func(t *testing.T) {
		status, body := send(t, &httplimit.Transport{Base: s})
		require.Equal(t, http.StatusOK, status)
		require.Equal(t, "the body", body)
		require.Equal(t, at, s.at)
	})
}
