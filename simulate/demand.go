package simulate

import (
	"cmp"
	"iter"
	"math"
	"slices"
	"time"

	"github.com/seed-3506548a/ratelimit"
)

// Demand is what keys ask for, from which limits can be chosen. It keeps 16 bytes for each request.
type Demand struct {
	names []string  // of the keys
	of    [][]grant // of each key, in order of time
}

// NewDemand returns the demand of requests, which may be in any order, within 292 years.
func NewDemand(requests iter.Seq[Request]) *Demand {
	d := &Demand{}
	keys := newKeys(1 << 24)
	var start time.Time
	first := true
	for r := range requests {
		if first {
			start, first = r.At, false
		}
		key := int(keys.of(&r))
		for len(d.of) < key {
			d.of = append(d.of, nil)
		}
		if key > 0 {
			n := int64(r.Cost)
			if n == 0 {
				n = 1
			}
			d.of[key-1] = append(d.of[key-1], grant{int64(since(start, r.At)), max(n, 0)})
		}
	}
	d.names = keys.names
	for _, grants := range d.of {
		slices.SortStableFunc(grants, func(a, b grant) int { return cmp.Compare(a.at, b.at) })
	}
	return d
}

// Keys returns how many keys there are.
func (d *Demand) Keys() int { return len(d.of) }

// most returns, of each key, the most events in any half-open span. One of length 0 or less holds
// nothing.
func (d *Demand) most(span time.Duration) []int64 {
	all := make([]int64, len(d.of))
	if span <= 0 {
		return all
	}
	for i, grants := range d.of {
		var inside int64
		first := 0
		for _, g := range grants {
			for uint64(g.at-grants[first].at) >= uint64(span) { // unsigned, it does not overflow
				inside -= grants[first].n
				first++
			}
			inside += g.n
			all[i] = max(all[i], inside)
		}
	}
	return all
}

// Most returns quantiles, over all keys, of the most that a key asks for in any span.
func (d *Demand) Most(span time.Duration, shares ...float64) []int64 {
	all := d.most(span)
	slices.Sort(all)
	quantiles := make([]int64, len(shares))
	for i, share := range shares {
		if len(all) > 0 {
			rank := int(math.Ceil(min(max(share, 0), 1) * float64(len(all)) * (1 - 0x1p-50)))
			quantiles[i] = all[max(rank, 1)-1]
		}
	}
	return quantiles
}

// least returns the least of what keys need that refuses something to at most a share of them, and
// the keys that need more.
func (d *Demand) least(needs []int64, share float64) (limit int64, refused []string) {
	if len(needs) == 0 {
		return 1, nil
	}
	// 0.29 * 100 is a little less than 29.
	allowed := min(int(min(max(share, 0), 1)*float64(len(needs))*(1+0x1p-50)), len(needs)-1)
	limit = max(slices.Sorted(slices.Values(needs))[len(needs)-1-allowed], 1)
	var over []int
	for key, n := range needs {
		if n > limit {
			over = append(over, key)
		}
	}
	slices.SortFunc(over, func(a, b int) int {
		return cmp.Or(cmp.Compare(needs[b], needs[a]), cmp.Compare(d.names[a], d.names[b]))
	})
	for _, key := range over {
		refused = append(refused, d.names[key])
	}
	return limit, refused
}

// Window returns the least number of events in any span that would refuse something to at most the
// share of the keys, as a log does; and the keys that it refuses something to. The key that asks
// for most comes first.
func (d *Demand) Window(span time.Duration, share float64) (events int64, refused []string) {
	return d.least(d.most(span), share)
}

// Burst returns the least burst at which a gcra of the rate would refuse something to at most the
// share of the keys; and the keys that it refuses something to. The key that needs the largest
// burst comes first. The rate must be valid, with more than 0 events.
func (d *Demand) Burst(rate ratelimit.Rate, share float64) (burst int64, refused []string) {
	needs := make([]int64, len(d.of))
	for i, grants := range d.of {
		needs[i] = depth(grants, rate)
	}
	return d.least(needs, share)
}

// depth returns the least burst at which a gcra grants everything: the most that is owed at any
// time, in events. What is owed is counted in parts: an event is Per of them, a nanosecond Events.
func depth(grants []grant, rate ratelimit.Rate) int64 {
	per, events := float64(rate.Per), float64(rate.Events)
	var owed, most float64
	last := grants[0].at
	for _, g := range grants {
		owed = max(owed-float64(uint64(g.at-last))*events, 0) + float64(g.n)*per
		most, last = max(most, owed), g.at
	}
	return int64(math.Ceil(most / per * (1 - 1e-12)))
}

// Rates returns rates of gcra worth a try: the share's quantile of what keys ask for in the long
// run, rounded up to 1, 2 or 5 and zeros in a minute or an hour, and some that are faster.
func (d *Demand) Rates(share float64) (rates []ratelimit.Rate) {
	if len(d.of) == 0 {
		return nil
	}
	need, _ := d.least(d.most(time.Hour), share)
	for _, times := range []float64{1, 2, 5, 20} {
		perMinute := float64(need) / 60 * times
		if perMinute >= 1 {
			rates = append(rates, ratelimit.PerMinute(roundUp(perMinute)))
		} else {
			rates = append(rates, ratelimit.PerHour(roundUp(perMinute*60)))
		}
	}
	return slices.Compact(rates)
}

// roundUp returns the least of 1, 2, 5, 10, 20, ... that is not less.
func roundUp(f float64) int {
	for unit := 1; ; unit *= 10 {
		for _, n := range []int{1, 2, 5} {
			if float64(n*unit) >= f || n*unit > math.MaxInt32/10 {
				return n * unit
			}
		}
	}
}
