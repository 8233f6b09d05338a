package httplimit_test

import (
	"net/http"
	"strconv"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/httplimit"
	"github.com/seed-3506548a/ratelimit/keyed"
)

// A granted request is one allocation, or none without a context. The blocks that header values are
// cut from are few enough not to show in the mean.
func TestAllocationsOfARequest(t *testing.T) {
	if poolForgets() {
		t.Skip("sync.Pool forgets at random, as it does for the race detector")
	}
	e, _ := newEngine(t, `{"rules": [{"name": "api", "key": ["ip"], "limits": [{"name": "all", "rate": "1000000/s", "as": "gcra"}]}]}`)
	perKey := func(opts ...httplimit.Option) http.Handler {
		table := ratelimit.Must(keyed.NewGCRA[string](ratelimit.PerSecond(1_000_000), 1_000_000, 100))
		limit, err := httplimit.PerKey(table, httplimit.ClientIP(), httplimit.IETF(6), opts...)
		require.NoError(t, err)
		return limit(silent)
	}
	for _, c := range []struct {
		name string
		h    http.Handler
		most float64
	}{
		{"middleware", limited(t, e, httplimit.IETF(11), silent), 1},
		{"middleware without context", limited(t, e, httplimit.IETF(11), silent, httplimit.NoContext()), 0},
		{"perkey", perKey(), 1},
		{"perkey without context", perKey(httplimit.NoContext()), 0},
	} {
		r, w := request("/"), &discard{header: http.Header{}}
		serve := func() {
			clear(w.header)
			c.h.ServeHTTP(w, r)
		}
		require.LessOrEqual(t, testing.AllocsPerRun(1000, serve), c.most, c.name)
		require.NotEmpty(t, w.header, c.name)
	}
}

// poolForgets reports whether what is put into a pool may be gone at once.
func poolForgets() bool {
	var pool sync.Pool
	for range 100 {
		pool.Put(new(int))
		if pool.Get() == nil {
			return true
		}
	}
	return false
}

// Responses share blocks of memory, and nothing else: what is done to the values of one changes no
// other, and they stay as long as they are held.
func TestValuesOfAResponseAreItsOwn(t *testing.T) {
	e, _ := newEngine(t, `{"rules": [{"name": "api", "limits": [{"name": "all", "rate": "1000/h", "as": "aligned"}]}]}`)
	h := limited(t, e, httplimit.Fields{Limit: "X-Limit", Remaining: "X-Remaining"}, fine)
	var held []http.Header
	for range 500 {
		header := do(h, "/").Header()
		held = append(held, header)
		for name := range header {
			header[name] = append(header[name], "mine")
			header[name][0] += " and mine"
		}
	}
	for i, header := range held {
		require.Equal(t, []string{strconv.Itoa(999-i) + " and mine", "mine"}, header["X-Remaining"])
		require.Equal(t, []string{"1000 and mine", "mine"}, header["X-Limit"])
	}
}
