package httplimit

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"time"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/policy"
)

// Option adjusts a [Middleware] or a [PerKey] under construction.
type Option func(*options)

type options struct {
	onError  func(http.ResponseWriter, *http.Request, error) bool
	cost     func(*http.Request) int
	estimate func(*http.Request) []policy.Amount
	tests    bool
	jitter   int  // in percent
	bare     bool // NoContext

	err *ratelimit.ArgumentError // of the first option that was made of what cannot be
}

// OnError has f called when nothing can be decided about a request, and when the middleware is used
// as it should not be. f returns whether to proceed: the request is then served, without limits if
// nothing could be decided. Otherwise it is answered by what f has written to w, or by 503 if f has
// written nothing. Without OnError, requests about which nothing can be decided are answered by
// 503.
//
// The errors are
//
//   - a [*ratelimit.ArgumentError], for each request, while a policy that came by
//     [policy.Engine.Replace] names an attribute that nobody provides; to proceed is to have it
//     decided as if the request did not have that attribute,
//   - a [*StoreError], for each request that the store of PerKey, or one of [policy.WithStore],
//     could not decide, or that a limit of the policy refuses because it has no room for its key,
//   - [ErrTwice] and [ErrTrustsNobody], once for each middleware; to proceed is to go on as before.
//
// f is called by many goroutines at once.
func OnError(f func(w http.ResponseWriter, r *http.Request, err error) (proceed bool)) Option {
	return func(o *options) {
		o.onError = f
		o.demand(f != nil, "OnError", nil, "a function")
	}
}

// Cost has a request count as f(r) events: 0 is what the policy says, or else 1. A negative cost is
// refused. f must not read the body.
func Cost(f func(*http.Request) int) Option {
	return func(o *options) {
		o.cost = f
		o.demand(f != nil, "Cost", nil, "a function")
	}
}

// Estimate has f say what a request is going to take of the amounts that limits with Of count, such
// as {"tokens", 1500}. That is charged before the request, and settled after it: by what [Settle]
// was told, or by the bytes of its bodies. f must not read the body.
func Estimate(f func(*http.Request) []policy.Amount) Option {
	return func(o *options) {
		o.estimate = f
		o.demand(f != nil, "Estimate", nil, "a function")
	}
}

// TestHeaders lets clients test how they cope with refusals. A request with X-RateLimit, if that is
// neither blank nor zero, is refused. X-RateLimit-Hour: 5 lowers the limit "hour" to 5 for this
// request, and does nothing if there is no such limit or it is no higher. Neither charges anything
// that the request would not be charged, gives anybody more, or counts as a strike.
func TestHeaders() Option { return func(o *options) { o.tests = true } }

// Jitter has each refused client told to wait longer than it must, by a random part of at most so
// many percent, 1 to 100: so those that were refused together do not come back together.
func Jitter(percent int) Option {
	return func(o *options) {
		o.jitter = percent
		o.demand(percent >= 1 && percent <= 100, "Jitter", percent, "1 to 100")
	}
}

// NoContext hands each granted request to the handler as it came, and not a copy that has the
// decision in its context. That saves an allocation of 352 bytes, and about a quarter of the time.
// Then [FromContext] and [Settle] report false in the handler, and [ErrTwice] is not found.
// Requests that a limit with Count or Of is for are still copied.
func NoContext() Option { return func(o *options) { o.bare = true } }

func (o *options) demand(ok bool, field string, value any, want string) {
	if !ok && o.err == nil {
		o.err = &ratelimit.ArgumentError{Field: field, Value: value, Want: want}
	}
}

func choose(fn string, opts []Option) (o options, err error) {
	for i, opt := range opts {
		if opt == nil {
			return o, &ratelimit.ArgumentError{Func: fn, Field: fmt.Sprintf("opts[%d]", i), Value: nil, Want: "an option"}
		}
		opt(&o)
	}
	if o.err != nil {
		o.err.Func = fn
		return o, o.err
	}
	return o, nil
}

// jittered returns the wait that a client is told.
func (o *options) jittered(wait time.Duration) time.Duration {
	if o.jitter == 0 || wait <= 0 || wait == ratelimit.Never {
		return wait
	}
	most := int64(wait/100)*int64(o.jitter) + int64(wait%100)*int64(o.jitter)/100
	return min(wait+time.Duration(min(rand.Int64N(most+1), int64(ratelimit.Never-wait))), ratelimit.Never-1)
}
