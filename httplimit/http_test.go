package httplimit_test

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"net/textproto"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-3506548a/ratelimit/httplimit"
	"github.com/seed-3506548a/ratelimit/policy"
)

// protocols are the ways in which the tests below talk over loopback.
var protocols = []string{"HTTP/1.1", "HTTP/1.1, TLS", "HTTP/2", "HTTP/2, no TLS"}

// serve returns a server of the handler, and a client of it.
func serve(t testing.TB, protocol string, h http.Handler) (*httptest.Server, *http.Client) {
	t.Helper()
	server := httptest.NewUnstartedServer(h)
	t.Cleanup(server.Close)
	server.Config.ErrorLog = nil
	switch protocol {
	case "HTTP/1.1":
		server.Start()
	case "HTTP/1.1, TLS":
		server.StartTLS()
	case "HTTP/2":
		server.EnableHTTP2 = true
		server.StartTLS()
	default:
		var both http.Protocols
		both.SetUnencryptedHTTP2(true)
		server.Config.Protocols = &both
		server.Start()
		client := &http.Client{Transport: &http.Transport{Protocols: &both}}
		t.Cleanup(client.CloseIdleConnections)
		return server, client
	}
	return server, server.Client()
}

// running is a handler that can be waited for: a client may have its response before it returns.
type running struct {
	http.Handler
	group sync.WaitGroup
}

func (h *running) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h.group.Add(1)
	defer h.group.Done()
	h.Handler.ServeHTTP(w, r)
}

// get returns the response with its body.
func get(t testing.TB, c *http.Client, method, url string, body io.Reader, fields ...string) (*http.Response, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, url, body)
	require.NoError(t, err)
	for _, f := range fields {
		name, value, _ := strings.Cut(f, ": ")
		r.Header.Set(name, value)
	}
	response, err := c.Do(r)
	require.NoError(t, err)
	text, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	require.NoError(t, response.Body.Close())
	return response, string(text)
}

// counts is a limit that is settled after the response, so that the ResponseWriter is wrapped.
const counts = `, "count": ["5xx"]`

func TestOverHTTP(t *testing.T) {
	for _, protocol := range protocols {
		for _, more := range []string{"", counts} {
			t.Run(protocol+more, func(t *testing.T) {
				e, _ := newEngine(t, `{"rules": [{"name": "api", "key": ["ip"], "limits": [{"name": "all", "rate": "3/min", "as": "gcra"`+more+`}]}]}`)
				mux := http.NewServeMux()
				mux.HandleFunc("/hello", func(w http.ResponseWriter, r *http.Request) {
					if r.URL.Query().Has("fail") {
						w.WriteHeader(503)
					}
					_, _ = io.Copy(w, r.Body)
					_, _ = io.WriteString(w, "hello")
				})
				server, client := serve(t, protocol, limited(t, e, httplimit.IETF(11), mux))
				target := server.URL + "/hello?fail"
				major := 1
				if strings.HasPrefix(protocol, "HTTP/2") {
					major = 2
				}
				for range 3 {
					response, body := get(t, client, "POST", target, strings.NewReader("oh, "))
					require.Equal(t, major, response.ProtoMajor)
					require.Equal(t, 503, response.StatusCode)
					require.Equal(t, "oh, hello", body)
				}
				response, body := get(t, client, "POST", target, strings.NewReader("oh, "))
				require.Equal(t, 429, response.StatusCode)
				require.Equal(t, "20", response.Header.Get("Retry-After"))
				require.Equal(t, `"all";r=0;t=20`, response.Header.Get("RateLimit"))
				require.Equal(t, "application/problem+json", response.Header.Get("Content-Type"))
				require.EqualValues(t, len(body), response.ContentLength)
				requireJSON(t, body)

				head, nothing := get(t, client, "HEAD", target, nil)
				require.Equal(t, 429, head.StatusCode)
				require.Empty(t, nothing)
				require.Equal(t, response.ContentLength, head.ContentLength, "as GET would have it")
				require.Equal(t, response.Header["Retry-After"], head.Header["Retry-After"])
			})
		}
	}
}

// A refusal does not wait for the body of a request, and the connection serves the next one.
func TestRefusedWithABody(t *testing.T) {
	for _, protocol := range protocols {
		e, clock := newEngine(t, onePerSecond("", ""))
		server, client := serve(t, protocol, limited(t, e, httplimit.IETF(11), fine))
		get(t, client, "GET", server.URL, nil)
		response, _ := get(t, client, "POST", server.URL, bytes.NewReader(make([]byte, 1<<16)))
		require.Equal(t, 429, response.StatusCode)
		response, _ = get(t, client, "POST", server.URL, bytes.NewReader(make([]byte, 10)), "Expect: 100-continue")
		require.Equal(t, 429, response.StatusCode)
		clock.Set(t0.Add(time.Second))
		response, _ = get(t, client, "POST", server.URL, bytes.NewReader(make([]byte, 10)), "Expect: 100-continue")
		require.Equal(t, 200, response.StatusCode)
	}
}

// What a handler streams arrives as it is flushed, wrapped or not.
func TestStreams(t *testing.T) {
	for _, protocol := range protocols {
		for _, more := range []string{"", counts} {
			e, _ := newEngine(t, onePerSecond(more, ""))
			next := make(chan bool)
			server, client := serve(t, protocol, limited(t, e, httplimit.IETF(11), http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				controller := http.NewResponseController(w)
				if err := controller.SetWriteDeadline(time.Now().Add(time.Hour)); err != nil {
					t.Error(err)
				}
				for i := range 3 {
					_, _ = fmt.Fprintf(w, "data: %d\n", i)
					if err := controller.Flush(); err != nil {
						t.Error(err)
					}
					<-next
				}
			})))
			response, err := client.Get(server.URL)
			require.NoError(t, err)
			lines := bufio.NewReader(response.Body)
			for i := range 3 {
				line, err := lines.ReadString('\n')
				require.NoError(t, err)
				require.Equal(t, fmt.Sprintf("data: %d\n", i), line)
				next <- true
			}
			require.NoError(t, response.Body.Close())
		}
	}
}

// An upgrade: the handler takes the connection over, wrapped or not, and refusals are plain.
func TestUpgrades(t *testing.T) {
	for _, more := range []string{"", `, "count": ["101"]`} {
		e, clock := newEngine(t, onePerSecond(more, ""))
		all := &running{Handler: limited(t, e, httplimit.IETF(11), http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			conn, buffer, err := w.(http.Hijacker).Hijack()
			if err != nil {
				t.Error(err)
				return
			}
			defer func() { _ = conn.Close() }()
			_, _ = buffer.WriteString("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
			_ = buffer.Flush()
			line, _ := buffer.ReadString('\n')
			_, _ = buffer.WriteString(line)
			_ = buffer.Flush()
		}))}
		server, _ := serve(t, "HTTP/1.1", all)
		upgrade := func() (*http.Response, *bufio.Reader, net.Conn) {
			conn, err := net.Dial("tcp", server.Listener.Addr().String())
			require.NoError(t, err)
			t.Cleanup(func() { _ = conn.Close() })
			_, err = io.WriteString(conn, "GET / HTTP/1.1\r\nHost: example.com\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
			require.NoError(t, err)
			reader := bufio.NewReader(conn)
			response, err := http.ReadResponse(reader, nil)
			require.NoError(t, err)
			return response, reader, conn
		}
		response, reader, conn := upgrade()
		require.Equal(t, 101, response.StatusCode)
		_, err := io.WriteString(conn, "hello\n")
		require.NoError(t, err)
		line, err := io.ReadAll(reader)
		require.NoError(t, err)
		require.Equal(t, "hello\n", string(line))
		all.group.Wait() // for the handler, which has let its client go
		response, _, _ = upgrade()
		require.Equal(t, 429, response.StatusCode)
		require.Equal(t, "1", response.Header.Get("Retry-After"))
		clock.Set(t0.Add(time.Second))
		response, _, _ = upgrade()
		require.Equal(t, 101, response.StatusCode)
	}
}

// Done waits for the handler, and not for the client, who may be gone.
func TestCancelled(t *testing.T) {
	for _, protocol := range protocols {
		e, _ := newEngine(t, onePerSecond(`, "count": ["404"]`, ""))
		began := make(chan bool)
		all := &running{Handler: limited(t, e, httplimit.IETF(11), http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			close(began)
			<-r.Context().Done()
			w.WriteHeader(404)
		}))}
		server, client := serve(t, protocol, all)
		ctx, cancel := context.WithCancel(t.Context())
		r, err := http.NewRequestWithContext(ctx, "GET", server.URL, nil)
		require.NoError(t, err)
		go func() {
			<-began
			cancel()
		}()
		// What the client hears depends on which of the two is faster, and does not matter here.
		if response, err := client.Do(r); err == nil {
			require.NoError(t, response.Body.Close())
		}
		all.group.Wait()
		var d policy.Decision
		e.Peek(&policy.Request{}, &d)
		require.False(t, d.OK, protocol)
	}
}

// A panic is counted as 500, and reaches the server, which cuts the connection off.
func TestPanicsOverHTTP(t *testing.T) {
	for _, protocol := range protocols {
		e, _ := newEngine(t, onePerSecond(`, "count": ["500"]`, ""))
		server, client := serve(t, protocol, limited(t, e, httplimit.IETF(11), http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })))
		_, err := client.Get(server.URL)
		require.Error(t, err)
		response, _ := get(t, client, "GET", server.URL, nil)
		require.Equal(t, 429, response.StatusCode, protocol)
	}
}

// Bodies are counted as they pass, also by sendfile and by those who copy in the other direction.
func TestBytesOverHTTP(t *testing.T) {
	for _, protocol := range protocols {
		e, _ := newEngine(t, `{"rules": [{"name": "api", "limits": [{"name": "minute", "rate": "1000000/min", "as": "anchored", "of": "bytes"}]}]}`)
		all := &running{Handler: limited(t, e, httplimit.IETF(11), http.FileServer(http.Dir(".")))}
		server, client := serve(t, protocol, all)
		_, body := get(t, client, "GET", server.URL+"/httplimit.go", nil)
		require.NotEmpty(t, body)
		response, _ := get(t, client, "GET", server.URL+"/nothing", nil)
		require.Equal(t, 404, response.StatusCode)
		all.group.Wait()
		var d policy.Decision
		e.Peek(&policy.Request{Amounts: []policy.Amount{{Name: "bytes"}}}, &d)
		require.Equal(t, 1000000-len(body)-int(response.ContentLength), d.Standings[0].Remaining)
	}
}

// A script can read a refusal, if CORS stands before the limit. Preflights count unless the policy
// exempts them.
func TestCORS(t *testing.T) {
	e, _ := newEngine(t, `{"rules": [{"name": "preflights", "match": ["OPTIONS /"], "mode": "exempt"},
		{"name": "api", "limits": [{"name": "all", "rate": "1/s", "as": "gcra"}]}]}`)
	inner := limited(t, e, httplimit.GitHub, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodOptions {
			w.WriteHeader(http.StatusNoContent)
		}
	}))
	server, client := serve(t, "HTTP/1.1", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Access-Control-Allow-Origin", "*")
		w.Header().Set("Access-Control-Expose-Headers", "Retry-After, X-RateLimit-Remaining")
		inner.ServeHTTP(w, r)
	}))
	for range 3 {
		response, _ := get(t, client, "OPTIONS", server.URL, nil, "Origin: https://example.com", "Access-Control-Request-Method: GET")
		require.Equal(t, 204, response.StatusCode)
	}
	response, _ := get(t, client, "GET", server.URL, nil)
	require.Equal(t, 200, response.StatusCode)
	response, _ = get(t, client, "GET", server.URL, nil)
	require.Equal(t, 403, response.StatusCode)
	require.Equal(t, "*", response.Header.Get("Access-Control-Allow-Origin"))
	require.Equal(t, "0", response.Header.Get("X-RateLimit-Remaining"))
}

// Early hints and trailers pass, wrapped or not, and what counts is the status after the hints.
func TestHintsAndTrailers(t *testing.T) {
	for _, protocol := range protocols {
		for _, more := range []string{"", `, "count": ["404"]`} {
			e, _ := newEngine(t, onePerSecond(more, ""))
			all := &running{Handler: limited(t, e, httplimit.IETF(11), http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Link", "</style.css>; rel=preload")
				w.WriteHeader(http.StatusEarlyHints)
				w.Header().Set("Trailer", "X-Sum")
				w.WriteHeader(404)
				_, _ = io.WriteString(w, "text")
				w.Header().Set("X-Sum", "7")
			}))}
			server, client := serve(t, protocol, all)
			hints := 0
			ctx := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{Got1xxResponse: func(int, textproto.MIMEHeader) error {
				hints++
				return nil
			}})
			r, err := http.NewRequestWithContext(ctx, http.MethodGet, server.URL, nil)
			require.NoError(t, err)
			response, err := client.Do(r)
			require.NoError(t, err)
			text, err := io.ReadAll(response.Body)
			require.NoError(t, err)
			require.NoError(t, response.Body.Close())
			require.Equal(t, 1, hints)
			require.Equal(t, "text", string(text))
			require.Equal(t, "7", response.Trailer.Get("X-Sum"))
			all.group.Wait()
			response, _ = get(t, client, "GET", server.URL, nil)
			require.Equal(t, 429, response.StatusCode)
		}
	}
}

// A TimeoutHandler before a middleware answers 503 while the handler goes on, and one behind it is
// a handler that answers 503.
func TestTimeoutHandler(t *testing.T) {
	for name, chain := range map[string]func(limit func(http.Handler) http.Handler, h http.Handler) http.Handler{
		"before": func(limit func(http.Handler) http.Handler, h http.Handler) http.Handler {
			return http.TimeoutHandler(limit(h), time.Second, "too late")
		},
		"behind": func(limit func(http.Handler) http.Handler, h http.Handler) http.Handler {
			return limit(http.TimeoutHandler(h, time.Second, "too late"))
		},
	} {
		bubble(t, name, func(t *testing.T) {
			e, _ := newEngine(t, onePerSecond(`, "count": ["503", "200"]`, ""))
			limit, err := httplimit.Middleware(e, everybody, httplimit.IETF(11))
			require.NoError(t, err)
			h := chain(limit, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				<-r.Context().Done()
				_, _ = io.WriteString(w, "fine") // what comes of it depends on which of the two is faster
			}))
			require.Equal(t, 503, do(h, "/").Code)
			synctest.Wait()
			var d policy.Decision
			e.Peek(&policy.Request{}, &d)
			require.False(t, d.OK, "it was counted")
			require.Equal(t, 429, do(h, "/").Code)
		})
	}
}

// With curl, as a person would see it.
func TestCurl(t *testing.T) {
	curl, err := exec.LookPath("curl")
	if err != nil {
		t.Skip("there is no curl here")
	}
	e, _ := newCatalogEngine(t, "willittrack")
	server, _ := serve(t, "HTTP/1.1", limited(t, e, httplimit.WillItTrack, fine))
	run := func(args ...string) string {
		out, err := exec.CommandContext(t.Context(), curl, append([]string{"--silent", "--noproxy", "*", "--max-time", "60"}, args...)...).CombinedOutput()
		require.NoError(t, err, "%s", out)
		return string(out)
	}
	out := run("--include", server.URL+"/v1/shows")
	require.Contains(t, out, "HTTP/1.1 200 OK\r\n")
	require.Contains(t, out, "\r\nX-RateLimit-Limit: 60\r\nX-RateLimit-Remaining: 59\r\n")
	for range 59 {
		run(server.URL + "/v1/shows")
	}
	out = run("--include", server.URL+"/v1/shows")
	require.Contains(t, out, "HTTP/1.1 429 Too Many Requests\r\n")
	require.Contains(t, out, "\r\nRetry-After: 60\r\nX-RateLimit-Limit: 60\r\nX-RateLimit-Remaining: 0\r\n")
	require.Contains(t, out, `"code":"rate_limited"`)
	require.Contains(t, run("--head", server.URL+"/v1/shows"), "HTTP/1.1 429 Too Many Requests\r\n")
	require.Contains(t, run("--include", "--path-as-is", server.URL+"//v1/./shows"), "HTTP/1.1 429 Too Many Requests\r\n")
	require.Equal(t, "429", run("--output", "/dev/null", "--write-out", "%{http_code}", "--data", "x=1", server.URL+"/v1/shows"))
}
