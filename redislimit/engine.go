package redislimit

import (
	"context"
	"crypto/sha1"
	"encoding/hex"
)

// Engine is where limits are kept: a server that speaks the protocol and the scripts of Redis 6.2,
// such as Redis or Valkey, or a cluster of them. Packages redislimit/goredis and redislimit/rueidis
// make one of a client that a program has.
//
// An Engine must be safe for simultaneous use. One that wraps another needs no more than these two
// methods; docs/redis.md has a circuit breaker.
type Engine interface {
	// Run runs a script, once: by EVALSHA, and by EVAL if the server does not know the script. It
	// must not try again after an error that leaves open whether the script has run, and must
	// return soon after the deadline of ctx, which is after [Timeout] at the latest. If ctx is
	// cancelled before, it may wait for the deadline all the same, as go-redis and rueidis do. It
	// must not change keys and args. The reply is an array of integers.
	Run(ctx context.Context, script *Script, keys, args []string) ([]int64, error)

	// Info returns the text of INFO of each server that takes writes.
	Info(ctx context.Context) ([]string, error)
}

// Script is a script for an Engine, in Lua.
type Script struct {
	Source string
	Hash   string // of Source: SHA-1 in hexadecimal digits, as EVALSHA takes it
}

func newScript(source string) *Script {
	sum := sha1.Sum([]byte(source))
	return &Script{Source: source, Hash: hex.EncodeToString(sum[:])}
}
