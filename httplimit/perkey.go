package httplimit

import (
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/internal/identity"
	"github.com/seed-3506548a/ratelimit/keyed"
	"github.com/seed-3506548a/ratelimit/policy"
)

// PerKey returns a function that puts one limit for each key in front of a handler, without a
// policy: that of a [keyed.Table], a [keyed.Map], a [keyed.Group] or one of package redislimit. An
// [Attribute] can be the key of a store of strings:
//
//	table, err := keyed.NewGCRA[string](ratelimit.PerMinute(90), 10, 100_000)
//	limit, err := httplimit.PerKey(table, httplimit.ClientIP().Prefix(32, 64), httplimit.IETF(11))
//
// A request without a key is refused, by 403. Dialects call the limit "default", and by its rate,
// if the store has a method Rate. If it has no method PeekAt, t of IETF(11) is left out where the
// decision does not show it. What the store could not decide goes to [OnError].
//
// The error is a [*ratelimit.ArgumentError] if store, key or dialect is nil, if an option is
// [Estimate] or [TestHeaders], or if the key, the dialect or an option was made of invalid
// arguments.
func PerKey[K comparable](
	store interface {
		TakeAt(time.Time, K, int) ratelimit.Decision
		Clock() ratelimit.Clock
	},
	key func(*http.Request) (K, bool), dialect Dialect, opts ...Option,
) (func(http.Handler) http.Handler, error) {
	const fn = "httplimit.PerKey"
	refuse := func(field, want string) (func(http.Handler) http.Handler, error) {
		return nil, &ratelimit.ArgumentError{Func: fn, Field: field, Value: nil, Want: want}
	}
	switch {
	case identity.IsNil(store):
		return refuse("store", "a limit for each key, such as a keyed.Table")
	case key == nil:
		return refuse("key", "a function, such as an Attribute")
	}
	g, err := newGate(fn, dialect, opts)
	switch {
	case err != nil:
		return nil, err
	case g.tests:
		return nil, &ratelimit.ArgumentError{Func: fn, Field: "TestHeaders", Value: true, Want: "no such option: it is for a policy"}
	case g.estimate != nil:
		return nil, &ratelimit.ArgumentError{Func: fn, Field: "Estimate", Value: true, Want: "no such option: it is for a policy"}
	}
	found := examine(func(r *http.Request) { key(r) })
	if found.err != nil {
		return nil, found.err
	}
	p := &perKey[K]{gate: g, take: store.TakeAt, key: key, trustsNobody: found.trustsNobody}
	p.clock, p.more = store.Clock(), tellsMore(dialect)
	if s, ok := store.(interface{ Rate() ratelimit.Rate }); ok {
		p.rate = s.Rate
	}
	if s, ok := store.(interface {
		PeekAt(time.Time, K, int) ratelimit.Decision
	}); ok {
		p.peek = s.PeekAt
	}
	if s, ok := store.(interface{ Err(K) error }); ok {
		p.err = s.Err
	}
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { p.serve(w, r, next) })
	}, nil
}

type perKey[K comparable] struct {
	gate
	take func(time.Time, K, int) ratelimit.Decision
	key  func(*http.Request) (K, bool)
	more bool // headers may tell MoreAfter, which costs a look

	rate func() ratelimit.Rate                      // nil: the store does not say it
	peek func(time.Time, K, int) ratelimit.Decision // likewise
	err  func(K) error                              // likewise

	trustsNobody bool // the key does
	reported     atomic.Bool
}

func (p *perKey[K]) serve(w http.ResponseWriter, r *http.Request, next http.Handler) {
	if p.trustsNobody && !p.peerCounts(w, r, &p.reported) {
		return
	}
	q := keyQuestions.Get().(*question)
	d := &q.decision
	now := p.clock.Now()
	if err := p.decide(d, r, now); err != nil {
		keyQuestions.Put(q)
		if p.undecided(w, r, err) {
			next.ServeHTTP(w, r)
		}
		return
	}
	p.answer(w, r, d, now)
	granted := d.OK
	if granted && !p.bare {
		v := begin(r, nil, q)
		defer func() { // also if the handler panics
			v.end(r)
			keyQuestions.Put(q)
		}()
		next.ServeHTTP(w, &v.request)
		return
	}
	keyQuestions.Put(q)
	if granted {
		next.ServeHTTP(w, r)
	}
}

// keyQuestions are used again for keys only. No engine knows of their decisions, so they have
// nothing to settle.
var keyQuestions = sync.Pool{New: func() any { return new(question) }}

// decide fills in d as an engine would. The error is that of a store that could not decide.
func (p *perKey[K]) decide(d *policy.Decision, r *http.Request, now time.Time) error {
	d.OK, d.Action, d.Binding, d.MoreAfter, d.Standings = false, "", -1, ratelimit.Never, d.Standings[:0]
	k, ok := p.key(r)
	if !ok {
		d.Action, d.RetryAfter = policy.ByMissing, ratelimit.Never
		return nil
	}
	n := 1
	if p.cost != nil {
		if c := p.cost(r); c != 0 {
			n = c
		}
	}
	told := p.take(now, k, n)
	if !told.OK && told.By < 0 && told.By != keyed.Inherited {
		e := &StoreError{By: told.By}
		if (told.By == keyed.NoLimiter || told.By < keyed.Inherited) && p.err != nil {
			e.Err = p.err(k)
		}
		return e
	}
	d.OK, d.RetryAfter, d.Binding = told.OK, told.RetryAfter, 0
	if !d.OK {
		d.Action = policy.ByLimit
	}
	d.Standings = append(d.Standings, policy.Standing{
		Name: "default", Limit: told.Limit, Remaining: told.Remaining,
		RetryAfter: told.RetryAfter, ResetAfter: told.ResetAfter, Crossed: !told.OK,
	})
	if p.rate != nil {
		d.Standings[0].Rate = p.rate()
	}
	switch {
	case told.Remaining >= told.Limit:
	case !told.OK && n == told.Remaining+1: // that is what was asked for
		d.MoreAfter = told.RetryAfter
	case p.peek != nil && (p.more || !told.OK):
		d.MoreAfter = p.peek(now, k, told.Remaining+1).RetryAfter
	}
	return nil
}
