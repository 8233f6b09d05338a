package httplimit

import (
	"math/rand/v2"
	"net/http"
	"time"

	"github.com/seed-3506548a/ratelimit/internal/identity"
)

// Where a refusal does not say how long to wait, the wait is a random part of firstBackoff, of
// twice of it after the next refusal, and so on up to longestBackoff: "full jitter".
const (
	firstBackoff   = time.Second
	longestBackoff = time.Minute
)

// learn takes in what a response says. It returns when the next request is sent at the earliest.
func (t *Transport) learn(p *passage, req *http.Request, status int, readings []Reading, now time.Time, refused bool) (next time.Time) {
	s := p.scope
	unseen := s.unseen(p)
	resets := false
	var named []*allowance
	for _, r := range readings {
		g := s.barrierOf(r, now)
		if r.Partition != "" {
			s.learnRoute(req, r.Partition)
		}
		if r.Remaining >= 0 {
			q := g.quota(r.Name)
			resets = resets || q.resets
			q.update(r, unseen, now)
			q.resets = q.resets || !refused && r.Reset > 0
			named = append(named, q)
		}
	}
	if !refused {
		for _, g := range p.barriers {
			g.forget(p, named)
		}
		for _, g := range p.barriers[1:] {
			g.granted(p.at, now)
		}
		return now
	}
	g, wait := s.refusal(readings, now)
	next = now.Add(wait)
	if wait == 0 {
		next = now.Add(backoff(g.untold))
		g.untold++
	}
	switch {
	case status != http.StatusTooManyRequests && status != http.StatusForbidden: // no limit, but trouble
	case wait == 0 || contradicts(readings):
		g.contradicted(p.at, now, wait, namedWindow(readings))
	case !resets: // else the headers suffice
		g.exhausted(p.at, now, wait, usedUp(readings))
	}
	g.pause(next)
	next = g.until
	for _, q := range named { // its reset may be later than Retry-After
		next = latest(next, q.opens(p.at, now, identity.IsNil(t.Limiter)))
	}
	if g == s.host {
		for _, other := range t.scopes {
			if other.host == g {
				other.wake(true)
			}
		}
	}
	s.wake(true)
	return next
}

// settle ends a passage, once: later calls do nothing.
func (t *Transport) settle(p *passage, now time.Time, granted bool) {
	s := p.scope
	if _, ok := s.flying[p]; !ok {
		return
	}
	delete(s.flying, p)
	for _, g := range p.barriers {
		g.answered(p, now, granted)
	}
	s.wake(false)
}

// barrierOf returns the barrier that a Reading is about.
func (s *scope) barrierOf(r Reading, now time.Time) *barrier {
	switch {
	case r.Global:
		return s.host
	case r.Partition != "":
		return s.lane(r.Partition, now).barrier
	}
	return &s.barrier
}

// refusal returns which barrier a refusal closes and for how long, or 0 if the response does not
// say. Retry-After counts more than the reset of a limit with nothing left, and that more than any
// other.
func (s *scope) refusal(readings []Reading, now time.Time) (g *barrier, wait time.Duration) {
	for _, told := range []func(Reading) time.Duration{
		func(r Reading) time.Duration { return r.RetryAfter },
		func(r Reading) time.Duration {
			if r.Remaining != 0 {
				return 0
			}
			return r.Reset
		},
		func(r Reading) time.Duration {
			if r.Remaining > 0 {
				return 0
			}
			return r.Reset
		},
	} {
		for _, r := range readings {
			if d := told(r); d > wait {
				g, wait = s.barrierOf(r, now), d
			}
		}
		if wait > 0 {
			return g, wait
		}
	}
	return &s.barrier, 0
}

// contradicts reports whether a refusal says that something is left of each limit.
func contradicts(readings []Reading) (says bool) {
	for _, r := range readings {
		switch {
		case r.Remaining == 0:
			return false
		case r.Remaining > 0:
			says = true
		}
	}
	return says
}

// namedWindow returns the shortest window of the limits of which something is left, or 0.
func namedWindow(readings []Reading) (d time.Duration) {
	for _, r := range readings {
		if r.Remaining > 0 && r.Window > 0 && (d == 0 || r.Window < d) {
			d = r.Window
		}
	}
	return d
}

// usedUp returns the smallest limit of which nothing is left, or 0.
func usedUp(readings []Reading) (limit int64) {
	for _, r := range readings {
		if r.Remaining == 0 && r.Limit > 0 && (limit == 0 || r.Limit < limit) {
			limit = r.Limit
		}
	}
	return limit
}

func backoff(refusals int) time.Duration {
	longest := min(firstBackoff<<min(refusals, 10), longestBackoff)
	return rand.N(longest) + 1
}
