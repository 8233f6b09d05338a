package redislimit_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/internal/proof/bounds"
	"github.com/seed-3506548a/ratelimit/internal/proof/soak"
	"github.com/seed-3506548a/ratelimit/redislimit"
	"github.com/seed-3506548a/ratelimit/redislimit/goredis"
)

// skewed is a node's clock, which differs from the others' by seconds. One that jumps is set to
// something else every few seconds, back or ahead.
type skewed struct {
	by    time.Duration
	jumps bool
}

func (c skewed) Now() time.Time {
	now := time.Now()
	if c.jumps {
		now = now.Add(time.Duration(now.Unix()/7*3%11-5) * time.Second)
	}
	return now.Add(c.by)
}

// shared is a limit that all nodes of a soak share, with its bound.
type shared struct {
	name  string
	build func(e redislimit.Engine, opts ...redislimit.Option) (taker, error)
	rate  int // events a second, at most
	burst int // more than that at once
	share bounds.Share
}

var sharedLimits = []shared{
	{"gcra", func(e redislimit.Engine, opts ...redislimit.Option) (taker, error) {
		return redislimit.NewGCRA(e, "gcra", ratelimit.PerSecond(100), 20, opts...)
	}, 100, 20, bounds.BucketShare(ratelimit.PerSecond(100), 20)},
	{"combined", func(e redislimit.Engine, opts ...redislimit.Option) (taker, error) {
		return redislimit.NewGCRA(e, "combined", ratelimit.PerSecond(100), 20, append(opts, redislimit.Combine())...)
	}, 100, 20, bounds.BucketShare(ratelimit.PerSecond(100), 20)},
	{"leased", func(e redislimit.Engine, opts ...redislimit.Option) (taker, error) {
		return redislimit.NewGCRA(e, "leased", ratelimit.PerSecond(60), 60, append(opts, redislimit.Lease(3, 10))...)
	}, 60, 60, bounds.BucketShare(ratelimit.PerSecond(60), 60)},
	{"several", func(e redislimit.Engine, opts ...redislimit.Option) (taker, error) {
		return redislimit.NewSeveral(e, "several", []redislimit.Bucket{{Rate: ratelimit.PerSecond(100), Burst: 20}, {Rate: ratelimit.PerMinute(4000), Burst: 200}}, opts...)
	}, 100, 20, func(grants []bounds.Span) float64 {
		return max(bounds.BucketShare(ratelimit.PerSecond(100), 20)(grants), bounds.BucketShare(ratelimit.PerMinute(4000), 200)(grants))
	}},
	{"window", func(e redislimit.Engine, opts ...redislimit.Option) (taker, error) {
		return redislimit.NewAlignedWindow(e, "window", ratelimit.Per(50, 500*time.Millisecond), opts...)
	}, 100, 50, bounds.AlignedShare(ratelimit.Per(50, 500*time.Millisecond))},
	{"log", func(e redislimit.Engine, opts ...redislimit.Option) (taker, error) {
		return redislimit.NewLog(e, "log", ratelimit.PerSecond(100), opts...)
	}, 100, 100, bounds.SlidingShare(ratelimit.PerSecond(100))},
}

// node is what one process of a service would have: a client, a clock, and all limits.
type node struct{ limits []taker }

// service is nodes with callers, and what these were granted.
type service struct {
	start   time.Time // a whole second, of which windows are parts
	nodes   []node
	grants  map[string]*soak.Grants // by limit and key
	asked   atomic.Int64
	refused atomic.Int64
	errors  atomic.Int64
}

var soakKeys = []string{"a", "b"}

// newService has a node for each engine.
func newService(t testing.TB, duration time.Duration, engines ...redislimit.Engine) *service {
	s := &service{start: time.Now().Truncate(time.Second), grants: map[string]*soak.Grants{}}
	clocks := []skewed{{by: -3 * time.Second}, {}, {by: 4 * time.Second, jumps: true}}
	for i, engine := range engines {
		var one node
		for _, l := range sharedLimits {
			limit, err := l.build(engine, redislimit.WithClock(clocks[i%len(clocks)]), redislimit.Timeout(500*time.Millisecond))
			require.NoError(t, err)
			one.limits = append(one.limits, limit)
		}
		s.nodes = append(s.nodes, one)
	}
	for _, l := range sharedLimits {
		for _, key := range soakKeys {
			s.grants[l.name+key] = soak.NewGrants(int(duration/time.Second+60)*l.rate + l.burst)
		}
	}
	return s
}

// call asks a node for events until the context ends. An error is a refusal.
func (s *service) call(ctx context.Context, t testing.TB, n node, random *rand.Rand) {
	for ctx.Err() == nil {
		i, key, events := random.IntN(len(sharedLimits)), soakKeys[random.IntN(len(soakKeys))], 1+random.IntN(3)
		before := time.Now()
		d, err := n.limits[i].Take(context.Background(), key, events)
		after := time.Now()
		s.asked.Add(1)
		switch {
		case err != nil:
			s.errors.Add(1)
			if d.OK || d.By != redislimit.Unreachable {
				t.Errorf("%s: %+v with an error: %v", sharedLimits[i].name, d, err)
				return
			}
		case d.OK:
			// The engine's clock has microseconds, rounded down.
			lo := before.Truncate(time.Microsecond).Sub(s.start.Round(0))
			s.grants[sharedLimits[i].name+key].Add(bounds.Span{Lo: int64(lo), Hi: int64(after.Round(0).Sub(s.start.Round(0))), N: int64(events)})
		default:
			s.refused.Add(1)
		}
		time.Sleep(time.Duration(random.IntN(16)) * time.Millisecond)
	}
}

// soak has four callers at each node, while disturb is called again and again: it does something to
// the servers, and is over when they answer again. Then all bounds are checked.
func (s *service) soak(t *testing.T, duration time.Duration, disturb func()) {
	ctx, cancel := context.WithTimeout(t.Context(), duration)
	defer cancel()
	var group sync.WaitGroup
	for i := range 4 * len(s.nodes) {
		group.Go(func() { s.call(ctx, t, s.nodes[i/4], rand.New(rand.NewPCG(uint64(i), 6))) })
	}
	disturbed := 0
	random := rand.New(rand.NewPCG(1, 7))
	for ctx.Err() == nil {
		select {
		case <-ctx.Done():
		case <-time.After(min(duration/5, 2*time.Second) + time.Duration(random.Int64N(int64(2*time.Second)))):
			disturb()
			disturbed++
		}
	}
	group.Wait()
	t.Logf("%d requests at %d nodes: %d refused, %d errors; disturbed %d times", s.asked.Load(), len(s.nodes), s.refused.Load(), s.errors.Load(), disturbed)
	require.Positive(t, disturbed)
	require.Positive(t, s.errors.Load())
	for _, l := range sharedLimits {
		worst, granted := 0.0, int64(0)
		for _, key := range soakKeys {
			most, events := s.grants[l.name+key].Check(t, l.share, l.name+" "+key)
			worst, granted = max(worst, most), granted+events
		}
		t.Logf("%s: %d events granted, at most %.4f of the bound", l.name, granted, worst)
		require.Positive(t, worst)
	}
}

// switched is an engine that is replaced by another when there is a new primary.
type switched struct {
	atomic.Pointer[redislimit.Engine]
}

func (e *switched) Run(ctx context.Context, script *redislimit.Script, keys, args []string) ([]int64, error) {
	return (*e.Load()).Run(ctx, script, keys, args)
}

func (e *switched) Info(ctx context.Context) ([]string, error) { return (*e.Load()).Info(ctx) }

// TestSoak has nodes whose clocks differ share limits on a server that crashes again and again, and
// on a primary that does, after which its replica takes over. Where nothing is granted twice, as
// docs/redis.md says, the bounds hold over all intervals; and memory and goroutines are flat.
func TestSoak(t *testing.T) {
	duration := soak.Duration(t)
	watch := soak.NewWatch(duration)
	t.Run("servers", func(t *testing.T) {
		t.Run("killed", func(t *testing.T) {
			t.Parallel()
			soakKilled(t, duration)
		})
		t.Run("failover", func(t *testing.T) {
			t.Parallel()
			soakFailover(t, duration)
		})
	})
	early, late := watch.RequireFlat(t, 4<<20)
	t.Logf("heap after a garbage collection: %d kB early, %d kB late; goroutines: %d early, %d late", early.Heap>>10, late.Heap>>10, early.Goroutines, late.Goroutines)
}

// soakKilled kills a server that writes each command to its file, and starts it again.
func soakKilled(t *testing.T, duration time.Duration) {
	s := startServer(t, "--appendonly", "yes", "--appendfsync", "always", "--auto-aof-rewrite-min-size", "4mb")
	nodes := newService(t, duration, newEngine(t, s.options()), newEngine(t, s.options()), newRueidis(t, "unix", s.socket))
	nodes.soak(t, duration, func() {
		s.kill()
		s.start(t)
	})
}

// soakFailover makes a replica the primary, for which each answer of the old one waits. For a while
// the nodes still ask the old one, as behind a network that is split, until it crashes. Then it
// comes back as a replica, with nothing.
func soakFailover(t *testing.T, duration time.Duration) {
	ports := [2]int{freePort(t), freePort(t)}
	args := func(i int) []string {
		return []string{"--port", fmt.Sprint(ports[i]), "--bind", "127.0.0.1", "--repl-diskless-sync-delay", "0"}
	}
	follow := func(i int) []string { return append(args(i), "--replicaof", "127.0.0.1", fmt.Sprint(ports[1-i])) }
	servers := [2]*server{startServer(t, args(0)...), startServer(t, follow(1)...)}
	var engines [3]*switched
	var clients [3]*redis.Client
	use := func(primary *server) {
		for i := range engines {
			if engines[i] == nil {
				engines[i] = new(switched)
			}
			old := clients[i]
			clients[i] = redis.NewClient(primary.options())
			engine, err := goredis.NewReplicated(clients[i], 1, 300*time.Millisecond)
			require.NoError(t, err)
			engines[i].Store(&engine)
			if old != nil {
				_ = old.Close()
			}
		}
	}
	synced := func(primary *server) {
		client := redis.NewClient(primary.options())
		defer func() { _ = client.Close() }()
		require.Eventually(t, func() bool {
			info, err := client.Info(context.Background(), "replication").Result()
			return err == nil && strings.Contains(info, "state=online")
		}, 60*time.Second, 5*time.Millisecond)
	}
	use(servers[0])
	synced(servers[0])
	primary := 0
	newService(t, duration, engines[0], engines[1], engines[2]).soak(t, duration, func() {
		replica := redis.NewClient(servers[1-primary].options())
		require.NoError(t, replica.ReplicaOf(context.Background(), "no", "one").Err())
		_ = replica.Close()
		time.Sleep(400 * time.Millisecond) // the nodes ask the old one as yet
		servers[primary].kill()
		primary = 1 - primary
		use(servers[primary])
		servers[1-primary].args = follow(1 - primary)
		servers[1-primary].start(t)
		synced(servers[primary])
	})
	for _, client := range clients {
		_ = client.Close()
	}
}
