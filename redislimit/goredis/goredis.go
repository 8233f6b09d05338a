// Package goredis makes a [redislimit.Engine] of a client of github.com/redis/go-redis/v9.
package goredis

import (
	"context"
	"fmt"
	"reflect"
	"sync"

	"github.com/redis/go-redis/v9"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/redislimit"
)

// New returns an engine that asks by the client: one server, one behind Sentinel, or a cluster.
//
// The client's options must have ContextTimeoutEnabled, or it would wait for longer than
// [redislimit.Timeout] and contexts allow: the error is a [*ratelimit.ArgumentError] otherwise. The
// client's retries are not used for scripts, as a script whose reply was lost would charge twice.
// DialerRetries should be 1: by default a request dials up to 5 times, 100 ms apart.
func New(client redis.UniversalClient) (redislimit.Engine, error) {
	refuse := func(field string, value any, want string) (redislimit.Engine, error) {
		return nil, &ratelimit.ArgumentError{Func: "goredis.New", Field: field, Value: value, Want: want}
	}
	var heeds bool
	switch c := client.(type) {
	case *redis.Client:
		if c == nil {
			return refuse("client", nil, "a client")
		}
		heeds = c.Options().ContextTimeoutEnabled
	case *redis.ClusterClient:
		if c == nil {
			return refuse("client", nil, "a client")
		}
		heeds = c.Options().ContextTimeoutEnabled
	case nil:
		return refuse("client", nil, "a client")
	default:
		return refuse("client", reflect.TypeOf(client), "a *redis.Client or a *redis.ClusterClient")
	}
	if !heeds {
		return refuse("client.Options().ContextTimeoutEnabled", false, "true, so that the client heeds deadlines")
	}
	return &engine{client}, nil
}

type engine struct {
	client redis.UniversalClient
}

// once is a command that the client must not send again.
type once struct{ *redis.Cmd }

// NoRetry is asked by the client.
func (once) NoRetry() bool { return true }

func (e *engine) Run(ctx context.Context, script *redislimit.Script, keys, args []string) ([]int64, error) {
	reply, err := e.eval(ctx, "evalsha", script.Hash, keys, args)
	if err != nil && redis.HasErrorPrefix(err, "NOSCRIPT") {
		reply, err = e.eval(ctx, "eval", script.Source, keys, args)
	}
	return reply, err
}

// eval runs a script, by its hash or its source.
func (e *engine) eval(ctx context.Context, command, script string, keys, args []string) ([]int64, error) {
	cmd := newEval(ctx, command, script, keys, args)
	if err := e.client.Process(ctx, cmd); err != nil {
		return nil, err
	}
	return cmd.Int64Slice()
}

// newEval returns the command that runs a script.
func newEval(ctx context.Context, command, script string, keys, args []string) once {
	all := make([]any, 0, 3+len(keys)+len(args))
	all = append(all, command, script, len(keys))
	for _, key := range keys {
		all = append(all, key)
	}
	for i := range args {
		all = append(all, &args[i]) // as a string would be copied to the heap
	}
	return once{redis.NewCmd(ctx, all...)}
}

func (e *engine) Info(ctx context.Context) ([]string, error) {
	cluster, ok := e.client.(*redis.ClusterClient)
	if !ok {
		text, err := e.client.Info(ctx).Result()
		return []string{text}, err
	}
	var mutex sync.Mutex
	var texts []string
	err := cluster.ForEachMaster(ctx, func(ctx context.Context, c *redis.Client) error {
		text, err := c.Info(ctx).Result()
		if err != nil {
			return fmt.Errorf("%s: %w", c.Options().Addr, err)
		}
		mutex.Lock()
		defer mutex.Unlock()
		texts = append(texts, text)
		return nil
	})
	return texts, err
}
