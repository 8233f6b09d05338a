package policy_test

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-3506548a/ratelimit/limittest"
	"github.com/seed-3506548a/ratelimit/policy"
)

// P15: the same requests at the same times get the same decisions, though keys are hashed by other
// seeds.
func TestP15Replays(t *testing.T) {
	r := rand.New(rand.NewPCG(*seed, 7))
	compared := 0
	for compared < 2000 {
		in := source{random(r, 2000)}
		p := in.policy()
		if p.Validate() != nil {
			continue
		}
		var engines [2]*policy.Engine
		var clocks [2]*limittest.Clock
		for i := range engines {
			var err error
			clocks[i] = limittest.NewClock(t0)
			engines[i], err = policy.New(p, 1000, policy.WithClock(clocks[i]))
			require.NoError(t, err)
		}
		now := t0
		for ; len(in.data) > 0; compared++ {
			now = now.Add(time.Duration(in.below(256)-64) * 20 * time.Millisecond)
			request, outcome := in.request(), in.outcome()
			var d [2]policy.Decision
			for i, e := range engines {
				clocks[i].Set(now)
				e.Decide(&request, &d[i])
				e.Done(&d[i], outcome)
				d[i] = policy.Decision{OK: d[i].OK, Action: d[i].Action, RetryAfter: d[i].RetryAfter, Standings: d[i].Standings,
					Binding: d[i].Binding, MoreAfter: d[i].MoreAfter, Reached: d[i].Reached, Shadow: d[i].Shadow}
			}
			require.Equal(t, d[0], d[1])
		}
	}
}

// P15: a log of any time can be replayed, by the system's clock or by one of another age; and what
// is not anchored at the origin is the same by all of them.
func TestP15AnyClock(t *testing.T) {
	p := parse(t, `"rules": [{"name": "api", "key": ["user"], "limits": [
			{"name": "log", "rate": "3/10s", "as": "log"}, {"name": "anchored", "rate": "9/min", "as": "anchored"},
			{"name": "interval", "rate": "4/15s", "as": "interval"}, {"name": "aligned", "rate": "20/min", "as": "aligned"}],
		"ladder": [{"after": 3, "within": "1m", "do": "block", "for": "20s"}]}]`)
	replay := func(opts ...policy.Option) (decisions []time.Duration) {
		e, err := policy.New(p, 100, opts...)
		require.NoError(t, err)
		var d policy.Decision
		now := time.Date(1995, 7, 1, 0, 0, 0, 0, time.UTC)
		random := rand.New(rand.NewPCG(1, 2))
		for range 2000 {
			now = now.Add(time.Duration(random.IntN(3000)) * time.Millisecond)
			r := request("user=" + string('0'+rune(random.IntN(3))))
			r.Time = now
			e.Decide(r, &d)
			decisions = append(decisions, d.RetryAfter)
		}
		return decisions
	}
	want := replay()
	require.Contains(t, want, 20*time.Second)
	for _, origin := range []time.Time{time.Date(1995, 7, 1, 0, 0, 0, 0, time.UTC), time.Date(2126, 1, 2, 3, 4, 5, 6, time.UTC)} {
		require.Equal(t, want, replay(policy.WithClock(limittest.NewClock(origin))), origin)
	}
}
