package policy_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-3506548a/ratelimit/policy"
)

// explained has what the catalog has not.
const explained = `{
	"costs": [
		{"n": 2},
		{"match": ["POST /import"], "n": 50},
		{"match": ["GET /ping"], "n": 0}
	],
	"rules": [{
		"name": "all",
		"limits": [
			{"name": "batches", "rate": "10/min", "as": "interval", "burst": 30},
			{"name": "rolling", "rate": "600/day", "as": "counter", "burst": 24},
			{"name": "even", "rate": "7/s", "as": "gcra", "burst": 5}
		]
	}, {
		"name": "guests",
		"match": ["/a", "/b", "/c", "/d", "/e", "/f", "/g", "/h", "/i", "/j"],
		"when": ["!user", "plan=trial|free", "client!=a|b"],
		"key": ["ip"],
		"missing": "skip",
		"limits": [{"name": "closed", "rate": "0/s", "as": "gcra"}, {"name": "logins", "rate": "5/min", "as": "gcra", "count": ["401"]}],
		"ladder": [{"after": 1, "within": "1d", "do": "log"}, {"after": 1, "do": "throttle", "to": "90/min", "for": "1m"}]
	}, {
		"name": "monitored",
		"when": ["client"],
		"key": ["client"],
		"mode": "shadow",
		"limits": [{"name": "hour", "rate": "50/hour", "as": "log"}],
		"ladder": [{"after": 2, "within": "1h", "do": "revoke", "who": ["user|ip", "client"]}]
	}, {
		"name": "internal",
		"when": ["internal"],
		"mode": "exempt"
	}],
	"overrides": [
		{"limit": "all/even", "match": ["/v2/"], "rate": "70/s", "shown": "60/s"},
		{"limit": "even", "when": ["plan=pro"], "burst": 100},
		{"limit": "even", "when": ["client=admin"], "unlimited": true},
		{"limit": "batches", "when": ["plan=pro"], "rate": "20/min"},
		{"limit": "rolling", "when": ["plan=none"], "rate": "0/day"}
	]
}`

// unnamed begins with its only rule, which is for all requests and has no key. An override makes it
// no limit for some.
const unnamed = `{
	"rules": [{
		"name": "open",
		"limits": [{"name": "slow", "rate": "1/min", "as": "gcra"}],
		"ladder": [
			{"after": 2, "within": "1h", "do": "throttle", "to": "1/ns", "for": "1h"},
			{"after": 3, "within": "1h", "do": "block", "for": "1h"}
		]
	}],
	"overrides": [{"limit": "slow", "unlimited": true, "match": ["/a", "/b", "/c", "/d", "/e", "/f", "/g", "/h"]}]
}`

// overridden has one cost, which is more than some limits grant, and as many overrides of a limit
// as are listed, one more, and two more. They are of limits that count amounts and responses, too.
const overridden = `{
	"costs": [{"n": 25}],
	"rules": [{
		"name": "counted",
		"key": ["user"],
		"limits": [
			{"name": "tokens", "rate": "20/min", "as": "log", "of": "tokens"},
			{"name": "failures", "rate": "20/min", "as": "log", "count": ["401"]},
			{"name": "even", "rate": "1/min", "as": "gcra"},
			{"name": "often", "rate": "30/min", "as": "log"}
		]
	}],
	"overrides": [
		{"limit": "tokens", "when": ["plan=0"], "rate": "30/min"},
		{"limit": "tokens", "when": ["plan=1"], "unlimited": true},
		{"limit": "tokens", "when": ["plan=2"], "unlimited": true},
		{"limit": "tokens", "when": ["plan=3"], "unlimited": true},
		{"limit": "tokens", "when": ["plan=4"], "unlimited": true},
		{"limit": "tokens", "when": ["plan=5"], "unlimited": true},
		{"limit": "tokens", "when": ["plan=6"], "unlimited": true},
		{"limit": "tokens", "when": ["plan=7"], "unlimited": true},
		{"limit": "failures", "when": ["plan=0"], "rate": "30/min"},
		{"limit": "failures", "when": ["plan=1"], "unlimited": true},
		{"limit": "failures", "when": ["plan=2"], "unlimited": true},
		{"limit": "failures", "when": ["plan=3"], "unlimited": true},
		{"limit": "failures", "when": ["plan=4"], "unlimited": true},
		{"limit": "failures", "when": ["plan=5"], "unlimited": true},
		{"limit": "failures", "when": ["plan=6"], "unlimited": true},
		{"limit": "failures", "when": ["plan=7"], "unlimited": true},
		{"limit": "failures", "when": ["plan=8"], "unlimited": true},
		{"limit": "often", "when": ["plan=0"], "unlimited": true},
		{"limit": "often", "when": ["plan=1"], "unlimited": true},
		{"limit": "often", "when": ["plan=2"], "unlimited": true},
		{"limit": "often", "when": ["plan=3"], "unlimited": true},
		{"limit": "often", "when": ["plan=4"], "unlimited": true},
		{"limit": "often", "when": ["plan=5"], "unlimited": true},
		{"limit": "often", "when": ["plan=6"], "unlimited": true},
		{"limit": "often", "when": ["plan=7"], "unlimited": true},
		{"limit": "often", "when": ["plan=8"], "unlimited": true},
		{"limit": "often", "when": ["plan=9"], "unlimited": true},
		{"limit": "even", "when": ["plan=0"], "rate": "2/h"}
	]
}`

// TestExplain compares with testdata; package catalog does so for its policies.
func TestExplain(t *testing.T) {
	for file, document := range map[string]string{"explained": explained, "explained-unnamed": unnamed, "explained-overridden": overridden} {
		p, err := policy.Parse([]byte(document))
		require.NoError(t, err)
		file = "testdata/" + file + ".txt"
		if *update {
			require.NoError(t, os.WriteFile(file, []byte(p.Explain()), 0o600))
		}
		want, err := os.ReadFile(file)
		require.NoError(t, err)
		require.Equal(t, string(want), p.Explain())
	}
}

// TestExplainSaysWhatDoesNotCount is about policies without a rule that enforces, and that are not
// valid.
func TestExplainSaysWhatDoesNotCount(t *testing.T) {
	p, err := policy.Parse([]byte(explained))
	require.NoError(t, err)
	shadow := policy.Policy{Name: "b", Rules: []policy.Rule{p.Rules[2]}}
	require.Contains(t, shadow.Explain(), "Nothing is limited, as no rule enforces.\n")
	p.Rules[0].Limits[0].As = ""
	require.Contains(t, p.Explain(), "This policy is not valid.\npolicy: rules[0].limits[0].as is missing")
}

// TestExplainOfWhatRefusesNothing has rules watch, or in shadow: nothing that is said of them may
// say that they refuse.
func TestExplainOfWhatRefusesNothing(t *testing.T) {
	documents := []string{explained}
	files, err := filepath.Glob("catalog/*.json")
	require.NoError(t, err)
	require.Greater(t, len(files), 5)
	for _, file := range files {
		document, err := os.ReadFile(file)
		require.NoError(t, err)
		documents = append(documents, string(document))
	}
	for _, document := range documents {
		p, err := policy.Parse([]byte(document))
		require.NoError(t, err)
		for _, mode := range []policy.Mode{policy.Watch, policy.Shadow} {
			for i := range p.Rules {
				if p.Rules[i].Mode == policy.Exempt {
					continue
				}
				one := p
				one.Name, one.Costs, one.Overrides, one.Rules = "", nil, nil, []policy.Rule{p.Rules[i]}
				one.Rules[0].Mode = mode
				text, _, _ := strings.Cut(one.Explain(), "\n\n") // without what the whole policy does
				require.NotContains(t, text, "refuse", mode)
				require.Contains(t, text, "granted all the same")
				one.Rules[0].Ladder = []policy.Step{{After: 1, Do: "block", For: policy.Span(1)}}
				last := "Nothing is limited, as no rule enforces.\n"
				if mode == policy.Watch {
					last = "No rule enforces: only blocked and throttled requests are refused.\n"
				}
				require.True(t, strings.HasSuffix(one.Explain(), last), one.Explain())
			}
		}
	}
}
