package policy

import (
	"fmt"
	"math/big"
	"time"
)

// limit says what a limit grants, and what overrides make of it.
func (e *explainer) limit(l *Limit, overrides []*Override) {
	e.say(1, "Limit %s: %s.", l.Name, Limit{As: l.As, Rate: l.Rate, Burst: l.Burst})
	switch {
	case l.Of != "":
		e.say(2, "It counts %s: before a request its estimate, and after it what it turned out to be.", l.Of)
		e.say(2, "What goes beyond the estimate is charged whether it fits or not. A request without one needs room for 1.")
	case len(l.Count) > 0:
		e.say(2, "It counts responses with status %s, after they were made. While it is full, all requests %s.", listed(l.Count, "or"),
			e.either("are refused", "go beyond it"))
	}
	e.bounds(2, l)
	switch {
	case l.Hidden:
		e.say(2, "It is hidden: no header and no answer names it.")
	case l.Shown != nil:
		e.say(2, "It is shown as %v.", l.Shown)
	}
	all := []*Limit{l}
	for i, o := range overrides {
		if changed := o.apply(*l); !o.Unlimited {
			all = append(all, &changed)
		}
		if i < enough {
			e.override(o, l)
		}
	}
	switch more := len(overrides) - enough; {
	case more == 1:
		e.say(2, "There is 1 more override.")
	case more > 1:
		e.say(2, "There are %d more overrides.", more)
	}
	if len(all) > 1 {
		e.shared(all)
	}
}

func (e *explainer) override(o *Override, l *Limit) {
	which := requests(o.Match, o.When)
	if o.Unlimited {
		e.say(2, "Not limited by it: %s.", which)
		return
	}
	changed := o.apply(*l)
	e.say(2, "For %s it is %s.", which, Limit{As: l.As, Rate: changed.Rate, Burst: changed.Burst})
	e.bounds(3, &changed)
	if changed.Shown != nil {
		e.say(3, "It is shown as %v.", changed.Shown)
	}
}

// bounds says how much a limit grants to a key, and how long a refused request waits.
func (e *explainer) bounds(indent int, l *Limit) {
	n, per := l.Rate.Events, Span(l.Rate.Per)
	if n == 0 {
		e.say(indent, "%s", e.either("It grants nothing.", "All requests go beyond it."))
		return
	}
	worst := fmt.Sprintf("at worst %d in %v", l.worst(), per)
	switch {
	case l.Of != "":
		worst += ", and on top what goes beyond estimates"
	case len(l.Count) > 0:
		worst += ", and on top what is under way while it fills up"
	}
	switch l.As {
	case GCRA:
		e.say(indent, "It grants %d at once, then %d in %v evenly: %s.", l.burst(), n, per, worst)
	case Interval:
		e.say(indent, "It grants %d at once; %d come back at the end of each %v, counted from the first of them: %s.", l.burst(), n, per, worst)
	case Anchored:
		e.say(indent, "It grants %d in a window of %v, which opens with the first of them: %s, where two windows meet.", n, per, worst)
	case Aligned:
		e.say(indent, "It grants %d in each %v by the clock: %s, where two of them meet.", n, per, worst)
	case Log:
		e.say(indent, "It grants %d in %v, wherever that begins: %s.", n, per, worst)
	case Counter:
		e.say(indent, "It grants %d in %v, wherever that begins: %s. Each counts up to %s longer than that.", n, per, worst, length(l.width()))
	}
	e.waits(indent, l)
}

// worst returns the most that is granted to a key in the rate's period. For what does not go by the
// clock, both ends of it count.
func (l *Limit) worst() int64 {
	n := int64(l.Rate.Events)
	switch l.As {
	case GCRA, Interval:
		return int64(l.burst()) + n
	case Anchored, Aligned:
		return 2 * n
	default:
		return n
	}
}

// most returns the most that is granted at once.
func (l *Limit) most() int {
	if l.As == GCRA || l.As == Interval {
		return l.burst()
	}
	return l.Rate.Events
}

// width returns the length of a counter's bucket.
func (l *Limit) width() time.Duration {
	buckets := time.Duration(l.burst())
	return (l.Rate.Per + buckets - 1) / buckets
}

// waits says how long a refused request waits.
func (e *explainer) waits(indent int, l *Limit) {
	bucket := l.As == GCRA || l.As == Interval
	one := e.either("A request that it refuses waits", "A request that goes beyond it would wait")
	switch wait := length(l.longest(1)); {
	case l.Of != "" && bucket:
		e.say(indent, "%s until what it asks for has come back, after what went beyond estimates.", one)
		return
	case len(l.Count) > 0 && bucket:
		e.say(indent, "%s at most %s, and longer by what went beyond the limit.", one, wait)
		return
	case l.Of != "" || len(l.Count) > 0:
		e.say(indent, "%s at most %s.", one, wait)
		return
	}
	largest, tooLarge := 1, false
	for _, c := range e.policy.Costs {
		if c.N > l.most() {
			tooLarge = true
		} else {
			largest = max(largest, c.N)
		}
	}
	wait := length(l.longest(1))
	if l.longest(largest) > l.longest(1) {
		wait += " for 1 event and " + length(l.longest(largest)) + " for " + events(largest)
	}
	e.say(indent, "%s at most %s.", one, wait)
	if tooLarge {
		e.say(indent, "A request of more than %s %s.", events(l.most()), e.either("is never granted", "always goes beyond it"))
	}
}

// longest returns how long a request of n events waits at most that can be granted.
func (l *Limit) longest(n int) time.Duration {
	switch l.As {
	case GCRA:
		return ceil(l.interval(n))
	case Interval:
		return time.Duration((n+l.Rate.Events-1)/l.Rate.Events) * l.Rate.Per
	case Counter:
		return time.Duration(l.burst()+1) * l.width()
	default:
		return l.Rate.Per
	}
}

// interval returns the nanoseconds in which n events come back to a gcra.
func (l *Limit) interval(n int) *big.Rat {
	r := big.NewRat(int64(l.Rate.Per), int64(l.Rate.Events))
	return r.Mul(r, new(big.Rat).SetInt64(int64(n)))
}

// ceil returns nanoseconds rounded up.
func ceil(r *big.Rat) time.Duration {
	whole, rest := new(big.Int).QuoRem(r.Num(), r.Denom(), new(big.Int))
	return time.Duration(whole.Int64() + int64(rest.Sign()))
}
