package policy_test

import (
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-3506548a/ratelimit/policy"
)

// P1: a request is charged to all limits of all rules that are for it, or to none.
func TestP01AllOrNone(t *testing.T) {
	for _, as := range []string{"gcra", "interval", "anchored", "aligned", "log", "counter"} {
		s := newScene(t, `"rules": [
			{"name": "api", "key": ["user"], "limits": [{"name": "a", "rate": "9/h", "as": "`+as+`"}, {"name": "b", "rate": "9/h", "as": "log"}]},
			{"name": "all", "limits": [{"name": "c", "rate": "3/h", "as": "gcra"}]}]`)
		s.pass(3, "user=7")
		for range 5 {
			require.False(t, s.ask("user=7").OK)
		}
		require.Equal(t, 6, s.remaining("a", "user=7"), as)
		require.Equal(t, 6, s.remaining("b", "user=7"), as)
	}
}

// P3: a refusal writes nothing but strikes, and what would have granted stands as without it.
func TestP03ARefusalWritesNothing(t *testing.T) {
	s := newScene(t, `"rules": [{"name": "api", "limits": [
		{"name": "minute", "rate": "90/min", "as": "log"}, {"name": "peak", "rate": "10/s", "as": "log", "hidden": true}]}]`)
	s.pass(10)
	for range 3 {
		d := s.refuse(policy.ByLimit, time.Second)
		require.Equal(t, 80, d.Standings[0].Remaining, "and not 79")
		require.Equal(t, time.Minute, d.Standings[0].ResetAfter)
		require.Zero(t, d.Standings[0].RetryAfter)
		require.True(t, d.Standings[1].Crossed)
	}
	s.at(time.Second).pass(10)
	require.Equal(t, 70, s.d.Standings[0].Remaining)
}

// P3: Peek says what Decide would, and changes nothing, not even strikes.
func TestP03PeekChangesNothing(t *testing.T) {
	s := newScene(t, minute(`{"after": 1, "do": "block", "for": "1h"}`))
	for range 3 {
		d := s.peek("user=7")
		require.True(t, d.OK)
		require.Zero(t, d.Standings[0].Remaining)
	}
	s.pass(1, "user=7")
	for range 3 {
		d := s.peek("user=7")
		require.Equal(t, policy.ByLimit, d.Action)
		require.Equal(t, time.Hour, d.RetryAfter, "as the block would begin")
		require.Len(t, d.Reached, 1)
	}
	s.refuse(policy.ByLimit, time.Hour, "user=7")
}

// P2: an override is judged by its own limit, and all share what was consumed.
func TestP02OverridesShareWhatWasConsumed(t *testing.T) {
	for _, as := range []string{"gcra", "interval", "anchored", "aligned", "log", "counter"} {
		for _, of := range []string{"", `, "of": "tokens"`} {
			s := newScene(t, `"rules": [{"name": "api", "key": ["user"], "limits": [{"name": "hour", "rate": "50/h", "as": "`+as+`"`+of+`}]}],
				"overrides": [{"limit": "hour", "when": ["plan=pro"], "rate": "500/h"}]`)
			ask := func(attrs ...string) *policy.Decision {
				return s.decide(&policy.Request{Attrs: request(attrs...).Attrs, Amounts: []policy.Amount{{Name: "tokens", N: 1}}})
			}
			for range 50 {
				require.True(t, ask("user=7").OK)
			}
			require.False(t, ask("user=7").OK, as)
			if as == "gcra" { // whose debt is a time: 50 slow events are 500 fast ones
				require.False(t, ask("user=7", "plan=pro").OK)
				continue
			}
			require.True(t, ask("user=7", "plan=pro").OK, as)
			require.Equal(t, 449, s.d.Standings[0].Remaining, as)
			require.False(t, ask("user=7").OK, as)
			require.Zero(t, s.d.Standings[0].Remaining)
			for range 449 {
				require.True(t, ask("user=7", "plan=pro").OK)
			}
			require.False(t, ask("user=7", "plan=pro").OK)
		}
	}
}

// P2: a gcra's debt is a time, whatever the limit that it was granted by.
func TestP02GCRAOverridesShareATime(t *testing.T) {
	for _, of := range []string{"", `, "of": "tokens"`} {
		s := newScene(t, `"rules": [{"name": "api", "key": ["user"], "limits": [{"name": "rate", "rate": "1/s", "burst": 10, "as": "gcra"`+of+`}]}],
			"overrides": [{"limit": "rate", "when": ["plan=pro"], "rate": "5/s", "burst": 100}]`)
		r := &policy.Request{Attrs: request("user=7").Attrs, Amounts: []policy.Amount{{Name: "tokens", N: 1}}}
		for range 10 {
			require.True(t, s.decide(r).OK)
		}
		require.False(t, s.decide(r).OK)
		pro := &policy.Request{Attrs: request("user=7", "plan=pro").Attrs, Amounts: r.Amounts}
		for range 50 { // 10 of 20 s are owed
			require.True(t, s.decide(pro).OK)
		}
		require.False(t, s.decide(pro).OK)
		d := s.decide(r)
		require.False(t, d.OK)
		require.InDelta(t, 11*time.Second, d.RetryAfter, 1e5)
	}
}

// P2: a look ahead by a larger limit does not keep a key from asking now, whatever the limiter.
func TestP02ALookAheadChangesNothing(t *testing.T) {
	for _, as := range []string{"gcra", "interval", "anchored", "aligned", "log", "counter"} {
		for _, of := range []string{"", `, "of": "tokens"`} {
			s := newScene(t, `"rules": [{"name": "api", "key": ["user"], "limits": [{"name": "hour", "rate": "5/h", "as": "`+as+`"`+of+`}]}],
				"overrides": [{"limit": "hour", "when": ["plan=pro"], "rate": "500/h"}]`)
			amounts := []policy.Amount{{Name: "tokens", N: 1}}
			now := &policy.Request{Attrs: request("user=7").Attrs, Amounts: amounts}
			require.True(t, s.decide(now).OK)
			s.Peek(&policy.Request{Attrs: request("user=7", "plan=pro").Attrs, Amounts: amounts, Time: t0.Add(30 * time.Minute)}, &s.d)
			for range 4 {
				require.True(t, s.decide(now).OK, as+of)
			}
			require.False(t, s.decide(now).OK, as+of)
		}
	}
}

// P2: a gcra of amounts with a burst of one grants one at a time, also if its events are too many
// to have parts.
func TestP02TheFastestGCRAOfAmounts(t *testing.T) {
	for rate, wait := range map[string]time.Duration{"1000000000/s": 1, "2147483647/3s": 2} {
		s := newScene(t, `"rules": [{"name": "api", "limits": [{"name": "tokens", "rate": "`+rate+`", "burst": 1, "as": "gcra", "of": "tokens"}]}]`)
		r := &policy.Request{Amounts: []policy.Amount{{Name: "tokens", N: 1}}}
		require.True(t, s.decide(r).OK)
		d := s.decide(r)
		require.False(t, d.OK, rate)
		require.Equal(t, wait, d.RetryAfter)
		require.True(t, s.at(wait).decide(r).OK)
	}
}

// Exempt requests are granted, wherever the rule stands, also if another rule has no key for them.
func TestExemptWinsWhereverItStands(t *testing.T) {
	s := newScene(t, `"rules": [
		{"name": "api", "key": ["user"], "limits": [{"name": "hour", "rate": "1/h", "as": "log"}]},
		{"name": "all", "limits": [{"name": "hour", "rate": "2/h", "as": "log"}]},
		{"name": "staff", "when": ["role=staff"], "mode": "exempt"}]`)
	for range 5 {
		d := s.ask("role=staff")
		require.True(t, d.OK)
		require.Equal(t, policy.ByExempt, d.Action)
		require.Empty(t, d.Standings)
		require.Equal(t, -1, d.Binding)
	}
	s.refuse(policy.ByMissing, math.MaxInt64)
	s.pass(1, "user=7")
	require.Equal(t, 1, s.d.Standings[1].Remaining, "charged for nothing before")
}

// A key's attributes count by name and in order.
func TestP14KeysAreNotMixedUp(t *testing.T) {
	const limits = `"limits": [{"name": "hour", "rate": "1/h", "as": "log"}]`
	s := newScene(t, `"rules": [{"name": "api", "key": ["user|ip"], `+limits+`}]`)
	s.pass(1, "user=192.0.2.1")
	s.pass(1, "ip=192.0.2.1")
	require.False(t, s.ask("user=192.0.2.1", "ip=9").OK)
	require.False(t, s.ask("user=", "ip=192.0.2.1").OK, "an empty value is not there")

	s = newScene(t, `"rules": [{"name": "api", "key": ["a", "b"], `+limits+`}]`)
	s.pass(1, "a=a:b", "b=c")
	s.pass(1, "a=a", "b=b:c")
	s.pass(1, "a=1", "b=2")
	s.pass(1, "a=2", "b=1")
	require.False(t, s.ask("b=1", "a=2").OK, "the order of the attributes means nothing")

	s = newScene(t, `"rules": [{"name": "api", "key": ["a|b", "b|a"], `+limits+`}]`)
	s.pass(1, "a=1")
	s.pass(1, "a=2")
	s.pass(1, "a=1", "b=1")
	s.pass(1, "b=1")
	require.False(t, s.ask("a=2").OK)

	s = newScene(t, `"rules": [{"name": "api", "key": ["a", "b"], "missing": "share", `+limits+`}]`)
	s.pass(1, "a=1")
	s.pass(1, "b=1")
	s.pass(1)
	require.False(t, s.ask().OK)
}

// What becomes of a request without a value for its key.
func TestMissingKeys(t *testing.T) {
	rule := func(missing string) string {
		return `"rules": [{"name": "api", "key": ["user"], ` + missing + `"limits": [{"name": "hour", "rate": "1/h", "as": "log"}]}]`
	}
	s := newScene(t, rule(""))
	d := s.refuse(policy.ByMissing, math.MaxInt64)
	require.Empty(t, d.Standings)
	s = newScene(t, rule(`"missing": "skip", `))
	s.pass(5)
	require.Empty(t, s.d.Standings)
	s = newScene(t, rule(`"missing": "share", `))
	s.pass(1)
	s.refuse(policy.ByLimit, time.Hour)
}

// The policy that an engine was made with may be changed afterwards, and so may the one it returns.
func TestThePolicyIsCopied(t *testing.T) {
	p := parse(t, `"rules": [{"name": "api", "match": ["GET /"], "limits": [{"name": "hour", "rate": "1/h", "as": "log"}],
		"ladder": [{"after": 1, "do": "block", "for": "2h"}]}]`)
	e, err := policy.New(p, 10)
	require.NoError(t, err)
	for _, p := range []policy.Policy{p, e.Policy()} {
		p.Rules[0].Limits[0].Rate.Events = 100
		p.Rules[0].Match[0] = "POST /"
		p.Rules[0].Ladder[0].For = 1
	}
	var d policy.Decision
	e.Decide(request(), &d)
	e.Decide(request(), &d)
	require.False(t, d.OK)
	require.Greater(t, d.RetryAfter, 110*time.Minute)
	require.Equal(t, 1, e.Policy().Rules[0].Limits[0].Rate.Events)
}

// Which requests a rule is for.
func TestRulesMatch(t *testing.T) {
	for pattern, want := range map[string][]string{
		"GET /a/{x}": {"GET /a/b", "HEAD /a/b"},
		"/a/{x}":     {"GET /a/b", "HEAD /a/b", "POST /a/b"},
		"/a/":        {"GET /a/", "GET /a/b", "HEAD /a/b", "POST /a/b", "GET /a/b/c"},
		"/a/{$}":     {"GET /a/"},
		"POST /":     {"POST /a/b"},

		`POST /", "/a/{$}`: {"GET /a/", "POST /a/b"},
		`/a/{$}", "POST /`: {"GET /a/", "POST /a/b"},
		`/x", "/y", "/b`:   {"GET /b"},
	} {
		s := newScene(t, `"rules": [{"name": "api", "match": ["`+pattern+`"], "limits": [{"name": "hour", "rate": "9/h", "as": "log"}]}]`)
		var got []string
		for _, r := range [][2]string{{"GET", "/a/"}, {"GET", "/a/b"}, {"HEAD", "/a/b"}, {"POST", "/a/b"}, {"GET", "/a/b/c"}, {"GET", "/b"}, {"GET", ""}} {
			if d := s.decide(&policy.Request{Method: r[0], Path: r[1]}); len(d.Standings) > 0 {
				got = append(got, r[0]+" "+r[1])
			}
		}
		require.Equal(t, want, got, pattern)
	}
}

// What a request counts as.
func TestCosts(t *testing.T) {
	s := newScene(t, `"costs": [{"n": 2}, {"match": ["POST /"], "n": 5}, {"match": ["/free"], "n": 0}],
		"rules": [{"name": "api", "limits": [{"name": "hour", "rate": "20/h", "as": "log"}]}]`)
	for _, c := range []struct {
		r    policy.Request
		left int
	}{
		{policy.Request{Method: "GET", Path: "/a"}, 18},
		{policy.Request{Method: "POST", Path: "/a"}, 13},
		{policy.Request{Method: "POST", Path: "/free"}, 13},
		{policy.Request{Method: "POST", Path: "/free", Cost: 3}, 10},
		{policy.Request{}, 8},
	} {
		require.True(t, s.decide(&c.r).OK)
		require.Equal(t, c.left, s.d.Standings[0].Remaining)
	}
	d := s.decide(&policy.Request{Cost: -1})
	require.Equal(t, policy.ByLimit, d.Action)
	require.Equal(t, time.Duration(math.MaxInt64), d.RetryAfter)
}
