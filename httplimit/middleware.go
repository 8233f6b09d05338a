package httplimit

import (
	"fmt"
	"maps"
	"math"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/keyed"
	"github.com/seed-3506548a/ratelimit/policy"
)

// Middleware returns a function that puts the engine's policy in front of a handler. Each request
// is decided by its method, its path as it is escaped, and the attributes that who reads from it.
// What is refused is answered in the dialect.
//
// All attributes that the policy names must be in who; others may be there, for policies to come.
//
// The order in a chain: after what makes answers readable (CORS, request IDs, logging), before what
// costs a lot. A middleware that counts by who has been authenticated stands behind the
// authentication; one with an engine of its own may stand before it, and count addresses.
//
// The handlers that are made of it share the engine's state. They are safe for simultaneous use.
//
// The error is a [*ratelimit.ArgumentError] if engine or dialect is nil, if who lacks an attribute
// that the policy names, or if an attribute, the dialect or an option was made of invalid
// arguments.
func Middleware(engine *policy.Engine, who Attributes, dialect Dialect, opts ...Option) (func(http.Handler) http.Handler, error) {
	const fn = "httplimit.Middleware"
	if engine == nil {
		return nil, &ratelimit.ArgumentError{Func: fn, Field: "engine", Value: nil, Want: "an engine"}
	}
	g, err := newGate(fn, dialect, opts)
	if err != nil {
		return nil, err
	}
	m := &middleware{gate: g, engine: engine}
	m.clock = engine.Clock()
	for _, name := range slices.Sorted(maps.Keys(who)) {
		read := who[name]
		if read == nil {
			return nil, &ratelimit.ArgumentError{Func: fn, Field: fmt.Sprintf("who[%q]", name), Value: nil, Want: "an attribute"}
		}
		found := examine(func(r *http.Request) { read(r) })
		if found.err != nil {
			return nil, found.err
		}
		m.who = append(m.who, attribute{name, read, found.trustsNobody})
	}
	if err := m.current().err; err != nil {
		return nil, err
	}
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { m.serve(w, r, next) })
	}, nil
}

type middleware struct {
	gate
	engine *policy.Engine
	who    []attribute // by name
	latest atomic.Pointer[plan]

	twice, trustsNobody atomic.Bool // was reported
}

type attribute struct {
	name         string
	read         Attribute
	trustsNobody bool
}

func (m *middleware) serve(w http.ResponseWriter, r *http.Request, next http.Handler) {
	p := m.current()
	if !m.fit(w, r, p) {
		return
	}
	q := questions.Get().(*question)
	for !m.decide(q, r, p) {
		if p = m.current(); !m.fit(w, r, p) {
			q.release()
			return
		}
	}
	d := &q.decision
	if err := undecidable(d); err != nil {
		q.release()
		if m.undecided(w, r, err) {
			next.ServeHTTP(w, r)
		}
		return
	}
	m.answer(w, r, d, q.request.Time)
	if !d.OK {
		q.release()
		return
	}
	settles := p.settles(d) || p.version != m.engine.Version()
	if m.bare && !settles {
		q.release()
		next.ServeHTTP(w, r)
		return
	}
	v := begin(r, m.engine, q)
	if settles {
		m.watch(w, r, next, v, q)
		return
	}
	defer func() { // also if the handler panics
		v.end(r)
		q.release()
	}()
	next.ServeHTTP(w, &v.request)
}

// undecidable returns an error if what refuses the request has nothing to do with its keys: a store
// that did not answer, or limits without room for a new one.
func undecidable(d *policy.Decision) error {
	switch d.Action {
	case policy.ByStore:
		return &StoreError{Err: d.Err}
	case policy.ByLimit:
		owes := func(s policy.Standing) bool { return s.Crossed && !s.Shadow && !s.Full }
		full := func(s policy.Standing) bool { return s.Full && !s.Shadow }
		if slices.ContainsFunc(d.Standings, full) && !slices.ContainsFunc(d.Standings, owes) {
			return &StoreError{By: keyed.Full}
		}
	}
	return nil
}

// fit reports whether to go on with the request: that is what [OnError] says about what is wrong.
func (m *middleware) fit(w http.ResponseWriter, r *http.Request, p *plan) bool {
	if p.err != nil && !m.undecided(w, r, p.err) {
		return false
	}
	for v := visiting(r.Context()); v != nil; v = v.outer() {
		if v.engine == m.engine && m.twice.CompareAndSwap(false, true) && !m.reported(w, r, ErrTwice) {
			return false
		}
	}
	return !p.trustsNobody || m.peerCounts(w, r, &m.trustsNobody)
}

// decide asks the engine about the request, unless the policy was replaced just now by one that
// other attributes are to be read for.
func (m *middleware) decide(q *question, r *http.Request, p *plan) (ok bool) {
	m.ask(q, r, p)
	if !m.current().asksAs(p) {
		return false
	}
	m.engine.Decide(&q.request, &q.decision)
	return q.decision.Action != policy.ByMissing || m.current().asksAs(p)
}

// ask reads from the request what the engine is asked. It sets all that another request has left.
func (m *middleware) ask(q *question, r *http.Request, p *plan) {
	ask := &q.request
	ask.Time = m.clock.Now()
	ask.Method, ask.Path = r.Method, pathOf(r)
	ask.Attrs = ask.Attrs[:0]
	for i := range m.who {
		if !p.names[i] {
			continue
		}
		if value, ok := m.who[i].read(r); ok {
			ask.Attrs = append(ask.Attrs, policy.Attr{Name: m.who[i].name, Value: value})
		}
	}
	ask.Cost, ask.Amounts, ask.Tighten, ask.Refuse = 0, nil, ask.Tighten[:0], false
	if m.cost != nil {
		ask.Cost = m.cost(r)
	}
	if m.estimate != nil {
		ask.Amounts = m.estimate(r)
	}
	if m.tests {
		p.test(ask, r.Header)
	}
}

// pathOf returns the escaped path of a request. As for a ServeMux, it begins with a slash, also
// where a client has sent "http://example.com", or a StripPrefix has left none: else it would match
// no rule, and be free. CONNECT has no path, and neither has OPTIONS *.
func pathOf(r *http.Request) string {
	path := r.URL.EscapedPath()
	if strings.HasPrefix(path, "/") || r.Method == http.MethodConnect || r.Method == http.MethodOptions && path == "*" {
		return path
	}
	return "/" + path
}

// watch serves a request with limits that are settled when it is over.
func (m *middleware) watch(w http.ResponseWriter, came *http.Request, next http.Handler, v *visit, q *question) {
	t := &tracker{ResponseWriter: w}
	body := &counted{ReadCloser: came.Body}
	if came.Body != nil && came.Body != http.NoBody {
		v.request.Body = body
	}
	panics := true
	defer func() {
		v.end(came)
		in, out := body.n.Load(), t.written.Load()
		q.amounts = append(q.amounts, counts("bytes", in+out), counts("bytes-in", in), counts("bytes-out", out))
		m.engine.Done(&q.decision, policy.Outcome{Status: t.outcome(panics), Amounts: q.amounts})
		q.release()
	}()
	next.ServeHTTP(t.wrapped(), &v.request)
	panics = false
}

// counts returns an amount that the middleware has counted by itself. It comes after those of
// [Settle], of which one with the same name counts.
func counts(name string, bytes int64) policy.Amount {
	return policy.Amount{Name: name, N: int(min(bytes, math.MaxInt))}
}
