package httplimit

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/internal/identity"
)

// enter waits until a request may be sent. Only the first of a lane waits for the Limiter, so that
// no grants are pending when the barrier closes, but for one.
func (t *Transport) enter(req *http.Request, tries int) (*passage, error) {
	ctx, clock := req.Context(), t.clock()
	w := &waiting{wake: make(chan struct{}, 1)}
	defer t.exit(w)
	limited, granted, told := !identity.IsNil(t.Limiter), false, false
	name, start := t.scopeName(req), clock.Now()
	giveUp, impatient := t.giveUp(ctx, start), start.Add(t.patience())
	for {
		if err := ctx.Err(); err != nil {
			t.refund(granted)
			return nil, err
		}
		now := clock.Now()
		p, at, open := t.attempt(w, req, name, now, tries > 0, granted || !limited)
		if p != nil {
			return p, nil
		}
		if open {
			if err := t.pace(ctx, req, giveUp, tries); err != nil {
				return nil, err
			}
			granted = true
			continue
		}
		t.refund(granted) // the barrier has closed meanwhile
		granted = false
		soonest := at
		if limited && !w.first { // nor is it granted before the first, which waits for the Limiter
			if wait := t.Limiter.PeekAt(t.Limiter.Clock().Now(), 1).RetryAfter; wait != ratelimit.Never {
				soonest = latest(at, now.Add(wait))
			}
		}
		if soonest.After(giveUp) || !now.Before(impatient) {
			return nil, t.unsent(req, tries, soonest, t.tooLong(ctx, soonest.Sub(now)))
		}
		if t.OnWait != nil && !told {
			told = true
			t.OnWait(req, at.Sub(now))
		}
		if !w.first || !at.After(now) {
			at = impatient // or until it is woken
		}
		if err := w.sleepUntil(ctx, clock, at); err != nil {
			return nil, err
		}
	}
}

// attempt lets a request pass if it is its turn and it is paced. Otherwise open reports whether it
// has only to be paced, and at is when it may pass at the earliest.
func (t *Transport) attempt(w *waiting, req *http.Request, name string, now time.Time, again, paced bool) (p *passage, at time.Time, open bool) {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	s := t.scopeOf(name, req, now)
	l := s.laneFor(req, now)
	if w.lane != l {
		w.leave()
		w.join(l, again)
	}
	barriers := s.barriersOf(l)
	at, open = now, true
	for _, g := range barriers {
		opensAt, isOpen := g.opens(now, len(s.flying), identity.IsNil(t.Limiter))
		at, open = latest(at, opensAt), open && isOpen
	}
	w.first = w.isFirst()
	open = open && w.first
	if !open || !paced {
		return nil, at, open
	}
	s.sent++
	p = &passage{scope: s, barriers: barriers, at: now, order: s.sent, beside: int64(len(s.flying))}
	s.flying[p] = struct{}{}
	for _, g := range barriers {
		g.pass(p, now)
	}
	w.leave()
	return p, at, true
}

// exit takes a request that does not wait any more out of its lane.
func (t *Transport) exit(w *waiting) {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	w.leave()
}

// pace waits for the Limiter.
func (t *Transport) pace(ctx context.Context, req *http.Request, giveUp time.Time, tries int) error {
	if wait := t.Limiter.PeekAt(t.Limiter.Clock().Now(), 1).RetryAfter; wait > 0 && wait != ratelimit.Never && t.OnWait != nil {
		t.OnWait(req, wait)
	}
	err := ratelimit.Wait(patient{ctx, giveUp}, t.Limiter, 1)
	if err == nil {
		return nil
	}
	if ended := ctx.Err(); ended != nil {
		return ended
	}
	var next time.Time
	if errors.Is(err, context.DeadlineExceeded) {
		if deadline, ok := ctx.Deadline(); !ok || giveUp.Before(deadline) {
			err = fmt.Errorf("%w of %v", ErrPatience, t.patience())
		}
		if wait := t.Limiter.PeekAt(t.Limiter.Clock().Now(), 1).RetryAfter; wait != ratelimit.Never {
			next = t.clock().Now().Add(wait)
		}
	}
	return t.unsent(req, tries, next, err)
}

// patient is a context with an earlier deadline that nobody is woken by: Wait compares it with the
// time at which a request would be granted.
type patient struct {
	context.Context
	deadline time.Time
}

func (p patient) Deadline() (time.Time, bool) { return p.deadline, true }

// ErrPatience reports that a [Transport] did not send a request although its context allows the
// wait.
var ErrPatience = errors.New("the wait would be longer than the Transport's Patience")

// giveUp returns the time at which a request that waits from now on gives up.
func (t *Transport) giveUp(ctx context.Context, now time.Time) time.Time {
	at := now.Add(t.patience())
	if deadline, ok := ctx.Deadline(); ok && deadline.Before(at) {
		return deadline
	}
	return at
}

// retry returns the request to be sent again, or why it is not.
func (t *Transport) retry(req *http.Request, next time.Time) (*http.Request, error) {
	ctx, now := req.Context(), t.clock().Now()
	if next.After(t.giveUp(ctx, now)) {
		return nil, t.tooLong(ctx, next.Sub(now))
	}
	return rewound(req)
}

// tooLong returns why a request does not wait so long.
func (t *Transport) tooLong(ctx context.Context, wait time.Duration) error {
	if deadline, ok := ctx.Deadline(); ok && deadline.Sub(t.clock().Now()) < wait {
		return fmt.Errorf("to be sent in %v: %w", wait, context.DeadlineExceeded)
	}
	return fmt.Errorf("to be sent in %v: %w", wait, ErrPatience)
}

func (t *Transport) refund(granted bool) {
	if granted {
		t.Limiter.RefundAt(t.Limiter.Clock().Now(), 1, 0)
	}
}

func (t *Transport) unsent(req *http.Request, tries int, next time.Time, err error) error {
	return &RefusedError{Request: req, Tries: tries, Next: next, Err: err}
}

// hostOf returns scheme and host, which is the same one in other case and with the scheme's port.
func hostOf(r *http.Request) string {
	host := strings.ToLower(r.URL.Host)
	switch r.URL.Scheme {
	case "http":
		host = strings.TrimSuffix(host, ":80")
	case "https":
		host = strings.TrimSuffix(host, ":443")
	}
	return r.URL.Scheme + "://" + host
}

func (t *Transport) scopeName(r *http.Request) string {
	if t.Scope == nil {
		return hostOf(r)
	}
	return t.Scope(r)
}

// scopeOf returns the scope of that name, which the request belongs to.
func (t *Transport) scopeOf(name string, r *http.Request, now time.Time) *scope {
	if s := t.scopes[name]; s != nil {
		return s
	}
	if t.scopes == nil {
		t.scopes, t.hosts = map[string]*scope{}, map[string]*barrier{}
	}
	if len(t.scopes) >= max(t.sweepAt, mostKept) {
		t.forget(now)
		t.sweepAt = 2 * len(t.scopes)
	}
	host := hostOf(r)
	if t.hosts[host] == nil {
		t.hosts[host] = new(barrier)
	}
	s := &scope{host: t.hosts[host], lanes: map[string]*lane{}, routes: map[string]string{}, flying: map[*passage]struct{}{}}
	s.barrier.fresh = true
	t.scopes[name] = s
	return s
}

// forget drops the scopes that are idle, and the hosts without a scope.
func (t *Transport) forget(now time.Time) {
	used := map[*barrier]bool{}
	for name, s := range t.scopes {
		if s.idle(now) {
			delete(t.scopes, name)
		} else {
			used[s.host] = true
		}
	}
	for name, g := range t.hosts {
		if !used[g] && g.idle(now) {
			delete(t.hosts, name)
		}
	}
}

// sleepUntil waits until it is t by the clock, w is woken or ctx is done, whose error it returns.
func (w *waiting) sleepUntil(ctx context.Context, clock ratelimit.Clock, t time.Time) error {
	timers, _ := clock.(ratelimit.TimerClock)
	for turn := 0; ; turn++ {
		now := clock.Now()
		d := t.Sub(now)
		if d <= 0 {
			return nil
		}
		var over <-chan time.Time
		if timers != nil {
			over = timers.After(d)
			if turn < mockTurns && clock.Now().After(now) {
				continue // a mock that has moved before its timer was set would not fire it
			}
		} else {
			if clock != (ratelimit.SystemClock{}) {
				d = max(d, time.Millisecond) // a clock that stands still must not keep a processor busy
			}
			timer := time.NewTimer(d)
			defer timer.Stop()
			over = timer.C
		}
		select {
		case <-over:
		case <-w.wake:
		case <-ctx.Done():
			return ctx.Err()
		}
		return nil
	}
}

// mockTurns is how often a timer of a mock clock is set again because the clock has moved.
const mockTurns = 3
