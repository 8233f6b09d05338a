package policy

import (
	"math/big"
	"time"
)

// shared says what holds for a key to which a limit applies as it is and as overrides make it, now
// one and now another: what was granted by one counts for all.
func (e *explainer) shared(all []*Limit) {
	var some []*Limit // which grant anything
	for _, l := range all {
		if l.Rate.Events > 0 {
			some = append(some, l)
		}
	}
	if len(some) < 2 {
		return
	}
	var worst int64
	var wait time.Duration
	switch some[0].As {
	case GCRA:
		worst, wait = sharedGCRA(some)
	case Interval:
		worst, wait = sharedInterval(some)
	default:
		for _, l := range some {
			worst, wait = max(worst, l.worst()), max(wait, l.longest(1))
		}
	}
	text := ""
	if some[0].Of == "" && len(some[0].Count) == 0 {
		text = ", and waits at most " + length(wait)
		if len(e.policy.Costs) > 0 {
			text += " for 1 event"
		}
	}
	e.say(2, "A key that gets now one and now another of these, such as a user whose plan changes, is granted at worst %d in %v%s.",
		worst, Span(some[0].Rate.Per), text)
}

// sharedGCRA returns the bound of several gcra on one key, (window + greatest depth)/least T +
// 1/16, and how long a request of one waits at most: until so little of the greatest depth is left
// that one event more fits under the least.
func sharedGCRA(all []*Limit) (worst int64, wait time.Duration) {
	var fastest, deepest, least *big.Rat
	for _, l := range all {
		t, depth, room := l.interval(1), l.interval(l.burst()), l.interval(l.burst()-1)
		if fastest == nil || t.Cmp(fastest) < 0 {
			fastest = t
		}
		if deepest == nil || depth.Cmp(deepest) > 0 {
			deepest = depth
		}
		if least == nil || room.Cmp(least) < 0 {
			least = room
		}
	}
	bound := new(big.Rat).SetInt64(int64(all[0].Rate.Per))
	bound.Add(bound, deepest).Quo(bound, fastest).Add(bound, big.NewRat(1, 16))
	worst = new(big.Int).Quo(bound.Num(), bound.Denom()).Int64()
	return worst, ceil(new(big.Rat).Sub(deepest, least))
}

// sharedInterval does so for several intervals, of one period.
func sharedInterval(all []*Limit) (worst int64, wait time.Duration) {
	capacity, events := all[0].burst(), all[0].Rate.Events
	least, slowest := capacity, events
	for _, l := range all[1:] {
		capacity, least = max(capacity, l.burst()), min(least, l.burst())
		events, slowest = max(events, l.Rate.Events), min(slowest, l.Rate.Events)
	}
	periods := (int64(capacity-least) + int64(slowest)) / int64(slowest) // until one event more fits
	return int64(capacity) + int64(events), time.Duration(periods) * all[0].Rate.Per
}
