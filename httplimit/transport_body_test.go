package httplimit_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/httplimit"
)

type trackedBody struct {
	io.Reader
	closed bool
}

func (b *trackedBody) Close() error {
	b.closed = true
	return nil
}

func TestBodies(t *testing.T) {
	refusal := step{429, []string{"Retry-After: 1"}}
	bubble(t, "sent again", func(t *testing.T) {
		var got []string
		server := &api{}
		answers := script(refusal).answer
		server.answer = answers
		base := roundTripper(func(r *http.Request) (*http.Response, error) {
			text, err := io.ReadAll(r.Body)
			require.NoError(t, err)
			got = append(got, string(text))
			return server.RoundTrip(r)
		})
		r := newRequest(t.Context(), t, http.MethodPost, "/", strings.NewReader("letter"))
		before := *r
		resp, err := (&httplimit.Transport{Base: base}).RoundTrip(r)
		status, _ := closing(t, resp, err)
		require.Equal(t, http.StatusOK, status)
		require.Equal(t, []string{"letter", "letter"}, got)
		require.Equal(t, before.Body, r.Body)
		require.Equal(t, before.Header, r.Header)
		require.Equal(t, before.URL, r.URL)
	})
	bubble(t, "not without GetBody", func(t *testing.T) {
		server := script(refusal)
		r := newRequest(t.Context(), t, http.MethodPost, "/", io.NopCloser(strings.NewReader("letter")))
		require.Nil(t, r.GetBody)
		resp, err := (&httplimit.Transport{Base: server}).RoundTrip(r)
		status, body := closing(t, resp, err)
		require.Equal(t, http.StatusTooManyRequests, status)
		require.Equal(t, "refused", body)
		require.Equal(t, 1, server.served)
	})
	bubble(t, "not if GetBody fails", func(t *testing.T) {
		r := newRequest(t.Context(), t, http.MethodPost, "/", strings.NewReader("letter"))
		r.GetBody = func() (io.ReadCloser, error) { return nil, errors.New("gone") }
		resp, err := (&httplimit.Transport{Base: script(refusal)}).RoundTrip(r)
		status, _ := closing(t, resp, err)
		require.Equal(t, http.StatusTooManyRequests, status)
	})
	for _, size := range []int{0, 10, 4 << 10, 64<<10 - 1, 64 << 10, 64<<10 + 1, 1 << 20} {
		bubble(t, fmt.Sprintf("drained, %d", size), func(t *testing.T) {
			var read, closedAfter int
			body := &funcBody{read: func(p []byte) (int, error) {
				n := min(len(p), size-read)
				if read += n; n == 0 {
					return 0, io.EOF
				}
				return n, nil
			}, close: func() { closedAfter = read }}
			tries := 0
			start := time.Now()
			base := roundTripper(func(r *http.Request) (*http.Response, error) {
				if tries++; tries == 2 {
					require.Equal(t, time.Second, time.Since(start))
					require.Equal(t, min(size, 64<<10), closedAfter)
					return &http.Response{StatusCode: http.StatusOK, Body: http.NoBody, Request: r}, nil
				}
				return &http.Response{StatusCode: http.StatusTooManyRequests, Header: fields("Retry-After: 1"), Body: body, Request: r}, nil
			})
			var e *httplimit.RefusedError
			transport := &httplimit.Transport{Base: base, On429: func(r *httplimit.RefusedError) { e = r }}
			resp, err := transport.RoundTrip(newRequest(t.Context(), t, http.MethodGet, "/", nil))
			closing(t, resp, err)
			require.Len(t, e.Body, min(size, 4<<10))
		})
		bubble(t, fmt.Sprintf("given up, %d", size), func(t *testing.T) {
			content := bytes.Repeat([]byte("x"), size)
			base := roundTripper(func(r *http.Request) (*http.Response, error) {
				return &http.Response{StatusCode: http.StatusTooManyRequests, Body: io.NopCloser(bytes.NewReader(content)), Request: r}, nil
			})
			resp, err := (&httplimit.Transport{Base: base, Tries: 1}).RoundTrip(newRequest(t.Context(), t, http.MethodGet, "/", nil))
			_, body := closing(t, resp, err)
			require.Equal(t, string(content), body)
		})
	}
	bubble(t, "the last response, though only its beginning was read", func(t *testing.T) {
		limiter := &failing{Limiter: ratelimit.Unlimited()}
		transport := &httplimit.Transport{Limiter: limiter, Base: roundTripper(func(r *http.Request) (*http.Response, error) {
			limiter.fails.Store(true)
			body := io.NopCloser(strings.NewReader(strings.Repeat("x", 100_000)))
			return &http.Response{StatusCode: http.StatusTooManyRequests, Header: fields("Retry-After: 1"), Body: body, Request: r}, nil
		})}
		resp, err := transport.RoundTrip(newRequest(t.Context(), t, http.MethodGet, "/", nil))
		require.NoError(t, err)
		text, err := io.ReadAll(resp.Body)
		require.Equal(t, io.ErrUnexpectedEOF, err)
		require.Len(t, text, 64<<10)
		require.NoError(t, resp.Body.Close())
	})
	bubble(t, "the last response, though it was read", func(t *testing.T) {
		server := script(step{429, []string{"Retry-After: 10"}})
		limiter := &failing{Limiter: ratelimit.Unlimited()}
		transport := &httplimit.Transport{Base: server, Limiter: limiter}
		transport.On429 = func(*httplimit.RefusedError) { limiter.fails.Store(true) }
		resp, err := transport.RoundTrip(newRequest(t.Context(), t, http.MethodGet, "/", nil))
		status, body := closing(t, resp, err)
		require.Equal(t, http.StatusTooManyRequests, status)
		require.Equal(t, "refused", body)
		server.requireClosed(t)
	})
}

// A body of which the connection breaks breaks there for the caller, too; and one that was read to
// its end is read no more.
func TestBodiesThatBreak(t *testing.T) {
	gone := errors.New("the connection is gone")
	for _, c := range []struct {
		ends, want error
		tries      int
	}{{io.EOF, nil, 1}, {gone, gone, 1}, {io.EOF, nil, 2}, {gone, gone, 2}} {
		bubble(t, fmt.Sprintf("%v, of %d tries", c.ends, c.tries), func(t *testing.T) {
			read, closed := 0, 0
			body := &funcBody{read: func(p []byte) (int, error) {
				switch read++; read {
				case 1:
					return copy(p, "refused"), nil
				case 2:
					return 0, c.ends
				}
				return copy(p, "more"), errors.New("it was read on")
			}, close: func() { closed++ }}
			limiter := &failing{Limiter: ratelimit.Unlimited()}
			transport := &httplimit.Transport{Tries: c.tries, Limiter: limiter, Base: roundTripper(func(r *http.Request) (*http.Response, error) {
				limiter.fails.Store(true)
				return &http.Response{StatusCode: http.StatusTooManyRequests, Header: fields("Retry-After: 1"), Body: body, Request: r}, nil
			})}
			resp, err := transport.RoundTrip(newRequest(t.Context(), t, http.MethodGet, "/", nil))
			require.NoError(t, err)
			require.Equal(t, "refused", string(why(t, resp).Body))
			text, err := io.ReadAll(resp.Body)
			require.Equal(t, c.want, err)
			require.Equal(t, "refused", string(text))
			require.NoError(t, resp.Body.Close())
			require.NoError(t, resp.Body.Close())
			require.Equal(t, 1, closed)
		})
	}
}

// A response that Base has given no body has an empty one, as clients may close it.
func TestResponseWithoutBody(t *testing.T) {
	for _, code := range []int{200, 429} {
		virtually(t, func(t *testing.T) {
			transport := &httplimit.Transport{Tries: 1, Base: roundTripper(func(r *http.Request) (*http.Response, error) {
				return &http.Response{StatusCode: code, Request: r}, nil
			})}
			resp, err := transport.RoundTrip(newRequest(t.Context(), t, http.MethodGet, "/", nil))
			require.NotNil(t, resp.Body)
			status, body := closing(t, resp, err)
			require.Equal(t, code, status)
			require.Empty(t, body)
		})
	}
}

type funcBody struct {
	read  func([]byte) (int, error)
	close func()
}

func (b *funcBody) Read(p []byte) (int, error) { return b.read(p) }

func (b *funcBody) Close() error {
	b.close()
	return nil
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }
