// Package penalty blocks a limiter for some time after each refusal: a client that exceeds the
// limit is refused everything until the block is over.
//
//	perMinute, err := fixedwindow.NewAnchored(ratelimit.PerMinute(90))
//	limited, err := burst.New(perMinute, ratelimit.PerSecond(10))
//	limiter, err := penalty.New(limited, time.Minute)
//
// # Guarantee
//
// A refusal by the inner limiter at time t begins a block: every request for events at a time
// before t+block is refused, and charges nothing. (A request for 0 events is granted, as always.) A
// block ends at t+block exactly, or by Pardon. Requests that are refused while it lasts do not
// lengthen it. A request that can never be granted begins none, such as one for more events than
// the limit. Nor does PeekAt, which returns what TakeAt would.
//
// So a refusal changes this limiter, unlike all others of this module. That has consequences:
//
//   - Put it outermost. [ratelimit.All] and package burst do not accept it as a member, because
//     they would look at it first and never begin a block. Put them inside of it instead.
//   - In a keyed.Map it blocks each key by itself. Do not use such a map in a keyed.Group, which
//     also looks at its members first.
//   - [ratelimit.Wait] and [ratelimit.NewQueue] do not accept it, because their requests would
//     begin blocks. Wait for the inner limiter.
//   - Every refusal that is not for ever begins a block, whatever its reason: even that of a
//     composition inside that has lost a race.
//
// When a block begins, the inner limiter may still grant a request that is under way. It grants
// none that begins after the refusal has returned.
//
// The inner limiter's bound always holds. Times are exact within 2^62 ns (146 years) of the
// limiter's origin, the time when it was made. Times further away count as the nearer end of that
// range. A block holds at all times before its end. So if the clock is set back, the block lasts
// longer; RetryAfter reports for how long.
//
// # Cost
//
// A decision costs that of the inner limiter, an atomic load, and the difference of two times. In a
// block, Allow does not ask the inner limiter, and Take and Peek look at it once or twice; they
// write nothing. It is lock-free if the inner limiter is, and does not allocate. A limiter is 80
// bytes, with the state in one word.
//
// # Source
//
// AniList's API refuses everything for a minute after a request too many.
package penalty

import (
	"reflect"
	"time"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/internal/atomics"
	"github.com/seed-3506548a/ratelimit/internal/identity"
	"github.com/seed-3506548a/ratelimit/internal/timeline"
)

var (
	_ ratelimit.Penalizer = (*Limiter)(nil)
	_ ratelimit.Charger   = (*Limiter)(nil)
	_ ratelimit.Delayer   = (*Limiter)(nil)
)

// Limiter is another limiter with a block after each refusal. In its Decisions, Limit and By are
// the inner limiter's. In a block, and when one begins, Remaining is 0, and RetryAfter and
// ResetAfter are the longer of the block's and the inner limiter's. The block and the inner limiter
// are read one after the other, so with simultaneous callers the two may be of different moments.
//
// Its zero value is not usable, and its methods panic on it: call [New]. It is safe for
// simultaneous use and must not be copied after first use.
type Limiter struct {
	end    atomics.Uint64 // of the block, as mark has it; 0: there was none
	block  time.Duration
	inner  ratelimit.Limiter
	clock  ratelimit.Clock
	origin time.Time
}

// New returns a limiter that grants what inner does, but nothing for the length of block after
// inner has refused. It reads inner's clock. If block is [ratelimit.Never], or the end of a block
// is out of the range of times, the block lasts until Pardon, and RetryAfter is Never.
//
// The error is a [*ratelimit.ArgumentError] if inner or its clock is nil, if inner is a
// [ratelimit.Penalizer], and unless block > 0.
func New(inner ratelimit.Limiter, block time.Duration) (*Limiter, error) {
	refuse := func(field string, value any, want string) (*Limiter, error) {
		return nil, &ratelimit.ArgumentError{Func: "penalty.New", Field: field, Value: value, Want: want}
	}
	if identity.IsNil(inner) {
		return refuse("inner", nil, "a limiter")
	}
	if _, ok := inner.(ratelimit.Penalizer); ok {
		return refuse("inner", reflect.TypeOf(inner), "a limiter that a refusal does not change")
	}
	clock := inner.Clock()
	if identity.IsNil(clock) {
		return refuse("inner.Clock()", nil, "a clock")
	}
	if block <= 0 {
		return refuse("block", block, "more than 0s")
	}
	l := &Limiter{block: block, inner: inner, clock: clock, origin: clock.Now()}
	l.end.Init(0)
	return l, nil
}

// mark returns an offset from the origin as it is kept: in the same order, and more than 0, which
// is before all times.
func mark(off int64) uint64 { return uint64(off) ^ 1<<63 }

// offset returns the offset of a mark.
func offset(mark uint64) int64 { return int64(mark ^ 1<<63) }

// at returns the offset of t from the origin.
func (l *Limiter) at(t time.Time) int64 { return timeline.Clamp(int64(t.Sub(l.origin))) }

// blockFrom returns the mark of the end of a block that begins at off.
func (l *Limiter) blockFrom(off int64) uint64 {
	if l.block == ratelimit.Never || int64(l.block) > timeline.Top-off {
		return mark(timeline.Top + 1)
	}
	return mark(off + int64(l.block))
}

// begin begins a block at off, unless another has begun meanwhile, and returns the end of either,
// which is after off. The word was end a moment ago.
//
// A block begins by one CAS of the word that shows that there was none at off. So of those who are
// refused at once one begins it, and it lasts as long as that caller's block does, as if the others
// had come later. A CAS fails only if another caller's has landed, or a Pardon.
func (l *Limiter) begin(off int64, end uint64) uint64 {
	next := l.blockFrom(off)
	for end <= mark(off) {
		if l.end.CompareAndSwap(end, next) {
			return next
		}
		end = l.end.Load()
	}
	return end
}

// Allow reports whether one event may happen now, and charges it if so.
func (l *Limiter) Allow() bool {
	t := l.clock.Now()
	off, end := l.at(t), l.end.Load()
	return end <= mark(off) && l.take(t, off, end, 1).OK
}

// Take charges n events now, all of them or none. See [ratelimit.Decision] for what it returns.
func (l *Limiter) Take(n int) ratelimit.Decision { return l.TakeAt(l.clock.Now(), n) }

// TakeAt charges n events as of t, all of them or none; t may be any time. A refusal begins a
// block.
func (l *Limiter) TakeAt(t time.Time, n int) ratelimit.Decision {
	off, end := l.at(t), l.end.Load()
	if end > mark(off) {
		return l.blocked(t, off, end, n)
	}
	return l.take(t, off, end, n)
}

// take asks the inner limiter; there was no block a moment ago.
func (l *Limiter) take(t time.Time, off int64, end uint64, n int) ratelimit.Decision {
	d := l.inner.TakeAt(t, n)
	if begins(&d) {
		lengthen(&d, off, l.begin(off, end))
	}
	return d
}

// begins reports whether the inner limiter's decision begins a block.
func begins(d *ratelimit.Decision) bool { return !d.OK && d.RetryAfter != ratelimit.Never }

// lengthen makes d, a decision of the inner limiter, that of a block.
func lengthen(d *ratelimit.Decision, off int64, end uint64) {
	wait := timeline.Wait(off, offset(end))
	d.Remaining = 0
	d.ResetAfter = max(d.ResetAfter, wait)
	if !d.OK {
		d.RetryAfter = max(d.RetryAfter, wait)
	}
}

// blocked returns the decision in a block, which grants no events only.
func (l *Limiter) blocked(t time.Time, off int64, end uint64, n int) ratelimit.Decision {
	d := l.inner.PeekAt(t, n)
	if d.OK {
		d = l.inner.PeekAt(t, 0) // the state: nothing is charged
		d.OK = n == 0
	}
	lengthen(&d, off, end)
	return d
}

// Peek returns what Take would, and changes nothing. It may already be outdated.
func (l *Limiter) Peek(n int) ratelimit.Decision { return l.PeekAt(l.clock.Now(), n) }

// PeekAt returns what TakeAt would, and changes nothing. It may already be outdated.
func (l *Limiter) PeekAt(t time.Time, n int) ratelimit.Decision {
	off, end := l.at(t), l.end.Load()
	if end > mark(off) {
		return l.blocked(t, off, end, n)
	}
	d := l.inner.PeekAt(t, n)
	if begins(&d) {
		lengthen(&d, off, l.blockFrom(off))
	}
	return d
}

// ChargeAt counts n events as granted at t, even if they exceed the inner limiter's limit, and even
// in a block; see [ratelimit.Charger]. A charge is no refusal, so it begins no block: the next
// request that is refused does. An inner limiter that is no Charger is charged what it grants.
func (l *Limiter) ChargeAt(t time.Time, n int) ratelimit.Decision {
	off := l.at(t)
	d := ratelimit.Charge(l.inner, t, n)
	if end := l.end.Load(); end > mark(off) {
		d.OK = false
		lengthen(&d, off, end)
	} else if begins(&d) {
		d.RetryAfter = max(d.RetryAfter, timeline.Wait(off, offset(l.blockFrom(off))))
	}
	return d
}

// RefundAt gives back, as of t, n events that were granted held before t, as the inner limiter
// does. It does not end a block. See [ratelimit.Limiter] for what t must be.
func (l *Limiter) RefundAt(t time.Time, n int, held time.Duration) { l.inner.RefundAt(t, n, held) }

// DelayAt returns how long after t it takes, at least, until n more events can have been granted,
// if no request is refused. It is the rest of a block, and after that the delay of the inner
// limiter. An inner limiter that is no [ratelimit.Delayer] counts as 0. DelayAt charges nothing,
// and its result may already be outdated.
func (l *Limiter) DelayAt(t time.Time, n int) time.Duration {
	if n == 0 {
		return 0
	}
	off := l.at(t)
	wait := timeline.Wait(off, max(off, offset(l.end.Load())))
	if n < 0 || wait == ratelimit.Never {
		return ratelimit.Never
	}
	inner, ok := l.inner.(ratelimit.Delayer)
	if !ok {
		return wait
	}
	return wait + min(inner.DelayAt(t.Add(wait), n), ratelimit.Never-wait)
}

// Blocked returns the end of the block, and true if there is one at present, by the limiter's
// clock. If a block lasts until Pardon, its end is beyond the range of times. The answer may
// already be outdated.
func (l *Limiter) Blocked() (until time.Time, ok bool) {
	off, end := l.at(l.clock.Now()), l.end.Load()
	if end <= mark(off) {
		return time.Time{}, false
	}
	return l.origin.Add(time.Duration(offset(end))), true
}

// Pardon ends the block. What the inner limiter has counted stays counted. A refusal that is under
// way may begin another block.
func (l *Limiter) Pardon() { l.end.Store(0) }

// Clock returns the inner limiter's clock, which Allow, Take, Peek and Blocked read.
func (l *Limiter) Clock() ratelimit.Clock { return l.clock }

// Unwrap returns the inner limiter.
func (l *Limiter) Unwrap() []ratelimit.Limiter { return []ratelimit.Limiter{l.inner} }
