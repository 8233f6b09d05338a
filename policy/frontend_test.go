package policy_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-3506548a/ratelimit/limittest"
	"github.com/seed-3506548a/ratelimit/policy"
)

// engineFor returns an engine of the policy.
func engineFor(t *testing.T, document string, opts ...policy.Option) *policy.Engine {
	t.Helper()
	p, err := policy.Parse([]byte(document))
	require.NoError(t, err)
	e, err := policy.New(p, 10, opts...)
	require.NoError(t, err)
	return e
}

func TestAttributesAreThoseOfConditionsAndKeys(t *testing.T) {
	p, err := policy.Parse([]byte(`{
		"rules": [
			{"name": "api", "when": ["plan=free|trial", "!banned"], "key": ["user|ip", "route"],
				"limits": [{"name": "minute", "rate": "60/min", "as": "gcra"}],
				"ladder": [{"after": 1, "do": "block", "for": "1m", "who": ["client"]}]}
		],
		"overrides": [{"when": ["token!=a"], "limit": "minute", "rate": "90/min"}]
	}`))
	require.NoError(t, err)
	require.Equal(t, []string{"banned", "client", "ip", "plan", "route", "token", "user"}, p.Attributes())

	all, err := policy.Parse([]byte(`{"rules": [{"name": "all", "limits": [{"name": "minute", "rate": "60/min", "as": "gcra"}]}]}`))
	require.NoError(t, err)
	require.Empty(t, all.Attributes())
}

func TestVersionChangesWithThePolicy(t *testing.T) {
	c := limittest.NewClock(time.Unix(0, 0))
	e := engineFor(t, `{"rules": [{"name": "all", "limits": [{"name": "minute", "rate": "60/min", "as": "gcra"}]}]}`, policy.WithClock(c))
	require.Same(t, c, e.Clock())
	before := e.Version()
	var d policy.Decision
	e.Decide(&policy.Request{}, &d)
	require.Same(t, before, e.Version())
	require.Error(t, e.Replace(policy.Policy{}))
	require.Same(t, before, e.Version(), "the old policy stays")
	require.NoError(t, e.Replace(e.Policy()))
	require.NotSame(t, before, e.Version())
}

func TestReducedIsWhatShowsMoreThanItGrants(t *testing.T) {
	e := engineFor(t, `{"rules": [{"name": "all", "limits": [
		{"name": "degraded", "rate": "30/min", "as": "gcra", "shown": "90/min"},
		{"name": "generous", "rate": "90/min", "as": "gcra", "shown": "30/min"},
		{"name": "plain", "rate": "90/min", "as": "gcra"}]}]}`)
	var d policy.Decision
	e.Decide(&policy.Request{}, &d)
	require.True(t, d.Standings[0].Reduced)
	require.False(t, d.Standings[1].Reduced)
	require.False(t, d.Standings[2].Reduced)
}
