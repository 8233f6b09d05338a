package policy_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/policy"
)

// P11: a rule in shadow refuses nothing, and is reported; it is charged as if it enforced.
func TestP11Shadow(t *testing.T) {
	s := newScene(t, `"rules": [
		{"name": "tried", "limits": [{"name": "minute", "rate": "2/min", "as": "log"}, {"name": "hour", "rate": "9/h", "as": "gcra"}], "mode": "shadow"},
		{"name": "api", "limits": [{"name": "hour", "rate": "50/h", "as": "log"}]}]`)
	s.pass(2)
	require.False(t, s.d.Shadow)
	require.True(t, s.d.Standings[0].Shadow)
	require.Equal(t, 7, s.d.Standings[1].Remaining)
	s.pass(3)
	require.True(t, s.d.Shadow)
	require.True(t, s.d.Standings[0].Crossed)
	require.Equal(t, time.Minute, s.d.Standings[0].RetryAfter)
	require.Equal(t, 7, s.d.Standings[1].Remaining, "it would have refused, and is charged nothing")
	require.False(t, s.d.Standings[1].Crossed)
	require.Equal(t, 2, s.d.Binding, "which is told to nobody")
	require.Equal(t, 45, s.d.Standings[2].Remaining)
	s.at(time.Minute).pass(1)
	require.False(t, s.d.Shadow)
}

// P11: a rule in shadow is looked at for requests that all others grant; for others, it stands as it
// was.
func TestP11ShadowIsNotChargedForWhatOthersRefuse(t *testing.T) {
	for _, mode := range []string{"shadow", "watch"} {
		s := newScene(t, `"rules": [
			{"name": "tried", "limits": [{"name": "minute", "rate": "2/min", "as": "log"}], "mode": "`+mode+`", "ladder": [{"after": 1, "do": "log"}]},
			{"name": "api", "limits": [{"name": "hour", "rate": "2/h", "as": "log"}]}]`)
		s.pass(1)
		for range 3 {
			d := s.decide(&policy.Request{Cost: 2})
			require.False(t, d.OK)
			require.False(t, d.Shadow)
			require.Equal(t, 1, d.Standings[0].Remaining)
			require.False(t, d.Standings[0].Crossed)
			require.Empty(t, d.Reached)
		}
	}
}

// P11: what a ladder in shadow leads to is a matter of that rule, and so is who it names.
func TestP11ShadowPunishesNobody(t *testing.T) {
	s := newScene(t, `"rules": [
		{"name": "tried", "key": ["user"], "limits": [{"name": "minute", "rate": "1/min", "as": "log"}], "mode": "shadow",
			"ladder": [{"after": 1, "do": "block", "for": "10m", "who": ["ip"]}]},
		{"name": "api", "limits": [{"name": "hour", "rate": "50/h", "as": "log"}]}]`)
	s.pass(2, "user=7", "ip=1")
	require.Len(t, s.d.Reached, 1)
	s.pass(1, "user=8", "ip=1")
	require.False(t, s.d.Shadow, "who has no effect")
	s.at(5*time.Minute).pass(1, "user=7", "ip=1")
	require.True(t, s.d.Shadow, "it would be blocked")
	require.False(t, s.d.Standings[0].Crossed)
	require.Equal(t, 1, s.d.Standings[0].Remaining)
	s.at(10*time.Minute).pass(1, "user=7", "ip=1")
	require.False(t, s.d.Shadow)
}

// P11: a throttle in shadow is charged only with what the rule's limits would grant.
func TestP11ShadowThrottlesLast(t *testing.T) {
	s := newScene(t, `"rules": [{"name": "tried", "limits": [{"name": "minute", "rate": "1/min", "as": "aligned"}], "mode": "shadow",
		"ladder": [{"after": 1, "do": "throttle", "to": "1/10min", "for": "1h"}]}]`)
	s.pass(2)
	require.True(t, s.d.Shadow)
	s.pass(5)
	s.at(time.Minute).pass(1)
	require.False(t, s.d.Shadow, "the throttle has its one yet")
	s.at(2 * time.Minute).pass(1)
	require.True(t, s.d.Shadow, "by the throttle")
	require.False(t, s.d.Standings[0].Crossed)
	require.Equal(t, 1, s.d.Standings[0].Remaining)
	require.Empty(t, s.d.Reached)
}

// A rule that watches refuses nothing. What its ladder leads to holds for later requests.
func TestWatch(t *testing.T) {
	s := newScene(t, `"rules": [{"name": "seen", "key": ["user"], "limits": [{"name": "minute", "rate": "1/min", "as": "log"}], "mode": "watch",
		"ladder": [{"after": 1, "do": "log"}, {"after": 2, "within": "1h", "do": "block", "for": "10m"}]}]`)
	s.pass(2, "user=7")
	require.Equal(t, "log", s.d.Reached[0].Step.Do)
	require.True(t, s.d.Standings[0].Crossed)
	require.Zero(t, s.d.RetryAfter)
	s.at(59*time.Second).pass(1, "user=7")
	require.Empty(t, s.d.Reached, "the episode lasts as long as a refusal would have been told")
	s.at(time.Minute).pass(2, "user=7")
	require.Len(t, s.d.Reached, 2)
	require.Equal(t, "block", s.d.Reached[1].Step.Do)
	require.True(t, s.d.OK, "the request that trips it passes")
	s.refuse(policy.ByBlock, 10*time.Minute, "user=7")
	s.pass(1)
	require.False(t, s.d.Shadow)
	require.Equal(t, ratelimit.Never, s.d.MoreAfter)
}
