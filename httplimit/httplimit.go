// Package httplimit puts limits in front of a [net/http.Handler]: a policy, or one limit for each
// key. A request that is refused is answered in a [Dialect], which can be that of an API that you
// mirror, and its handler does not run. A [Transport] is the other side: a client that keeps to the
// limits of the servers it calls.
//
//	p, err := policy.Parse(document) // rules of "user" and "ip"
//	engine, err := policy.New(p, 100_000)
//	limit, err := httplimit.Middleware(engine, httplimit.Attributes{
//		"user": httplimit.Header("X-User"), // set by what has authenticated the request
//		"ip":   httplimit.ClientIP().Prefix(32, 64),
//	}, httplimit.IETF(11))
//	http.ListenAndServe(":8080", limit(handler))
//
// # Guarantee
//
// Each request has exactly one response. A request that is refused charges none of the limits,
// unless it has lost a race (see [policy.Engine]), and reaches no handler; one that is granted
// stays charged, even if its handler panics or the client is gone. Limits that count responses or
// amounts are settled when the handler returns or panics. Nobody gets more than the limits of the
// policy, whatever they send.
//
// # Cost
//
// A request takes what its limits take, and one allocation of 352 bytes, so that the handler can
// find the decision in its context, unless [NoContext] leaves that out. The header values of about
// ten responses are cut from two blocks of 512 bytes. The ResponseWriter is the server's own,
// unless a limit with Count or Of is for the request.
package httplimit

import (
	"net/http"
	"sync/atomic"
	"time"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/internal/identity"
	"github.com/seed-3506548a/ratelimit/policy"
)

// gate is what [Middleware] and [PerKey] have in common: how requests are answered.
type gate struct {
	options
	dialect Dialect
	clock   ratelimit.Clock
}

// newGate returns the errors of the arguments that both take.
func newGate(fn string, dialect Dialect, opts []Option) (g gate, err error) {
	if g.options, err = choose(fn, opts); err != nil {
		return g, err
	}
	if identity.IsNil(dialect) {
		return g, &ratelimit.ArgumentError{Func: fn, Field: "dialect", Value: nil, Want: "a dialect, such as IETF(11)"}
	}
	if d, ok := dialect.(interface{ fault() error }); ok {
		if err := d.fault(); err != nil {
			return g, err
		}
	}
	g.dialect = dialect
	return g, nil
}

// answer tells what was decided: all of a refusal, or the header fields of what a handler goes on
// to answer.
func (g *gate) answer(w http.ResponseWriter, r *http.Request, d *policy.Decision, now time.Time) {
	if !d.OK {
		d.RetryAfter = g.jittered(d.RetryAfter)
	} else if len(d.Standings) == 0 { // nothing limits it
		return
	}
	g.dialect.Headers(w.Header(), d, now)
	if !d.OK {
		g.dialect.Refuse(w, r, d)
	}
}

// undecided asks whether a request is to be served about which nothing could be decided. If not, it
// was answered: by [OnError], or else by 503.
func (g *gate) undecided(w http.ResponseWriter, r *http.Request, err error) (proceed bool) {
	if g.onError != nil {
		t := &tracker{ResponseWriter: w}
		proceed = g.onError(t.wrapped(), r, err)
		if t.status != 0 { // one response is enough
			return false
		}
	}
	if !proceed {
		http.Error(w, http.StatusText(http.StatusServiceUnavailable), http.StatusServiceUnavailable)
	}
	return proceed
}

// reported tells [OnError] what is wrong with how the middleware is used. Without one nobody wants
// to know.
func (g *gate) reported(w http.ResponseWriter, r *http.Request, err error) (proceed bool) {
	return g.onError == nil || g.undecided(w, r, err)
}

// peerCounts reports whether to go on with a request that is counted by its peer's address: yes,
// unless it has passed a proxy and [OnError] says no. reported is whether that was asked.
func (g *gate) peerCounts(w http.ResponseWriter, r *http.Request, reported *atomic.Bool) bool {
	return len(r.Header["X-Forwarded-For"]) == 0 || reported.Load() || reported.Swap(true) || g.reported(w, r, ErrTrustsNobody)
}
