package redislimit_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/sony/gobreaker/v2"
	"github.com/stretchr/testify/require"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/httplimit"
	"github.com/seed-3506548a/ratelimit/keyed"
	"github.com/seed-3506548a/ratelimit/redislimit"
)

// breaking does not ask the engine for a while after a failure.
type breaking struct {
	redislimit.Engine
	breaker *gobreaker.CircuitBreaker[[]int64]
}

func (b breaking) Run(ctx context.Context, script *redislimit.Script, keys, args []string) ([]int64, error) {
	return b.breaker.Execute(func() ([]int64, error) { return b.Engine.Run(ctx, script, keys, args) })
}

func withBreaker(engine redislimit.Engine) redislimit.Engine {
	return breaking{engine, gobreaker.NewCircuitBreaker[[]int64](gobreaker.Settings{
		Timeout:     500 * time.Millisecond, // until one request asks again
		ReadyToTrip: func(c gobreaker.Counts) bool { return c.ConsecutiveFailures >= 3 },
		IsSuccessful: func(err error) bool {
			var answer redis.Error // by which the server has answered
			return err == nil || errors.As(err, &answer) || errors.Is(err, context.Canceled)
		},
	})}
}

func threeNodes(engine redislimit.Engine) (func(http.Handler) http.Handler, error) {
	limits, err := redislimit.NewGCRA(withBreaker(engine), "api", ratelimit.PerMinute(100), 20, redislimit.Timeout(100*time.Millisecond))
	if err != nil {
		return nil, err
	}
	own, err := keyed.NewGCRA[string](ratelimit.Per(100, 3*time.Minute), 6, 100_000) // of this node
	if err != nil {
		return nil, err
	}
	return httplimit.PerKey(limits.FailTo(own), httplimit.Header("X-User"), httplimit.IETF(11))
}

// The code above is that of docs/redis.md. Without an answer, three nodes grant 18 at once.
func TestBreakerOfTheDocs(t *testing.T) {
	page, err := os.ReadFile("../docs/redis.md")
	require.NoError(t, err)
	code, err := os.ReadFile("breaker_test.go")
	require.NoError(t, err)
	from, nodes, to := strings.Index(string(code), "// breaking does not"), strings.Index(string(code), "func threeNodes"), strings.Index(string(code), "// The code above")
	require.Contains(t, string(page), strings.TrimSpace(string(code[from:nodes])))
	_, body, _ := strings.Cut(string(code[nodes:to]), "\n")
	body = strings.ReplaceAll(strings.TrimSuffix(strings.TrimSpace(body), "\n}"), "\n\t", "\n")
	require.Contains(t, string(page), strings.TrimSpace(body))

	granted := 0
	for range 3 {
		limit, err := threeNodes(engine{run: func(context.Context) ([]int64, error) { return nil, errors.New("gone") }})
		require.NoError(t, err)
		handler := limit(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { granted++ }))
		for range 10 {
			getAs(handler, "7")
		}
	}
	require.Equal(t, 18, granted)
}

// While the server hangs, a few requests wait for it, and then one now and then. All others are
// answered at once, by the limit of this node.
func TestBreaker(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hangs := true
		asked := 0
		server := engine{run: func(ctx context.Context) ([]int64, error) {
			asked++
			if hangs {
				<-ctx.Done()
				return nil, ctx.Err()
			}
			return []int64{t0.UnixMicro(), 0, 0}, nil
		}}
		limits := hundred(t, withBreaker(server), redislimit.Timeout(100*time.Millisecond))
		own := ratelimit.Must(keyed.NewGCRA[string](ratelimit.PerDay(33), 33, 1000))
		handler := ratelimit.Must(httplimit.PerKey(limits.FailTo(own), httplimit.Header("X-User"), httplimit.IETF(11)))(
			http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
		ask := func() (status int, waited time.Duration) {
			began := time.Now()
			r := httptest.NewRequest(http.MethodGet, "/", nil)
			r.Header.Set("X-User", "7")
			w := httptest.NewRecorder()
			handler.ServeHTTP(w, r)
			return w.Code, time.Since(began)
		}
		for i := range 40 {
			status, waited := ask()
			require.Equal(t, map[bool]int{true: http.StatusOK, false: http.StatusTooManyRequests}[i < 33], status, i)
			require.Equal(t, map[bool]time.Duration{true: 100 * time.Millisecond, false: 0}[i < 3], waited, i)
		}
		require.Equal(t, 3, asked)
		time.Sleep(501 * time.Millisecond) // in the bubble's time
		_, waited := ask()
		require.Equal(t, 100*time.Millisecond, waited, "one has asked again")
		_, waited = ask()
		require.Zero(t, waited)
		require.Equal(t, 4, asked)

		hangs = false
		time.Sleep(501 * time.Millisecond)
		for range 5 {
			status, waited := ask()
			require.Equal(t, http.StatusOK, status, "by the server, which has granted nothing yet")
			require.Zero(t, waited)
		}
		require.Equal(t, 9, asked)
	})
}
