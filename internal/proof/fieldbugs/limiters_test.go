package fieldbugs_test

import (
	"math"
	"math/big"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/burst"
	"github.com/seed-3506548a/ratelimit/fixedwindow"
	"github.com/seed-3506548a/ratelimit/gcra"
	"github.com/seed-3506548a/ratelimit/internal/proof/bounds"
	"github.com/seed-3506548a/ratelimit/keyed"
	"github.com/seed-3506548a/ratelimit/slidingwindow"
	"github.com/seed-3506548a/ratelimit/tokenbucket"
)

// limiter is a row of the tests. It grants a burst at once, and about the rate afterwards: a window
// has the burst as its limit, and the time that the rate takes for a burst as its length.
type limiter struct {
	name  string
	gives gives
	build func(rate ratelimit.Rate, size int, c ratelimit.Clock) (ratelimit.Limiter, error)
	bound func(rate ratelimit.Rate, size int) bounds.Bound
}

// gives is how used events come back.
type gives int

const (
	oneByOne  gives = iota // each event when the rate has made up for it
	inBatches              // so many at the end of each interval
	atAnEdge               // all at the end of the window
	whenOver               // each event when the window has moved on over it
	asMembers              // as the strictest of several
)

type set []limiter

var limiters = set{
	{"gcra", oneByOne, func(rate ratelimit.Rate, size int, c ratelimit.Clock) (ratelimit.Limiter, error) {
		return gcra.New(rate, size, ratelimit.WithClock(c))
	}, bounds.Bucket},
	{"gcra, striped", oneByOne, func(rate ratelimit.Rate, size int, c ratelimit.Clock) (ratelimit.Limiter, error) {
		return gcra.NewStriped(rate, size, ratelimit.WithClock(c))
	}, bounds.Bucket},
	{"tokenbucket", oneByOne, func(rate ratelimit.Rate, size int, c ratelimit.Clock) (ratelimit.Limiter, error) {
		return tokenbucket.New(rate, size, ratelimit.WithClock(c))
	}, bounds.Bucket},
	{"tokenbucket by interval", inBatches, func(rate ratelimit.Rate, size int, c ratelimit.Clock) (ratelimit.Limiter, error) {
		return tokenbucket.NewInterval(batches(rate, size), size, ratelimit.WithClock(c))
	}, func(rate ratelimit.Rate, size int) bounds.Bound {
		return bounds.Interval(batches(rate, size), size)
	}},
	{"anchored window", atAnEdge, func(rate ratelimit.Rate, size int, c ratelimit.Clock) (ratelimit.Limiter, error) {
		return fixedwindow.NewAnchored(window(rate, size), ratelimit.WithClock(c))
	}, windowBound},
	{"aligned window", atAnEdge, func(rate ratelimit.Rate, size int, c ratelimit.Clock) (ratelimit.Limiter, error) {
		return fixedwindow.NewAligned(window(rate, size), ratelimit.WithClock(c))
	}, windowBound},
	{"log", whenOver, func(rate ratelimit.Rate, size int, c ratelimit.Clock) (ratelimit.Limiter, error) {
		return slidingwindow.NewLog(window(rate, size), ratelimit.WithClock(c))
	}, slidingBound},
	// It counts its oldest bucket in full, so it refuses for up to a tenth of a window longer than
	// a log.
	{"counter", whenOver, func(rate ratelimit.Rate, size int, c ratelimit.Clock) (ratelimit.Limiter, error) {
		return slidingwindow.NewCounter(window(rate, size), 10, ratelimit.WithClock(c))
	}, slidingBound},
	{"burst", asMembers, func(rate ratelimit.Rate, size int, c ratelimit.Clock) (ratelimit.Limiter, error) {
		inner, err := gcra.New(rate, size, ratelimit.WithClock(c))
		if err != nil {
			return nil, err
		}
		peak := window(rate, size)
		peak.Per = (peak.Per + 1) / 2
		return burst.New(inner, peak)
	}, bounds.Bucket},
	{"all", asMembers, func(rate ratelimit.Rate, size int, c ratelimit.Clock) (ratelimit.Limiter, error) {
		bucket, err := tokenbucket.New(rate, size, ratelimit.WithClock(c))
		if err != nil {
			return nil, err
		}
		counted, err := fixedwindow.NewAnchored(window(rate, size), ratelimit.WithClock(c))
		if err != nil {
			return nil, err
		}
		return ratelimit.All(bucket, counted)
	}, bounds.Bucket},
	{"keyed table", oneByOne, func(rate ratelimit.Rate, size int, c ratelimit.Clock) (ratelimit.Limiter, error) {
		table, err := keyed.NewGCRA[string](rate, size, 8, keyed.WithClock(c))
		if err != nil {
			return nil, err
		}
		return table.Limiter("k"), nil
	}, tableBound},
	{"keyed windows", atAnEdge, func(rate ratelimit.Rate, size int, c ratelimit.Clock) (ratelimit.Limiter, error) {
		table, err := keyed.NewAlignedWindow[string](window(rate, size), 8, keyed.WithClock(c))
		if err != nil {
			return nil, err
		}
		return table.Limiter("k"), nil
	}, windowBound},
	{"keyed map", oneByOne, func(rate ratelimit.Rate, size int, c ratelimit.Clock) (ratelimit.Limiter, error) {
		m, err := newMap(rate, size, 8, c)
		if err != nil {
			return nil, err
		}
		return m.Limiter("k"), nil
	}, bounds.Bucket},
}

// newMap returns a map of buckets, or the error of making a bucket.
func newMap(rate ratelimit.Rate, size, capacity int, c ratelimit.Clock) (*keyed.Map[string], error) {
	bucket := func(string) (ratelimit.Limiter, error) { return gcra.New(rate, size, ratelimit.WithClock(c)) }
	if _, err := bucket(""); err != nil {
		return nil, err
	}
	return keyed.NewMap(capacity, bucket, keyed.WithClock(c))
}

// window returns the rate of a burst in the time that the rate takes for it, rounded up.
func window(rate ratelimit.Rate, size int) ratelimit.Rate {
	if rate.Events == 0 {
		return rate
	}
	length := new(big.Int).Mul(big.NewInt(int64(rate.Per)), big.NewInt(int64(size)))
	length.Sub(length, big.NewInt(1)).Div(length, big.NewInt(int64(rate.Events))).Add(length, big.NewInt(1))
	if !length.IsInt64() {
		return ratelimit.Per(size, math.MaxInt64)
	}
	return ratelimit.Per(size, time.Duration(length.Int64()))
}

// batches returns the rate in batches that fit into a bucket of that size.
func batches(rate ratelimit.Rate, size int) ratelimit.Rate {
	if rate.Events > size {
		return window(rate, size)
	}
	return rate
}

// windowBound is the limit times the number of windows that a closed interval may touch.
func windowBound(rate ratelimit.Rate, size int) bounds.Bound {
	w := window(rate, size)
	return bounds.Interval(w, w.Events)
}

// slidingBound is the limit times the number of half-open windows that cover a closed interval.
func slidingBound(rate ratelimit.Rate, size int) bounds.Bound {
	w := window(rate, size)
	return func(length time.Duration) *big.Int {
		return big.NewInt(int64(w.Events) * int64(1+length/w.Per))
	}
}

// tableBound is burst + length*rate + 1/m, where an event is m ticks.
func tableBound(rate ratelimit.Rate, size int) bounds.Bound {
	per, m := big.NewInt(int64(rate.Per)), min(256, int64(rate.Per)/int64(rate.Events))
	return func(length time.Duration) *big.Int {
		most := new(big.Int).Mul(big.NewInt(int64(length)), big.NewInt(int64(rate.Events)*m))
		most.Add(most, per).Div(most, new(big.Int).Mul(per, big.NewInt(m)))
		return most.Add(most, big.NewInt(int64(size)))
	}
}

// only returns the limiters whose events come back in one of these ways.
func (s set) only(ways ...gives) set {
	return slices.DeleteFunc(slices.Clone(s), func(l limiter) bool { return !slices.Contains(ways, l.gives) })
}

func (s set) named(names ...string) set {
	return slices.DeleteFunc(slices.Clone(s), func(l limiter) bool { return !slices.Contains(names, l.name) })
}

func (s set) except(names ...string) set {
	return slices.DeleteFunc(slices.Clone(s), func(l limiter) bool { return slices.Contains(names, l.name) })
}

var (
	reservers  = limiters.named("gcra", "tokenbucket", "tokenbucket by interval")
	changeable = limiters.named("gcra", "gcra, striped", "tokenbucket", "tokenbucket by interval", "anchored window", "aligned window", "log", "counter")
	refunding  = limiters.except("keyed table", "keyed windows")
)

// start is when limiters are made, and the beginning of an aligned window of every usual length.
var start = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// each runs f in a subtest for each limiter, made at start.
func each(t *testing.T, s set, rate ratelimit.Rate, size int, f func(t *testing.T, l *subject)) {
	t.Helper()
	eachAt(t, s, start, rate, size, f)
}

func eachAt(t *testing.T, s set, origin time.Time, rate ratelimit.Rate, size int, f func(t *testing.T, l *subject)) {
	t.Helper()
	for _, row := range s {
		t.Run(row.name, func(t *testing.T) {
			f(t, newSubject(t, row, origin, rate, size))
		})
	}
}

// eachWaiting runs f for each limiter on the system's clock in a synctest bubble, where time passes
// when all goroutines wait.
func eachWaiting(t *testing.T, s set, rate ratelimit.Rate, size int, f func(t *testing.T, l ratelimit.Limiter, row limiter)) {
	t.Helper()
	for _, row := range s {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f(t, ratelimit.Must(row.build(rate, size, ratelimit.SystemClock{})), row)
			})
		})
	}
}
