package httplimit

import (
	"errors"
	"fmt"

	"github.com/seed-3506548a/ratelimit/keyed"
)

// What is wrong with how a middleware is used, as [OnError] is told.
var (
	// ErrTwice reports that the engine has already decided about the request, earlier in the chain:
	// it is charged twice.
	ErrTwice = errors.New("httplimit: the engine was asked about this request before: leave one of the middlewares out")

	// ErrTrustsNobody reports that a request has X-Forwarded-For, and [ClientIP] trusts no proxy:
	// if there is one in front, all its clients share limits.
	ErrTrustsNobody = errors.New("httplimit: there is X-Forwarded-For, and ClientIP trusts no proxy: name yours")
)

// StoreError reports that the store of [PerKey], a limit of the policy, or a store of
// [policy.WithStore] could not decide about a request, for a reason that has nothing to do with the
// limit of its key.
type StoreError struct {
	By  int   // keyed.Full, keyed.NoLimiter, keyed.Late, keyed.Ahead, or a store's own; 0 for policy.WithStore
	Err error // why there is no limiter or no answer, if the store says so
}

// Error returns the message, as in "httplimit: the store has no place for the key".
func (e *StoreError) Error() string {
	switch e.By {
	case keyed.Full:
		return "httplimit: the store has no place for the key"
	case keyed.NoLimiter:
		if e.Err != nil {
			return "httplimit: the store has no limiter for the key: " + e.Err.Error()
		}
		return "httplimit: the store has no limiter for the key"
	case keyed.Late:
		return "httplimit: the clock is behind what the store has seen"
	case keyed.Ahead:
		return "httplimit: the request's time is far ahead of the store's clock"
	default:
		if e.Err != nil {
			return "httplimit: the store could not decide: " + e.Err.Error()
		}
		return fmt.Sprintf("httplimit: the store could not decide (%d)", e.By)
	}
}

// Unwrap returns Err.
func (e *StoreError) Unwrap() error { return e.Err }
