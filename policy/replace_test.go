package policy_test

import (
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/policy"
)

func limited(limit string) string {
	return `"rules": [{"name": "api", "key": ["user"], "limits": [{"name": "limit", ` + limit + `}],
		"ladder": [{"after": 1, "within": "1h", "do": "block", "for": "10m"}]}]`
}

// P13: a request that began before a Replace goes by the policy of then. It does not know a
// throttle that has been added since, also if its key is slowed down by that meanwhile.
func TestP13ARequestOfThePolicyBefore(t *testing.T) {
	fields := func(to string) policy.Policy {
		return parse(t, `"rules": [
			{"name": "api", "match": ["/api/"], "limits": [{"name": "minute", "rate": "1/min", "as": "aligned"}],
				"ladder": [{"after": 1, "do": "throttle", "to": "`+to+`", "for": "1h", "who": ["ip"]}]},
			{"name": "site", "match": ["/site/"], "limits": [{"name": "minute", "rate": "9/min", "as": "aligned"}]}]`)
	}
	clock := &hooked{}
	e, err := policy.New(fields("1/min"), 10, policy.WithClock(clock))
	require.NoError(t, err)
	decide := func(path string) *policy.Decision {
		r := request("ip=1")
		r.Path = path
		d := new(policy.Decision)
		e.Decide(r, d)
		return d
	}
	clock.reads, clock.at, clock.hook = 0, 1, func() {
		require.NoError(t, e.Replace(fields("1/h")))
		require.True(t, decide("/api/").OK)
		require.Len(t, decide("/api/").Reached, 1)
		require.True(t, decide("/site/").OK, "the throttle's one")
		require.Equal(t, policy.ByThrottle, decide("/site/").Action)
	}
	require.True(t, decide("/site/").OK)
	require.Equal(t, policy.ByThrottle, decide("/site/").Action)
}

// P13: what was consumed stays consumed, also if the rate or the burst differ.
func TestP13WhatWasConsumedStays(t *testing.T) {
	for _, as := range []string{"anchored", "aligned", "log", "counter", "interval"} {
		s := newScene(t, limited(`"rate": "60/min", "as": "`+as+`"`))
		s.pass(60, "user=7")
		require.NoError(t, s.Replace(parse(t, limited(`"rate": "90/min", "as": "`+as+`"`))))
		s.pass(30, "user=7")
		require.False(t, s.ask("user=7").OK, as)
		require.True(t, s.Pardon("api", policy.Attr{Name: "user", Value: "7"}))
		require.NoError(t, s.Replace(parse(t, limited(`"rate": "50/min", "as": "`+as+`"`))))
		require.False(t, s.ask("user=7").OK, as)
		s.pass(50, "user=8")
		require.False(t, s.ask("user=8").OK, as)
	}
}

// P13: a gcra keeps what is owed as time.
func TestP13AGCRAOwesTime(t *testing.T) {
	for _, of := range []string{"", `, "of": "tokens"`} {
		s := newScene(t, limited(`"rate": "1/s", "burst": 10, "as": "gcra"`+of))
		r := &policy.Request{Attrs: request("user=7").Attrs, Amounts: []policy.Amount{{Name: "tokens", N: 1}}}
		for range 10 {
			require.True(t, s.decide(r).OK)
		}
		require.NoError(t, s.Replace(parse(t, limited(`"rate": "7/s", "burst": 140, "as": "gcra"`+of)))) // 20 s
		for i := range 70 {
			require.True(t, s.decide(r).OK, i)
		}
		require.False(t, s.decide(r).OK)
	}
}

// P13: and so a slower rate with the same burst grants a part of it anew, unless the burst changes
// with the rate.
func TestP13ASlowerGCRAOwesLess(t *testing.T) {
	for slower, more := range map[string]int{`"rate": "20/s", "burst": 15`: 5, `"rate": "20/s", "burst": 10`: 0} {
		for _, of := range []string{"", `, "of": "tokens"`} {
			s := newScene(t, limited(`"rate": "30/s", "burst": 15, "as": "gcra"`+of))
			r := &policy.Request{Attrs: request("user=7").Attrs, Amounts: []policy.Amount{{Name: "tokens", N: 1}}}
			for range 15 { // 500 ms, of 750 ms
				require.True(t, s.decide(r).OK)
			}
			require.NoError(t, s.Replace(parse(t, limited(slower+`, "as": "gcra"`+of))))
			for range more {
				require.True(t, s.decide(r).OK)
			}
			require.False(t, s.decide(r).OK, slower)
		}
	}
}

// P13: what is kept is known by the names of the rule and of the limit, as, of, count, the period
// and the key, and by nothing else.
func TestP13WhatIsKept(t *testing.T) {
	const before = `"rules": [{"name": "api", "key": ["user"], "limits": [{"name": "limit", "rate": "1/min", "as": "log"}]}]`
	for after, kept := range map[string]bool{
		before: true,
		`"rules": [{"name": "new", "limits": [{"name": "limit", "rate": "9/min", "as": "log"}]},
			{"name": "api", "match": ["/"], "key": ["user"], "missing": "share", "when": ["user"],
			"limits": [{"name": "limit", "rate": "1/min", "as": "log", "shown": "5/min"}]}]`: true,
		`"rules": [{"name": "api2", "key": ["user"], "limits": [{"name": "limit", "rate": "1/min", "as": "log"}]}]`:                  false,
		`"rules": [{"name": "api", "key": ["user"], "limits": [{"name": "limit2", "rate": "1/min", "as": "log"}]}]`:                  false,
		`"rules": [{"name": "api", "key": ["user"], "limits": [{"name": "limit", "rate": "1/min", "as": "anchored"}]}]`:              false,
		`"rules": [{"name": "api", "key": ["user"], "limits": [{"name": "limit", "rate": "1/h", "as": "log"}]}]`:                     false,
		`"rules": [{"name": "api", "key": ["user|ip"], "limits": [{"name": "limit", "rate": "1/min", "as": "log"}]}]`:                false,
		`"rules": [{"name": "api", "key": ["user"], "limits": [{"name": "limit", "rate": "1/min", "as": "log", "count": ["401"]}]}]`: false,
		`"rules": [{"name": "api", "key": ["user"], "limits": [{"name": "limit", "rate": "1/min", "as": "log", "of": "tokens"}]}]`:   false,
	} {
		s := newScene(t, before)
		s.pass(1, "user=7")
		require.NoError(t, s.Replace(parse(t, after)))
		require.Equal(t, kept, !s.ask("user=7").OK, after)
	}
}

// P13: what cannot be kept is an error, and the policy stays.
func TestP13WhatCannotBeKept(t *testing.T) {
	for before, after := range map[string]string{
		`"rate": "60/min", "as": "counter", "burst": 6`: `"rate": "60/min", "as": "counter", "burst": 12`,
		`"rate": "1/s", "as": "gcra"`:                   `"rate": "1000000/s", "as": "gcra"`,
	} {
		s := newScene(t, limited(before))
		s.pass(1, "user=7")
		require.Error(t, s.Replace(parse(t, limited(after))), after)
		require.Equal(t, parse(t, limited(before)), s.Policy())
		require.NoError(t, s.Replace(parse(t, limited(before))))
		require.NotZero(t, s.peek("user=7").Standings[0].ResetAfter, after)
	}
	s := newScene(t, limited(`"rate": "1/s", "as": "log"`))
	var faults *policy.Faults
	require.ErrorAs(t, s.Replace(policy.Policy{}), &faults)
	s.pass(1, "user=7")
}

// P13: strikes, blocks and throttles stay with the rule.
func TestP13PenaltiesStay(t *testing.T) {
	s := newScene(t, limited(`"rate": "1/min", "as": "log"`))
	s.pass(1, "user=7")
	s.refuse(policy.ByLimit, 10*time.Minute, "user=7")
	require.NoError(t, s.Replace(parse(t, limited(`"rate": "100/min", "as": "log"`))))
	s.refuse(policy.ByBlock, 10*time.Minute, "user=7")
	s.pass(1, "user=8")
}

// P13: what a rule has done goes with its ladder, also its revocations, which would otherwise take
// places for ever; as long as it has one, they stay, and can be pardoned.
func TestP13RevocationsGoWithTheLadder(t *testing.T) {
	revoking := minute(`{"after": 1, "do": "revoke", "for": "2h", "who": ["ip"]}`)
	s := newScene(t, revoking)
	s.pass(1, "user=7", "ip=1")
	s.refuse(policy.ByLimit, ratelimit.Never, "user=7", "ip=1")
	require.NoError(t, s.Replace(parse(t, minute(`{"after": 1, "do": "block", "for": "2h", "who": ["ip"]}`))))
	s.refuse(policy.ByRevoke, ratelimit.Never, "user=8", "ip=1")
	require.Equal(t, 1, s.Stats().Revoked)
	require.True(t, s.Pardon("api", policy.Attr{Name: "ip", Value: "1"}))
	require.Zero(t, s.Stats().Revoked)

	require.NoError(t, s.Replace(parse(t, revoking)))
	s.pass(1, "user=9", "ip=2")
	s.refuse(policy.ByLimit, ratelimit.Never, "user=9", "ip=2")
	require.NoError(t, s.Replace(parse(t, minute(""))))
	require.Zero(t, s.Stats().Revoked)
	s.pass(1, "user=10", "ip=2")
	require.NoError(t, s.Replace(parse(t, revoking)))
	s.pass(1, "user=11", "ip=2")
}

// P13: strikes stay in spans of the same length.
func TestP13StrikesStayInTheirSpan(t *testing.T) {
	for within, strikes := range map[string]int{"1h": 2, "2h": 1} {
		s := newScene(t, minute(`{"after": 2, "within": "1h", "do": "block", "for": "1s"}`))
		s.strike(0, "user=7")
		require.NoError(t, s.Replace(parse(t, minute(`{"after": `+strconv.Itoa(strikes)+`, "within": "`+within+`", "do": "notify"}`))))
		require.Equal(t, strikes, s.strike(1, "user=7").Reached[0].Strikes, within)
	}
}

// P13: Done goes to what the request was decided by: it is not lost where that is kept, and
// harmless where it is not.
func TestP13DoneAfterReplace(t *testing.T) {
	count := func(rate string) string {
		return `"rules": [{"name": "api", "limits": [{"name": "failures", "rate": "` + rate + `", "as": "aligned", "count": ["401"]}]}]`
	}
	s := newScene(t, count("9/h"))
	s.pass(1)
	require.NoError(t, s.Replace(parse(t, count("5/h"))))
	s.failed(&s.d)
	require.Equal(t, 4, s.remaining("failures"))
	s.pass(1)
	require.NoError(t, s.Replace(parse(t, minute(""))))
	s.failed(&s.d)
	s.pass(1, "user=7")
	s.Undo(&s.d)
}

// P13: each decision is by one policy, and no limit is exceeded while policies are replaced.
func TestP13ReplaceUnderLoad(t *testing.T) {
	for _, as := range []string{"anchored", "aligned", "log", "counter", "interval", "gcra"} {
		policies := []policy.Policy{
			parse(t, `"name": "a", "rules": [{"name": "api", "key": ["user"], "limits": [{"name": "x", "rate": "100/h", "as": "`+as+`"}]},
				{"name": "a", "limits": [{"name": "y", "rate": "100000/h", "as": "aligned"}]}]`),
			parse(t, `"name": "b", "rules": [{"name": "b", "limits": [{"name": "y", "rate": "100000/h", "as": "aligned"}]},
				{"name": "api", "key": ["user"], "limits": [{"name": "x", "rate": "200/h", "as": "`+as+`"}]}]`),
		}
		s := newScene(t, limited(`"rate": "1/s", "as": "log"`))
		require.NoError(t, s.Replace(policies[0]))
		var granted [2]atomic.Int64
		var asking, replacing sync.WaitGroup
		var over atomic.Bool
		replacing.Go(func() {
			for i := 0; !over.Load(); i++ {
				if err := s.Replace(policies[i%2]); err != nil {
					t.Error(err)
				}
			}
		})
		for range 4 {
			asking.Go(func() {
				var d policy.Decision
				for range 1000 {
					s.Decide(request("user=7"), &d)
					which := 0
					if d.Standings[0].Rule == "b" {
						which = 1
					}
					if d.Standings[which].Rate != ratelimit.PerHour(100*(which+1)) || d.Standings[1-which].Rule != policies[which].Name {
						t.Errorf("a decision by two policies: %+v", d.Standings)
					}
					if d.OK {
						granted[which].Add(1)
					}
				}
			})
		}
		asking.Wait()
		over.Store(true)
		replacing.Wait()
		all := granted[0].Load() + granted[1].Load()
		require.LessOrEqual(t, all, int64(200), as)
		require.GreaterOrEqual(t, all, int64(100), as)
	}
}

// A gcra counts in the ticks that its table was made with. Another rate is as exact as the first
// burst allows: a 2^36th of the time in which that came back, 10 days here, and not of its own.
func TestReplacedRatesAreAsExactAsTheFirst(t *testing.T) {
	perDay := func(rate, burst int) string {
		return fmt.Sprintf(`"rules": [{"name": "api", "limits": [{"name": "day", "rate": "%d/day", "as": "gcra", "burst": %d}]}]`, rate, burst)
	}
	s := newScene(t, perDay(1, 10))
	for day, rate := range []int{12, 21660} {
		require.NoError(t, s.Replace(parse(t, perDay(rate, 9))))
		s.at(time.Duration(day) * 24 * time.Hour).pass(9)
		late := s.ask().RetryAfter - 24*time.Hour/time.Duration(rate)
		require.Greater(t, late, 1200*time.Nanosecond)
		require.LessOrEqual(t, late, 10*24*time.Hour>>36)
	}
}
