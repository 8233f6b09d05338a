package policy_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-3506548a/ratelimit/policy"
)

// P4: the answer that trips a throttle tells when that lets the request through: it is asked, too.
func TestP04ATrippedThrottleIsAsked(t *testing.T) {
	s := newScene(t, `"rules": [{"name": "api", "key": ["user"], "limits": [{"name": "second", "rate": "2/s", "as": "log"}],
		"ladder": [{"after": 1, "do": "throttle", "to": "1/s", "for": "30s"}]}]`)
	s.pass(1, "user=7")
	two := &policy.Request{Attrs: request("user=7").Attrs, Cost: 2} // more than the throttle ever lets through at once
	d := s.decide(two)
	require.Equal(t, policy.ByLimit, d.Action)
	require.Equal(t, 30*time.Second, d.RetryAfter)
	d = s.at(2 * time.Second).decide(two)
	require.Equal(t, policy.ByThrottle, d.Action)
	require.Equal(t, 28*time.Second, d.RetryAfter)
	require.True(t, s.at(30*time.Second).decide(two).OK)
}

// P4: a throttle replaces the one that the key had, whose wait counts no more.
func TestP04AReplacedThrottleIsNotWaitedFor(t *testing.T) {
	s := newScene(t, minute(`{"after": 1, "within": "1h", "do": "throttle", "to": "1/5min", "for": "1h"}, {"after": 2, "within": "1h", "do": "throttle", "to": "10/s", "for": "1h"}`))
	s.strike(0, "user=7")
	s.at(time.Minute).pass(1, "user=7")                                        // the throttle's one in five minutes
	require.Len(t, s.refuse(policy.ByLimit, time.Minute, "user=7").Reached, 1) // and the second strike
	s.at(2*time.Minute).pass(1, "user=7")                                      // by the second throttle
	s.at(2*time.Minute+time.Second).refuse(policy.ByLimit, 59*time.Second, "user=7")
}

// P4: throttles of two rules are two, also if their keys are the same: both are asked.
func TestP04RulesThrottleByThemselves(t *testing.T) {
	for _, slower := range []string{"api", "site"} {
		rule := func(name string) string {
			to := "1/s"
			if name == slower {
				to = "1/10s"
			}
			return `{"name": "` + name + `", "key": ["user"], "limits": [{"name": "minute", "rate": "3/min", "as": "aligned"}],
				"ladder": [{"after": 1, "do": "throttle", "to": "` + to + `", "for": "1h"}]}`
		}
		s := newScene(t, `"rules": [`+rule("api")+`, `+rule("site")+`]`)
		s.strike(0, "user=7")
		s.at(time.Minute).pass(1, "user=7")
		s.at(65*time.Second).refuse(policy.ByThrottle, 5*time.Second, "user=7")
		s.at(70*time.Second).pass(1, "user=7")
	}
}

// P4: a refusal that makes two rules throttle the same who leaves one throttle, as long as the
// longer one. A look says so, too, although it throttles nobody.
func TestP04OfTwoThrottlesOfARefusalTheLongerLasts(t *testing.T) {
	for _, lengths := range [][2]string{{"30s", "10s"}, {"10s", "30s"}} {
		rule := func(name, length string) string {
			return `{"name": "` + name + `", "key": ["user"], "limits": [{"name": "second", "rate": "2/s", "as": "log"}],
				"ladder": [{"after": 1, "do": "throttle", "to": "1/s", "for": "` + length + `", "who": ["ip"]}]}`
		}
		s := newScene(t, `"rules": [`+rule("api", lengths[0])+`, `+rule("site", lengths[1])+`]`)
		s.pass(1, "user=7", "ip=1")
		two := &policy.Request{Attrs: request("user=7", "ip=1").Attrs, Cost: 2} // more than the throttle ever lets through at once
		s.Peek(two, &s.d)
		require.Equal(t, 30*time.Second, s.d.RetryAfter, lengths)
		require.Equal(t, 30*time.Second, s.decide(two).RetryAfter, lengths)
		require.Equal(t, policy.ByThrottle, s.at(30*time.Second-1).decide(two).Action, lengths)
		require.True(t, s.at(30*time.Second).decide(two).OK, lengths)
	}
}

// P4: a throttle's wait is over with the throttle, which ends with the longest that there was.
func TestP04AThrottleLastsAsLongAsTheLongest(t *testing.T) {
	for _, who := range []string{"", `, "who": ["ip"]`} {
		s := newScene(t, `"rules": [{"name": "api", "key": ["user"], "limits": [{"name": "minute", "rate": "3/min", "as": "aligned"}], "ladder": [
			{"after": 1, "within": "1h", "do": "throttle", "to": "9/s", "for": "1h"`+who+`},
			{"after": 2, "within": "1h", "do": "throttle", "to": "1/day", "for": "2m"`+who+`}]}]`)
		s.strike(0, "user=7", "ip=1")
		s.at(time.Minute).pass(2, "user=7", "ip=1")
		two := request("user=7", "ip=1")
		two.Cost = 2 // more than one a day ever lets through at once
		d := s.decide(two)
		require.Equal(t, policy.ByLimit, d.Action)
		require.Len(t, d.Reached, 1, "the second strike")
		require.Equal(t, 59*time.Minute, d.RetryAfter, "until the end of the first throttle")
		s.at(2*time.Minute).pass(1, "user=7", "ip=1")
		s.at(3*time.Minute).refuse(policy.ByThrottle, 57*time.Minute, "user=7", "ip=1")
		s.at(time.Hour-1).refuse(policy.ByThrottle, 1, "user=7", "ip=1")
		s.at(time.Hour).pass(1, "user=7", "ip=1")
	}
}

// P4: RetryAfter is the longest wait of all that refuse: the request is granted then, and refused a
// nanosecond earlier, with each algorithm, a throttle, and a block that this request has tripped.
func TestP04RetryAfterIsExact(t *testing.T) {
	for _, as := range []string{"gcra", "interval", "anchored", "aligned", "log", "counter"} {
		for _, ladder := range []string{"", `{"after": 1, "do": "block", "for": "7s"}`, `{"after": 1, "do": "block", "for": "7h"}`,
			`{"after": 1, "do": "throttle", "to": "1/13s", "for": "1h", "who": ["ip"]}`} {
			s := newScene(t, `"rules": [
				{"name": "api", "key": ["user"], "limits": [{"name": "minute", "rate": "3/min", "as": "`+as+`"}], "ladder": [`+ladder+`]},
				{"name": "all", "limits": [{"name": "second", "rate": "2/s", "as": "`+as+`"}]}]`)
			refused := 0
			for range 30 {
				if s.ask("user=7", "ip=1").OK {
					continue
				}
				refused++
				wait, now := s.d.RetryAfter, s.clock.Now()
				s.clock.Set(now.Add(wait - 1))
				require.False(t, s.peek("user=7", "ip=1").OK, "%s %s", as, ladder)
				s.clock.Set(now.Add(wait))
				require.True(t, s.peek("user=7", "ip=1").OK, "%s %s", as, ladder)
			}
			require.Greater(t, refused, 5)
		}
	}
}
