package simulate

import (
	"fmt"
	"iter"
	"math"
	"math/rand/v2"
	"time"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/policy"
)

// Request is a request of a trace, for a [Judge]. Its slices are not changed: several requests may
// share them.
type Request struct {
	At time.Time

	// Key is who makes it: what reports count by, and what a limit for each key goes by.
	Key string

	// The others are as in [policy.Request] and [policy.Outcome].
	Method, Path string
	Cost         int
	Attrs        []policy.Attr
	Amounts      []policy.Amount
	Status       int

	number int   // of the key among those of a generator, from 1; 0: not known
	key    int32 // of the key among those of a Run, from 1; 0: not known
}

// Crowded gives each of the events a key of so many, and all else as a request has it: the key is
// the value of each of the attributes. The keys are "1", "2" and so on. Of keys whose number is n
// times as large, each makes 1/n^skew as many requests: all the same at a skew of 0, and as users
// of most services at about 1. The same arguments give the same keys.
//
// The error is a [*ratelimit.ArgumentError] unless 1 <= keys <= 2^24 and 0 <= skew <= 3.
func Crowded(events iter.Seq[Event], keys int, skew float64, seed uint64, as Request, attributes ...string) (iter.Seq[Request], error) {
	const fn, mostKeys = "simulate.Crowded", 1 << 24
	if keys < 1 || keys > mostKeys {
		return nil, &ratelimit.ArgumentError{Func: fn, Field: "keys", Value: keys, Want: fmt.Sprintf("1 to %d", mostKeys)}
	}
	if !(skew >= 0 && skew <= 3) {
		return nil, &ratelimit.ArgumentError{Func: fn, Field: "skew", Value: skew, Want: "0 to 3"}
	}
	names, each := make([]string, keys), len(attributes)+len(as.Attrs)
	attrs := make([]policy.Attr, 0, keys*each)
	for i := range names {
		names[i] = fmt.Sprint(i + 1)
		for _, attribute := range attributes {
			attrs = append(attrs, policy.Attr{Name: attribute, Value: names[i]})
		}
		attrs = append(attrs, as.Attrs...)
	}
	return func(yield func(Request) bool) {
		random := rand.New(rand.NewPCG(seed, 1))
		for e := range events {
			i := skewed(random, keys, skew)
			r := as
			r.At, r.Key, r.number, r.Attrs = e.At, names[i], i+1, attrs[i*each:(i+1)*each:(i+1)*each]
			if e.N != 1 {
				r.Cost = e.N
			}
			if !yield(r) {
				return
			}
		}
	}, nil
}

// skewed returns a number below n, each x of which is as likely as the integral of 1/x^skew from
// x+1 to x+2.
func skewed(random *rand.Rand, n int, skew float64) int {
	if skew == 0 {
		return random.IntN(n)
	}
	u, end := random.Float64(), float64(n+1)
	var x float64
	if math.Abs(skew-1) < 1e-9 {
		x = math.Exp(u * math.Log(end))
	} else {
		x = math.Pow(1+u*(math.Pow(end, 1-skew)-1), 1/(1-skew))
	}
	return min(int(x), n) - 1
}

// From returns events as requests without a key: all are of one.
func From(events iter.Seq[Event]) iter.Seq[Request] {
	return func(yield func(Request) bool) {
		for e := range events {
			if !yield(Request{At: e.At, Cost: e.N}) {
				return
			}
		}
	}
}
