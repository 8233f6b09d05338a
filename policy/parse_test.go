package policy_test

import (
	"bytes"
	"encoding/json"
	"math"
	"os"
	"strconv"
	"strings"
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

// FuzzParse never panics; says of each fault where it is and what would be right; and what it takes
// is the same when it is written and read again, and taken by the schema.
func FuzzParse(f *testing.F) {
	f.Add([]byte(full))
	text, err := os.ReadFile("testdata/malformed.txt")
	require.NoError(f, err)
	for section := range strings.SplitSeq(string(text), "=== ") {
		_, rest, _ := strings.Cut(section, "\n")
		document, _, _ := strings.Cut(rest, "---\n")
		f.Add([]byte(document))
	}
	f.Fuzz(func(t *testing.T, document []byte) {
		p, err := policy.Parse(document)
		if err == nil {
			written, writing := json.Marshal(p)
			require.NoError(t, writing)
			again, parsing := policy.Parse(written)
			require.NoError(t, parsing)
			require.Equal(t, p, again)
			require.NoError(t, p.Validate())
			require.NoError(t, check(t, document))
			require.NotEmpty(t, p.Explain())
			return
		}
		var faults *policy.Faults
		require.ErrorAs(t, err, &faults)
		require.NotEmpty(t, faults.List)
		lines := bytes.Count(document, []byte("\n")) + 1
		for _, fault := range faults.List {
			require.True(t, 1 <= fault.Line && fault.Line <= lines, "%v", fault)
			require.NotEmpty(t, fault.Is)
			require.NotEmpty(t, fault.Want)
		}
	})
}

func TestParseRefusesWhatIsNotText(t *testing.T) {
	for _, c := range []struct {
		document, want string
	}{
		{"{\n\"name\": \"\xff\"}", "line 2: the policy is not UTF-8, want a JSON document in UTF-8"},
		{"\xef\xbb\xbf{}", "line 1: the policy is not JSON (invalid character"},
		{strings.Repeat(" ", 1<<20) + full, "the policy is a document of " + strconv.Itoa(1<<20+len(full)) + " bytes, want at most 1048576"},
		{strings.Repeat("[", 100_000), "line 1: the policy is not JSON ("},
		{`{"a":` + strings.Repeat("[", 9000) + strings.Repeat("]", 9000) + "}", "line 1: a is not a field of a policy"},
		{`{"` + strings.Repeat("x", 100) + `": 1}`, `"` + strings.Repeat("x", 64) + `"... (100 bytes) is not a field`},
		{`{"$schema": 1}`, "line 1: $schema is 1, want the address of a JSON schema in quotes"},
		{`{"$schema": "a", "$schema": "b"}`, "line 1: $schema is there again, after line 1, want it once"},
	} {
		_, err := policy.Parse([]byte(c.document))
		require.ErrorContains(t, err, c.want)
	}
	_, err := policy.Parse([]byte("{\n\"name\": \"\xff\"}"))
	require.EqualError(t, err, "policy: line 2: the policy is not UTF-8, want a JSON document in UTF-8", "and nothing else is said of it")
	_, err = policy.Parse([]byte(strings.Replace(full, "{", `{"$schema": "schema.json",`, 1)))
	require.NoError(t, err)
}

// TestValidate is about values that no document has, and has no lines.
func TestValidate(t *testing.T) {
	limits := []policy.Limit{{Name: "a", Rate: ratelimit.PerSecond(1), As: policy.Log}}
	none := new(ratelimit.Rate)
	for _, c := range []struct {
		policy policy.Policy
		want   string
	}{
		{policy.Policy{}, "policy: rules is empty, want at least one rule; to limit nothing, one with mode exempt"},
		{policy.Policy{Costs: []policy.Cost{{N: -1}}}, "\n\tcosts[0].n is -1, want 0 to 2147483647\n\trules is empty"},
		{policy.Policy{Name: "a b"}, "name is \"a b\", want a name of"},
		{policy.Policy{Rules: []policy.Rule{{Name: "a", Limits: limits, Ladder: []policy.Step{{After: 1, Within: -1, Do: "revoke", For: math.MaxInt64}}}}},
			"policy: 2 faults:\n\trules[0].ladder[0].within is \"-1ns\", want more than 0s and at most 3285d\n\trules[0].ladder[0].for is \"106751d23h47m16s854ms775us807ns\", want"},
		{policy.Policy{Rules: []policy.Rule{{Name: "a", Limits: limits, Ladder: []policy.Step{{After: 1, Do: "throttle", For: 1, To: none}}}}},
			"rules[0].ladder[0].to is \"0/0ns\", want at least one event"},
		{policy.Policy{Rules: []policy.Rule{{Name: "a", Limits: limits, Ladder: []policy.Step{{After: 1, Do: "throttle", For: 1, To: &ratelimit.Rate{Events: 1}}}}}},
			"policy: rules[0].ladder[0].to is \"1/0ns\", want a period of more than 0s"},
		{policy.Policy{Rules: []policy.Rule{{Name: "a", Limits: limits}}, Overrides: []policy.Override{{Limit: "a", Rate: none}}},
			"overrides[0].rate is \"0/0ns\", want the period of the limit"},
		{policy.Policy{Rules: []policy.Rule{{Name: "a", Limits: make([]policy.Limit, 17)}}}, "rules[0].limits is 17 limits, want at most 16"},
		{policy.Policy{Rules: []policy.Rule{{Name: "a", Limits: limits, Ladder: make([]policy.Step, 17)}}}, "rules[0].ladder is 17 steps, want at most 16"},
	} {
		require.ErrorContains(t, c.policy.Validate(), c.want)
	}
	many := policy.Policy{Rules: make([]policy.Rule, 1000)}
	var faults *policy.Faults
	require.ErrorAs(t, many.Validate(), &faults)
	require.Len(t, faults.List, 100)
	require.True(t, faults.More)
	require.ErrorContains(t, faults, "policy: more than 100 faults:\n\trules[0].name is missing")
}
