package policy_test

import (
	"encoding/json"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/policy"
)

// maker makes policies at random, of which about half are valid.
type maker struct{ *rand.Rand }

func pick[T any](m maker, of ...T) T { return of[m.IntN(len(of))] }

// seldom is for what is mostly wrong.
func (m maker) seldom() bool { return m.IntN(60) == 0 }

// some returns some of the texts.
func (m maker) some(of ...string) (list []string) {
	for _, s := range of {
		if m.IntN(len(of)+1) == 0 {
			list = append(list, s)
		}
	}
	return list
}

func (m maker) rate() ratelimit.Rate {
	if m.seldom() {
		return pick(m, ratelimit.Rate{}, ratelimit.PerDay(math.MaxInt32), ratelimit.Per(-1, 1), ratelimit.Per(1<<18, time.Hour), ratelimit.Per(5, 3))
	}
	return pick(m, ratelimit.PerSecond(1), ratelimit.PerMinute(90), ratelimit.Per(1000, 5*time.Minute), ratelimit.PerDay(600),
		ratelimit.Per(7, 90*time.Second), ratelimit.PerHour(0))
}

func (m maker) optionalRate() *ratelimit.Rate {
	if m.IntN(3) > 0 {
		return nil
	}
	r := m.rate()
	return &r
}

func (m maker) match() []string {
	return m.some("GET /a/{x}", "/b/", "POST /{$}", "/c/{d...}")
}

func (m maker) when() []string {
	return m.some("user", "!banned", "plan=free|trial", "client!=a")
}

func (m maker) limit(name string) policy.Limit {
	l := policy.Limit{Name: name, Rate: m.rate(), As: pick(m, policy.GCRA, policy.Interval, policy.Anchored, policy.Aligned, policy.Log, policy.Counter)}
	if l.As == policy.GCRA || l.As == policy.Interval || l.As == policy.Counter || m.seldom() {
		l.Burst = pick(m, 0, 1, 10, 300)
	}
	switch m.IntN(5) {
	case 0:
		l.Of = "tokens"
	case 1:
		l.Count = m.some("401", "5xx")
	}
	if l.Hidden = m.IntN(5) == 0; !l.Hidden || m.seldom() {
		l.Shown = m.optionalRate()
		if l.Shown != nil && l.Shown.Events == 0 {
			l.Shown = nil
		}
	}
	return l
}

func (m maker) ladder() (steps []policy.Step) {
	hour := policy.Span(time.Hour)
	for _, s := range []policy.Step{
		{After: 1, Do: "log"},
		{After: 1, Within: hour, Do: "block", For: hour},
		{After: 3, Within: hour, Do: "throttle", To: &ratelimit.Rate{Events: m.IntN(5) + 1, Per: 3 * time.Second}, For: hour, Who: m.some("client", "user|ip")},
		{After: 6, Within: hour, Do: "notify"},
		{After: 9, Within: 24 * hour, Do: "block", For: 24 * hour, Who: m.some("ip")},
		{After: 20, Within: 24 * hour, Do: "revoke"},
	} {
		if m.IntN(3) == 0 {
			steps = append(steps, s)
		}
	}
	return steps
}

func (m maker) policy() (p policy.Policy) {
	for range m.IntN(3) {
		p.Costs = append(p.Costs, policy.Cost{Match: []string{pick(m, "/a/", "POST /")}, N: pick(m, 0, 1, 3, 1000)})
	}
	names := []string{"one", "two", "three"}
	for _, name := range names[:1+m.IntN(3)] {
		r := policy.Rule{Name: name, Match: m.match(), When: m.when(), Key: m.some("user|ip", "route")}
		if len(r.Key) > 0 || m.seldom() {
			r.Missing = pick(m, "", "skip", "share")
		}
		r.Mode = pick(m, policy.Enforce, policy.Enforce, policy.Watch, policy.Shadow, policy.Exempt)
		if r.Mode == policy.Exempt {
			r.Key, r.Missing = nil, ""
		} else {
			r.Ladder = m.ladder()
			for _, name := range []string{"minute", "day"}[:1+m.IntN(2)] {
				r.Limits = append(r.Limits, m.limit(name))
			}
		}
		p.Rules = append(p.Rules, r)
	}
	for range m.IntN(3) {
		o := policy.Override{Match: m.match(), When: m.when(), Limit: pick(m, "one/minute", "two/day", "three/minute", "day"), Unlimited: m.IntN(4) == 0}
		if !o.Unlimited {
			o.Rate, o.Shown, o.Burst = m.optionalRate(), m.optionalRate(), pick(m, 0, 0, 0, 5)
		}
		p.Overrides = append(p.Overrides, o)
	}
	return p
}

// TestRandomPolicies makes policies, and asks of each that is valid all that a document can do; of
// others that the faults are said.
func TestRandomPolicies(t *testing.T) {
	m := maker{rand.New(rand.NewPCG(3, 4))}
	valid, faulty := 0, 0
	for range 1000 {
		p := m.policy()
		err := p.Validate()
		if err != nil {
			faulty++
			require.Contains(t, p.Explain(), err.Error())
			continue
		}
		valid++
		document, err := json.Marshal(p)
		require.NoError(t, err)
		again, err := policy.Parse(document)
		require.NoError(t, err)
		require.Equal(t, p, again)
		require.NoError(t, check(t, document))
		require.NotEmpty(t, p.Explain())
		for _, r := range p.Rules {
			for _, l := range r.Limits {
				_, err := l.New()
				require.NoError(t, err)
				same, err := policy.ParseLimit(l.String())
				require.NoError(t, err)
				require.Equal(t, l, same)
			}
		}
	}
	require.Greater(t, min(valid, faulty), 200)
}
