package redislimit

import (
	"context"
	"errors"

	"github.com/seed-3506548a/ratelimit"
)

// Unreachable is Decision.By of an answer that the engine has not given.
const Unreachable = -6

// errReply is the cause of an Error if the engine's reply is not one of the script.
var errReply = errors.New("the reply has another form than the script's")

// Error is the error of a request that the engine did not answer, or answered by an error. Whether
// it was charged is not known: take it as charged, and as refused.
type Error struct {
	Key string // as the engine knows it
	Err error  // what the client of the engine returned
}

// Error returns the message, as in "redislimit: api:{7}: not known, so refused: i/o timeout".
func (e *Error) Error() string {
	return "redislimit: " + e.Key + ": not known, so refused: " + e.Err.Error()
}

// Unwrap returns Err.
func (e *Error) Unwrap() error { return e.Err }

// fail returns the error of a request for the key, and keeps it for [ratelimit.Failer], unless the
// caller has given up, which says nothing of the engine.
func (s *Store) fail(key string, err error) *Error {
	e := &Error{s.key(key), err}
	if !errors.Is(err, context.Canceled) {
		s.failed.Store(e)
	}
	return e
}

// unreachable returns the refusal of a request that the engine did not answer.
func unreachable(a algorithm) ratelimit.Decision {
	return ratelimit.Decision{Limit: a.limit(), RetryAfter: ratelimit.Never, ResetAfter: ratelimit.Never, By: Unreachable}
}
