package policy_test

import (
	"math"
	"math/big"
	"slices"
	"time"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/internal/proof/model"
	"github.com/seed-3506548a/ratelimit/policy"
)

// limiter is the model of one limiter: in unbounded integers, and compared with the real one where
// that lives.
type limiter = model.Limiter

func offset(origin, t time.Time) *big.Int { return model.Offset(origin, t) }

// newLimiter returns the model of a limiter of the algorithm; size is a burst, a capacity or a
// number of buckets.
func newLimiter(as policy.Algorithm, rate ratelimit.Rate, size int, origin time.Time) limiter {
	switch as {
	case policy.GCRA:
		return model.NewBucket(rate, size)
	case policy.Interval:
		return model.NewInterval(rate, size)
	case policy.Anchored:
		return model.NewAnchored(rate)
	case policy.Aligned:
		return model.NewAligned(rate, origin)
	case policy.Log:
		return model.NewLog(rate)
	default:
		return model.NewCounter(rate, size)
	}
}

// meter keeps a limit for each key, as a bound of one request has it.
type meter interface {
	// keeps reports whether the bound can share the meter with what it was made for.
	keeps(b policy.Limit) bool
	look(t time.Time, key string, n int, b policy.Limit) ratelimit.Decision
	take(t time.Time, key string, n int, b policy.Limit) ratelimit.Decision
	charge(t time.Time, key string, n int, b policy.Limit)
	refund(t time.Time, key string, n int, held time.Duration, b policy.Limit)
}

// burstOf returns the burst, the capacity or the number of buckets of a limit.
func burstOf(l policy.Limit) int {
	switch {
	case l.Burst != 0:
		return l.Burst
	case l.As == policy.Counter:
		return 10
	default:
		return max(l.Rate.Events, 1)
	}
}

// mostOf returns the most events that a limit grants at once.
func mostOf(l policy.Limit) int {
	if (l.As == policy.GCRA || l.As == policy.Interval) && l.Rate.Events > 0 {
		return burstOf(l)
	}
	return l.Rate.Events
}

// newMeter returns the meter of a limit with these overrides: a gcra or aligned one is in a table,
// unless it is of an amount.
func (m *reference) newMeter(l policy.Limit, overridden []policy.Limit) meter {
	if l.Of == "" && l.As == policy.GCRA {
		return m.newTable(l, overridden)
	}
	if l.Of == "" && l.As == policy.Aligned {
		return m.newWindows(l)
	}
	return m.newMap(l, overridden)
}

// ceilDiv returns a/b rounded up.
func ceilDiv(a, b *big.Int) *big.Int {
	q, r := new(big.Int).DivMod(a, b, new(big.Int))
	if r.Sign() > 0 {
		q.Add(q, big.NewInt(1))
	}
	return q
}

func times(a, b int64) *big.Int { return new(big.Int).Mul(big.NewInt(a), big.NewInt(b)) }

// limiters is a limiter for each key. It is as large as the largest bound that has asked for the
// key, and a smaller bound must leave what it is smaller by.
type limiters struct {
	m       *reference
	as      policy.Algorithm
	buckets int
	unit    ratelimit.Rate // of gcras, which count parts of an event: 2^k to an event of the first bound
	keys    map[string]*sized
}

type sized struct {
	limiter
	origin time.Time
	events int
	depth  int
}

func (m *reference) newMap(l policy.Limit, overridden []policy.Limit) *limiters {
	s := &limiters{m: m, as: l.As, buckets: burstOf(l), keys: map[string]*sized{}}
	if l.As == policy.GCRA {
		s.unit = unitOf(append([]policy.Limit{l}, overridden...))
	}
	return s
}

// unitOf returns what gcras count: the greatest part of an event of which the events of all bounds
// are whole numbers, or, if those are too many, an event of the first bound; cut into fives, threes
// and halves as long as no burst is more than 2^27 of them, and a nanosecond has at most 2^9 ticks;
// and further into halves as long as some bound could not be kept.
func unitOf(bounds []policy.Limit) ratelimit.Rate {
	unit := ratelimit.Per(1, bounds[0].Rate.Per)
	bounds = slices.DeleteFunc(bounds, func(b policy.Limit) bool { return b.Rate.Events == 0 })
	if len(bounds) == 0 {
		for _, parts := range []int{5, 3, 2} {
			for ticks(unit, parts) <= 1<<9 && unit.Events <= math.MaxInt32/parts {
				unit.Events *= parts
			}
		}
		return unit
	}
	unit.Per = bounds[0].Rate.Per
	whole := func() bool {
		return !slices.ContainsFunc(bounds, func(b policy.Limit) bool { return !isWhole(b, unit) })
	}
	fits := func() bool {
		return unit.Events <= math.MaxInt32 && !slices.ContainsFunc(bounds, func(b policy.Limit) bool {
			return int64(mostOf(b))*eventOf(b, unit) > 1<<27
		})
	}
	for !whole() && unit.Events < 1<<12 { // more than that there never is, of the small numbers here
		unit.Events++
	}
	if !whole() || !fits() {
		unit.Events = bounds[0].Rate.Events
	}
	finest := max(1<<9, ticks(unit, 1))
	for _, parts := range []int{5, 3, 2} {
		for ticks(unit, parts) <= finest && unit.Events <= math.MaxInt32/parts {
			if unit.Events *= parts; !fits() {
				unit.Events /= parts
				break
			}
		}
	}
	kept := func(b policy.Limit) bool { return isWhole(b, unit) || eventOf(b, unit) >= 1024 }
	for unit.Events <= math.MaxInt32/2 && slices.ContainsFunc(bounds, func(b policy.Limit) bool { return !kept(b) }) {
		if unit.Events *= 2; !fits() {
			unit.Events /= 2
			break
		}
	}
	return unit
}

// ticks returns how many ticks a nanosecond has, if a unit is cut into that many parts.
func ticks(unit ratelimit.Rate, parts int) int64 {
	events := int64(unit.Events) * int64(parts)
	a, b := events, int64(unit.Per)
	for b != 0 {
		a, b = b, a%b
	}
	return events / a
}

// isWhole reports whether an event of the bound is a whole number of units.
func isWhole(b policy.Limit, unit ratelimit.Rate) bool {
	return new(big.Int).Rem(times(int64(b.Rate.Per), int64(unit.Events)), times(int64(unit.Per), int64(b.Rate.Events))).Sign() == 0
}

// eventOf returns how many units an event of the bound is, rounded up.
func eventOf(b policy.Limit, unit ratelimit.Rate) int64 {
	return ceilDiv(times(int64(b.Rate.Per), int64(unit.Events)), times(int64(unit.Per), int64(b.Rate.Events))).Int64()
}

// keeps reports whether a gcra can hold the burst, and an event is a whole number of units or at
// least 1024; and whether a counter has as many buckets.
func (s *limiters) keeps(b policy.Limit) bool {
	if s.as == policy.GCRA && mostOf(b) > 0 {
		event := eventOf(b, s.unit)
		return event*int64(mostOf(b)) <= math.MaxInt32 && (event >= 1024 || isWhole(b, s.unit))
	}
	return s.as != policy.Counter || burstOf(b) == s.buckets
}

// event returns how many units an event of the bound is, and depth how many it may owe.
func (s *limiters) event(b policy.Limit) int {
	if s.as != policy.GCRA || mostOf(b) == 0 {
		return 1
	}
	return int(eventOf(b, s.unit))
}

func (s *limiters) depth(b policy.Limit) int { return mostOf(b) * s.event(b) }

func (s *limiters) made(b policy.Limit) *sized {
	k := &sized{origin: s.m.clock.Now(), events: b.Rate.Events, depth: s.depth(b)}
	if s.as == policy.Interval || s.as == policy.Anchored || s.as == policy.Aligned { // the windows of all keys are on one timeline
		k.origin = s.m.origin
	}
	rate, size := b.Rate, burstOf(b)
	if s.as == policy.GCRA {
		rate, size = s.unit, max(k.depth, 1)
	}
	k.limiter = newLimiter(s.as, rate, size, k.origin)
	return k
}

// grown makes a limiter as large as the bound. It does so for whoever asks, as of the clock or an
// earlier time that is asked about.
func (s *limiters) grown(k *sized, t time.Time, b policy.Limit) {
	rate, depth := ratelimit.Per(max(k.events, b.Rate.Events), b.Rate.Per), max(k.depth, s.depth(b))
	now := s.m.clock.Now()
	if now.Before(t) {
		t = now
	}
	at := offset(k.origin, t)
	switch {
	case s.as == policy.GCRA && depth > k.depth:
		k.SetRate(at, offset(k.origin, now), s.unit, depth)
	case s.as == policy.GCRA, depth == k.depth && rate.Events == k.events:
		return
	case s.as == policy.Interval:
		k.SetRate(at, offset(k.origin, now), rate, depth)
	default:
		k.SetRate(at, offset(k.origin, now), rate, max(rate.Events, 1))
	}
	k.events, k.depth = rate.Events, depth
}

// find returns the limiter of a key; a new one, if there is none.
func (s *limiters) find(t time.Time, key string, b policy.Limit) (k *sized, found bool) {
	if k, found = s.keys[key]; !found {
		return s.made(b), false
	}
	s.grown(k, t, b)
	return k, true
}

func (s *limiters) ask(k *sized, t time.Time, n int, b policy.Limit, take bool) ratelimit.Decision {
	off, room, event := offset(k.origin, t), k.depth-s.depth(b), s.event(b)
	var d ratelimit.Decision
	switch {
	case n < 0 || n > mostOf(b):
		d = k.Peek(off, 0)
		d.OK, d.RetryAfter = false, ratelimit.Never
	case n > 0 && !k.Peek(off, n*event+room).OK:
		d = k.Peek(off, n*event+room)
	case take:
		d = k.Take(off, n*event)
	default:
		d = k.Peek(off, n*event)
	}
	d.Limit, d.Remaining = mostOf(b), min(max(d.Remaining-room, 0)/event, mostOf(b))
	return d
}

func (s *limiters) look(t time.Time, key string, n int, b policy.Limit) ratelimit.Decision {
	k, _ := s.find(t, key, b)
	return s.ask(k, t, n, b, false)
}

func (s *limiters) take(t time.Time, key string, n int, b policy.Limit) ratelimit.Decision {
	return s.ask(s.change(t, key, b), t, n, b, true)
}

// change returns the limiter of a key, to be changed until the change is undone.
func (s *limiters) change(t time.Time, key string, b policy.Limit) *sized {
	k, found := s.find(t, key, b)
	if !found {
		s.keys[key] = k
		s.m.onUndo(func() { delete(s.keys, key) })
		return k
	}
	before := k.Clone()
	s.m.onUndo(func() { k.limiter = before })
	return k
}

// unitsOf returns n events in units; of an int that is too small for so many, the greatest.
func unitsOf(n, event int) int {
	if units := times(int64(n), int64(event)); units.Cmp(big.NewInt(math.MaxInt)) < 0 {
		return int(units.Int64())
	}
	return math.MaxInt
}

func (s *limiters) charge(t time.Time, key string, n int, b policy.Limit) {
	if n > 0 {
		k := s.change(t, key, b)
		k.Charge(offset(k.origin, t), unitsOf(n, s.event(b)))
	}
}

func (s *limiters) refund(t time.Time, key string, n int, held time.Duration, b policy.Limit) {
	if k := s.keys[key]; k != nil {
		k.Refund(offset(k.origin, t), offset(k.origin, s.m.clock.Now()), unitsOf(n, s.event(b)), held)
	}
}
