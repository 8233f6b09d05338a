package httplimit

import (
	"maps"
	"math"
	"slices"
	"time"
)

// barrier is what requests pass that pause together: those of a scope, of a partition of it, or of
// all scopes of a host. After a refusal it is closed until a time, and then until one request, the
// probe, was answered. The Transport's mutex guards it.
type barrier struct {
	until  time.Time // no request passes before
	closed bool      // since a refusal; no request passes but the probe
	fresh  bool      // nothing was answered yet
	probe  *passage  // whose answer all others wait for
	last   time.Time // when the last request passed
	untold int       // refusals in a row that did not say how long to wait

	quotas map[string]*allowance // by the names of the limits
	learned
}

// firstAnswer is how long others wait for the answer to the first request to a scope, which may say
// what its limits are.
const firstAnswer = time.Second

// opens returns the earliest time at which the next request may pass, as far as that is known, and
// whether that is now. It is not known while a probe is under way.
func (g *barrier) opens(now time.Time, flying int, spread bool) (at time.Time, open bool) {
	at = now
	if g.closed {
		at = latest(at, g.until)
	}
	for _, q := range g.quotas {
		at = latest(at, q.opens(g.last, now, spread))
	}
	at, open = g.learned.opens(at, g.last, flying)
	if g.probe != nil {
		if !g.fresh {
			return at, false
		}
		at = latest(at, g.probe.at.Add(firstAnswer))
	}
	return at, open && !at.After(now)
}

// pass lets a request through that opens has granted.
func (g *barrier) pass(p *passage, now time.Time) {
	g.last = now
	if g.probe == nil && (g.closed || g.fresh) {
		g.probe = p
	}
	for _, q := range g.quotas {
		if q.left <= 0 {
			g.probe = p
		}
		q.left--
	}
}

// answered ends a probe. If it was granted, the others follow, unless another request was refused
// meanwhile.
func (g *barrier) answered(p *passage, now time.Time, granted bool) {
	if g.probe != p {
		return
	}
	g.probe, g.fresh = nil, false
	if granted && !now.Before(g.until) {
		g.closed, g.untold = false, 0
	}
}

// refresh has others wait for the answer to the next request, as for the first.
func (g *barrier) refresh() { g.fresh, g.probe = true, nil }

// pause closes the barrier until at least t.
func (g *barrier) pause(t time.Time) {
	if g.fresh { // what was sent first is not the probe of this pause
		g.fresh, g.probe = false, nil
	}
	g.closed = true
	g.until = latest(g.until, t)
}

// quota returns what is known about the limit of that name.
func (g *barrier) quota(name string) *allowance {
	if g.quotas == nil {
		g.quotas = map[string]*allowance{}
	}
	q := g.quotas[name]
	if q == nil {
		if len(g.quotas) >= mostReadings {
			clear(g.quotas) // a name that changes each time names nothing
		}
		q = &allowance{limit: -1, left: math.MinInt64}
		g.quotas[name] = q
	}
	return q
}

// forget drops the limits that nothing was left of when p passed, and that its answer does not
// name although it was granted: they are no more.
func (g *barrier) forget(p *passage, named []*allowance) {
	if g.probe != p {
		return
	}
	maps.DeleteFunc(g.quotas, func(_ string, q *allowance) bool {
		return q.left < 0 && !q.resetAt.After(p.at) && !slices.Contains(named, q)
	})
}

// idle reports whether the barrier can be forgotten.
func (g *barrier) idle(now time.Time) bool {
	if g.probe != nil || g.closed && now.Before(g.until) || now.Sub(g.last) < g.longest() {
		return false
	}
	for _, q := range g.quotas {
		if now.Before(q.resetAt) {
			return false
		}
	}
	return true
}

func latest(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// allowance is what is left of one limit, as the responses say.
type allowance struct {
	limit   int64     // -1: unknown
	left    int64     // at least so many more requests are granted
	resetAt time.Time // when there is more; zero: unknown
	resets  bool      // responses to granted requests say when
}

// spreadFrom is from which part of the limit on the rest is spread over the window: the last tenth.
// Before that a job goes on as fast as it can, and it takes no longer, because all is used up when
// the window ends.
const spreadFrom = 10

// opens returns when the limit admits the next request. With nothing left, that is after the reset,
// or now if it is unknown: one request at a time then finds out.
func (q *allowance) opens(last, now time.Time, spread bool) time.Time {
	rest := q.resetAt.Sub(now)
	switch {
	case rest <= 0:
		return now
	case q.left <= 0:
		return q.resetAt
	case spread && (q.left*spreadFrom <= q.limit || q.limit < 0 && q.left <= spreadFrom):
		return last.Add(rest / time.Duration(q.left))
	}
	return now
}

// update takes in what a response says. unseen is how many other requests the server may have
// counted or not when it said so: so at least r.Remaining - unseen are left, and at most
// r.Remaining.
func (q *allowance) update(r Reading, unseen int64, received time.Time) {
	q.limit = r.Limit
	q.left = min(max(q.left, r.Remaining-unseen), r.Remaining)
	if r.Reset > 0 {
		reset := r.Reset
		if r.Window > 0 {
			reset = min(reset, r.Window) // it was rounded up: a window that is open ends within its length
		}
		q.resetAt = received.Add(reset)
	}
}
