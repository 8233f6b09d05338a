package window

import (
	"time"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/internal/timeline"
)

// Plain is a Window of callers that take turns, by a lock of theirs. It decides as a Window does,
// and has neither a word nor frames: its state is kept as it is. Many of them share a timeline,
// which is the callers': times are offsets on it, and windows start on the grid of its origin.
type Plain struct {
	spec  *spec
	state state
}

// Init is [Window.Init] without a timeline. For aligned windows, callers align theirs.
func (p *Plain) Init(kind Kind, fn, field string, rate ratelimit.Rate, capacity int) error {
	if err := check(kind, fn, field, rate, capacity); err != nil {
		return err
	}
	*p = Plain{shared(kind, rate, capacity), state{fresh: true}}
	return nil
}

// Take charges n events as of off, all or none.
func (p *Plain) Take(d *ratelimit.Decision, off int64, n int) {
	off = timeline.Clamp(off)
	after, _, ok := p.spec.step(p.state, off, n, 0)
	p.state = after
	p.spec.decide(d, after, off, n, 0, ok)
}

// Peek returns what Take would, and charges nothing.
func (p *Plain) Peek(d *ratelimit.Decision, off int64, n int) {
	off = timeline.Clamp(off)
	after, _, ok := p.spec.step(p.state, off, n, 0)
	p.spec.decide(d, after, off, n, 0, ok)
}

// Charge counts n events as granted at off, whether they fit or not, and sets d to what is left for
// one more.
func (p *Plain) Charge(d *ratelimit.Decision, off int64, n int) {
	off = timeline.Clamp(off)
	p.spec, p.state = p.spec.charged(p.state, off, n)
	p.spec.standing(d, p.state, off, n)
}

// Refund gives back, as of off, n events granted held before off; now is the time by the clock.
func (p *Plain) Refund(off, now int64, n int, held time.Duration) {
	if n < 1 || held < 0 || held > maxQuarter { // what was held for longer has expired
		return
	}
	off = timeline.Clamp(off)
	if s, after, ok := p.spec.refunded(p.state, max(off, timeline.Clamp(now)), made{n: n}, off-int64(held)); ok {
		p.spec, p.state = s, after
	}
}

// SetRate is [Window.SetRateAt] as of off.
func (p *Plain) SetRate(fn, field string, off int64, rate ratelimit.Rate, capacity int) error {
	if err := p.spec.accepts(fn, field, rate, capacity); err != nil {
		return err
	}
	if p.spec.rate != rate || p.spec.capacity != capacity {
		p.spec, p.state = p.spec.converted(p.state, timeline.Clamp(off), rate, capacity)
	}
	return nil
}
