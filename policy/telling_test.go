package policy_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/policy"
)

// P5: what is shown of a limit is what is left of the limit that is shown.
func TestP05Shown(t *testing.T) {
	s := newScene(t, `"rules": [{"name": "api", "limits": [{"name": "minute", "rate": "30/min", "as": "aligned", "shown": "90/min"}]}]`)
	s.pass(30)
	require.Equal(t, policy.Standing{Rule: "api", Name: "minute", Rate: ratelimit.PerMinute(90), Limit: 90, Remaining: 60, ResetAfter: time.Minute, Reduced: true},
		s.d.Standings[0])
	d := s.refuse(policy.ByLimit, time.Minute)
	require.Equal(t, 60, d.Standings[0].Remaining)

	s = newScene(t, `"rules": [{"name": "api", "limits": [{"name": "minute", "rate": "90/min", "burst": 10, "as": "gcra", "shown": "90/min"}]}]`)
	require.Equal(t, 90, s.remaining("minute"), "all of a burst of 10")
	s.pass(4)
	require.Equal(t, 86, s.d.Standings[0].Remaining)

	s = newScene(t, `"rules": [{"name": "api", "limits": [{"name": "minute", "rate": "90/min", "as": "log", "shown": "10/min"}]}]`)
	s.pass(1)
	require.Equal(t, 9, s.d.Standings[0].Remaining)
	s.pass(20)
	require.Zero(t, s.d.Standings[0].Remaining, "not less than 0")

	s = newScene(t, `"rules": [{"name": "api", "limits": [{"name": "minute", "rate": "60/min", "burst": 10, "as": "gcra", "shown": "5/min"}]}]`)
	s.pass(7)
	require.Zero(t, s.d.Standings[0].Remaining)
	require.Equal(t, time.Second, s.d.MoreAfter, "as waits are those that are enforced: 3 s later one more is shown")

	s = newScene(t, `"rules": [{"name": "api", "limits": [{"name": "minute", "rate": "10/min", "as": "log", "shown": "20/min"}]}],
		"overrides": [{"limit": "minute", "when": ["plan=pro"], "rate": "50/min"}, {"limit": "minute", "when": ["plan=team"], "rate": "50/min", "shown": "60/min"}]`)
	require.Equal(t, 20, s.remaining("minute"))
	require.Equal(t, 50, s.remaining("minute", "plan=pro"), "its rate is shown, not the limit's")
	require.Equal(t, 60, s.remaining("minute", "plan=team"))
}

// P6: if limits refuse, that with the longest wait binds; else that with the least remaining, as
// shown; the first of several.
func TestP06Binding(t *testing.T) {
	s := newScene(t, `"rules": [
		{"name": "api", "limits": [{"name": "second", "rate": "3/s", "as": "log"}, {"name": "minute", "rate": "3/min", "as": "log", "shown": "9/min"},
			{"name": "hour", "rate": "3/h", "as": "log"}]},
		{"name": "failures", "limits": [{"name": "day", "rate": "1/day", "as": "log", "count": ["401"]}]}]`)
	s.pass(1)
	require.Equal(t, 0, s.d.Binding, "2 of second and of hour are left")
	require.Equal(t, time.Second, s.d.MoreAfter)
	s.at(time.Second).pass(1)
	require.Equal(t, 2, s.d.Binding)
	require.Equal(t, time.Hour-time.Second, s.d.MoreAfter)
	s.pass(1)
	require.Equal(t, 2, s.refuse(policy.ByLimit, time.Hour-time.Second).Binding)
	s.at(time.Hour).pass(1)
	s.Done(&s.d, policy.Outcome{Status: 401})
	require.Equal(t, 3, s.refuse(policy.ByLimit, 24*time.Hour).Binding, "one that counts responses, when it refuses")
}

// P6: a hidden limit is not told; if it refuses, the first of its rule that may be told is.
func TestP06HiddenLimits(t *testing.T) {
	s := newScene(t, `"rules": [{"name": "api", "limits": [
		{"name": "peak", "rate": "2/s", "as": "log", "hidden": true}, {"name": "failures", "rate": "1/h", "as": "log", "count": ["401"]},
		{"name": "minute", "rate": "90/min", "as": "log"}, {"name": "hour", "rate": "9000/h", "as": "log"}]}]`)
	s.pass(2)
	require.Equal(t, "minute", s.d.Standings[s.d.Binding].Name)
	d := s.refuse(policy.ByLimit, time.Second)
	require.Equal(t, "minute", d.Standings[d.Binding].Name)
	require.Equal(t, time.Minute, d.MoreAfter)
	require.True(t, d.Standings[0].Hidden)

	s = newScene(t, `"rules": [{"name": "api", "limits": [{"name": "peak", "rate": "1/s", "as": "log", "hidden": true}]},
		{"name": "all", "limits": [{"name": "hour", "rate": "9/h", "as": "log"}]}]`)
	s.pass(1)
	require.Equal(t, 1, s.d.Binding)
	require.Equal(t, -1, s.refuse(policy.ByLimit, time.Second).Binding, "its rule has none that may be told")
	require.Equal(t, ratelimit.Never, s.d.MoreAfter)
}

// MoreAfter is when one more than what remains is granted, also of a Peek, which does not charge.
func TestMoreAfter(t *testing.T) {
	for _, limit := range []string{`"1/s", "burst": 3, "as": "gcra"`, `"1/s", "burst": 3, "as": "interval"`, `"3/s", "as": "anchored"`,
		`"3/s", "as": "aligned"`, `"3/s", "as": "log"`, `"3/s", "as": "counter"`} {
		for _, cost := range []int{1, 2, 3} {
			s := newScene(t, `"rules": [{"name": "api", "limits": [{"name": "rate", "rate": `+limit+`}]}]`)
			var peeked policy.Decision
			r := &policy.Request{Cost: cost}
			s.Peek(r, &peeked)
			d := s.decide(r)
			require.True(t, d.OK)
			require.Equal(t, d.MoreAfter, peeked.MoreAfter, "%s, cost %d", limit, cost)
			more := &policy.Request{Cost: d.Standings[0].Remaining + 1}
			now := s.clock.Now()
			s.clock.Set(now.Add(d.MoreAfter - 1))
			s.Peek(more, &peeked)
			require.False(t, peeked.OK, "%s, cost %d", limit, cost)
			s.clock.Set(now.Add(d.MoreAfter))
			s.Peek(more, &peeked)
			require.True(t, peeked.OK, "%s, cost %d", limit, cost)
		}
	}
	s := newScene(t, `"rules": [{"name": "api", "limits": [{"name": "rate", "rate": "3/s", "as": "log"}]}]`)
	require.Equal(t, ratelimit.Never, s.decide(&policy.Request{Cost: -1}).MoreAfter, "nothing was charged")
}

// P12: tests of clients lower limits, and change nothing.
func TestP12Tests(t *testing.T) {
	observed := 0
	s := newScene(t, `"rules": [{"name": "api", "key": ["user"], "limits": [{"name": "hour", "rate": "50/h", "as": "log"}, {"name": "day", "rate": "600/day", "as": "log"}],
		"ladder": [{"after": 1, "do": "block", "for": "2h"}]}]`, policy.Observe(func(*policy.Request, *policy.Decision) { observed++ }))
	tighten := func(limit string, to int) *policy.Decision {
		return s.decide(&policy.Request{Attrs: request("user=7").Attrs, Tighten: []policy.Tightening{{Limit: limit, To: to}}})
	}
	s.pass(3, "user=7")
	require.True(t, tighten("hour", 4).OK, "the 4th")
	s.at(time.Minute)
	d := tighten("api/hour", 4)
	require.False(t, d.OK)
	require.Equal(t, policy.ByTest, d.Action)
	require.Equal(t, 59*time.Minute, d.RetryAfter)
	require.Empty(t, d.Reached)
	require.Equal(t, 0, d.Binding)
	require.Equal(t, policy.Standing{Rule: "api", Name: "hour", Rate: ratelimit.PerHour(50), Limit: 4, RetryAfter: 59 * time.Minute,
		ResetAfter: 59 * time.Minute, Crossed: true}, d.Standings[0])
	require.Equal(t, 59*time.Minute, d.MoreAfter)
	require.Equal(t, 596, d.Standings[1].Remaining, "as without the request")

	require.Equal(t, ratelimit.Never, tighten("hour", 0).RetryAfter)
	require.Zero(t, s.d.Standings[0].Limit)
	require.Equal(t, ratelimit.Never, tighten("hour", -5).RetryAfter)
	require.Equal(t, 4, observed, "tests that refuse are not")

	require.True(t, tighten("hour", 51).OK, "a test raises nothing")
	require.True(t, tighten("hour", 1000).OK)
	require.True(t, tighten("week", 0).OK, "there is no such limit")
	require.Equal(t, 43, s.d.Standings[0].Remaining)

	d = s.decide(&policy.Request{Attrs: request("user=7").Attrs, Refuse: true})
	require.Equal(t, policy.ByTest, d.Action)
	require.Equal(t, time.Second, d.RetryAfter)
	require.Equal(t, 43, d.Standings[0].Remaining)
	require.False(t, d.Standings[0].Crossed)
}

// P12: tests come last, so no header keeps a refusal from being a strike.
func TestP12TestsDoNotEvadeStrikes(t *testing.T) {
	s := newScene(t, minute(`{"after": 1, "do": "block", "for": "1h"}`))
	s.pass(1, "user=7")
	d := s.decide(&policy.Request{Attrs: request("user=7").Attrs, Tighten: []policy.Tightening{{Limit: "minute", To: 0}}, Refuse: true})
	require.Equal(t, policy.ByLimit, d.Action)
	require.Equal(t, time.Hour, d.RetryAfter)
	s.refuse(policy.ByBlock, time.Hour, "user=7")
}
