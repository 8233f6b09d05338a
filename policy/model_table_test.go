package policy_test

import (
	"math"
	"math/big"
	"time"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/policy"
)

// table is the model of a keyed.Table that has room for all keys: what a key owes is a time, in
// ticks. Of a gcra these are a 256th of an event at rate * 2^k, and begin at the engine's origin;
// of windows, 2^22 go by at once, an event is one of them, and a window owes at most all.
//
// A caller is late who is more than 2^24 ticks behind the newest time, and ahead who is more than
// 2^23 after that and after the clock, or, as long as the clock has not moved, 2^24 after the
// newest. The newest time moves when it would move by more than 2^23.
type table struct {
	m             *reference
	aligned       bool
	ticks, length *big.Int // so many ticks in so many nanoseconds
	own           int64    // ticks of an event of the rate that the table was made for
	origin, made  time.Time
	tats          map[string]int64
	newest        int64
	used          bool
}

const (
	late  = 1 << 24
	slack = 1 << 23
	deep  = 1 << 38
	wide  = 1 << 22
)

func (m *reference) newTable(l policy.Limit, overridden []policy.Limit) *table {
	base := l
	for _, b := range overridden {
		if base.Rate.Events == 0 && b.Rate.Events > 0 {
			base = b
		}
	}
	events, per, burst := int64(max(base.Rate.Events, 1)), int64(base.Rate.Per), int64(burstOf(base))
	if base.Rate.Events == 0 {
		burst = 1
	} else if whole, deepest := wholeOf(per, append([]policy.Limit{l}, overridden...)); whole <= per/(600*256) && deepest <= 1<<29 {
		events, burst = whole, deepest
	}
	own := min(256, per/events)
	for per/(2*events) >= 600*256 && 2*events <= math.MaxInt32 && 256*2*burst <= 1<<37 {
		events, burst, own = 2*events, 2*burst, 256
	}
	return &table{m: m, ticks: times(own, events), length: big.NewInt(per), own: own,
		origin: m.origin, made: m.clock.Now(), tats: map[string]int64{}}
}

// wholeOf returns the least number of events in a period of which the events of all limits are
// whole numbers, and how many of them the deepest of the limits is.
func wholeOf(per int64, all []policy.Limit) (events, deepest int64) {
	least := big.NewInt(1)
	for _, b := range all {
		if b.Rate.Events > 0 {
			n := big.NewRat(int64(b.Rate.Events), int64(b.Rate.Per))
			n.Mul(n, new(big.Rat).SetInt64(per))
			common := new(big.Int).GCD(nil, nil, least, n.Num())
			least.Mul(least, new(big.Int).Quo(n.Num(), common))
		}
	}
	if !least.IsInt64() || least.Int64() > math.MaxInt32 {
		return math.MaxInt64, math.MaxInt64
	}
	for _, b := range all {
		if b.Rate.Events > 0 {
			each := big.NewRat(least.Int64(), per)
			each.Mul(each, big.NewRat(int64(b.Rate.Per), int64(b.Rate.Events)))
			depth := new(big.Int).Mul(each.Num(), big.NewInt(int64(burstOf(b))))
			if !depth.IsInt64() {
				return math.MaxInt64, math.MaxInt64
			}
			deepest = max(deepest, depth.Int64())
		}
	}
	return least.Int64(), deepest
}

func (m *reference) newWindows(l policy.Limit) *table {
	return &table{m: m, aligned: true, ticks: big.NewInt(wide), length: big.NewInt(int64(l.Rate.Per)),
		origin: time.Unix(0, 0), made: m.clock.Now(), tats: map[string]int64{}}
}

// at returns the ticks at a time.
func (s *table) at(t time.Time) int64 {
	off := offset(s.origin, t)
	if s.aligned {
		windows, _ := off.DivMod(off, s.length, new(big.Int))
		return windows.Mul(windows, s.ticks).Int64()
	}
	ticks, _ := off.Mul(off, s.ticks).DivMod(off, s.length, new(big.Int))
	return ticks.Int64()
}

// wait returns how long after t it is so many ticks.
func (s *table) wait(t time.Time, ticks int64) time.Duration {
	var at *big.Int
	if s.aligned {
		at = ceilDiv(big.NewInt(ticks), s.ticks)
		at.Mul(at, s.length)
	} else {
		at = ceilDiv(new(big.Int).Mul(big.NewInt(ticks), s.length), s.ticks)
	}
	return time.Duration(max(at.Sub(at, offset(s.origin, t)).Int64(), 0))
}

// perEvent returns the ticks of an event: those of gcras are rounded up.
func (s *table) perEvent(b policy.Limit) int64 {
	if s.aligned || b.Rate.Events == 0 {
		return 1
	}
	return ceilDiv(new(big.Int).Mul(big.NewInt(int64(b.Rate.Per)), s.ticks), new(big.Int).Mul(big.NewInt(int64(b.Rate.Events)), s.length)).Int64()
}

func (s *table) keeps(policy.Limit) bool { return true }

func (s *table) isLate(now int64) bool { return s.used && now+late < s.newest }

func (s *table) moves(now int64) bool { return !s.used || now > s.newest+slack }

// latest returns the latest time that is not too far ahead.
func (s *table) latest() int64 {
	clock := s.m.clock.Now()
	at := s.at(clock) + slack
	if s.used && clock.Equal(s.made) {
		at = max(at, s.newest+late)
	}
	return at
}

func (s *table) look(t time.Time, key string, n int, b policy.Limit) ratelimit.Decision {
	d, _ := s.decide(t, key, n, b)
	return d
}

// decide also returns what is owed, in ticks, if the events are charged.
func (s *table) decide(t time.Time, key string, n int, b policy.Limit) (d ratelimit.Decision, debt int64) {
	now, per, most := s.at(t), s.perEvent(b), int64(mostOf(b))
	isLate := s.isLate(now)
	isAhead := !isLate && s.moves(now) && now > s.latest()
	if tat, ok := s.tats[key]; ok {
		debt = max(tat-now, 0)
	}
	least := now
	if isLate {
		least = s.newest - late
	}
	fits := n > 0 && int64(n) <= most && debt+int64(n)*per <= most*per
	d.Limit, d.OK = int(most), n == 0 || fits && !isLate && !isAhead
	switch {
	case d.OK:
		debt += int64(n) * per
	case n < 0 || int64(n) > most:
		d.RetryAfter = ratelimit.Never
	case isAhead:
		d.RetryAfter, d.By = ratelimit.Never, -1
	default:
		d.RetryAfter = s.wait(t, max(now+debt+int64(n)*per-most*per, least))
		if isLate {
			d.By = -1
		}
	}
	if !isLate && !isAhead {
		d.Remaining = int(max(most*per-debt, 0) / per)
	}
	if debt > 0 || isLate {
		d.ResetAfter = s.wait(t, max(now+debt, least))
	}
	return d, debt
}

func (s *table) take(t time.Time, key string, n int, b policy.Limit) ratelimit.Decision {
	d, debt := s.decide(t, key, n, b)
	if d.OK && n > 0 {
		s.set(key, s.at(t), s.at(t)+debt)
	}
	return d
}

func (s *table) set(key string, now, tat int64) {
	newest, used := s.newest, s.used
	before, there := s.tats[key]
	s.m.onUndo(func() {
		s.newest, s.used = newest, used
		if s.tats[key] = before; !there {
			delete(s.tats, key)
		}
	})
	if s.moves(now) {
		s.newest, s.used = now, true
	}
	s.tats[key] = tat
}

// charge counts at the nearest time that is neither late nor ahead. If that is another, it does not
// know how much room there is in the window.
func (s *table) charge(t time.Time, key string, n int, b policy.Limit) {
	now := s.at(t)
	at := now
	if latest := s.latest(); s.moves(at) && at > latest {
		if at = latest; s.used {
			at = max(at, s.newest)
		}
	}
	if s.isLate(at) {
		at = s.newest - late
	}
	debt, most := int64(0), int64(deep)
	if tat, ok := s.tats[key]; ok {
		debt = max(tat-at, 0)
	}
	if s.aligned && at == now {
		most = max((debt+wide-1)/wide*wide, wide) // what the window can hold that is owed last
	} else if s.aligned {
		n = min(n, wide)
	}
	cost := new(big.Int).Mul(big.NewInt(int64(n)), big.NewInt(s.perEvent(b)))
	if room := big.NewInt(max(most-debt, 0)); cost.Cmp(room) > 0 {
		cost = room
	}
	if cost.Sign() > 0 {
		s.set(key, at, at+debt+cost.Int64())
	}
}

func (s *table) refund(time.Time, string, int, time.Duration, policy.Limit) {}
