package httplimit_test

import (
	"flag"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-3506548a/ratelimit/httplimit"
	"github.com/seed-3506548a/ratelimit/policy"
)

var load = flag.Duration("httplimit.load", 0, "how long to load a server over loopback; 0: for 3,000 requests")

// Clients ask for more than they may have, by the system's clock, as fast as they can: no user is
// granted more than the bounds of all limits, and nothing is left in memory. (With -httplimit.load
// 1m -v it says how much there was.)
func TestLoad(t *testing.T) {
	const users, burst, perHour, clients = 10, 20, 3600, 16
	e, err := policy.New(mustParse(t, `{"rules": [{"name": "api", "key": ["user"], "limits": [
		{"name": "pace", "rate": "3600/hour", "as": "gcra", "burst": 20},
		{"name": "failures", "rate": "1000/hour", "as": "log", "count": ["404"]},
		{"name": "sliding", "rate": "600/10m", "as": "log"},
		{"name": "bytes", "rate": "3000000/hour", "as": "anchored", "of": "bytes"}]}]}`), 100)
	require.NoError(t, err)
	var served [users]atomic.Int64
	h := limited(t, e, httplimit.IETF(11), http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		user, _ := strconv.Atoi(r.Header.Get("X-User"))
		if n := served[user].Add(1); n%2 == 0 {
			w.WriteHeader(404)
		}
		_, _ = w.Write(make([]byte, 100))
	}))
	server := httptest.NewServer(h)
	defer server.Close()
	transport := &http.Transport{MaxIdleConnsPerHost: clients}
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport}

	var asked, granted, refused atomic.Int64
	began := time.Now()
	done := func() bool {
		if *load == 0 {
			return asked.Add(1) > 3000
		}
		asked.Add(1)
		return time.Since(began) > *load
	}
	var early atomic.Uint64 // the heap, after a tenth
	var group sync.WaitGroup
	errs := make([]error, clients)
	for c := range clients {
		group.Go(func() {
			for i := c; !done(); i++ {
				if c == 0 && early.Load() == 0 && *load > 0 && time.Since(began) > *load/10 {
					early.Store(heapInUse())
				}
				r, err := http.NewRequest(http.MethodGet, server.URL, nil)
				if err != nil {
					errs[c] = err
					return
				}
				r.Header.Set("X-User", strconv.Itoa(i%users))
				response, err := client.Do(r)
				if err != nil {
					errs[c] = err
					return
				}
				if response.StatusCode == http.StatusTooManyRequests {
					refused.Add(1)
				} else {
					granted.Add(1)
				}
				_, _ = io.Copy(io.Discard, response.Body)
				_ = response.Body.Close()
			}
		})
	}
	group.Wait()
	elapsed := time.Since(began)
	for _, err := range errs {
		require.NoError(t, err)
	}
	bound := burst + int64(elapsed*perHour/time.Hour) + 1
	bound = min(bound, 600*int64(elapsed/(10*time.Minute)+1))
	all := int64(0)
	for user := range users {
		n := served[user].Load()
		require.LessOrEqual(t, n, bound)
		require.GreaterOrEqual(t, n, int64(burst), "no less, either")
		all += n
	}
	require.Equal(t, granted.Load(), all, "no handler runs for others")
	require.Positive(t, refused.Load())
	if *load > 0 {
		late := heapInUse()
		require.Less(t, late, early.Load()+4<<20)
		t.Logf("%d requests in %v: %d granted, at most %d to each user of %d allowed, %d refused; heap %d kB after a tenth, %d kB at the end",
			asked.Load(), elapsed, all, max(served[0].Load(), served[1].Load()), bound, refused.Load(), early.Load()>>10, late>>10)
	}
}

func heapInUse() uint64 {
	runtime.GC()
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return stats.HeapInuse
}
