package policy

import (
	"math"
	"math/bits"
	"strings"
	"sync/atomic"
	"time"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/internal/identity"
	"github.com/seed-3506548a/ratelimit/keyed"
)

// external is a limit that is in stores: one for each rate and burst.
type external struct {
	limit  Limit
	name   string
	open   OpenStore
	opened map[size]Store

	unanswered, untracked atomic.Uint64
}

// size is what a store is opened for.
type size struct {
	rate  ratelimit.Rate
	burst int
}

func newExternal(l *Limit, id stateID, open OpenStore, bounds []*bound) (store, error) {
	s := &external{limit: *l, name: id.name(), open: open, opened: map[size]Store{}}
	return s, bindAll(s, bounds)
}

// name returns what the state is kept by in a store. What is counted together is in the keys.
func (id stateID) name() string {
	name := id.rule + "/" + id.limit + ":" + string(id.as) + ":" + time.Duration(id.period).String()
	if id.of != "" {
		name += ":of=" + id.of
	}
	if id.count != "" {
		name += ":count=" + strings.ReplaceAll(id.count, " ", ",")
	}
	return name
}

func (s *external) bind(b *bound) error {
	of := size{b.rate, b.burst}
	if s.opened[of] == nil {
		l := s.limit
		l.Rate, l.Burst, l.Shown = b.rate, b.burst, b.shown
		opened, err := s.open(s.name, l)
		if err != nil {
			return err
		}
		if identity.IsNil(opened) {
			return &ratelimit.ArgumentError{Func: "policy.OpenStore", Field: "Store", Value: nil, Want: "a store, or an error"}
		}
		s.opened[of] = opened
	}
	b.outer = s.opened[of]
	return nil
}

// keep forgets the stores that the limit does not have any more.
func (s *external) keep(l *limit) {
	s.opened = map[size]Store{}
	s.opened[size{l.own.rate, l.own.burst}] = l.own.outer
	for i := range l.overrides.list {
		if b := &l.overrides.list[i].bound; !b.unlimited {
			s.opened[size{b.rate, b.burst}] = b.outer
		}
	}
}

func (s *external) look(d *ratelimit.Decision, at moment, a *asked, n int) {
	*d = s.told(a, a.outer.PeekAt(at.t, n))
}

func (s *external) fits(at moment, a *asked, n int) bool { return a.outer.PeekAt(at.t, n).OK }

func (s *external) take(d *ratelimit.Decision, at moment, a *asked, n int) {
	*d = s.told(a, a.outer.TakeAt(at.t, n))
}

func (s *external) charge(at moment, a *asked, n int) {
	if n > 0 && unanswered(ratelimit.Charge(a.outer.Limiter, at.t, n).By) {
		s.unanswered.Add(1)
		s.untracked.Add(1)
	}
}

// refund gives nothing back of what the store itself did not grant.
func (s *external) refund(t time.Time, a *asked, n int, held time.Duration) {
	if !a.unanswered() {
		a.outer.RefundAt(t, n, held)
	}
}

func (s *external) class() class { return outer }

func (s *external) count(c *Counts) {
	c.Unanswered, c.Untracked = s.unanswered.Load(), s.untracked.Load()
}

// told returns the decision of a store in terms of the bound.
func (s *external) told(a *asked, d ratelimit.Decision) ratelimit.Decision {
	if unanswered(d.By) {
		s.unanswered.Add(1)
	}
	d.Limit, d.Remaining = a.bound.most, min(d.Remaining, a.bound.most)
	return d
}

// unanswered reports whether a decision is not the store's own, by its By.
func unanswered(by int) bool { return by < 0 && by != keyed.Inherited }

// moreAfter returns when one more than remains is granted, by what the store has said.
func (s *external) moreAfter(a *asked) time.Duration {
	d := &a.told
	if s.limit.As == GCRA { // all but the last of the events that are owed drain afterwards
		high, low := bits.Mul64(uint64(d.Limit-d.Remaining-1), uint64(a.bound.rate.Per))
		if events := uint64(a.bound.rate.Events); high < events {
			afterwards, _ := bits.Div64(high, low, events)
			return max(d.ResetAfter-time.Duration(min(afterwards, math.MaxInt64)), 0)
		}
	}
	if !d.OK {
		return min(d.RetryAfter, d.ResetAfter)
	}
	return d.ResetAfter
}
