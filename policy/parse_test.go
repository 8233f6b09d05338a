package policy_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/policy"
)

// full uses every field.
const full = `{
	"name": "full",
	"costs": [{"n": 3}, {"match": ["POST /v1/batches"], "n": 0}],
	"rules": [{
		"name": "api",
		"match": ["GET /v1/{name}", "/v2/"],
		"when": ["user", "!banned", "plan=free|trial", "client!=a"],
		"key": ["user|ip", "route"],
		"missing": "share",
		"limits": [
			{"name": "minute", "rate": "90/min", "as": "gcra", "burst": 10, "shown": "60/min"},
			{"name": "tokens", "rate": "90000/5m", "as": "interval", "of": "tokens", "hidden": true},
			{"name": "failures", "rate": "20/hour", "as": "log", "count": ["401", "5xx"]}
		],
		"ladder": [
			{"after": 1, "do": "log"},
			{"after": 3, "within": "1h30m", "do": "throttle", "to": "1/s", "for": "10m"},
			{"after": 9, "within": "7d", "do": "block", "for": "1h", "who": ["client|ip"]}
		],
		"mode": "watch"
	}, {"name": "free", "match": ["/health"], "mode": "exempt"}],
	"overrides": [
		{"match": ["/v2/"], "when": ["client=big"], "limit": "api/minute", "rate": "900/min", "shown": "600/min", "burst": 20},
		{"when": ["user=7"], "limit": "failures", "unlimited": true}
	]
}`

func TestParse(t *testing.T) {
	rate := func(s string) *ratelimit.Rate {
		r, err := ratelimit.ParseRate(s)
		require.NoError(t, err)
		return &r
	}
	want := policy.Policy{
		Name:  "full",
		Costs: []policy.Cost{{N: 3}, {Match: []string{"POST /v1/batches"}, N: 0}},
		Rules: []policy.Rule{{
			Name:    "api",
			Match:   []string{"GET /v1/{name}", "/v2/"},
			When:    []string{"user", "!banned", "plan=free|trial", "client!=a"},
			Key:     []string{"user|ip", "route"},
			Missing: "share",
			Limits: []policy.Limit{
				{Name: "minute", Rate: ratelimit.PerMinute(90), As: policy.GCRA, Burst: 10, Shown: rate("60/min")},
				{Name: "tokens", Rate: ratelimit.Per(90000, 5*time.Minute), As: policy.Interval, Of: "tokens", Hidden: true},
				{Name: "failures", Rate: ratelimit.PerHour(20), As: policy.Log, Count: []string{"401", "5xx"}},
			},
			Ladder: []policy.Step{
				{After: 1, Do: "log"},
				{After: 3, Within: policy.Span(90 * time.Minute), Do: "throttle", To: rate("1/s"), For: policy.Span(10 * time.Minute)},
				{After: 9, Within: policy.Span(7 * 24 * time.Hour), Do: "block", For: policy.Span(time.Hour), Who: []string{"client|ip"}},
			},
			Mode: policy.Watch,
		}, {Name: "free", Match: []string{"/health"}, Mode: policy.Exempt}},
		Overrides: []policy.Override{
			{Match: []string{"/v2/"}, When: []string{"client=big"}, Limit: "api/minute", Rate: rate("900/min"), Shown: rate("600/min"), Burst: 20},
			{When: []string{"user=7"}, Limit: "failures", Unlimited: true},
		},
	}
	got, err := policy.Parse([]byte(full))
	require.NoError(t, err)
	require.Equal(t, want, got)

	document, err := json.Marshal(want)
	require.NoError(t, err)
	require.JSONEq(t, full, string(document))
	again, err := policy.Parse(document)
	require.NoError(t, err)
	require.Equal(t, want, again)

	// As a part of another document.
	var outer struct{ Policy policy.Policy }
	require.NoError(t, json.Unmarshal([]byte(`{"policy": `+full+`}`), &outer))
	require.Equal(t, want, outer.Policy)
	require.Error(t, json.Unmarshal([]byte(`{"policy": null}`), &outer))
}
