package table

import (
	"fmt"
	"math/big"

	"github.com/seed-3506548a/ratelimit"
)

// maxWindow limits the events of a window, so that what may be late is a few windows at least.
const maxWindow = 1 << 22

// Limit is a rate and a burst for keys of a [Table]. [Table.Limit] makes one. The zero Limit
// refuses every event.
type Limit struct {
	table    *Table
	rate     ratelimit.Rate
	burst    int
	most     int    // the most events at once: burst, or 0 at a rate of 0
	perEvent uint64 // ticks
	depth    uint64 // most * perEvent: the most debt after a grant
}

// Rate returns the rate that the limit was made with.
func (l Limit) Rate() ratelimit.Rate { return l.rate }

// Burst returns the burst that the limit was made with.
func (l Limit) Burst() int { return l.burst }

// Limit returns the limit in the table's ticks. Errors name the function fn.
func (t *Table) Limit(fn string, rate ratelimit.Rate, burst int) (Limit, error) {
	s := &t.scale
	refuse := func(field string, value any, format string, args ...any) (Limit, error) {
		return Limit{}, &ratelimit.ArgumentError{Func: fn, Field: field, Value: value, Want: fmt.Sprintf(format, args...)}
	}
	if err := checkRate(fn, rate); err != nil {
		return Limit{}, err
	}
	if burst < 1 || burst > maxEvents {
		return refuse("burst", burst, "1 to %d", maxEvents)
	}
	l := Limit{table: t, rate: rate, burst: burst, most: burst, perEvent: 1}
	switch {
	case s.aligned && rate.Per != s.rate.Per:
		return refuse("rate.Per", rate.Per, "%v, the table's windows", s.rate.Per)
	case s.aligned && rate.Events > s.rate.Events:
		return refuse("rate.Events", rate.Events, "at most %d, as the table was made", s.rate.Events)
	case s.aligned && burst != max(rate.Events, 1):
		return refuse("burst", burst, "%d, the events of a window", max(rate.Events, 1))
	}
	if rate.Events == 0 {
		l.most = 0
		return l, nil
	}
	if !s.aligned {
		// Per/Events in ticks: of the table's rate, ticksPerEvent are Per/Events; without one, a
		// tick is a ns.
		interval := big.NewRat(int64(rate.Per), int64(rate.Events))
		if s.rate.Events > 0 {
			interval.Mul(interval, big.NewRat(int64(s.rate.Events), int64(s.rate.Per)))
			interval.Mul(interval, new(big.Rat).SetInt64(int64(ticksPerEvent(s.rate))))
		}
		up := new(big.Int).Add(interval.Num(), new(big.Int).Sub(interval.Denom(), big.NewInt(1)))
		up.Quo(up, interval.Denom())
		if !up.IsUint64() || up.Uint64() > maxDepth {
			return refuse("rate", rate, "a rate at which an event drains within 2^38 of the table's ticks")
		}
		l.perEvent = up.Uint64()
		if own := ticksPerEvent(s.rate); l.perEvent < 16 && (!interval.IsInt() || l.perEvent < own) {
			return refuse("rate", rate, "at most %s: make the table for the fastest limit", s.fastest())
		}
	}
	if most := maxDepth / l.perEvent; uint64(burst) > most {
		return refuse("burst", burst, "at most %d at this rate: 2^38 of the table's ticks", most)
	}
	l.depth = uint64(burst) * l.perEvent
	return l, nil
}

// checkRate checks what both kinds of tables demand of a rate.
func checkRate(fn string, rate ratelimit.Rate) error {
	switch {
	case rate.Events < 0 || rate.Events > maxEvents:
		return &ratelimit.ArgumentError{Func: fn, Field: "rate.Events", Value: rate.Events, Want: fmt.Sprintf("0 to %d", maxEvents)}
	case rate.Per <= 0:
		return &ratelimit.ArgumentError{Func: fn, Field: "rate.Per", Value: rate.Per, Want: "more than 0s"}
	case int64(rate.Events) > int64(rate.Per):
		return &ratelimit.ArgumentError{Func: fn, Field: "rate", Value: rate, Want: "at most one event a nanosecond"}
	}
	return nil
}
