package httplimit_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-3506548a/ratelimit/httplimit"
)

// pipes is a network in memory.
type pipes struct {
	dialed atomic.Int64
	open   atomic.Int64
	conns  chan net.Conn
	closed chan struct{}
	close  func()
}

func newPipes() *pipes {
	p := &pipes{conns: make(chan net.Conn), closed: make(chan struct{})}
	p.close = sync.OnceFunc(func() { close(p.closed) })
	return p
}

func (p *pipes) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	ours, theirs := net.Pipe()
	select {
	case p.conns <- theirs:
		p.dialed.Add(1)
		p.open.Add(1)
		return &pipe{Conn: ours, closed: sync.OnceFunc(func() { p.open.Add(-1) })}, nil
	case <-p.closed:
		return nil, net.ErrClosed
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error {
	p.close()
	return nil
}

func (p *pipes) Addr() net.Addr { return &net.UnixAddr{Name: "pipe", Net: "unix"} }

type pipe struct {
	net.Conn
	closed func()
}

func (p *pipe) Close() error {
	p.closed()
	return p.Conn.Close()
}

// overHTTP runs f with a client of a net/http server of h. Nothing may be left of either.
func overHTTP(t *testing.T, h http.HandlerFunc, transport *httplimit.Transport, f func(client *http.Client, network *pipes)) {
	t.Helper()
	over(t, new(http.Protocols), h, transport, f)
}

// over is overHTTP by some protocols: none is HTTP/1.1.
func over(t *testing.T, p *http.Protocols, h http.HandlerFunc, transport *httplimit.Transport, f func(client *http.Client, network *pipes)) {
	t.Helper()
	network := newPipes()
	server := &http.Server{Handler: h, Protocols: p} //nolint:gosec // its client is the test
	base := &http.Transport{DialContext: network.dial, Protocols: p, ExpectContinueTimeout: time.Hour}
	if *p == (http.Protocols{}) {
		server.Protocols, base.Protocols = nil, nil
	}
	var serving sync.WaitGroup
	serving.Go(func() {
		if err := server.Serve(network); !errors.Is(err, http.ErrServerClosed) {
			t.Error(err)
		}
	})
	transport.Base = base
	client := &http.Client{Transport: transport}
	f(client, network)
	synctest.Wait() // a stream of HTTP/2 ends a little after its body
	client.CloseIdleConnections()
	time.Sleep(time.Second)
	require.Zero(t, network.open.Load())
	require.NoError(t, server.Close())
	serving.Wait()
}

func TestOverNetHTTP(t *testing.T) {
	for _, size := range []int{100, 60 << 10, 1 << 20} {
		bubble(t, strconv.Itoa(size), func(t *testing.T) {
			var served int
			h := func(w http.ResponseWriter, r *http.Request) {
				text, err := io.ReadAll(r.Body)
				if err != nil || string(text) != "letter" {
					t.Errorf("%q, %v", text, err)
				}
				if served++; served == 1 {
					w.Header().Set("Retry-After", "5")
					w.WriteHeader(http.StatusTooManyRequests)
					_, _ = io.WriteString(w, strings.Repeat("x", size))
				}
			}
			overHTTP(t, h, &httplimit.Transport{}, func(client *http.Client, network *pipes) {
				start := time.Now()
				resp, err := client.Post("http://api.example.com/letters", "text/plain", strings.NewReader("letter"))
				status, _ := closing(t, resp, err)
				require.Equal(t, http.StatusOK, status)
				require.Equal(t, 5*time.Second, time.Since(start))
				dialed := int64(1)
				if size > 64<<10 {
					dialed = 2 // the rest of the body is not worth a connection
				}
				require.Equal(t, dialed, network.dialed.Load())
			})
		})
	}
	bubble(t, "the client's timeout", func(t *testing.T) {
		h := func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Retry-After", "60")
			w.WriteHeader(http.StatusTooManyRequests)
			_, _ = io.WriteString(w, strings.Repeat("x", 10_000))
		}
		overHTTP(t, h, &httplimit.Transport{}, func(client *http.Client, _ *pipes) {
			client.Timeout = 10 * time.Second
			resp, err := client.Get("http://api.example.com/") //nolint:noctx // the timeout is the client's
			e, ok := httplimit.AsRefused(resp)
			require.True(t, ok)
			status, body := closing(t, resp, err)
			require.Equal(t, http.StatusTooManyRequests, status)
			require.Len(t, body, 10_000)
			require.Len(t, e.Body, 4<<10)

			_, err = client.Get("http://api.example.com/") //nolint:noctx // the timeout is the client's
			require.ErrorAs(t, err, new(*httplimit.RefusedError))
			require.ErrorIs(t, err, context.DeadlineExceeded)
		})
	})
	bubble(t, "many", func(t *testing.T) {
		server := unixResets(t, 0)
		h := func(w http.ResponseWriter, r *http.Request) {
			server.mutex.Lock()
			defer server.mutex.Unlock()
			status, header, body := server.answer(r, time.Now())
			for name, values := range header {
				w.Header()[name] = values
			}
			if status != http.StatusOK {
				server.refused++
			}
			w.WriteHeader(status)
			_, _ = io.WriteString(w, body)
		}
		transport := &httplimit.Transport{}
		overHTTP(t, h, transport, func(*http.Client, *pipes) {
			run(t, transport, job{200, 50, http.MethodGet, "/"})
			require.Zero(t, server.refused)
		})
	})
}

const slowBody = "httplimit: the rest of the body did not come within 1s"

// TestABodyThatStalls is refused with a body of which only the beginning comes. The request is sent
// again, or given up, after a second at most, and what has come can be read.
func TestABodyThatStalls(t *testing.T) {
	for _, c := range []struct {
		name, begin string
		stalls      time.Duration
		patience    time.Duration
		refusals    int
		want        time.Duration
		fails       string // how reading the body does
	}{
		{"given up", "Slow", time.Minute, 100 * time.Millisecond, 9, time.Second, slowBody},
		{"nothing comes, given up", "", time.Minute, 100 * time.Millisecond, 9, time.Second, slowBody},
		{"late, given up", "Slow", 900 * time.Millisecond, 100 * time.Millisecond, 9, 900 * time.Millisecond, ""},
		{"enough comes, given up", strings.Repeat("x", 4<<10), time.Minute, 100 * time.Millisecond, 9, 0, ""},
		{"sent again", "Slow", time.Minute, 0, 1, 10 * time.Second, ""},
		{"sent again, and given up", "Slow", time.Minute, 0, 9, 31 * time.Second, slowBody},
		{"whole, sent again, and not a second time", "Slow", 0, 15 * time.Second, 2, 10 * time.Second, ""},
	} {
		for _, protocol := range []string{"HTTP/1.1", "HTTP/2"} {
			bubble(t, c.name+", "+protocol, func(t *testing.T) {
				served := 0
				h := func(w http.ResponseWriter, r *http.Request) {
					if served++; served > c.refusals {
						return
					}
					w.Header().Set("Retry-After", strconv.Itoa(served*10))
					w.WriteHeader(http.StatusTooManyRequests)
					_, _ = io.WriteString(w, c.begin)
					_ = http.NewResponseController(w).Flush()
					select {
					case <-time.After(c.stalls):
					case <-r.Context().Done():
					}
				}
				p := new(http.Protocols)
				if protocol == "HTTP/2" {
					p.SetUnencryptedHTTP2(true)
				}
				var told []string
				transport := &httplimit.Transport{Patience: c.patience, On429: func(e *httplimit.RefusedError) { told = append(told, string(e.Body)) }}
				over(t, p, h, transport, func(client *http.Client, _ *pipes) {
					start := time.Now()
					resp, err := client.Get("http://api.example.com/") //nolint:noctx // nothing ends it
					require.NoError(t, err)
					require.Equal(t, c.want, time.Since(start))
					for _, body := range told {
						require.Equal(t, c.begin, body)
					}
					text, err := io.ReadAll(resp.Body)
					if c.fails != "" {
						require.EqualError(t, err, c.fails)
					} else {
						require.NoError(t, err)
					}
					if resp.StatusCode == http.StatusOK {
						require.Equal(t, 1, c.refusals)
					} else {
						require.Equal(t, c.begin, string(text))
					}
					require.NoError(t, resp.Body.Close())
				})
			})
		}
	}
}

// TestOverHTTP2 shares one connection by 20 requests. One of them is refused: none is lost, and the
// connection goes on.
func TestOverHTTP2(t *testing.T) {
	bubble(t, "shared", func(t *testing.T) {
		var served, refused atomic.Int64
		h := func(w http.ResponseWriter, r *http.Request) {
			text, err := io.ReadAll(r.Body)
			if err != nil || string(text) != "letter" || r.ProtoMajor != 2 {
				t.Errorf("%q, %v, %s", text, err, r.Proto)
			}
			if served.Add(1) == 5 {
				refused.Add(1)
				w.Header().Set("Retry-After", "5")
				w.WriteHeader(http.StatusTooManyRequests)
				_, _ = io.WriteString(w, strings.Repeat("x", 100_000))
			}
		}
		p := new(http.Protocols)
		p.SetUnencryptedHTTP2(true)
		over(t, p, h, &httplimit.Transport{}, func(client *http.Client, network *pipes) {
			var all sync.WaitGroup
			for range 20 {
				all.Go(func() {
					resp, err := client.Post("http://api.example.com/letters", "text/plain", strings.NewReader("letter"))
					if err != nil {
						t.Error(err)
						return
					}
					status, _ := closing(t, resp, err)
					if status != http.StatusOK {
						t.Error(status)
					}
				})
			}
			all.Wait()
			require.EqualValues(t, 1, refused.Load())
			require.EqualValues(t, 21, served.Load())
			require.EqualValues(t, 1, network.dialed.Load())
		})
	})
}

// TestExpectContinue is refused before the body is sent, and sent again with it.
func TestExpectContinue(t *testing.T) {
	bubble(t, "", func(t *testing.T) {
		var bodies []string
		h := func(w http.ResponseWriter, r *http.Request) {
			if bodies == nil {
				bodies = []string{}
				w.Header().Set("Retry-After", "5")
				w.WriteHeader(http.StatusTooManyRequests)
				return
			}
			text, err := io.ReadAll(r.Body)
			if err != nil {
				t.Error(err)
			}
			bodies = append(bodies, string(text))
		}
		overHTTP(t, h, &httplimit.Transport{}, func(client *http.Client, _ *pipes) {
			r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://api.example.com/letters", strings.NewReader("letter"))
			require.NoError(t, err)
			r.Header.Set("Expect", "100-continue")
			resp, err := client.Do(r)
			status, _ := closing(t, resp, err)
			require.Equal(t, http.StatusOK, status)
			require.Equal(t, []string{"letter"}, bodies)
		})
	})
}

// TestRedirects waits at each of the places that a request is sent to, and follows where a refusal
// and a retry were on the way.
func TestRedirects(t *testing.T) {
	bubble(t, "", func(t *testing.T) {
		var paths []string
		h := func(w http.ResponseWriter, r *http.Request) {
			text, err := io.ReadAll(r.Body)
			if err != nil || string(text) != "letter" {
				t.Errorf("%q, %v", text, err)
			}
			paths = append(paths, r.URL.Path)
			switch len(paths) {
			case 1, 3:
				w.Header().Set("Retry-After", "5")
				w.WriteHeader(http.StatusTooManyRequests)
			case 2:
				http.Redirect(w, r, "moved", http.StatusTemporaryRedirect)
			}
		}
		overHTTP(t, h, &httplimit.Transport{}, func(client *http.Client, _ *pipes) {
			start := time.Now()
			resp, err := client.Post("http://api.example.com/a/letters", "text/plain", strings.NewReader("letter"))
			status, _ := closing(t, resp, err)
			require.Equal(t, http.StatusOK, status)
			require.Equal(t, []string{"/a/letters", "/a/letters", "/a/moved", "/a/moved"}, paths)
			require.Equal(t, "/a/moved", resp.Request.URL.Path)
			require.Equal(t, 10*time.Second, time.Since(start))
		})
	})
}

// endless is the body of a refusal that ends only when it is closed.
type endless struct {
	begin  io.Reader
	closed chan struct{}
	close  func()
}

func (e endless) Read(p []byte) (int, error) {
	if n, _ := e.begin.Read(p); n > 0 {
		return n, nil
	}
	<-e.closed
	return 0, io.ErrClosedPipe
}

func (e endless) Close() error {
	e.close()
	return nil
}

// TestABodyThatDoesNotEnd sends a request again whose refusal is never complete. If it was the last
// answer, there is an error after what has come.
func TestABodyThatDoesNotEnd(t *testing.T) {
	virtually(t, func(t *testing.T) {
		server := script(step{429, []string{"Retry-After: 30"}})
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		base := roundTripper(func(r *http.Request) (*http.Response, error) {
			resp, err := server.RoundTrip(r)
			if err == nil && resp.StatusCode == http.StatusTooManyRequests {
				body, closed := resp.Body, make(chan struct{})
				resp.Body = endless{body, closed, sync.OnceFunc(func() { close(closed); _ = body.Close() })}
			}
			return resp, err
		})
		start := time.Now()
		var begin string
		resp, err := (&httplimit.Transport{Base: base, On429: func(e *httplimit.RefusedError) {
			begin = string(e.Body)
			require.Equal(t, time.Second, time.Since(start))
		}}).RoundTrip(newRequest(ctx, t, http.MethodGet, "/", nil))
		status, _ := closing(t, resp, err)
		require.Equal(t, http.StatusOK, status)
		require.Equal(t, "refused", begin)
		require.Equal(t, 30*time.Second, time.Since(start))
		server.requireClosed(t)
	})
}
