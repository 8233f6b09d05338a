package policy_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/limittest"
	"github.com/seed-3506548a/ratelimit/policy"
)

// large returns a policy of n rules, each with an override of its limit for one customer.
func large(n int) policy.Policy {
	var p policy.Policy
	rate := ratelimit.PerHour(9)
	for i := range n {
		name := fmt.Sprint("r", i)
		p.Rules = append(p.Rules, policy.Rule{Name: name, Key: []string{"user"}, Limits: []policy.Limit{{Name: "hour", Rate: ratelimit.PerHour(5), As: policy.Log}}})
		p.Overrides = append(p.Overrides, policy.Override{Limit: name + "/hour", When: []string{"plan=pro"}, Rate: &rate})
	}
	return p
}

// The work for a policy grows with its size, and not with its square: of the allocations, which are
// counted, twice as many rules make twice as many.
func TestALargePolicyIsCompiled(t *testing.T) {
	work := func(n int) float64 {
		p := large(n)
		return testing.AllocsPerRun(1, func() {
			if _, err := policy.New(p, 1); err != nil {
				t.Fatal(err)
			}
		})
	}
	require.Less(t, work(2000), 3*work(1000))

	e, err := policy.New(large(2000), 1)
	require.NoError(t, err)
	var d policy.Decision
	e.Decide(request("user=7", "plan=pro"), &d)
	require.True(t, d.OK)
	require.Len(t, d.Standings, 2000)
	for i := range d.Standings {
		require.Equal(t, 8, d.Standings[i].Remaining)
	}
}

// A limit and its overrides share a table, and none of their rates is rounded: a caller that comes
// when it was told to gets exactly its rate.
func TestRatesOfOverridesAreExact(t *testing.T) {
	for _, rates := range [][2]string{{"100/min", "1000/min"}, {"1/s", "10/s"}, {"1000/min", "100/min"}, {"7/s", "11/s"}, {"1/h", "90/min"}, {"0/s", "3/s"}} {
		free, pro := ratelimit.Must(ratelimit.ParseRate(rates[0])), ratelimit.Must(ratelimit.ParseRate(rates[1]))
		p := policy.Policy{
			Rules:     []policy.Rule{{Name: "api", Key: []string{"user"}, Limits: []policy.Limit{{Name: "x", Rate: free, As: policy.GCRA, Burst: 1}}}},
			Overrides: []policy.Override{{Limit: "x", When: []string{"plan=pro"}, Rate: &pro}},
		}
		for plan, rate := range map[string]ratelimit.Rate{"free": free, "pro": pro} {
			if rate.Events == 0 {
				continue
			}
			began := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
			clock := limittest.NewClock(began)
			e, err := policy.New(p, 100, policy.WithClock(clock))
			require.NoError(t, err)
			var d policy.Decision
			for granted := 0; granted <= 1000; {
				if e.Decide(request("user=7", "plan="+plan), &d); d.OK {
					granted++
				} else {
					clock.Advance(d.RetryAfter)
				}
			}
			events := time.Duration(rate.Events)
			require.Equal(t, (1000*rate.Per+events-1)/events, clock.Now().Sub(began), "%s of %v", plan, rates)
		}
	}
}

func BenchmarkNew(b *testing.B) {
	for _, n := range []int{10, 100, 1000} {
		p := large(n)
		b.Run(fmt.Sprintf("rules=%d", n), func(b *testing.B) {
			for b.Loop() {
				if _, err := policy.New(p, 1); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
