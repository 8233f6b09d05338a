package bench

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-redis/redis_rate/v10"
	goclient "github.com/redis/go-redis/v9"
	rueidisclient "github.com/redis/rueidis"
	"github.com/stretchr/testify/require"
	throttled "github.com/throttled/throttled/v2"
	throttledstore "github.com/throttled/throttled/v2/store/goredisstore.v9"
	ulule "github.com/ulule/limiter/v3"
	ululestore "github.com/ulule/limiter/v3/drivers/store/redis"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/redislimit"
	"github.com/seed-3506548a/ratelimit/redislimit/goredis"
	"github.com/seed-3506548a/ratelimit/redislimit/rueidis"
)

// allow asks for one event of a key.
type allow func(key string) (bool, error)

// start starts a server, and returns a client.
func start(b *testing.B, callers int) *goclient.Client {
	path, err := exec.LookPath("redis-server")
	if err != nil {
		b.Skip("there is no redis-server in PATH")
	}
	folder, err := os.MkdirTemp("", "rl") //nolint:usetesting // a socket's path must be short, and these names are long
	require.NoError(b, err)
	socket := filepath.Join(folder, "s")
	cmd := exec.Command(path, "--port", "0", "--unixsocket", socket, "--dir", folder, "--save", "", "--logfile", filepath.Join(folder, "log"))
	require.NoError(b, cmd.Start())
	client := goclient.NewClient(&goclient.Options{Network: "unix", Addr: socket, ContextTimeoutEnabled: true, PoolSize: callers})
	b.Cleanup(func() {
		_ = client.Close()
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		_ = os.RemoveAll(folder)
	})
	require.Eventually(b, func() bool { return client.Ping(context.Background()).Err() == nil }, 30*time.Second, 5*time.Millisecond)
	return client
}

// libraries make a limit of so many a second, and a burst of as many.
var libraries = []struct {
	name  string
	build func(b *testing.B, client *goclient.Client, rate int) allow
}{
	{"redislimit", func(b *testing.B, client *goclient.Client, rate int) allow {
		return of(b, redislimit.NewGCRA, ratelimit.Must(goredis.New(client)), rate)
	}},
	{"redislimit-unremembered", func(b *testing.B, client *goclient.Client, rate int) allow {
		return of(b, redislimit.NewGCRA, ratelimit.Must(goredis.New(client)), rate, redislimit.Remember(0))
	}},
	{"redislimit-leases", func(b *testing.B, client *goclient.Client, rate int) allow {
		if rate < 2 {
			b.Skip("a burst of 1 has no chunk to lease")
		}
		return of(b, redislimit.NewGCRA, ratelimit.Must(goredis.New(client)), rate, redislimit.Lease(1, max(rate/100, 1)))
	}},
	{"redislimit-rueidis", func(b *testing.B, client *goclient.Client, rate int) allow {
		return of(b, redislimit.NewGCRA, byRueidis(b, client), rate)
	}},
	{"redislimit-combined", func(b *testing.B, client *goclient.Client, rate int) allow {
		return of(b, redislimit.NewGCRA, byRueidis(b, client), rate, redislimit.Combine())
	}},
	{"redis_rate", func(_ *testing.B, client *goclient.Client, rate int) allow {
		limiter, limit := redis_rate.NewLimiter(client), redis_rate.PerSecond(rate)
		return func(key string) (bool, error) {
			r, err := limiter.Allow(context.Background(), key, limit)
			return err == nil && r.Allowed > 0, err
		}
	}},
	{"throttled", func(b *testing.B, client *goclient.Client, rate int) allow {
		store, err := throttledstore.NewCtx(client, "t")
		require.NoError(b, err)
		limiter, err := throttled.NewGCRARateLimiterCtx(store, throttled.RateQuota{MaxRate: throttled.PerSec(rate), MaxBurst: rate - 1})
		require.NoError(b, err)
		return func(key string) (bool, error) {
			refused, _, err := limiter.RateLimitCtx(context.Background(), key, 1)
			return err == nil && !refused, err
		}
	}},
	{"ulule", func(b *testing.B, client *goclient.Client, rate int) allow {
		store, err := ululestore.NewStore(client)
		require.NoError(b, err)
		limiter := ulule.New(store, ulule.Rate{Period: time.Second, Limit: int64(rate)})
		return func(key string) (bool, error) {
			c, err := limiter.Get(context.Background(), key)
			return err == nil && !c.Reached, err
		}
	}},
}

func of(b *testing.B, build func(redislimit.Engine, string, ratelimit.Rate, int, ...redislimit.Option) (*redislimit.GCRA, error),
	engine redislimit.Engine, rate int, opts ...redislimit.Option,
) allow {
	limit, err := build(engine, "b", ratelimit.PerSecond(rate), rate, opts...)
	require.NoError(b, err)
	return func(key string) (bool, error) {
		d, err := limit.Take(context.Background(), key, 1)
		return d.OK, err
	}
}

func byRueidis(b *testing.B, client *goclient.Client) redislimit.Engine {
	other, err := rueidisclient.NewClient(rueidisclient.ClientOption{
		InitAddress: []string{client.Options().Addr}, DisableCache: true, ForceSingleClient: true,
		DialCtxFn: func(ctx context.Context, path string, d *net.Dialer, _ *tls.Config) (net.Conn, error) {
			return d.DialContext(ctx, "unix", path)
		},
	})
	require.NoError(b, err)
	b.Cleanup(other.Close)
	return ratelimit.Must(rueidis.New(other))
}

// BenchmarkAllow is the time from one answer to the next, of all callers together, and the time
// that the server spent in scripts for each. Keys have so much left that they grant, or are refused
// after the first few. Errors are reported as such.
func BenchmarkAllow(b *testing.B) {
	for _, row := range []struct {
		outcome       string
		keys, callers int
		rate          int
	}{
		{"granted", 100_000, 16, 1_000_000},
		{"granted", 100_000, 256, 1_000_000},
		{"granted", 1, 256, 100_000_000},
		{"refused", 1, 16, 1},
	} {
		for _, library := range libraries {
			b.Run(fmt.Sprintf("outcome=%s/keys=%d/callers=%d/library=%s", row.outcome, row.keys, row.callers, library.name), func(b *testing.B) {
				client := start(b, row.callers)
				ask := library.build(b, client, row.rate)
				for i := range 1000 {
					_, _ = ask("key" + strconv.Itoa(i%row.keys))
				}
				require.NoError(b, client.ConfigResetStat(b.Context()).Err())
				var granted, failed, next atomic.Int64
				var wg sync.WaitGroup
				b.ResetTimer()
				for range row.callers {
					wg.Go(func() {
						for i := next.Add(1); i <= int64(b.N); i = next.Add(1) {
							ok, err := ask("key" + strconv.Itoa(int(i*7919)%row.keys))
							if err != nil {
								failed.Add(1)
							} else if ok {
								granted.Add(1)
							}
						}
					})
				}
				wg.Wait()
				b.StopTimer()
				b.ReportMetric(float64(granted.Load())/float64(b.N), "granted/op")
				b.ReportMetric(float64(failed.Load())/float64(b.N), "errors/op")
				b.ReportMetric(scriptTime(b, client), "server-us/script")
			})
		}
	}
}

// scriptTime returns how long the server took for a script on average, in microseconds.
func scriptTime(b *testing.B, client *goclient.Client) float64 {
	info, err := client.Info(b.Context(), "commandstats").Result()
	require.NoError(b, err)
	for line := range strings.Lines(info) {
		if rest, ok := strings.CutPrefix(line, "cmdstat_evalsha:"); ok {
			_, rest, _ = strings.Cut(rest, "usec_per_call=")
			text, _, _ := strings.Cut(rest, ",")
			took, err := strconv.ParseFloat(text, 64)
			require.NoError(b, err)
			return took
		}
	}
	return 0
}
