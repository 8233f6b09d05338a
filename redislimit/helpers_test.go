package redislimit_test

import (
	"context"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/seed-3506548a/ratelimit/redislimit"
	"github.com/seed-3506548a/ratelimit/redislimit/goredis"
)

// t0 is when tests begin.
var t0 = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// recorder is an engine that keeps the time of its last answer, and how often it was asked.
type recorder struct {
	redislimit.Engine

	mutex sync.Mutex
	now   time.Time
	trips int
	fault error // returned after the engine has done what it was asked
}

func (r *recorder) Run(ctx context.Context, script *redislimit.Script, keys, args []string) ([]int64, error) {
	reply, err := r.Engine.Run(ctx, script, keys, slices.Clone(args))
	r.mutex.Lock()
	defer r.mutex.Unlock()
	r.trips++
	if err == nil && len(reply) > 1 {
		r.now = time.UnixMicro(reply[0])
	}
	if r.fault != nil {
		return nil, r.fault
	}
	return reply, err
}

// mini is a server in this process whose clock the test sets.
type mini struct {
	*miniredis.Miniredis
	recorder
}

func newMini(t testing.TB) *mini {
	server := miniredis.RunT(t)
	server.SetTime(t0)
	m := &mini{Miniredis: server}
	m.Engine = newEngine(t, &redis.Options{Addr: server.Addr()})
	return m
}

// newEngine returns an engine by go-redis.
func newEngine(t testing.TB, options *redis.Options) redislimit.Engine {
	options.ContextTimeoutEnabled = true
	client := redis.NewClient(options)
	t.Cleanup(func() { _ = client.Close() })
	engine, err := goredis.New(client)
	require.NoError(t, err)
	return engine
}
