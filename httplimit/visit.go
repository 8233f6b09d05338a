package httplimit

import (
	"context"
	"net/http"
	"sync"

	"github.com/seed-3506548a/ratelimit/policy"
)

// question is what an engine or a store is asked and answers, in memory that is used again.
type question struct {
	request  policy.Request
	decision policy.Decision
	amounts  []policy.Amount // as the handler says
}

var questions = sync.Pool{New: func() any { return new(question) }}

// release lets the question be used again.
func (q *question) release() {
	clear(q.request.Attrs) // tokens are not to lie about
	q.amounts = q.amounts[:0]
	questions.Put(q)
}

// visit is the context of a request while its handler runs.
type visit struct {
	context.Context
	engine  *policy.Engine // nil: it is of PerKey
	request http.Request   // with this context

	mutex    sync.Mutex
	question *question        // nil: the handler has returned
	copy     *policy.Decision // for the handler
}

// begin returns the visit of a request, with the request as its handler gets it. That is in the
// memory of the visit, so both are one allocation.
func begin(r *http.Request, e *policy.Engine, q *question) *visit {
	v := &visit{Context: r.Context(), engine: e, question: q}
	v.request = *r.WithContext(v)
	return v
}

type visitKey struct{}

// Value returns the visit itself for visitKey{}.
func (v *visit) Value(key any) any {
	if _, ok := key.(visitKey); ok {
		return v
	}
	return v.Context.Value(key)
}

// visiting returns the innermost visit of the context, or nil.
func visiting(ctx context.Context) *visit {
	v, _ := ctx.Value(visitKey{}).(*visit)
	return v
}

// outer returns the visit of a middleware before this one, or nil.
func (v *visit) outer() *visit { return visiting(v.Context) }

// end takes the question away from the handler. The request as it came to the middleware gets the
// form that the handler has parsed: the server removes the files of that.
func (v *visit) end(came *http.Request) {
	v.mutex.Lock()
	v.question = nil
	v.mutex.Unlock()
	if form := v.request.MultipartForm; form != nil && came.MultipartForm == nil {
		came.MultipartForm = form
	}
}

// FromContext returns a copy of the decision about the request that is being served, which a
// handler may show to people, log and keep. If there are several middlewares, it is that of the
// innermost. It reports false if there is none, or if the handler had returned before it was asked
// for. The copy is for reading: the middleware settles the request itself.
func FromContext(ctx context.Context) (*policy.Decision, bool) {
	v := visiting(ctx)
	if v == nil {
		return nil, false
	}
	v.mutex.Lock()
	defer v.mutex.Unlock()
	if v.copy == nil && v.question != nil {
		d := v.question.decision.Clone()
		v.copy = &d
	}
	return v.copy, v.copy != nil
}

// Settle says how much of an amount the request that is being served has taken: what limits with
// that Of are charged when the handler returns, in place of the estimate. The last call for a name
// counts, and a negative n is 0. It reports false if no middleware is waiting for it: there is
// none, or the handler has returned. It may be called by any goroutine.
func Settle(ctx context.Context, name string, n int) bool {
	settled := false
	for v := visiting(ctx); v != nil; v = v.outer() {
		settled = v.settle(name, n) || settled
	}
	return settled
}

func (v *visit) settle(name string, n int) bool {
	v.mutex.Lock()
	defer v.mutex.Unlock()
	q := v.question
	if q == nil || v.engine == nil {
		return false
	}
	for i := range q.amounts {
		if q.amounts[i].Name == name {
			q.amounts[i].N = max(n, 0)
			return true
		}
	}
	q.amounts = append(q.amounts, policy.Amount{Name: name, N: max(n, 0)})
	return true
}
