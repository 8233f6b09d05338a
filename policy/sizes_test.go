package policy_test

import (
	"encoding/json"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/policy"
)

// named returns n names.
func named(n int) (names []string) {
	for i := range n {
		names = append(names, fmt.Sprint("a", i))
	}
	return names
}

// Of each size of a policy the greatest and the least that is allowed is valid. One more, or one
// less, is a fault, and the only one, that says which size it is and what would be right.
func TestSizesOfAPolicy(t *testing.T) {
	limit := policy.Limit{Name: "a", Rate: ratelimit.PerSecond(1), As: policy.GCRA}
	rule := func(change func(r *policy.Rule)) policy.Policy {
		r := policy.Rule{Name: "a", Limits: []policy.Limit{limit}}
		change(&r)
		return policy.Policy{Rules: []policy.Rule{r}}
	}
	ladder := func(steps ...policy.Step) policy.Policy {
		return rule(func(r *policy.Rule) { r.Ladder = steps })
	}
	override := func(o policy.Override) policy.Policy {
		p := rule(func(*policy.Rule) {})
		o.Limit = "a"
		p.Overrides = []policy.Override{o}
		return p
	}
	const (
		none  = math.MinInt // as a least size: there is none
		years = 9 * 365 * 24 * time.Hour
	)
	for _, c := range []struct {
		least, most int64
		of          func(n int64) policy.Policy
		want        string // with the size that is wrong for %v
	}{
		{0, math.MaxInt32, func(n int64) policy.Policy {
			p := rule(func(*policy.Rule) {})
			p.Costs = []policy.Cost{{N: int(n)}}
			return p
		}, "costs[0].n is %v, want 0 to 2147483647"},
		{none, 16, func(n int64) policy.Policy {
			return rule(func(r *policy.Rule) { r.When = named(int(n)) })
		}, "rules[0].when is %v conditions, want at most 16"},
		{none, 16, func(n int64) policy.Policy {
			return override(policy.Override{When: named(int(n)), Unlimited: true})
		}, "overrides[0].when is %v conditions, want at most 16"},
		{none, 4, func(n int64) policy.Policy {
			return rule(func(r *policy.Rule) { r.Key = named(int(n)) })
		}, "rules[0].key is %v parts, want at most 4"},
		{none, 4, func(n int64) policy.Policy {
			return ladder(policy.Step{After: 1, Do: "revoke", Who: named(int(n))})
		}, "rules[0].ladder[0].who is %v parts, want at most 4"},
		{none, 16, func(n int64) policy.Policy {
			return rule(func(r *policy.Rule) {
				r.Limits = nil
				for _, name := range named(int(n)) {
					r.Limits = append(r.Limits, policy.Limit{Name: name, Rate: limit.Rate, As: limit.As})
				}
			})
		}, "rules[0].limits is %v limits, want at most 16"},
		{1, math.MaxInt32, func(n int64) policy.Policy {
			return rule(func(r *policy.Rule) { r.Limits[0].Shown = &ratelimit.Rate{Events: int(n), Per: time.Second} })
		}, "rules[0].limits[0].shown is \"%v/s\", want a rate of 1 to 2147483647 events"},
		{1, math.MaxInt32, func(n int64) policy.Policy {
			return override(policy.Override{Shown: &ratelimit.Rate{Events: int(n), Per: time.Second}})
		}, "overrides[0].shown is \"%v/s\", want a rate of 1 to 2147483647 events"},
		{none, 16, func(n int64) policy.Policy {
			steps := make([]policy.Step, n)
			for i := range steps {
				steps[i] = policy.Step{After: i + 1, Within: policy.Span(time.Hour), Do: "log"}
			}
			return ladder(steps...)
		}, "rules[0].ladder is %v steps, want at most 16"},
		{none, 4, func(n int64) policy.Policy { // beside steps without a span, and with the same
			steps := []policy.Step{{After: 1, Do: "log"}, {After: 3, Within: 1, Do: "log"}}
			for i := range n {
				steps = append(steps, policy.Step{After: 2, Within: policy.Span(i + 1), Do: "log"})
			}
			return ladder(steps...)
		}, "rules[0].ladder is a ladder with %v spans, want at most 4 that differ in within"},
		{none, int64(years), func(n int64) policy.Policy {
			return ladder(policy.Step{After: 2, Within: policy.Span(n), Do: "log"})
		}, "rules[0].ladder[0].within is \"3285d1ns\", want more than 0s and at most 3285d"},
		{none, int64(years), func(n int64) policy.Policy {
			return ladder(policy.Step{After: 1, Do: "block", For: policy.Span(n)})
		}, "rules[0].ladder[0].for is \"3285d1ns\", want more than 0s and at most 3285d"},
	} {
		require.NoError(t, c.of(c.most).Validate(), c.want)
		wrong := []int64{c.most + 1}
		if c.least != none {
			require.NoError(t, c.of(c.least).Validate(), c.want)
			wrong = append(wrong, c.least-1)
		}
		for _, n := range wrong {
			want := c.want
			if strings.Contains(want, "%v") {
				want = fmt.Sprintf(want, int(n)) // which may be another with 32 bits, and is wrong too
			}
			require.EqualError(t, c.of(n).Validate(), "policy: "+want)
		}
	}
}

// A policy need not limit anything: then its only rule exempts all requests.
func TestAPolicyMayLimitNothing(t *testing.T) {
	require.NoError(t, policy.Policy{Rules: []policy.Rule{{Name: "all", Mode: policy.Exempt}}}.Validate())
}

// An engine has room for 1 to 2^28 keys of each limit. The policy has none, so that it takes no
// memory.
func TestCapacityOfAnEngine(t *testing.T) {
	p := policy.Policy{Rules: []policy.Rule{{Name: "all", Mode: policy.Exempt}}}
	for _, capacity := range []int{1, 1 << 28} {
		_, err := policy.New(p, capacity)
		require.NoError(t, err, capacity)
	}
	for _, capacity := range []int{math.MinInt, -1, 0, 1<<28 + 1, math.MaxInt} {
		e, err := policy.New(p, capacity)
		require.Nil(t, e)
		require.Equal(t, &ratelimit.ArgumentError{Func: "policy.New", Field: "capacity", Value: capacity, Want: "1 to 268435456"}, err)
	}
}

// A document is at most 1 MiB long. Of a longer one nothing else is said, and it has no line.
func TestLengthOfADocument(t *testing.T) {
	pad := func(document string, length int) []byte {
		return []byte(strings.Repeat(" ", length-len(document)) + document)
	}
	p, err := policy.Parse(pad(full, 1<<20))
	require.NoError(t, err)
	require.Equal(t, "full", p.Name)
	for _, document := range []string{full, `{"a": 1}`, "{"} {
		p, err = policy.Parse(pad(document, 1<<20+1))
		require.Zero(t, p)
		require.EqualError(t, err, "policy: the policy is a document of 1048577 bytes, want at most 1048576")
	}
}

// At most 100 faults are listed, of documents too; if there are more, that is said.
func TestFaultsAreAtMost100(t *testing.T) {
	for n, more := range map[int]bool{99: false, 100: false, 101: true, 1000: true} {
		var p policy.Policy
		for _, name := range named(n) {
			p.Rules = append(p.Rules, policy.Rule{Name: name})
		}
		document, err := json.Marshal(p)
		require.NoError(t, err)
		_, parsed := policy.Parse(document)
		for _, err := range []error{p.Validate(), parsed} {
			var faults *policy.Faults
			require.ErrorAs(t, err, &faults)
			require.Len(t, faults.List, min(n, 100))
			require.Equal(t, more, faults.More, n)
			require.Equal(t, fmt.Sprintf("rules[%d].limits", min(n, 100)-1), faults.List[min(n, 100)-1].Path)
		}
	}
}

// What is quoted from a document is whole up to 64 bytes. What is longer is cut, between two
// characters.
func TestFaultsQuoteAtMost64Bytes(t *testing.T) {
	x := func(n int) string { return strings.Repeat("x", n) }
	nines := strings.Repeat("9", 65)
	for is, want := range map[string]string{
		`{"` + x(64) + `": 1}`:         "line 1: " + x(64) + " is not a field",
		`{"` + x(65) + `": 1}`:         `line 1: "` + x(64) + `"... (65 bytes) is not a field`,
		`{"name": "!` + x(63) + `"}`:   `line 1: name is "!` + x(63) + `", want`,
		`{"name": "!` + x(64) + `"}`:   `line 1: name is "!` + x(63) + `"... (65 bytes), want`,
		`{"name": "` + x(63) + `ä!"}`:  `line 1: name is "` + x(63) + `"... (66 bytes), want`,
		`{"name": "` + x(62) + `äö!"}`: `line 1: name is "` + x(62) + `ä"... (67 bytes), want`,
		`{"name": "` + x(61) + `€ö!"}`: `line 1: name is "` + x(61) + `€"... (67 bytes), want`,
		`{"name": "` + x(62) + `€!"}`:  `line 1: name is "` + x(62) + `"... (66 bytes), want`,
		`{"name": ` + nines[1:] + `}`:  "line 1: name is " + nines[1:] + ", want a text",
		`{"name": ` + nines + `}`:      "line 1: name is " + nines[1:] + "..., want a text",
	} {
		_, err := policy.Parse([]byte(is))
		require.ErrorContains(t, err, want)
	}
}

// A limit that is named where it is not known which is meant is answered by at most 10 that there
// are.
func TestFaultsNameAtMost10Limits(t *testing.T) {
	limits := func(n int, limit string) policy.Policy {
		p := policy.Policy{Overrides: []policy.Override{{Limit: limit, Unlimited: true}}}
		for _, name := range named(n) {
			p.Rules = append(p.Rules, policy.Rule{Name: name, Limits: []policy.Limit{{Name: "x", Rate: ratelimit.PerSecond(1), As: policy.GCRA}}})
		}
		return p
	}
	for limit, want := range map[string]string{
		"x": `policy: overrides[0].limit is "x", want one of the limits of this name: `,
		"y": `policy: overrides[0].limit is "y", want the name of a limit that there is: `,
	} {
		const eight = "a0/x, a1/x, a2/x, a3/x, a4/x, a5/x, a6/x, a7/x"
		require.EqualError(t, limits(9, limit).Validate(), want+eight+" or a8/x")
		require.EqualError(t, limits(10, limit).Validate(), want+eight+", a8/x or a9/x")
		require.EqualError(t, limits(11, limit).Validate(), want+eight+", a8/x or a9/x")
	}
}
