package goredis

import (
	"context"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/redislimit"
)

// NewReplicated is [New] for a server with replicas. Each answer waits until so many replicas have
// what was charged, by WAIT: so a failover to one of them forgets nothing. If they do not have it
// within the time, the answer is an error, and the request is refused. It is about half as fast.
//
// The error is a [*ratelimit.ArgumentError] also if replicas is less than 1, or within less than a
// millisecond.
func NewReplicated(client *redis.Client, replicas int, within time.Duration) (redislimit.Engine, error) {
	refuse := func(field string, value any, want string) (redislimit.Engine, error) {
		return nil, &ratelimit.ArgumentError{Func: "goredis.NewReplicated", Field: field, Value: value, Want: want}
	}
	switch {
	case replicas < 1:
		return refuse("replicas", replicas, "1 or more")
	case within < time.Millisecond:
		return refuse("within", within, "1ms or more")
	}
	e, err := New(client)
	if err != nil {
		return nil, err
	}
	return &replicated{e.(*engine), client, replicas, within}, nil
}

type replicated struct {
	*engine
	client   *redis.Client
	replicas int
	within   time.Duration
}

func (e *replicated) Run(ctx context.Context, script *redislimit.Script, keys, args []string) ([]int64, error) {
	reply, err := e.eval(ctx, "evalsha", script.Hash, keys, args)
	if err != nil && redis.HasErrorPrefix(err, "NOSCRIPT") {
		reply, err = e.eval(ctx, "eval", script.Source, keys, args)
	}
	return reply, err
}

// eval runs a script and waits, on one connection: WAIT is about what that has written.
func (e *replicated) eval(ctx context.Context, command, script string, keys, args []string) ([]int64, error) {
	run := newEval(ctx, command, script, keys, args)
	wait := redis.NewIntCmd(ctx, "wait", e.replicas, e.within.Milliseconds())
	pipe := e.client.Pipeline()
	_ = pipe.Process(ctx, run)
	_ = pipe.Process(ctx, wait)
	_, _ = pipe.Exec(ctx)
	if err := run.Err(); err != nil {
		return nil, err
	}
	switch have, err := wait.Result(); {
	case err != nil:
		return nil, err
	case have < int64(e.replicas):
		return nil, fmt.Errorf("%d of %d replicas have it after %v", have, e.replicas, e.within)
	}
	return run.Int64Slice()
}
