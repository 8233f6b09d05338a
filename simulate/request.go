package simulate

import (
	"fmt"
	"iter"
	"math"
	"math/rand/v2"
	"strconv"
	"strings"
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

	named  string // the key that a generator has given, which may have been changed since,
	number int32  // and its number there, from 1; 0: not known
	key    int32  // of the key among those of a Run, from 1; 0: not known
}

// generated reports whether the key is that of the number.
func (r *Request) generated() bool { return r.number > 0 && r.Key == r.named }

// kept returns a text of the request that can be kept: what is a part of a line keeps all of it.
func (r *Request) kept(text string) string {
	if r.generated() { // a generator keeps its texts
		return text
	}
	return strings.Clone(text)
}

// Crowded returns the events as requests of so many keys. A request is a copy of as, with a key
// that is also the value of each of the attributes. The keys are "1", "2" and so on. Of keys whose
// number is n times as large, each makes 1/n^skew as many requests: all the same at a skew of 0,
// and as users of most services at about 1. The same arguments give the same keys.
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
	all, hidden := attributes, 0
	if len(attributes) == 0 {
		all, hidden = []string{""}, 1
	}
	each := len(all) + len(as.Attrs)
	attrs := make([]policy.Attr, 0, keys*each) // the first of each key is its name, too: one place in memory for both
	for i := range keys {
		name := strconv.Itoa(i + 1)
		for _, attribute := range all {
			attrs = append(attrs, policy.Attr{Name: attribute, Value: name})
		}
		attrs = append(attrs, as.Attrs...)
	}
	pick := skewed(keys, skew)
	return func(yield func(Request) bool) {
		random := rand.New(rand.NewPCG(seed, 1))
		var picked [batch]int // ahead, and their names: what is far apart in memory is read at once
		var names [batch]string
		next := batch
		r := as
		for e := range events {
			if next == batch {
				next = 0
				for j := range picked {
					picked[j] = pick(random)
				}
				for j, i := range picked {
					names[j] = attrs[i*each].Value
				}
			}
			i, name := picked[next], names[next]
			next++
			of := attrs[i*each : (i+1)*each : (i+1)*each]
			r.At, r.Key, r.Attrs = e.At, name, of[hidden:]
			r.named, r.number = name, int32(i+1)
			if r.Cost = as.Cost; e.N != 1 {
				r.Cost = e.N
			}
			if !yield(r) {
				return
			}
		}
	}, nil
}

// skewed returns a source of numbers below n, each x of which is as likely as the integral of
// 1/x^skew from x+1 to x+2.
func skewed(n int, skew float64) func(random *rand.Rand) int {
	end := float64(n + 1)
	switch {
	case skew == 0:
		return func(random *rand.Rand) int { return random.IntN(n) }
	case math.Abs(skew-1) < 1e-9:
		log := math.Log(end)
		return func(random *rand.Rand) int { return min(int(math.Exp(random.Float64()*log)), n) - 1 }
	default:
		most, inverse := math.Pow(end, 1-skew)-1, 1/(1-skew)
		return func(random *rand.Rand) int { return min(int(math.Pow(1+random.Float64()*most, inverse)), n) - 1 }
	}
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
