package redislimit_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"
	"github.com/redis/rueidis"
	"github.com/stretchr/testify/require"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/redislimit"
	"github.com/seed-3506548a/ratelimit/redislimit/goredis"
	adapter "github.com/seed-3506548a/ratelimit/redislimit/rueidis"
)

// go-redis can be used by a client or a cluster client that heeds deadlines, and by no other.
func TestClientsOfGoRedis(t *testing.T) {
	const heed = "client.Options().ContextTimeoutEnabled is false, want true, so that the client heeds deadlines"
	ring := redis.NewRing(&redis.RingOptions{})
	defer func() { _ = ring.Close() }()
	for i, row := range []struct {
		client redis.UniversalClient
		want   string
	}{
		{nil, "client is nil, want a client"},
		{(*redis.Client)(nil), "client is nil, want a client"},
		{(*redis.ClusterClient)(nil), "client is nil, want a client"},
		{ring, "client is *redis.Ring, want a *redis.Client or a *redis.ClusterClient"},
		{redis.NewClient(&redis.Options{}), heed},
		{redis.NewClusterClient(&redis.ClusterOptions{}), heed},
		{redis.NewClient(&redis.Options{ContextTimeoutEnabled: true}), ""},
		{redis.NewClusterClient(&redis.ClusterOptions{ContextTimeoutEnabled: true}), ""},
	} {
		engine, err := goredis.New(row.client)
		if row.want != "" {
			require.EqualError(t, err, "goredis.New: "+row.want, "%d", i)
			continue
		}
		require.NoError(t, err)
		require.NotNil(t, engine)
	}
}

// Answers are waited for by a replica or more, for a millisecond or more.
func TestArgumentsOfNewReplicated(t *testing.T) {
	client := redis.NewClient(&redis.Options{ContextTimeoutEnabled: true})
	for _, row := range []struct {
		client   *redis.Client
		replicas int
		within   time.Duration
		want     string
	}{
		{client, 1, time.Millisecond, ""},
		{client, 9, time.Hour, ""},
		{client, 0, time.Millisecond, "goredis.NewReplicated: replicas is 0, want 1 or more"},
		{client, -1, time.Millisecond, "goredis.NewReplicated: replicas is -1, want 1 or more"},
		{client, 1, time.Millisecond - 1, "goredis.NewReplicated: within is 999.999µs, want 1ms or more"},
		{client, 1, 0, "goredis.NewReplicated: within is 0s, want 1ms or more"},
		{nil, 1, time.Millisecond, "goredis.New: client is nil, want a client"},
	} {
		engine, err := goredis.NewReplicated(row.client, row.replicas, row.within)
		if row.want != "" {
			require.EqualError(t, err, row.want)
			continue
		}
		require.NoError(t, err)
		require.NotNil(t, engine)
	}
}

// replicas is a hook that answers WAIT as a server with replicas, and keeps what was asked.
type replicas struct {
	redis.Hook
	have  int64
	fault error
	names []string
	wait  []any
}

func (r *replicas) asked(cmd redis.Cmder) {
	if slices.Contains([]string{"eval", "evalsha", "wait"}, cmd.Name()) { // and none that is of a new connection
		r.names = append(r.names, cmd.Name())
	}
}

func (r *replicas) DialHook(next redis.DialHook) redis.DialHook { return next }

func (r *replicas) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		r.asked(cmd)
		return next(ctx, cmd)
	}
}

func (r *replicas) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		err := next(ctx, cmds)
		for _, cmd := range cmds {
			if wait, ok := cmd.(*redis.IntCmd); ok && wait.Name() == "wait" {
				r.wait = wait.Args()
				wait.SetErr(r.fault)
				wait.SetVal(r.have)
			}
			r.asked(cmd)
		}
		return err
	}
}

// With replicas, an answer is that of the script if enough of them have it, and an error else. A
// script is run again only if the server does not know it.
func TestReplicated(t *testing.T) {
	server := miniredis.RunT(t)
	server.SetTime(t0)
	client := redis.NewClient(&redis.Options{Addr: server.Addr(), ContextTimeoutEnabled: true, DisableIdentity: true})
	defer func() { _ = client.Close() }()
	hook := new(replicas)
	client.AddHook(hook)
	limit := hundred(t, ratelimit.Must(goredis.NewReplicated(client, 2, 1500*time.Millisecond)))
	gone := errors.New("gone")
	once := []string{"evalsha", "wait"}
	left := 100
	for i, row := range []struct {
		have  int64
		fault error
		want  string
		names []string
	}{
		{2, nil, "", []string{"evalsha", "wait", "eval", "wait"}}, // the server did not know the script
		{2, nil, "", once},
		{3, nil, "", once},
		{1, nil, "1 of 2 replicas have it after 1.5s", once},
		{0, nil, "0 of 2 replicas have it after 1.5s", once},
		{2, gone, "gone", once},
		{2, nil, "", once},
	} {
		hook.have, hook.fault, hook.names = row.have, row.fault, nil
		d, err := limit.Take(t.Context(), "k", 1)
		left--
		require.Equal(t, row.names, hook.names, "%d", i)
		require.Equal(t, []any{"wait", 2, int64(1500)}, hook.wait)
		if row.want != "" {
			require.EqualError(t, err, "redislimit: test:{k}: not known, so refused: "+row.want)
			continue
		}
		require.NoError(t, err)
		require.Equal(t, left, d.Remaining, "it was charged before, too")
	}
}

// An error of a script, other than that the server does not know it, is returned, and the script is
// not run again.
func TestErrorsOfScriptsAreNotTriedAgain(t *testing.T) {
	server := miniredis.RunT(t)
	client := redis.NewClient(&redis.Options{Addr: server.Addr(), ContextTimeoutEnabled: true, DisableIdentity: true})
	defer func() { _ = client.Close() }()
	hook := &replicas{have: 1}
	client.AddHook(hook)
	for name, engine := range map[string]redislimit.Engine{
		"one":      ratelimit.Must(goredis.New(client)),
		"replicas": ratelimit.Must(goredis.NewReplicated(client, 1, time.Second)),
	} {
		limit, err := redislimit.NewAlignedWindow(engine, name, ratelimit.PerDay(1))
		require.NoError(t, err)
		_, err = limit.Take(t.Context(), "k", 1)
		require.NoError(t, err)
		require.NoError(t, server.Set(name+":{k}", "another's"))
		hook.names = nil
		_, err = limit.Peek(t.Context(), "k", 0)
		require.ErrorContains(t, err, "RATELIMIT the key has no state of a window")
		require.Equal(t, []string{"evalsha"}, slices.DeleteFunc(hook.names, func(name string) bool { return name == "wait" }), name)
	}
}

// halves returns a client of a cluster of two servers, each of which has half of the slots. They do
// not know that, and answer whatever they are asked.
func halves(t *testing.T) (*redis.ClusterClient, [2]*miniredis.Miniredis) {
	servers := [2]*miniredis.Miniredis{miniredis.RunT(t), miniredis.RunT(t)}
	client := redis.NewClusterClient(&redis.ClusterOptions{ContextTimeoutEnabled: true, MaxRedirects: -1,
		ClusterSlots: func(context.Context) ([]redis.ClusterSlot, error) {
			return []redis.ClusterSlot{
				{Start: 0, End: 8191, Nodes: []redis.ClusterNode{{Addr: servers[0].Addr()}}},
				{Start: 8192, End: 16383, Nodes: []redis.ClusterNode{{Addr: servers[1].Addr()}}},
			}, nil
		}})
	t.Cleanup(func() { _ = client.Close() })
	return client, servers
}

// In a cluster, a script is sent to the server that has the key, without being redirected.
func TestScriptsGoToTheServerOfTheKey(t *testing.T) {
	client, servers := halves(t)
	engine := ratelimit.Must(goredis.New(client))
	limit := hundred(t, engine)
	for key, server := range map[string]int{"bar": 0, "hello": 0, "foo": 1, "a": 1} { // of slots 5061, 866, 12182 and 15495
		_, err := limit.Take(t.Context(), key, 1)
		require.NoError(t, err)
		require.Contains(t, servers[server].Keys(), "test:{"+key+"}")
		require.NotContains(t, servers[1-server].Keys(), "test:{"+key+"}")
	}
}

// Info is of each server of a cluster that takes writes. An error says of which server it is.
func TestInfoOfACluster(t *testing.T) {
	client, servers := halves(t)
	engine := ratelimit.Must(goredis.New(client))
	for range 20 {
		texts, err := engine.Info(t.Context())
		require.NoError(t, err)
		require.Len(t, texts, 2)
		for _, text := range texts {
			require.Contains(t, text, "connected_clients")
		}
	}
	servers[1].SetError("LOADING")
	_, err := engine.Info(t.Context())
	require.ErrorContains(t, err, ":"+servers[1].Port()+": LOADING")
}

// nodes is a client of rueidis of several servers.
type nodes struct {
	rueidis.Client
	all map[string]rueidis.Client
}

func (n nodes) Nodes() map[string]rueidis.Client { return n.all }

// Info by rueidis is of each server that answers, and the errors of all others.
func TestInfoByRueidis(t *testing.T) {
	connect := func(address string) rueidis.Client {
		client, err := rueidis.NewClient(rueidis.ClientOption{InitAddress: []string{address}, DisableCache: true, ForceSingleClient: true})
		require.NoError(t, err)
		t.Cleanup(client.Close)
		return client
	}
	good, bad := miniredis.RunT(t), miniredis.RunT(t)
	all := map[string]rueidis.Client{"good": connect(good.Addr()), "better": connect(good.Addr())}
	engine := ratelimit.Must(adapter.New(nodes{all["good"], all}))
	texts, err := engine.Info(t.Context())
	require.NoError(t, err)
	require.Len(t, texts, 2)
	require.Contains(t, texts[0], "connected_clients")
	all["bad"] = connect(bad.Addr())
	bad.SetError("LOADING")
	for range 50 { // in any order
		texts, err = engine.Info(t.Context())
		require.Len(t, texts, 2)
		require.EqualError(t, err, "bad: LOADING")
	}
}
