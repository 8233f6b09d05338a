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

// unitOf returns the rate of what gcras in a Map count, so that bounds of several rates can share
// one: parts of an event. These are the greatest of which each bound's event is a whole number; or,
// if those are too small, an event of the first bound that has any; cut in halves as often as can be.
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
	for twice := new(big.Int).Lsh(events, 1); fits(twice); twice.Lsh(events, 1) {
		events.Set(twice)
	}
	return ratelimit.Per(int(events.Int64()), first.Per)
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
