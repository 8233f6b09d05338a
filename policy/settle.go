package policy

import (
	"time"

	"github.com/seed-3506548a/ratelimit"
)

// settlement is what Done and Undo need of a decision, and memory that the next one uses again.
type settlement struct {
	generation *generation // nil: there is nothing to settle
	at         time.Time
	cost       int
	matched    []matched
	asked      []asked
	throttles  []asked
	attributes []attribute
	told       ratelimit.Decision // of a look that is not a limit's standing
}

// Done tells what became of a request that Decide has granted: limits with Count count its
// response, and limits with Of are charged, or give back, the difference between its amounts and
// the estimates. It does nothing the second time, after Undo, after Peek, and for a request that
// was refused.
//
// A limit that is a gcra can owe what drains in 52 days, or more. If it has overrides, that may be
// less: 2^61/n ns, where n is the least common multiple of the U of all these rates (see Ticks in
// package gcra). So it is 4 days for 7/s beside 997/s, but 38 minutes for 1/s beside 1000003/s. A
// gcra without Of can owe 2^38 ticks, which are at least 2^30 events at the limit's own rate, or at
// least 45 hours: see [keyed.Table.ChargeAt]. What a charge exceeds these by is not counted.
//
// A request that was decided before a Replace counts in the limits that it was decided by, which
// the new policy may have kept.
func (e *Engine) Done(d *Decision, o Outcome) {
	s := &d.settlement
	if s.generation == nil {
		return
	}
	at := e.moment(o.Time, s.generation)
	s.generation = nil
	for i := range s.matched {
		m := &s.matched[i]
		if m.crossed || m.missing { // it would have refused the request
			continue
		}
		for j := m.from; j < m.to; j++ {
			a := &s.asked[j]
			switch {
			case a.limit.count != nil:
				if a.limit.counts(o.Status) {
					a.limit.store.charge(at, a, s.cost)
				}
			case a.limit.of != "":
				if actual, ok := amount(o.Amounts, a.limit.of); ok {
					a.settle(at, s.at, actual)
				}
			}
		}
	}
}

// counts reports whether responses with the status are counted.
func (l *limit) counts(status int) bool {
	for _, s := range l.count {
		if s.from <= status && status <= s.to {
			return true
		}
	}
	return false
}

// settle charges what an amount turned out to be more than was charged, or gives back the rest.
func (a *asked) settle(at moment, granted time.Time, actual int) {
	charged := 0
	if a.charged {
		charged = a.cost
	}
	switch actual = max(actual, 0); {
	case actual > charged:
		a.limit.store.charge(at, a, actual-charged)
	case actual < charged:
		a.limit.store.refund(at.t, a, charged-actual, max(at.t.Sub(granted), 0))
	}
}

// Undo gives back what was charged for a request that Decide has granted and that did not happen.
// It does nothing the second time, after Done, after Peek, and for a request that was refused.
// Limits in tables give nothing back: see [Counts].
func (e *Engine) Undo(d *Decision) {
	s := &d.settlement
	if s.generation == nil {
		return
	}
	s.generation = nil
	now := e.clock.Now()
	if now.Before(s.at) {
		now = s.at
	}
	for i := range s.asked {
		s.asked[i].undo(now, now.Sub(s.at))
	}
}
