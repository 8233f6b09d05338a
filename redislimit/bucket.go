package redislimit

import (
	_ "embed"
	"fmt"
	"math"
	"math/bits"
	"strconv"
	"time"

	"github.com/seed-3506548a/ratelimit"
)

//go:embed bucket.lua
var bucketSource string

var bucketScript = newScript(bucketSource)

//go:embed take.lua
var takeSource string

var takeScript = newScript(takeSource)

const (
	maxEvents = math.MaxInt32

	// maxDepth is how many ticks a full burst has at most. As many again can be owed, so that all
	// numbers of the script are below 2^53.
	maxDepth = 1 << 51
)

// bucket is a rate and a burst, counted in ticks: a microsecond and an event are both whole numbers
// of them.
type bucket struct {
	rate  ratelimit.Rate
	burst int

	perMicro, perEvent, depth, most uint64 // in ticks; 0 at a rate of 0
}

func checkBucket(fn, of string, rate ratelimit.Rate, burst int) error {
	refuse := func(field string, value any, want string) error {
		return &ratelimit.ArgumentError{Func: fn, Field: of + field, Value: value, Want: want}
	}
	switch {
	case rate.Events < 0 || rate.Events > maxEvents:
		return refuse("rate.Events", rate.Events, "0 to 2147483647")
	case rate.Per <= 0:
		return refuse("rate.Per", rate.Per, "more than 0s")
	case burst < 1 || burst > maxEvents:
		return refuse("burst", burst, "1 to 2147483647")
	case rate.Events == 0:
		return nil
	}
	micros := ceilDiv(uint64(rate.Per), 1000*uint64(rate.Events)) // of an event
	if most := maxDepth / micros; uint64(burst) > most {
		return refuse("burst", burst, fmt.Sprintf("at most %d: burst * ceil(rate.Per in us / rate.Events) <= 2^51 us (71 years)", most))
	}
	return nil
}

// newBucket returns the bucket of checked arguments. If a full burst would be too many ticks, they
// are coarser, and an event is rounded up to whole ones.
func newBucket(rate ratelimit.Rate, burst int) bucket {
	b := bucket{rate: rate, burst: burst}
	if rate.Events == 0 {
		return b
	}
	events, per := 1000*uint64(rate.Events), uint64(rate.Per)
	g := gcd(events, per)
	b.perMicro, b.perEvent = events/g, per/g
	if hi, lo := bits.Mul64(uint64(burst), b.perEvent); hi != 0 || lo > maxDepth {
		b.perMicro = max(mulDiv(maxDepth/uint64(burst)-1, events, per), 1)
		b.perEvent = mulDivCeil(b.perMicro, per, events)
	}
	b.depth = uint64(burst) * b.perEvent
	b.most = maxDepth + b.depth
	return b
}

// take returns what the script for one request has to know.
func (b *bucket) take(n int) []string {
	text := func(v uint64) string { return strconv.FormatUint(v, 10) }
	scale, cost := text(b.perMicro), uint64(n)*b.perEvent
	return []string{scale, scale + " " + text(b.perEvent) + " ;", text(b.depth - cost), text(cost / b.perMicro), text(cost % b.perMicro)}
}

// owed returns what is owed, in ticks, of so many microseconds and ticks; at most 2^63, which only
// a clock that was set back by far can exceed.
func (b *bucket) owed(micros, ticks int64) uint64 {
	const most = 1 << 63
	hi, lo := bits.Mul64(uint64(max(micros, 0)), b.perMicro)
	lo, carry := bits.Add64(lo, uint64(ticks), 0)
	if hi+carry != 0 || lo > most {
		return most
	}
	return lo
}

// fits reports whether n events can be granted, for 0 < n <= burst.
func (b *bucket) fits(owed uint64, n int) bool { return owed+uint64(n)*b.perEvent <= b.depth }

// decide sets d to the decision on n events that left so much owed.
func (b *bucket) decide(d *ratelimit.Decision, owed uint64, n int, ok bool) {
	*d = ratelimit.Decision{OK: ok, Limit: b.burst, Remaining: int((b.depth - min(owed, b.depth)) / b.perEvent), ResetAfter: b.wait(owed)}
	switch {
	case ok:
	case n < 0 || n > b.burst:
		d.RetryAfter = ratelimit.Never
	default:
		d.RetryAfter = b.wait(owed + uint64(n)*b.perEvent - b.depth)
	}
}

// wait returns how long it takes until so many ticks have drained, rounded up.
func (b *bucket) wait(ticks uint64) time.Duration {
	return time.Duration(min(mulDivCeil(ticks, 1000, b.perMicro), math.MaxInt64))
}

// drained returns how many ticks drain in a time, rounded up.
func (b *bucket) drained(d time.Duration) uint64 { return mulDivCeil(uint64(d), b.perMicro, 1000) }

// keeps returns an error unless a full burst of the bucket before can be owed.
func (b *bucket) keeps(fn, of string, before *bucket) error {
	if hi, lo := bits.Mul64(uint64(before.burst), b.perEvent); hi != 0 || lo > maxDepth {
		return &ratelimit.ArgumentError{Func: fn, Field: of + "rate", Value: b.rate,
			Want: fmt.Sprintf("one at which the %d events that may be owed take at most 2^51 ticks, or 0", before.burst)}
	}
	return nil
}

func (b *bucket) args(to []string) []string {
	for _, ticks := range []uint64{b.perMicro, b.perEvent, b.depth, b.most} {
		to = append(to, strconv.FormatUint(ticks, 10))
	}
	return to
}

// ceilDiv returns a/b rounded up; a + b must be below 2^64.
func ceilDiv(a, b uint64) uint64 { return (a + b - 1) / b }

// mulDiv returns a*b/c rounded down, which must be below 2^64.
func mulDiv(a, b, c uint64) uint64 {
	hi, lo := bits.Mul64(a, b)
	quotient, _ := bits.Div64(hi, lo, c)
	return quotient
}

// mulDivCeil returns a*b/c rounded up, or the greatest uint64 if that is less.
func mulDivCeil(a, b, c uint64) uint64 {
	hi, lo := bits.Mul64(a, b)
	if hi >= c {
		return math.MaxUint64
	}
	quotient, rest := bits.Div64(hi, lo, c)
	if rest > 0 && quotient < math.MaxUint64 {
		quotient++
	}
	return quotient
}

func gcd(a, b uint64) uint64 {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}
