package soak_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/internal/proof/bounds"
	"github.com/seed-3506548a/ratelimit/policy"
)

// kept is a limit that all policies of the soak have, and its bound. A rate that differs among them
// is bounded by the greatest.
type kept struct {
	path  string // whose requests it is for; "": all
	rule  string // %d is the least and the greatest rate, in turn
	rates [2]int
	room  int // more than it grants at once
	share bounds.Share
}

const (
	failures = 10   // in 2 s
	volume   = 5000 // bytes a second, and at once
)

var (
	pace    = ratelimit.PerSecond(30)
	address = ratelimit.PerSecond(70)
)

var limits = []kept{
	{"", `{"name": "everybody", "key": ["user|ip"], "limits": [{"name": "pace", "rate": "%d/s", "as": "gcra", "burst": 15}]}`,
		[2]int{30, 30}, 20, bounds.BucketShare(pace, 15+1.0/256)},
	{"/vary", `{"name": "vary", "match": ["/vary"], "key": ["user|ip"], "limits": [{"name": "vary", "rate": "%d/s", "as": "gcra", "burst": 8}]}`,
		[2]int{12, 18}, 20, bounds.BucketShare(ratelimit.PerSecond(18), 12+1.0/256)}, // 8 at 12/s are 667 ms, which are 12 at 18/s
	{"/aligned", `{"name": "aligned", "match": ["/aligned"], "key": ["user|ip"], "limits": [{"name": "aligned", "rate": "%d/s", "as": "aligned"}]}`,
		[2]int{15, 20}, 20, bounds.AlignedShare(ratelimit.PerSecond(20))},
	{"/anchored", `{"name": "anchored", "match": ["/anchored"], "key": ["user|ip"], "limits": [{"name": "anchored", "rate": "%d/s", "as": "anchored"}]}`,
		[2]int{20, 20}, 40, bounds.IntervalShare(ratelimit.PerSecond(20), 20)},
	{"/interval", `{"name": "interval", "match": ["/interval"], "key": ["user|ip"], "limits": [{"name": "interval", "rate": "%d/s", "as": "interval", "burst": 25}]}`,
		[2]int{20, 20}, 50, bounds.IntervalShare(ratelimit.PerSecond(20), 25)},
	{"/log", `{"name": "log", "match": ["/log"], "key": ["user|ip"], "limits": [{"name": "log", "rate": "%d/s", "as": "log"}]}`,
		[2]int{12, 16}, 20, bounds.SlidingShare(ratelimit.PerSecond(16))},
	{"/counter", `{"name": "counter", "match": ["/counter"], "key": ["user|ip"], "limits": [{"name": "counter", "rate": "%d/s", "as": "counter", "burst": 10}]}`,
		[2]int{15, 15}, 20, bounds.SlidingShare(ratelimit.PerSecond(15))},
	{"/strict", `{"name": "strict", "match": ["/strict"], "key": ["user|ip"], "limits": [{"name": "strict", "rate": "%d/s", "as": "gcra", "burst": 5}],
		"ladder": [{"after": 1, "do": "throttle", "to": "2/s", "for": "1s"}, {"after": 2, "within": "10s", "do": "block", "for": "2s"}]}`,
		[2]int{5, 5}, 10, bounds.BucketShare(ratelimit.PerSecond(5), 5+1.0/256)},
}

// policyAt returns the policy of the soak's n-th second.
func policyAt(t testing.TB, n int) policy.Policy {
	rules := []string{
		`{"name": "addresses", "key": ["ip"], "limits": [{"name": "address", "rate": "70/s", "as": "gcra", "burst": 30}]}`,
		fmt.Sprintf(`{"name": "failures", "match": ["/fail"], "key": ["user|ip"], "limits": [{"name": "failures", "rate": "%d/2s", "as": "log", "count": ["404"]}]}`, failures),
		fmt.Sprintf(`{"name": "volume", "match": ["/bytes"], "key": ["user|ip"], "limits": [{"name": "volume", "rate": "%d/s", "as": "gcra", "of": "bytes"}]}`, volume),
		`{"name": "tomorrow", "mode": "shadow", "key": ["user"], "missing": "skip", "limits": [{"name": "second", "rate": "1/s", "as": "gcra"}]}`,
		// Under another name each second, with all that a rule can have.
		fmt.Sprintf(`{"name": "renamed-%d", "key": ["ip"], "limits": [{"name": "log", "rate": "65/s", "as": "log"}, {"name": "bucket", "rate": "65/s", "as": "gcra"}],
			"ladder": [{"after": 2, "within": "1m", "do": "throttle", "to": "50/s", "for": "1s"}]}`, n),
	}
	for i, l := range limits {
		rules = append(rules, fmt.Sprintf(l.rule, l.rates[(n+i)%2]))
	}
	if n%3 == 0 {
		rules = append(rules, `{"name": "seasonal", "match": ["/free"], "key": ["user|ip"], "limits": [{"name": "season", "rate": "25/s", "as": "anchored"}]}`)
	}
	overrides := ""
	if n%4 == 1 {
		overrides = `, "overrides": [{"when": ["user=rude-1"], "limit": "pace", "rate": "20/s", "burst": 10}, {"when": ["user=rude-2"], "limit": "log/log", "rate": "9/s"}]`
	}
	k := n % len(rules)
	rules = append(rules[k:], rules[:k]...)
	p, err := policy.Parse([]byte(`{"rules": [` + strings.Join(rules, ",\n") + `]` + overrides + `}`))
	require.NoError(t, err)
	return p
}
