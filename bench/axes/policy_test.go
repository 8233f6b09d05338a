package axes_test

import (
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/keyed"
	"github.com/seed-3506548a/ratelimit/policy"
)

// twoLimits is a rule of two gcra limits; more is added behind it.
const twoLimits = `{"rules": [{"name": "api", "key": ["user"], "limits": [
	{"name": "minute", "rate": "60/min", "as": "gcra", "burst": 1000000},
	{"name": "hour", "rate": "3000/h", "as": "gcra", "burst": 1000000}]%s}]%s}`

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

// BenchmarkPolicy measures Decide of an engine beside the same limits by hand: two Takes of two
// tables. Keys come at random, and each was seen before.
func BenchmarkPolicy(b *testing.B) {
	keys := *keys
	all := make([]string, keys)
	for i := range all {
		all[i] = "user-" + strconv.Itoa(i*7919%keys)
	}
	suffix := "/keys=" + strconv.Itoa(keys)
	b.Run("limits=2-tables"+suffix, func(b *testing.B) {
		minute := ratelimit.Must(keyed.NewGCRA[string](ratelimit.PerMinute(60), 1_000_000, keys))
		hour := ratelimit.Must(keyed.NewGCRA[string](ratelimit.PerHour(3000), 1_000_000, keys))
		for _, k := range all {
			minute.Take(k, 1)
			hour.Take(k, 1)
		}
		for i := 0; b.Loop(); i++ {
			k := all[i%keys]
			if !minute.Take(k, 1).OK || !hour.Take(k, 1).OK {
				b.Fatal("refused")
			}
		}
	})
	const ladder = `, "ladder": [{"after": 3, "within": "1h", "do": "block", "for": "1m"}]`
	for _, row := range []struct {
		name, document string
		struck         bool
	}{
		{"2", fmt.Sprintf(twoLimits, "", ""), false},
		{"2-and-a-ladder", fmt.Sprintf(twoLimits, ladder, ""), false},
		{"2-and-a-strike-for-each-key", fmt.Sprintf(twoLimits, ladder, ""), true},
		{"2-and-100-overrides", fmt.Sprintf(twoLimits, "", hundred()), false},
		{"1-of-10-rules", ten(), false},
	} {
		b.Run("limits="+row.name+suffix, func(b *testing.B) {
			p, err := policy.Parse([]byte(row.document))
			require.NoError(b, err)
			e, err := policy.New(p, keys)
			require.NoError(b, err)
			var d policy.Decision
			attrs := []policy.Attr{{Name: "user"}}
			r := policy.Request{Method: "GET", Path: "/v1/letters/7", Attrs: attrs}
			for _, attrs[0].Value = range all {
				e.Decide(&r, &d)
				if row.struck {
					r.Cost = 1_000_000
					e.Decide(&r, &d)
					r.Cost = 0
				}
			}
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				attrs[0].Value = all[i%keys]
				if e.Decide(&r, &d); !d.OK || len(d.Standings) == 0 {
					b.Fatalf("%+v", d)
				}
			}
		})
	}
}
