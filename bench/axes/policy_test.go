package axes_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/gcra"
	"github.com/seed-3506548a/ratelimit/keyed"
	"github.com/seed-3506548a/ratelimit/policy"
)

// oneLimit is a rule of a gcra limit, and twoLimits of two; more is added behind it.
const (
	oneLimit = `{"rules": [{"name": "api", "key": ["user"], "limits": [
		{"name": "minute", "rate": "60/min", "as": "gcra", "burst": 1000000}]}]}`
	twoLimits = `{"rules": [{"name": "api", "key": ["user"], "limits": [
		{"name": "minute", "rate": "60/min", "as": "gcra", "burst": 1000000},
		{"name": "hour", "rate": "3000/h", "as": "gcra", "burst": 1000000}]%s}]%s}`
	aLadder = `, "ladder": [{"after": 3, "within": "1h", "do": "block", "for": "1m"}]`
)

// hundred is overrides for as many customers, none of whom asks.
func hundred() string {
	var all []string
	for i := range 100 {
		all = append(all, fmt.Sprintf(`{"when": ["user=customer-%d"], "limit": "hour", "rate": "6000/h"}`, i))
	}
	return `, "overrides": [` + strings.Join(all, ", ") + "]"
}

// ten is a rule for each of ten patterns, the last of which is for the request.
func ten() string {
	var all []string
	for i := range 10 {
		all = append(all, fmt.Sprintf(`{"name": "r%d", "match": ["GET /v1/%s/{id}"], "key": ["user"], "limits": [
			{"name": "minute", "rate": "60/min", "as": "gcra", "burst": 1000000}]}`, i, strings.Repeat("x", 9-i)+"letters"))
	}
	return `{"rules": [` + strings.Join(all, ", ") + "]}"
}

// BenchmarkPolicy measures Decide of an engine beside the same limits by hand, and a keyed.Map
// beside a keyed.Table. Keys come at random, in another order than that in which they were seen
// first. The metric x is how many times as long a row takes as another one does, in the median of
// its counts, and above by how many nanoseconds it takes longer: Decide with two limits than two
// Takes, with one than one, with ten rules than with one, and a hit of a Map than of a Table.
func BenchmarkPolicy(b *testing.B) {
	keys := *keys
	all := make([]string, keys)
	seen := rand.New(rand.NewPCG(5, 6)).Perm(keys)
	for i, n := range rand.New(rand.NewPCG(1, 2)).Perm(keys) {
		all[i] = "user-" + strconv.Itoa(n)
	}
	took := map[string][]float64{} // ns of an operation, of each count
	for _, row := range []struct {
		name, of string
		build    func(b *testing.B) func(key string) bool
	}{
		{"1-table", "", tables(keys, ratelimit.PerMinute(60))},
		{"1-map", "1-table", mapOf(keys, ratelimit.PerMinute(60))},
		{"2-tables", "", tables(keys, ratelimit.PerMinute(60), ratelimit.PerHour(3000))},
		{"2", "2-tables", decide(keys, fmt.Sprintf(twoLimits, "", ""), false)},
		{"2-and-a-ladder", "2-tables", decide(keys, fmt.Sprintf(twoLimits, aLadder, ""), false)},
		{"2-and-a-strike-for-each-key", "2-tables", decide(keys, fmt.Sprintf(twoLimits, aLadder, ""), true)},
		{"2-and-100-overrides", "2-tables", decide(keys, fmt.Sprintf(twoLimits, "", hundred()), false)},
		{"1", "1-table", decide(keys, oneLimit, false)},
		{"1-of-10-rules", "1", decide(keys, ten(), false)},
	} {
		var ask func(key string) bool
		b.Run("limits="+row.name+"/keys="+strconv.Itoa(keys), func(b *testing.B) {
			if ask == nil {
				ask = row.build(b)
				for _, i := range seen {
					require.True(b, ask(strings.Clone(all[i])))
				}
			}
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				if !ask(all[i%keys]) {
					b.Fatal("refused")
				}
			}
			ns := float64(b.Elapsed().Nanoseconds()) / float64(b.N)
			took[row.name] = append(took[row.name], ns)
			if other := took[row.of]; len(other) > 0 {
				slices.Sort(other)
				b.ReportMetric(ns/other[len(other)/2], "x")
				b.ReportMetric(ns-other[len(other)/2], "above")
			}
		})
	}
}

// tables takes from a table of each rate.
func tables(keys int, rates ...ratelimit.Rate) func(*testing.B) func(string) bool {
	return func(*testing.B) func(string) bool {
		var all []*keyed.Table[string]
		for _, rate := range rates {
			all = append(all, ratelimit.Must(keyed.NewGCRA[string](rate, 1_000_000, keys)))
		}
		return func(key string) bool {
			for _, t := range all {
				if !t.Take(key, 1).OK {
					return false
				}
			}
			return true
		}
	}
}

// mapOf takes from a map of gcra limiters.
func mapOf(keys int, rate ratelimit.Rate) func(*testing.B) func(string) bool {
	return func(*testing.B) func(string) bool {
		m := ratelimit.Must(keyed.NewMap(keys, func(string) (ratelimit.Limiter, error) { return gcra.New(rate, 1_000_000) }))
		return func(key string) bool { return m.Take(key, 1).OK }
	}
}

// decide asks an engine; if struck, each key gets a strike when it is first seen.
func decide(keys int, document string, struck bool) func(*testing.B) func(string) bool {
	return func(b *testing.B) func(string) bool {
		p, err := policy.Parse([]byte(document))
		require.NoError(b, err)
		e, err := policy.New(p, keys)
		require.NoError(b, err)
		var d policy.Decision
		attrs := []policy.Attr{{Name: "user"}}
		r := policy.Request{Method: "GET", Path: "/v1/letters/7", Attrs: attrs}
		first := keys
		return func(key string) bool {
			attrs[0].Value = key
			if first > 0 && struck {
				first--
				e.Decide(&r, &d)
				r.Cost = 1_000_000 // with the first one, one too many
				e.Decide(&r, &d)
				r.Cost = 0
				return !d.OK
			}
			e.Decide(&r, &d)
			return d.OK && len(d.Standings) > 0
		}
	}
}
