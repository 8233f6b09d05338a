package policy

import (
	"errors"
	"fmt"
	"math"

	"github.com/seed-3506548a/ratelimit"
)

// unanswered reports whether a limit is in a store that has not answered, or was not asked.
func (a *asked) unanswered() bool {
	return a.limit.class == outer && (a.outer == nil || unanswered(a.told.By))
}

// refusal is what refuses, if the limit does: itself or what stands in for it, or that it cannot be
// asked.
func (a *asked) refusal() Action {
	if a.unanswered() && a.told.RetryAfter == ratelimit.Never {
		return ByStore
	}
	return ByLimit
}

// lookInStores asks the limits that are in stores, as long as nothing refuses. Refusals that they
// remember come first, as these need not be asked for.
func (q *question) lookInStores(lead *asked, tests bool) {
	if q.OK {
		q.remember()
	}
	for i := range q.settlement.matched {
		m := &q.settlement.matched[i]
		if m.rule.mode != Enforce {
			continue
		}
		for j := range q.of(m) {
			a := &q.of(m)[j]
			switch {
			case !q.OK:
				return
			case a.limit.class != outer:
			case a == lead && q.commit && !tests: // it is charged next, without a look
			default:
				if q.lookInStore(m, a); !a.told.OK {
					q.refused(a.refusal())
				}
			}
		}
	}
}

// remember finds the limiters of the request's keys, and what they refuse without being asked.
func (q *question) remember() {
	for i := range q.settlement.matched {
		m := &q.settlement.matched[i]
		if m.rule.mode != Enforce {
			continue
		}
		for j := range q.of(m) {
			if a := &q.of(m)[j]; a.limit.class == outer {
				if q.findInStore(m, a); a.remembers() {
					q.refused(ByLimit)
				}
			}
		}
	}
}

// notAsked is Decision.By of a limit whose limiter was found, but not asked.
const notAsked = math.MinInt

// findInStore finds the limiter of the request's key.
func (q *question) findInStore(m *matched, a *asked) {
	if a.outer == nil {
		a.outer = &outerLimiter{a.bound.outer.Limiter(m.rule.key.text(&q.g.names, q.settlement.attributes))}
		a.told.By = notAsked
	}
}

// remembers takes the refusal that the limiter remembers, if it does.
func (a *asked) remembers() bool {
	r, ok := a.outer.Limiter.(Rememberer)
	if !ok {
		return false
	}
	d, ok := r.Remembered(a.n)
	if ok {
		a.told = a.limit.store.(*external).told(a, d)
	}
	return ok
}

// lookInStore asks a limit how it stands without the request, unless it remembers a refusal. That
// says whether the request fits; if it does not, it is asked once more for how long.
func (q *question) lookInStore(m *matched, a *asked) {
	if q.findInStore(m, a); a.remembers() {
		return
	}
	if a.look(&q.at, 0); a.told.OK && (a.n < 0 || a.n > a.told.Remaining) {
		a.look(&q.at, a.n)
	}
}

var errUnanswered = errors.New("its store did not answer")

// storeError returns why a store did not answer.
func (q *question) storeError() error {
	for i := range q.settlement.matched {
		m := &q.settlement.matched[i]
		for j := range q.of(m) {
			a := &q.of(m)[j]
			if a.told.OK || a.refusal() != ByStore {
				continue
			}
			err := errUnanswered
			if l, ok := a.outer.Limiter.(ratelimit.Failer); ok {
				if cause := l.Err(); cause != nil {
					err = cause
				}
			}
			return fmt.Errorf("policy: limit %s/%s: %w", m.rule.name, a.limit.name, err)
		}
	}
	return errUnanswered
}
