package policy

import (
	"math"
	"math/big"
	"slices"
	"time"

	"github.com/seed-3506548a/ratelimit"
)

// mostUnits is how many units the bursts of a policy are at most, where that can be: a 16th of what
// a gcra can hold, so that a Replace can raise them.
const mostUnits = 1 << 27

// mostTicks is how fine the ticks of a gcra are at most, so that it can hold a debt that takes a
// while to drain: a nanosecond has 2^9 of them, and 2^61 are 52 days.
const mostTicks = 1 << 9

// unitOf returns the rate of what gcras in a Map count, so that bounds of several rates can share
// one: parts of an event. These are the greatest of which each bound's event is a whole number; or,
// if those are too small, an event of the first bound that has any. They are cut into as many parts
// as can be without finer ticks than mostTicks: fives and threes first, which divide most periods,
// so that they cost nothing. If an event of some bound is then too few parts, they are cut further.
func unitOf(bounds []*bound) ratelimit.Rate {
	first := ratelimit.Per(1, bounds[0].rate.Per)
	if i := slices.IndexFunc(bounds, func(b *bound) bool { return b.most > 0 }); i >= 0 {
		first = bounds[i].rate
	}
	fits := func(events *big.Int) bool {
		if !events.IsInt64() || events.Int64() > math.MaxInt32 {
			return false
		}
		unit := ratelimit.Per(int(events.Int64()), first.Per)
		return !slices.ContainsFunc(bounds, func(b *bound) bool {
			depth, _ := b.in(unit)
			return depth.Mul(depth, big.NewInt(int64(b.most))).Cmp(big.NewInt(mostUnits)) > 0
		})
	}
	events := wholes(bounds, first.Per)
	if !fits(events) {
		events.SetInt64(int64(first.Events))
	}
	finest := max(mostTicks, ticksOf(events, first.Per))
	cut := func(parts int64, may func(cut *big.Int) bool) {
		for {
			next := new(big.Int).Mul(events, big.NewInt(parts))
			if !fits(next) || !may(next) {
				return
			}
			events.Set(next)
		}
	}
	for _, parts := range []int64{5, 3, 2} {
		cut(parts, func(next *big.Int) bool { return ticksOf(next, first.Per) <= finest })
	}
	cut(2, func(*big.Int) bool {
		unit := ratelimit.Per(int(events.Int64()), first.Per)
		return slices.ContainsFunc(bounds, func(b *bound) bool { return !b.counts(unit) })
	})
	return ratelimit.Per(int(events.Int64()), first.Per)
}

// ticksOf returns how many ticks a nanosecond has of a gcra with so many events in a period.
func ticksOf(events *big.Int, per time.Duration) int64 {
	common := new(big.Int).GCD(nil, nil, events, big.NewInt(int64(per)))
	return common.Quo(events, common).Int64()
}

// wholes returns the least number of units in a period of which the events of all bounds are whole
// numbers.
func wholes(bounds []*bound, per time.Duration) *big.Int {
	least := big.NewInt(1)
	for _, b := range bounds {
		if b.most > 0 {
			events := big.NewRat(int64(per), int64(b.rate.Per))
			n := events.Mul(events, big.NewRat(int64(b.rate.Events), 1)).Num()
			least.Mul(least, n.Quo(n, new(big.Int).GCD(nil, nil, least, n)))
		}
	}
	return least
}

// in returns an event of the bound in units, rounded up, and whether it is a whole number of them.
func (b *bound) in(unit ratelimit.Rate) (event *big.Int, whole bool) {
	if b.most == 0 {
		return big.NewInt(1), true
	}
	product := func(per time.Duration, events int) *big.Int {
		return new(big.Int).Mul(big.NewInt(int64(per)), big.NewInt(int64(events)))
	}
	event, rest := product(b.rate.Per, unit.Events), new(big.Int)
	if event.QuoRem(event, product(unit.Per, b.rate.Events), rest); rest.Sign() > 0 {
		event.Add(event, big.NewInt(1))
	}
	return event, rest.Sign() == 0
}

// counts reports whether an event of the bound is units enough, so that rounding it up does not
// matter.
func (b *bound) counts(unit ratelimit.Rate) bool {
	event, whole := b.in(unit)
	return whole || event.Cmp(big.NewInt(1<<10)) >= 0
}
