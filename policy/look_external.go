package policy

import (
	"errors"
	"fmt"

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

// lookInStores asks the limits that are in stores, as long as nothing refuses.
func (q *question) lookInStores(lead *asked, tests bool) {
	var leads *matched // the rule of the limit that is charged next, without a look
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
			case a == lead && q.commit && !tests:
				leads = m
			default:
				if q.lookInStore(m, a); !a.told.OK {
					q.refused(a.refusal())
				}
			}
		}
	}
	if leads != nil && q.OK {
		q.findInStore(leads, lead)
	}
}

// findInStore finds the limiter of the request's key.
func (q *question) findInStore(m *matched, a *asked) {
	a.outer = &outerLimiter{a.bound.outer.Limiter(m.rule.key.text(&q.g.names, q.settlement.attributes))}
}

// lookInStore asks a limit how it stands without the request. That says whether the request fits;
// if it does not, it is asked once more for how long.
func (q *question) lookInStore(m *matched, a *asked) {
	q.findInStore(m, a)
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
