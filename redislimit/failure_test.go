package redislimit_test

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"iter"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/rueidis"
	"github.com/stretchr/testify/require"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/gcra"
	"github.com/seed-3506548a/ratelimit/redislimit"
	"github.com/seed-3506548a/ratelimit/redislimit/goredis"
	adapter "github.com/seed-3506548a/ratelimit/redislimit/rueidis"
)

func linesOf(text string) iter.Seq[string] {
	return strings.SplitSeq(strings.ReplaceAll(text, "\r", ""), "\n")
}

// hundred is a limit of 100 that does not refill within a test.
func hundred(t testing.TB, engine redislimit.Engine, opts ...redislimit.Option) *redislimit.GCRA {
	limit, err := redislimit.NewGCRA(engine, "test", ratelimit.PerDay(1), 100, opts...)
	require.NoError(t, err)
	return limit
}

// grants takes so many events, one by one, and returns how many were granted, and the last error.
func grants(t testing.TB, limit *redislimit.GCRA, n int) (granted int, err error) {
	for range n {
		d, e := limit.Take(t.Context(), "k", 1)
		if e != nil {
			err = e
			require.False(t, d.OK)
			require.Equal(t, redislimit.Unreachable, d.By)
		}
		if d.OK {
			granted++
		}
	}
	return granted, err
}

// engines returns an engine by each client.
func engines(t *testing.T, s *server) map[string]redislimit.Engine {
	return map[string]redislimit.Engine{"go-redis": newEngine(t, s.options()), "rueidis": newRueidis(t, "unix", s.socket)}
}

func newRueidis(t testing.TB, network, address string) redislimit.Engine {
	option := rueidis.ClientOption{InitAddress: []string{address}, DisableCache: true, ForceSingleClient: true}
	if network == "unix" {
		option.DialCtxFn = func(ctx context.Context, path string, d *net.Dialer, _ *tls.Config) (net.Conn, error) {
			return d.DialContext(ctx, "unix", path)
		}
	}
	client, err := rueidis.NewClient(option)
	require.NoError(t, err)
	t.Cleanup(client.Close)
	engine, err := adapter.New(client)
	require.NoError(t, err)
	return engine
}

// Scripts that the server has forgotten are sent again, and nobody notices.
func TestScriptFlush(t *testing.T) {
	s := startServer(t)
	for name, engine := range engines(t, s) {
		t.Run(name, func(t *testing.T) {
			limit, err := redislimit.NewGCRA(engine, name, ratelimit.PerDay(1), 2000)
			require.NoError(t, err)
			client := s.client(t)
			var granted atomic.Int64
			var wg sync.WaitGroup
			for range 4 {
				wg.Go(func() {
					for i := range 600 {
						d, err := limit.Take(t.Context(), "k", 1)
						if err != nil {
							t.Error(err)
						}
						if d.OK {
							granted.Add(1)
						}
						if i%5 == 0 {
							client.ScriptFlush(t.Context())
						}
					}
				})
			}
			wg.Wait()
			require.EqualValues(t, 2000, granted.Load())
		})
	}
}

// proxy passes what clients send to a server, and what that answers, unless it is told to lose a
// reply: then it closes the connection instead, once.
type proxy struct {
	net.Listener
	lose atomic.Bool
}

func newProxy(t *testing.T, s *server) *proxy {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	p := &proxy{Listener: l}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go p.serve(c, s)
		}
	}()
	return p
}

func (p *proxy) serve(c net.Conn, s *server) {
	defer func() { _ = c.Close() }()
	back, err := net.Dial("unix", s.socket)
	if err != nil {
		return
	}
	defer func() { _ = back.Close() }()
	go func() { _, _ = io.Copy(back, c) }()
	buffer := make([]byte, 1<<16)
	for {
		n, err := back.Read(buffer)
		if err != nil || p.lose.Swap(false) {
			return
		}
		if _, err := c.Write(buffer[:n]); err != nil {
			return
		}
	}
}

// A request whose reply is lost was charged once, and is refused.
func TestLostReply(t *testing.T) {
	s := startServer(t)
	p := newProxy(t, s)
	address := p.Addr().String()
	for name, engine := range map[string]redislimit.Engine{
		"go-redis": newEngine(t, &redis.Options{Addr: address, MaxRetries: 3}),
		"rueidis":  newRueidis(t, "tcp", address),
	} {
		t.Run(name, func(t *testing.T) {
			limit, err := redislimit.NewGCRA(engine, name, ratelimit.PerDay(1), 100, redislimit.Timeout(20*time.Second))
			require.NoError(t, err)
			_, err = limit.Take(t.Context(), "k", 1)
			require.NoError(t, err)
			remaining := 99
			for range 3 {
				p.lose.Store(true)
				d, err := limit.Take(t.Context(), "k", 1)
				p.lose.Store(false)
				var failed *redislimit.Error
				require.ErrorAs(t, err, &failed)
				require.Equal(t, name+":{k}", failed.Key)
				require.Equal(t, ratelimit.Decision{Limit: 100, RetryAfter: ratelimit.Never, ResetAfter: ratelimit.Never, By: redislimit.Unreachable}, d)
				require.Eventually(t, func() bool {
					d, err = limit.Peek(t.Context(), "k", 0)
					return err == nil
				}, 20*time.Second, time.Millisecond)
				require.LessOrEqual(t, remaining-d.Remaining, 1, "charged twice")
				remaining = d.Remaining
			}
			require.Less(t, remaining, 99, "no reply of a charge was lost")
		})
	}
}

// A server that does not answer in time: the request is refused, and what stands in for the engine
// is asked if there is something.
func TestServerThatDoesNotAnswer(t *testing.T) {
	s := startServer(t)
	for name, engine := range engines(t, s) {
		t.Run(name, func(t *testing.T) {
			limit := hundred(t, engine, redislimit.Timeout(30*time.Millisecond))
			stand := ratelimit.Must(gcra.New(ratelimit.PerDay(1), 2))
			closed := limit.Limiter("k", redislimit.FailClosed)
			open := limit.Limiter("k", redislimit.FailOpen)
			other := limit.Limiter("k", redislimit.FailTo(stand))
			var none *gcra.Limiter
			require.Equal(t, redislimit.FailClosed, redislimit.FailTo(none))
			s.pause(t)
			_, err := limit.Take(t.Context(), "k", 1)
			require.ErrorIs(t, err, context.DeadlineExceeded)
			cancelled, cancel := context.WithCancel(t.Context())
			cancel()
			_, err = limit.Take(cancelled, "k", 1)
			require.ErrorIs(t, err, context.Canceled)
			require.False(t, closed.Allow())
			require.True(t, open.Allow())
			require.Equal(t, redislimit.Unreachable, open.Take(1).By)
			require.Equal(t, ratelimit.Never, open.Take(101).RetryAfter)
			require.True(t, other.Allow())
			require.True(t, other.Allow())
			d := other.Take(1)
			require.Equal(t, redislimit.Unreachable, d.By)
			require.False(t, d.OK)
			err = ratelimit.Wait(t.Context(), closed, 1)
			var failed *redislimit.Error
			require.ErrorAs(t, err, &failed)
			s.resume(t)
			require.Eventually(t, func() bool { return closed.PeekAt(t0, 0).By == 0 }, 20*time.Second, time.Millisecond)
			require.NoError(t, closed.(ratelimit.Failer).Err())
		})
	}
}

// After a crash, a server without a file has forgotten all; one that writes each command to its
// file has forgotten nothing.
func TestKill(t *testing.T) {
	for name, row := range map[string]struct {
		args []string
		want int
	}{
		"nothing": {nil, 200},
		"AOF":     {[]string{"--appendonly", "yes", "--appendfsync", "always"}, 100},
	} {
		t.Run(name, func(t *testing.T) {
			s := startServer(t, row.args...)
			limit := hundred(t, newEngine(t, s.options()), redislimit.Remember(0))
			before, err := grants(t, limit, 110)
			require.NoError(t, err)
			s.kill()
			_, err = grants(t, limit, 1)
			require.Error(t, err)
			s.start(t)
			require.Eventually(t, func() bool {
				_, failed := limit.Peek(t.Context(), "k", 0)
				return failed == nil
			}, 20*time.Second, time.Millisecond)
			after, err := grants(t, limit, 110)
			require.NoError(t, err)
			require.Equal(t, row.want, before+after)
		})
	}
}

// A replica that was behind becomes the primary: what it had not heard of is granted again, unless
// each answer waited for it.
func TestFailover(t *testing.T) {
	for name, waits := range map[string]bool{"at once": false, "WAIT": true} {
		t.Run(name, func(t *testing.T) {
			port := freePort(t)
			primary := startServer(t, "--port", fmt.Sprint(port), "--bind", "127.0.0.1", "--repl-diskless-sync-delay", "0")
			replica := startServer(t, "--replicaof", "127.0.0.1", fmt.Sprint(port))
			client := primary.client(t)
			require.Eventually(t, func() bool {
				info, err := client.Info(t.Context(), "replication").Result()
				return err == nil && strings.Contains(info, "state=online")
			}, 30*time.Second, 5*time.Millisecond)
			engine := newEngine(t, primary.options())
			if waits {
				var err error
				engine, err = goredis.NewReplicated(client, 1, 20*time.Second)
				require.NoError(t, err)
			}
			limit := hundred(t, engine, redislimit.Timeout(30*time.Second))
			before, err := grants(t, limit, 60)
			require.NoError(t, err)
			require.Equal(t, 60, before)
			copied := replica.client(t)
			require.Eventually(t, func() bool {
				state, failed := client.Get(t.Context(), "test:{k}").Result()
				return failed == nil && state == copied.Get(t.Context(), "test:{k}").Val()
			}, 30*time.Second, time.Millisecond)
			replica.pause(t)
			if waits {
				engine, err = goredis.NewReplicated(client, 1, 10*time.Millisecond)
				require.NoError(t, err)
				limit = hundred(t, engine, redislimit.Timeout(30*time.Second))
			}
			more, err := grants(t, limit, 20)
			if waits {
				require.Zero(t, more)
				require.ErrorContains(t, err, "0 of 1 replicas have it")
			} else {
				require.NoError(t, err)
				require.Equal(t, 20, more)
			}
			primary.kill()
			replica.resume(t)
			require.NoError(t, replica.client(t).ReplicaOf(t.Context(), "no", "one").Err())
			after, err := grants(t, hundred(t, newEngine(t, replica.options())), 110)
			require.NoError(t, err)
			total := before + more + after
			if waits {
				require.LessOrEqual(t, total, 100)
			} else {
				require.GreaterOrEqual(t, total, 100)
				require.LessOrEqual(t, total, 120) // the replica may have had some of them in its buffers
			}
		})
	}
}

// An engine that evicts keys grants again what these have consumed, and Check warns of it.
func TestEviction(t *testing.T) {
	s := startServer(t, "--maxmemory", "4mb", "--maxmemory-policy", "allkeys-lru")
	limit := hundred(t, newEngine(t, s.options()))
	err := limit.Check(t.Context())
	require.ErrorIs(t, err, redislimit.ErrEvicts)
	require.ErrorIs(t, err, redislimit.ErrForgets)
	before, err := grants(t, limit, 100)
	require.NoError(t, err)
	client := s.client(t)
	for i := 0; client.Exists(t.Context(), "test:{k}").Val() == 1; i++ {
		require.Less(t, i, 100_000)
		for j := range 50 {
			require.NoError(t, client.Set(t.Context(), fmt.Sprint("filler", i, j), strings.Repeat("x", 10_000), 0).Err())
		}
	}
	after, err := grants(t, limit, 110)
	require.NoError(t, err)
	require.Equal(t, 200, before+after)
}

// An engine that must not evict refuses writes when its memory is full: so does the limit. Refusals
// need no memory.
func TestFullMemory(t *testing.T) {
	s := startServer(t, "--appendonly", "yes")
	limit := hundred(t, newEngine(t, s.options()), redislimit.Remember(0))
	require.NoError(t, limit.Check(t.Context()))
	granted, err := grants(t, limit, 90)
	require.NoError(t, err)
	require.Equal(t, 90, granted)
	client := s.client(t)
	require.NoError(t, client.ConfigSet(t.Context(), "maxmemory", "1").Err())
	granted, err = grants(t, limit, 5)
	require.ErrorContains(t, err, "OOM")
	require.Zero(t, granted)
	d, err := limit.Take(t.Context(), "k", 20)
	require.NoError(t, err)
	require.False(t, d.OK)
	require.NoError(t, client.ConfigSet(t.Context(), "maxmemory", "0").Err())
	granted, err = grants(t, limit, 20)
	require.NoError(t, err)
	require.Equal(t, 10, granted)
}

// What another program has left under a key is an error, and is not overwritten.
func TestWrongType(t *testing.T) {
	s := startServer(t)
	client := s.client(t)
	for name, engine := range engines(t, s) {
		t.Run(name, func(t *testing.T) {
			bucket := hundred(t, engine)
			window, err := redislimit.NewAlignedWindow(engine, "test", ratelimit.PerDay(100))
			require.NoError(t, err)
			log, err := redislimit.NewLog(engine, "test", ratelimit.PerDay(100))
			require.NoError(t, err)
			stores := []*redislimit.Store{&bucket.Store, &window.Store, &log.Store}
			for i, store := range stores {
				require.NoError(t, client.HSet(t.Context(), "test:{k}", "a", 1).Err())
				_, err := store.Take(t.Context(), "k", 1)
				require.ErrorContains(t, err, "WRONGTYPE")
				require.NoError(t, store.Reset(t.Context(), "k"))
				for _, foreign := range []string{"", "b", "b1 2", "w1", "hello", "b1 2 3 4"} {
					require.NoError(t, client.Set(t.Context(), "test:{k}", foreign, 0).Err())
					_, err = store.Take(t.Context(), "k", 1)
					if foreign != "b" || i > 0 {
						require.Error(t, err, "%q", foreign)
						require.Equal(t, foreign, client.Get(t.Context(), "test:{k}").Val())
					}
				}
				require.NoError(t, store.Reset(t.Context(), "k"))
				_, err = store.Take(t.Context(), "k", 1)
				require.NoError(t, err)
				for j, other := range stores {
					if _, err := other.Take(t.Context(), "k", 1); j != i {
						require.Error(t, err, "%d and %d", i, j)
					}
				}
				require.NoError(t, store.Reset(t.Context(), "k"))
			}
		})
	}
}

// In a cluster, each key is where its slot is, also after that has moved. Keys of several slots in
// one script are an error; no limit asks for them.
func TestCluster(t *testing.T) {
	addresses, servers := startCluster(t, 3)
	client := redis.NewClusterClient(&redis.ClusterOptions{Addrs: addresses, ContextTimeoutEnabled: true})
	t.Cleanup(func() { _ = client.Close() })
	byGoRedis := ratelimit.Must(goredis.New(client))
	other, err := rueidis.NewClient(rueidis.ClientOption{InitAddress: addresses, DisableCache: true})
	require.NoError(t, err)
	t.Cleanup(other.Close)
	byRueidis := ratelimit.Must(adapter.New(other))
	for name, engine := range map[string]redislimit.Engine{"go-redis": byGoRedis, "rueidis": byRueidis} {
		t.Run(name, func(t *testing.T) {
			limit := ratelimit.Must(redislimit.NewSeveral(engine, name, []redislimit.Bucket{{ratelimit.PerDay(1), 10}, {ratelimit.PerDay(2), 5}}))
			take := func(want int) {
				for i := range 30 {
					for range 2 {
						d, failed := limit.Take(t.Context(), fmt.Sprint("key", i), 1)
						require.NoError(t, failed)
						require.Equal(t, want, d.Remaining, "key %d", i)
						want--
					}
					want += 2
				}
			}
			take(4)
			move(t, client, servers, name+":{key0}")
			take(2)
			require.ErrorIs(t, limit.Check(t.Context()), redislimit.ErrForgets)
		})
	}
	_, err = byGoRedis.Run(t.Context(), &redislimit.Script{Source: "return {1}"}, []string{"a", "b"}, nil)
	require.ErrorContains(t, err, "CROSSSLOT")
}

// move moves the slot of a key to the next server.
func move(t *testing.T, cluster *redis.ClusterClient, servers []*server, key string) {
	ctx := t.Context()
	slot := cluster.ClusterKeySlot(ctx, key).Val()
	from := int(slot) * len(servers) / 16384
	to := (from + 1) % len(servers)
	source, target := servers[from].client(t), servers[to].client(t)
	if source.Exists(ctx, key).Err() != nil { // moved before
		to = from
		source, target = target, source
	}
	ids := []string{source.Do(ctx, "cluster", "myid").Val().(string), target.Do(ctx, "cluster", "myid").Val().(string)}
	require.NoError(t, target.Do(ctx, "cluster", "setslot", slot, "importing", ids[0]).Err())
	require.NoError(t, source.Do(ctx, "cluster", "setslot", slot, "migrating", ids[1]).Err())
	keys := source.ClusterGetKeysInSlot(ctx, int(slot), 1000).Val()
	for _, key := range keys {
		require.NoError(t, source.Migrate(ctx, "127.0.0.1", servers[to].args[1], key, 0, 20*time.Second).Err())
	}
	require.NotEmpty(t, keys)
	require.NoError(t, target.Do(ctx, "cluster", "setslot", slot, "node", ids[1]).Err())
	require.NoError(t, source.Do(ctx, "cluster", "setslot", slot, "node", ids[1]).Err())
}
