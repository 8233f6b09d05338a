package policy_test

import (
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-3506548a/ratelimit/policy"
)

// P7: Done charges all that an amount turned out to be, also if it is far more than the burst, by
// each algorithm that keeps a debt, and beside overrides of any rate.
func TestP07AGreatDebtIsKept(t *testing.T) {
	if strconv.IntSize == 32 {
		t.Skip("a charge is at most 2^31-1 parts of an event here")
	}
	const all = 1_000_000
	for _, c := range []struct {
		rate, override string
		events         time.Duration // in a second
	}{
		{"1/s", "2/s", 1},
		{"1/s", "997/s", 1},
		{"7/s", "997/s", 7},
		{"60/min", "90/min", 1},
		{"420/min", "997/min", 7},
	} {
		for _, as := range []string{"gcra", "interval"} {
			if as == "interval" && c.rate != "1/s" { // it waits for whole periods
				continue
			}
			s := newScene(t, `"rules": [{"name": "api", "limits": [{"name": "tokens", "rate": "`+c.rate+`", "burst": 1, "as": "`+as+`", "of": "tokens"}]}],
				"overrides": [{"limit": "tokens", "when": ["plan=pro"], "rate": "`+c.override+`"}]`)
			require.True(t, s.decide(&policy.Request{Amounts: []policy.Amount{{Name: "tokens", N: 1}}}).OK)
			s.Done(&s.d, policy.Outcome{Amounts: []policy.Amount{{Name: "tokens", N: all}}})
			require.InDelta(t, all*time.Second/c.events, s.peek().RetryAfter, float64(time.Second), "%s %+v", as, c)
		}
	}
}
