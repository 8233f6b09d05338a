package policy_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/limittest"
	"github.com/seed-3506548a/ratelimit/policy"
)

// A decision that is used again has the cost of the last request only: 0 where no rule was for it,
// or one exempted it.
func TestCostOfADecision(t *testing.T) {
	s := newScene(t, `"rules": [
		{"name": "api", "key": ["user"], "missing": "skip", "match": ["/"], "limits": [{"name": "hour", "rate": "100/h", "as": "log"}]},
		{"name": "staff", "when": ["role=staff"], "mode": "exempt"}]`)
	for _, c := range []struct {
		path, attr string
		want       int
	}{
		{"/", "role=staff", 0},
		{"/", "ip=1", 0},   // the only rule is skipped
		{"", "user=7", 0},  // no rule is for it
		{"/", "user=7", 7}, // to have said it once
	} {
		dear := request("user=7")
		dear.Cost = 50
		require.Equal(t, 50, s.decide(dear).Cost())
		s.Undo(&s.d)
		r := request(c.attr)
		r.Path, r.Cost = c.path, 7
		require.Equal(t, c.want, s.decide(r).Cost(), "%+v", c)
		require.True(t, s.d.OK)
	}
}

// A clone shares nothing with the policy, so it may be changed.
func TestACloneOfWhatIsReached(t *testing.T) {
	s := newScene(t, minute(`{"after": 1, "within": "1h", "do": "throttle", "to": "1/s", "for": "1h", "who": ["ip"]}`))
	s.pass(1, "user=7", "ip=1")
	d := s.ask("user=7", "ip=1").Clone()
	require.Len(t, d.Reached, 1)
	*d.Reached[0].Step.To = ratelimit.PerHour(9)
	d.Reached[0].Step.Who[0] = "changed"
	step := s.d.Reached[0].Step
	require.Equal(t, ratelimit.PerSecond(1), *step.To)
	require.Equal(t, []string{"ip"}, step.Who)
	require.Equal(t, step, s.Policy().Rules[0].Ladder[0])
}

// A request of cost 0 is refused by no limit, also if there is no room for its key, and one of a
// negative cost by every limit.
func TestCostsThatChargeNothing(t *testing.T) {
	for _, as := range []string{"gcra", "interval", "anchored", "aligned", "log", "counter"} {
		for _, more := range []string{"", `, "count": ["401"]`, `, "of": "tokens"`} {
			clock := limittest.NewClock(t0)
			e, err := policy.New(parse(t, `"costs": [{"match": ["/free"], "n": 0}], "rules": [
				{"name": "api", "key": ["user"], "limits": [{"name": "hour", "rate": "2/h", "as": "`+as+`"`+more+`}]}]`), 1, policy.WithClock(clock))
			require.NoError(t, err)
			s := &scene{t: t, Engine: e, clock: clock}
			r := request("user=7")
			r.Cost = -1
			require.Equal(t, policy.ByLimit, s.decide(r).Action, as+more)
			require.Equal(t, ratelimit.Never, s.d.RetryAfter)

			if more != "" {
				continue
			}
			s.pass(1, "user=7")
			free := request("user=8")
			free.Path = "/free"
			s.Peek(free, &s.d)
			require.True(t, s.d.OK, as)
			require.True(t, s.decide(free).OK, as)
			require.Zero(t, s.d.RetryAfter)
			many := request("user=8")
			many.Cost = 3
			require.Equal(t, ratelimit.Never, s.decide(many).RetryAfter, as)

			late := *free
			late.Time = t0.Add(-time.Hour)
			if as != "gcra" && as != "aligned" { // whose tables say so themselves
				require.True(t, s.decide(&late).OK, as)
			}
		}
	}
}

// Of several attributes with one name, the first that has a value counts.
func TestTheFirstValueOfAnAttributeCounts(t *testing.T) {
	s := newScene(t, `"rules": [{"name": "api", "key": ["user"], "limits": [{"name": "hour", "rate": "1/h", "as": "log"}]}]`)
	s.pass(1, "user=", "user=7", "user=8")
	s.refuse(policy.ByLimit, time.Hour, "user=7")
	s.pass(1, "user=8", "user=7")
}
