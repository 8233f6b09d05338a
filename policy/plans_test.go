package policy_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/limittest"
	"github.com/seed-3506548a/ratelimit/policy"
)

// TestAnotherPlan holds what docs/policy.md says of a user that changes the plan: of what it has
// used up, what is left by another limit, or how long it is refused at most.
func TestAnotherPlan(t *testing.T) {
	for _, row := range []struct {
		limit, pro string // without its name
		up, down   string
	}{
		{`"as": "gcra"`, ``, "refused for 100ms", "refused for 1s"},
		{`"as": "gcra", "of": "n"`, ``, "refused for 100ms", "refused for 1s"},
		{`"as": "gcra", "burst": 10`, ``, "refused for 9.1s", "9 left"},
		{`"as": "gcra", "burst": 10`, `, "burst": 100`, "refused for 100ms", "refused for 1s"},
		{`"as": "interval"`, ``, "540 left", "refused for 1m0s"},
		{`"as": "anchored"`, ``, "540 left", "refused for 1m0s"},
		{`"as": "aligned"`, ``, "540 left", "refused for 1m0s"},
		{`"as": "log"`, ``, "540 left", "refused for 1m0s"},
		{`"as": "counter"`, ``, "540 left", "refused for 1m6s"},
	} {
		t.Run(row.limit+row.pro, func(t *testing.T) {
			p, err := policy.Parse(fmt.Appendf(nil, `{
				"rules": [{"name": "api", "key": ["user"], "limits": [{"name": "minute", "rate": "60/min", %s}]}],
				"overrides": [{"when": ["plan=pro"], "limit": "minute", "rate": "600/min"%s}]
			}`, row.limit, row.pro))
			require.NoError(t, err)
			ask := func(from, to string) string {
				clock := limittest.NewClock(time.Date(2026, 3, 2, 8, 0, 0, 0, time.UTC))
				engine := ratelimit.Must(policy.New(p, 10, policy.WithClock(clock)))
				request := func(plan string) *policy.Request {
					return &policy.Request{Path: "/", Attrs: []policy.Attr{{Name: "user", Value: "7"}, {Name: "plan", Value: plan}}, Amounts: []policy.Amount{{Name: "n", N: 1}}}
				}
				var d policy.Decision
				for d.OK = true; d.OK; {
					engine.Decide(request(from), &d)
				}
				if engine.Decide(request(to), &d); d.OK {
					return fmt.Sprint(d.Standings[0].Remaining+1, " left")
				}
				return fmt.Sprint("refused for ", d.RetryAfter)
			}
			require.Equal(t, row.up, ask("free", "pro"))
			require.Equal(t, row.down, ask("pro", "free"))
		})
	}
}

// P2: a key's limiter is as large as the largest bound in each respect. So it grows once for a plan
// with a faster rate and a smaller burst, and what is granted after that can be given back,
// whichever plan asks meanwhile.
func TestP02ALimiterGrowsInEachRespect(t *testing.T) {
	s := newScene(t, `"rules": [{"name": "api", "key": ["user"], "limits": [{"name": "jobs", "rate": "1/h", "as": "interval", "burst": 10}]}],
		"overrides": [{"limit": "jobs", "when": ["plan=pro"], "rate": "3/h", "burst": 5}]`)
	s.pass(1, "user=7")
	s.pass(1, "user=7", "plan=pro")
	s.at(2*time.Hour).pass(1, "user=7", "plan=pro")
	granted := s.d.Clone()
	require.Equal(t, 9, s.remaining("jobs", "user=7"))
	s.Undo(&granted)
	require.Equal(t, 10, s.remaining("jobs", "user=7"))
}
