package httplimit_test

import (
	"flag"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-3506548a/ratelimit/httplimit"
)

var overLoopback = flag.Int("httplimit.rounds", 20, "rounds of 50 requests at once that are tried over loopback")

// Of 50 requests at once against a limit of 25, 25 pass, and no handler runs for the others.
func TestFiftyAgainstTwentyFive(t *testing.T) {
	for _, as := range []string{"gcra", "log", "aligned", "anchored", "interval", "counter"} {
		rounds := 1000/6 + 1
		if testing.Short() {
			rounds = 20
		}
		for range rounds {
			fifty(t, as, func(h http.Handler, start *sync.WaitGroup) (int, error) {
				start.Wait()
				return do(h, "/").Code, nil
			})
		}
	}
}

// The same with clients of their own.
func TestFiftyAgainstTwentyFiveOverLoopback(t *testing.T) {
	var handler atomic.Pointer[http.Handler]
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { (*handler.Load()).ServeHTTP(w, r) }))
	defer server.Close()
	transport := &http.Transport{MaxIdleConnsPerHost: 50}
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport}
	for range *overLoopback {
		fifty(t, "gcra", func(h http.Handler, start *sync.WaitGroup) (int, error) {
			handler.Store(&h)
			start.Wait()
			response, err := client.Get(server.URL)
			if err != nil {
				return 0, err
			}
			_, err = io.Copy(io.Discard, response.Body)
			if err == nil {
				err = response.Body.Close()
			}
			return response.StatusCode, err
		})
	}
}

func fifty(t *testing.T, as string, ask func(http.Handler, *sync.WaitGroup) (int, error)) {
	t.Helper()
	e, _ := newEngine(t, `{"rules": [{"name": "api", "key": ["ip"], "limits": [{"name": "hour", "rate": "25/hour", "as": "`+as+`"}]}]}`)
	var served atomic.Int32
	h := limited(t, e, httplimit.IETF(11), http.HandlerFunc(func(http.ResponseWriter, *http.Request) { served.Add(1) }))
	var start, group sync.WaitGroup
	start.Add(1)
	var codes [50]int
	var errs [50]error
	for i := range 50 {
		group.Go(func() { codes[i], errs[i] = ask(h, &start) })
	}
	start.Done()
	group.Wait()
	passed := 0
	for i := range codes {
		require.NoError(t, errs[i])
		if codes[i] == 200 {
			passed++
		} else {
			require.Equal(t, 429, codes[i])
		}
	}
	require.Equal(t, 25, passed, as)
	require.EqualValues(t, 25, served.Load(), as)
}
