package redislimit_test

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/httplimit"
	"github.com/seed-3506548a/ratelimit/policy"
	"github.com/seed-3506548a/ratelimit/redislimit"
	"github.com/seed-3506548a/ratelimit/redislimit/goredis"
)

// engine is an engine that does what a function does.
type engine struct {
	redislimit.Engine
	run func(ctx context.Context) ([]int64, error)
}

func (e engine) Run(ctx context.Context, _ *redislimit.Script, _, _ []string) ([]int64, error) {
	return e.run(ctx)
}

// A request waits for the timeout once, however many steps it has.
func TestTimeoutIsOfAllSteps(t *testing.T) {
	slow := func(ctx context.Context) ([]int64, error) {
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(200 * time.Millisecond):
			return []int64{1}, nil // the quick script cannot decide
		}
	}
	never := func(ctx context.Context) ([]int64, error) {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	for name, row := range map[string]struct {
		run  func(context.Context) ([]int64, error)
		opts []redislimit.Option
	}{
		"two scripts":         {run: slow},
		"lease":               {never, []redislimit.Option{redislimit.Lease(1, 10)}},
		"lease, two scripts":  {slow, []redislimit.Option{redislimit.Lease(1, 10)}},
		"combined":            {never, []redislimit.Option{redislimit.Combine()}},
		"combined and leased": {never, []redislimit.Option{redislimit.Combine(), redislimit.Lease(1, 10)}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				limit := hundred(t, engine{run: row.run}, append(row.opts, redislimit.Timeout(300*time.Millisecond))...)
				began := time.Now()
				var wg sync.WaitGroup
				for range 3 {
					wg.Go(func() {
						_, err := limit.Take(t.Context(), "k", 1)
						if err == nil || time.Since(began) != 300*time.Millisecond {
							t.Errorf("after %v: %v, want an error after 300ms", time.Since(began), err)
						}
					})
				}
				wg.Wait()
				time.Sleep(time.Second) // what is still under way ends, in the bubble's time
			})
		})
	}
}

// Requests that cannot be cancelled wait for the timeout, or up to a sixteenth of it less. The
// engine sees the values of their contexts.
func TestTimeoutOfWhatCannotBeCancelled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const timeout = 1600 * time.Millisecond
		type name struct{}
		limit := hundred(t, engine{run: func(ctx context.Context) ([]int64, error) {
			if ctx.Value(name{}) == "asked by a job" {
				return []int64{t0.UnixMicro(), 0, 0}, nil
			}
			<-ctx.Done()
			return nil, ctx.Err()
		}}, redislimit.Timeout(timeout))
		var wg sync.WaitGroup
		for i := range 100 {
			wg.Go(func() {
				time.Sleep(time.Duration(i) * 30 * time.Millisecond) // in the bubble's time
				began := time.Now()
				_, err := limit.Take(context.Background(), "k", 1)
				if waited := time.Since(began); err == nil || waited > timeout || waited < timeout*15/16 {
					t.Errorf("request %d: after %v: %v", i, waited, err)
				}
			})
		}
		wg.Wait()
		d, err := limit.Take(context.WithValue(context.Background(), name{}, "asked by a job"), "k", 1)
		require.NoError(t, err)
		require.True(t, d.OK)
	})
}

// A request that has to dial a server that does not answer waits for the timeout, and not for the
// client's own.
func TestTimeoutOfADial(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client := redis.NewClient(&redis.Options{ContextTimeoutEnabled: true, DialerRetries: 1,
			Dialer: func(ctx context.Context, _, _ string) (net.Conn, error) {
				<-ctx.Done()
				return nil, ctx.Err()
			}})
		defer func() { _ = client.Close() }()
		limit := hundred(t, ratelimit.Must(goredis.New(client)), redislimit.Timeout(100*time.Millisecond))
		began := time.Now()
		_, err := limit.Take(t.Context(), "k", 1)
		require.Error(t, err)
		require.Equal(t, 100*time.Millisecond, time.Since(began))
		time.Sleep(time.Minute) // what is still under way ends, in the bubble's time
	})
}

// A panic of the engine does not hold up the requests that wait to be sent together.
func TestCombineAfterAPanic(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fault := make(chan bool)
		limit := hundred(t, engine{run: func(context.Context) ([]int64, error) {
			if <-fault {
				panic("engine")
			}
			return []int64{t0.UnixMicro(), 0, 0}, nil
		}}, redislimit.Combine(), redislimit.Timeout(time.Hour))
		take := func() (d ratelimit.Decision, err error) { return limit.Take(t.Context(), "k", 1) }
		var wg sync.WaitGroup
		wg.Go(func() {
			defer func() {
				if recover() == nil {
					t.Error("the panic is the caller's")
				}
			}()
			_, _ = take()
		})
		synctest.Wait()
		for range 2 {
			wg.Go(func() {
				if d, err := take(); !d.OK || err != nil {
					t.Errorf("%+v, %v", d, err)
				}
			})
		}
		synctest.Wait()
		fault <- true
		fault <- false
		wg.Wait()
		wg.Go(func() { fault <- false })
		d, err := take()
		require.NoError(t, err)
		require.True(t, d.OK)
	})
}

// While the server hangs, a request waits for the timeout as often as docs/redis.md says.
func TestWaitsForAServerThatHangs(t *testing.T) {
	const two = `"rules": [
		{"name": "a", "key": ["user"], "limits": [{"name": "x", "rate": "9/day", "as": "gcra"}]},
		{"name": "b", "key": ["user"], "limits": [{"name": "y", "rate": "9/day", "as": "gcra"}]}]`
	decide := func(otherwise redislimit.OnError) func(*testing.T) bool {
		return func(t *testing.T) bool {
			var d policy.Decision
			newNode(t, ratelimit.SystemClock{}, deaf{}, otherwise, two, "x", "y").Decide(user("7"), &d)
			return d.OK
		}
	}
	for name, row := range map[string]struct {
		ask         func(t *testing.T) (granted bool)
		granted     bool
		least, most int // timeouts
	}{
		"one limit": {func(t *testing.T) bool {
			return hundred(t, deaf{}).Limiter("k", redislimit.FailOpen).Allow()
		}, true, 1, 1},
		"a policy that fails closed": {decide(redislimit.FailClosed), false, 1, 1},
		"a policy that fails open":   {decide(redislimit.FailOpen), true, 3, 3},
		"a composition": {func(t *testing.T) bool {
			l := hundred(t, deaf{})
			return ratelimit.Must(ratelimit.All(l.Limiter("k", redislimit.FailOpen), l.Limiter("all", redislimit.FailOpen))).Take(1).OK
		}, true, 2, 4},
		"two middlewares that proceed": {func(t *testing.T) bool {
			proceed := httplimit.OnError(func(http.ResponseWriter, *http.Request, error) bool { return true })
			h := http.Handler(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
			for range 2 {
				h = ratelimit.Must(httplimit.PerKey(hundred(t, deaf{}), httplimit.Header("X-User"), httplimit.IETF(11), proceed))(h)
			}
			r := httptest.NewRequest(http.MethodGet, "/", nil)
			r.Header.Set("X-User", "7")
			w := httptest.NewRecorder()
			h.ServeHTTP(w, r)
			return w.Code == http.StatusOK
		}, true, 2, 2},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				began := time.Now()
				require.Equal(t, row.granted, row.ask(t))
				const timeout = time.Second // the default
				waited := time.Since(began)
				require.LessOrEqual(t, time.Duration(row.least)*timeout, waited)
				require.LessOrEqual(t, waited, time.Duration(row.most)*timeout)
			})
		})
	}
}
