// Package rueidis makes a [redislimit.Engine] of a client of github.com/redis/rueidis.
package rueidis

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/redis/rueidis"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/internal/identity"
	"github.com/seed-3506548a/ratelimit/redislimit"
)

// New returns an engine that asks by the client: one server, one behind Sentinel, or a cluster. The
// client sends concurrent requests together, and never sends a script again whose reply was lost.
//
// The error is a [*ratelimit.ArgumentError] if the client is nil.
func New(client rueidis.Client) (redislimit.Engine, error) {
	if identity.IsNil(client) {
		return nil, &ratelimit.ArgumentError{Func: "rueidis.New", Field: "client", Value: nil, Want: "a client"}
	}
	return &engine{client}, nil
}

type engine struct {
	client rueidis.Client
}

func (e *engine) Run(ctx context.Context, script *redislimit.Script, keys, args []string) ([]int64, error) {
	b := e.client.B()
	result := e.client.Do(ctx, b.Evalsha().Sha1(script.Hash).Numkeys(int64(len(keys))).Key(keys...).Arg(args...).Build())
	if err, ok := rueidis.IsRedisErr(result.Error()); ok && err.IsNoScript() {
		result = e.client.Do(ctx, b.Eval().Script(script.Source).Numkeys(int64(len(keys))).Key(keys...).Arg(args...).Build())
	}
	return result.AsIntSlice()
}

func (e *engine) Info(ctx context.Context) ([]string, error) {
	var texts []string
	var errs []error
	for address, node := range e.client.Nodes() {
		text, err := node.Do(ctx, node.B().Info().Build()).ToString()
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", address, err))
			continue
		}
		if !strings.Contains(text, "\nrole:slave") {
			texts = append(texts, text)
		}
	}
	return texts, errors.Join(errs...)
}
