package policy_test

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/limittest"
	"github.com/seed-3506548a/ratelimit/policy"
)

// minute is a rule of one request a minute for each user, with a ladder.
func minute(ladder string) string {
	return `"rules": [{"name": "api", "key": ["user"], "limits": [{"name": "minute", "rate": "1/min", "as": "aligned"}],
		"ladder": [` + ladder + `]}]`
}

// strike makes a strike in a minute, and returns the decision.
func (s *scene) strike(minute int, attrs ...string) *policy.Decision {
	s.t.Helper()
	s.at(time.Duration(minute) * time.Minute)
	for s.ask(attrs...).OK {
	}
	require.Equal(s.t, policy.ByLimit, s.d.Action)
	return &s.d
}

// P8: an episode lasts as long as its first refusal was told to wait, and refusals in it are no
// strikes and do not make it longer.
func TestP08StrikesAreEpisodes(t *testing.T) {
	const fields = `"rules": [{"name": "api", "key": ["user"], "limits": [{"name": "minute", "rate": "1/min", "as": "log"}],
		"ladder": [{"after": 2, "within": "1h", "do": "notify"}]}]`
	s := newScene(t, fields)
	s.pass(1, "user=7")
	require.Empty(t, s.refuse(policy.ByLimit, time.Minute, "user=7").Reached) // told 60 s
	require.Empty(t, s.at(59*time.Second).refuse(policy.ByLimit, time.Second, "user=7").Reached)
	require.Empty(t, s.at(59500*time.Millisecond).refuse(policy.ByLimit, 500*time.Millisecond, "user=7").Reached)
	s.at(time.Minute).pass(1, "user=7")
	d := s.at(60200*time.Millisecond).refuse(policy.ByLimit, 59800*time.Millisecond, "user=7")
	require.Len(t, d.Reached, 1)
	require.Equal(t, 2, d.Reached[0].Strikes)
	require.Equal(t, "api", d.Reached[0].Rule)
}

// P8: an episode is half-open: at its end, another one begins. It lasts a second at least.
func TestP08AnEpisodeEndsWhenItIsOver(t *testing.T) {
	s := newScene(t, `"rules": [{"name": "api", "limits": [{"name": "fast", "rate": "1/100ms", "as": "log"}],
		"ladder": [{"after": 2, "within": "1h", "do": "notify"}]}]`)
	ask := func(after time.Duration) int {
		s.at(after)
		for s.ask().OK {
		}
		return len(s.d.Reached)
	}
	require.Zero(t, ask(0))
	require.Zero(t, ask(time.Second-1))
	require.Equal(t, 1, ask(time.Second))
}

// P8: an episode is as long as the limits make the key wait. What the strike leads to is for
// others, too, and a user of a blocked client may strike again by another client.
func TestP08AnEpisodeIsNotAsLongAsItsBlock(t *testing.T) {
	s := newScene(t, `"rules": [{"name": "api", "key": ["user"], "limits": [{"name": "second", "rate": "1/2s", "as": "log"}],
		"ladder": [{"after": 1, "do": "block", "for": "5m", "who": ["client"]}]}]`)
	s.pass(1, "user=7", "client=a")
	s.refuse(policy.ByLimit, 5*time.Minute, "user=7", "client=a")
	require.Empty(t, s.at(2*time.Second-1).refuse(policy.ByLimit, 1, "user=7", "client=b").Reached)
	s.at(2*time.Second).pass(1, "user=7", "client=b")
	require.Len(t, s.refuse(policy.ByLimit, 5*time.Minute, "user=7", "client=b").Reached, 1)
}

// P8: 25 refusals at once are one strike.
func TestP08ParallelRefusalsAreOneStrike(t *testing.T) {
	s := newScene(t, minute(`{"after": 1, "within": "1h", "do": "notify"}, {"after": 2, "within": "1h", "do": "block", "for": "1h"}`))
	s.pass(1, "user=7")
	reached := make([]int, 25)
	var all sync.WaitGroup
	for i := range reached {
		all.Go(func() {
			var d policy.Decision
			s.Decide(request("user=7"), &d)
			reached[i] = len(d.Reached)
		})
	}
	all.Wait()
	require.ElementsMatch(t, append(make([]int, 24), 1), reached)
	s.refuse(policy.ByLimit, time.Minute, "user=7")
}

// P8: what could never be granted, tests, throttles, blocks and missing keys are no strikes.
func TestP08WhatIsNoStrike(t *testing.T) {
	s := newScene(t, minute(`{"after": 1, "do": "throttle", "to": "1/10s", "for": "1h"}, {"after": 2, "within": "1h", "do": "block", "for": "1h"}`))
	never := func() {
		d := s.decide(&policy.Request{Attrs: request("user=7").Attrs, Cost: 2})
		require.False(t, d.OK)
		require.Equal(t, ratelimit.Never, d.RetryAfter)
		require.Empty(t, d.Reached)
	}
	never()
	s.refuse(policy.ByMissing, ratelimit.Never)
	s.decide(&policy.Request{Attrs: request("user=7").Attrs, Refuse: true})
	require.Equal(t, policy.ByTest, s.d.Action)
	s.pass(1, "user=7")
	require.Len(t, s.refuse(policy.ByLimit, time.Minute, "user=7").Reached, 1, "the first strike")

	s.at(60*time.Second).pass(1, "user=7") // the throttle's only one
	s.at(120*time.Second).pass(1, "user=8")
	s.pass(1, "user=7")
	require.Equal(t, policy.ByLimit, s.ask("user=7").Action)
	require.Equal(t, 2, s.d.Reached[0].Strikes, "and not more: nothing in between was one")
}

// P8: a request that one limit could never grant, and another refuses for what the key owes, is a
// strike by the latter, for as long as that one says.
func TestP08ARefusalBesideNever(t *testing.T) {
	s := newScene(t, `"rules": [{"name": "api", "limits": [{"name": "minute", "rate": "10/min", "as": "log"}, {"name": "hour", "rate": "5/h", "as": "log"}],
		"ladder": [{"after": 1, "within": "1h", "do": "notify"}, {"after": 2, "within": "1h", "do": "notify"}]}]`)
	s.pass(5)
	six := &policy.Request{Cost: 6}
	require.Len(t, s.decide(six).Reached, 1)
	require.Equal(t, ratelimit.Never, s.d.RetryAfter)
	require.Empty(t, s.at(time.Minute-1).decide(six).Reached)
	require.Empty(t, s.at(time.Minute).decide(six).Reached, "the minute would grant it")
	require.Len(t, s.refuse(policy.ByLimit, 59*time.Minute).Reached, 1, "the second strike")
}

// P8: refusals by the throttle leave the count as it is.
func TestP08ThrottleRefusalsDoNotStrike(t *testing.T) {
	s := newScene(t, `"rules": [{"name": "api", "key": ["user"], "limits": [{"name": "second", "rate": "1/s", "as": "log"}],
		"ladder": [{"after": 1, "within": "1h", "do": "throttle", "to": "1/10s", "for": "1h"}, {"after": 3, "within": "1h", "do": "notify"}]}]`)
	s.pass(1, "user=7")
	s.refuse(policy.ByLimit, time.Second, "user=7") // one strike: the throttle has its one left
	s.at(2*time.Second).pass(1, "user=7")
	for i := range 100 {
		at := 4*time.Second + time.Duration(i)*50*time.Millisecond
		s.at(at).ask("user=7")
		require.Equal(t, policy.ByThrottle, s.d.Action)
		require.Empty(t, s.d.Reached)
	}
	s.at(12*time.Second).pass(1, "user=7")
	s.ask("user=7")
	require.Equal(t, policy.ByLimit, s.d.Action)
	require.Equal(t, 2, s.d.Reached[0].Strikes)
}

// P8: a key that shares a word of a full Table with another is refused for what that owes, and that
// is no strike of its own.
func TestP08AnothersDebtIsNoStrike(t *testing.T) {
	clock := limittest.NewClock(t0)
	e, err := policy.New(parse(t, `"rules": [{"name": "api", "key": ["user"], "limits": [{"name": "hour", "rate": "1/h", "as": "gcra"}],
		"ladder": [{"after": 1, "do": "block", "for": "2h"}]}]`), 10_000, policy.WithClock(clock))
	require.NoError(t, err)
	var d policy.Decision
	strikes := 0
	for i := range 40_000 { // four times the capacity
		e.Decide(request(fmt.Sprint("user=", i)), &d)
		strikes += len(d.Reached)
	}
	require.LessOrEqual(t, strikes, 4, "but of keys that are one to the Table, as one of 2^24 pairs is: 0.02 here on average")
}

// P8: a span begins with its first strike, and is not moved by later ones.
func TestP08ASpanBeginsWithItsFirstStrike(t *testing.T) {
	s := newScene(t, minute(`{"after": 3, "within": "1h", "do": "notify"}`))
	for _, after := range []int{0, 50, 70} {
		require.Empty(t, s.strike(after, "user=7").Reached)
	}
	require.Empty(t, s.strike(71, "user=7").Reached)
	require.Len(t, s.strike(72, "user=7").Reached, 1, "the third since 70m")
}

// P8: requests that came at once are refused in any order, so an episode begins a second before its
// strike. A refusal before that, as when a clock is set back, is a strike of another span.
func TestP08ATimeBeforeTheSpanBeginsAnother(t *testing.T) {
	s := newScene(t, minute(`{"after": 2, "within": "1h", "do": "notify"}`))
	s.strike(100, "user=7")
	for _, before := range []time.Duration{1, time.Second} {
		require.Empty(t, s.at(100*time.Minute-before).refuse(policy.ByLimit, time.Minute+before, "user=7").Reached)
	}
	require.Empty(t, s.at(98*time.Minute).refuse(policy.ByLimit, 3*time.Minute, "user=7").Reached, "the first of a span")
	d := s.strike(157, "user=7")
	require.Len(t, d.Reached, 1)
	require.Equal(t, 2, d.Reached[0].Strikes)
	require.Empty(t, s.strike(158, "user=7").Reached, "an hour after 98m the next begins")
}

// P8: of throttle, block and revoke the last that is reached acts, at each strike; log and notify
// displace none.
func TestP08NotifyDoesNotDisplaceAThrottle(t *testing.T) {
	s := newScene(t, minute(`{"after": 2, "within": "1h", "do": "throttle", "to": "1/s", "for": "90s"}, {"after": 4, "within": "1h", "do": "notify"}`))
	require.Empty(t, s.strike(0, "user=7").Reached)
	for n := 2; n <= 6; n++ {
		var did []string
		for _, r := range s.strike(n-1, "user=7").Reached {
			require.Equal(t, n, r.Strikes)
			did = append(did, r.Step.Do)
		}
		if n == 4 {
			require.Equal(t, []string{"throttle", "notify"}, did)
		} else {
			require.Equal(t, []string{"throttle"}, did, "renewed at strike %d", n)
		}
	}
	// The throttle of strike 6, at 5m, lasts until 6m30s.
	s.at(6*time.Minute+20*time.Second).pass(1, "user=7")
	s.refuse(policy.ByLimit, 40*time.Second, "user=7")
}

// P9: a block changes nothing in limits, is not lengthened by what it refuses, and gives no
// strikes.
func TestP09Blocks(t *testing.T) {
	s := newScene(t, minute(`{"after": 1, "within": "1h", "do": "block", "for": "10m"}, {"after": 2, "within": "1h", "do": "notify"}`))
	s.pass(1, "user=7")
	s.refuse(policy.ByLimit, 10*time.Minute, "user=7") // which trips it: the longer of both waits
	for after := time.Minute; after < 10*time.Minute; after += 30 * time.Second {
		d := s.at(after).refuse(policy.ByBlock, 10*time.Minute-after, "user=7")
		require.Empty(t, d.Reached)
		require.Equal(t, 1, d.Standings[0].Remaining, "charged nothing")
		require.False(t, d.Standings[0].Crossed)
	}
	s.at(10*time.Minute-1).refuse(policy.ByBlock, 1, "user=7")
	s.at(10*time.Minute).pass(1, "user=7")
	s.pass(1, "user=8")
}

// P9: limits are looked at while a key is blocked, for what it has to wait.
func TestP09LimitsAreLookedAtWhileBlocked(t *testing.T) {
	s := newScene(t, `"rules": [{"name": "api", "key": ["user"], "limits": [
			{"name": "second", "rate": "1/s", "as": "log"}, {"name": "day", "rate": "2/day", "as": "log"}],
		"ladder": [{"after": 1, "do": "block", "for": "10s"}]}]`)
	s.pass(1, "user=7")
	s.refuse(policy.ByLimit, 10*time.Second, "user=7")
	s.at(10*time.Second).pass(1, "user=7") // the day is full
	s.refuse(policy.ByLimit, 24*time.Hour-10*time.Second, "user=7")
	d := s.at(11*time.Second).refuse(policy.ByBlock, 24*time.Hour-11*time.Second, "user=7")
	require.True(t, d.Standings[1].Crossed)
	require.False(t, d.Standings[0].Crossed)
}

// P9: with who, a block holds in every rule that is not exempt or in shadow, also in one without a
// ladder.
func TestP09WhoIsBlockedInEveryRule(t *testing.T) {
	s := newScene(t, `"rules": [
		{"name": "api", "match": ["/v1/"], "key": ["user"], "limits": [{"name": "minute", "rate": "1/min", "as": "log"}],
			"ladder": [{"after": 1, "do": "block", "for": "10m", "who": ["ip"]}]},
		{"name": "site", "match": ["/site/"], "limits": [{"name": "minute", "rate": "100/min", "as": "log"}]},
		{"name": "seen", "match": ["/seen/"], "limits": [{"name": "minute", "rate": "100/min", "as": "log"}], "mode": "watch"},
		{"name": "tried", "match": ["/tried/"], "limits": [{"name": "minute", "rate": "100/min", "as": "log"}], "mode": "shadow"},
		{"name": "health", "match": ["/health"], "mode": "exempt"}]`)
	ask := func(path string, attrs ...string) *policy.Decision {
		return s.decide(&policy.Request{Method: "GET", Path: path, Attrs: request(attrs...).Attrs})
	}
	require.True(t, ask("/v1/a", "user=7", "ip=1").OK)
	require.Equal(t, 10*time.Minute, ask("/v1/a", "user=7", "ip=1").RetryAfter)

	require.Equal(t, policy.ByBlock, ask("/v1/a", "user=8", "ip=1").Action, "another user of the address")
	require.Equal(t, policy.ByBlock, ask("/site/a", "ip=1").Action)
	require.Equal(t, policy.ByBlock, ask("/seen/a", "ip=1").Action, "a rule that watches asks for blocks")
	require.True(t, ask("/site/a", "ip=2").OK)
	require.True(t, ask("/site/a").OK, "nobody knows who that is")
	require.True(t, ask("/tried/a", "ip=1").OK)
	require.False(t, s.d.Shadow)
	require.True(t, ask("/health", "ip=1").OK)
	require.True(t, ask("/else", "ip=1").OK, "no rule is for it")
	require.Equal(t, policy.ByLimit, ask("/v1/a", "user=7", "ip=2").Action, "the user is not blocked")
}

// P9: without a value of who, the rule's own key is blocked, in this rule.
func TestP09WithoutWhoTheKeyIsBlocked(t *testing.T) {
	s := newScene(t, minute(`{"after": 1, "do": "throttle", "to": "1/s", "for": "2m", "who": ["ip"]}`))
	s.pass(1, "user=7")
	s.refuse(policy.ByLimit, time.Minute, "user=7")
	require.Equal(t, "throttle", s.d.Reached[0].Step.Do)
	s.at(time.Minute)
	require.Equal(t, policy.ByLimit, s.decide(&policy.Request{Attrs: request("user=7").Attrs, Cost: 2}).Action)
	require.Equal(t, ratelimit.Never, s.d.RetryAfter)
	s.pass(1, "user=8", "ip=1")
}

// P10: revocations have a capacity, and are kept until a pardon; without room, the step blocks.
func TestP10Revocations(t *testing.T) {
	clock := limittest.NewClock(t0)
	e, err := policy.New(parse(t, minute(`{"after": 1, "do": "revoke", "for": "1h"}`)), 1, policy.WithClock(clock))
	require.NoError(t, err)
	s := &scene{t: t, Engine: e, clock: clock}
	s.pass(1, "user=7")
	require.Equal(t, ratelimit.Never, s.refuse(policy.ByLimit, ratelimit.Never, "user=7").RetryAfter)
	s.at(5 * 24 * time.Hour)
	s.refuse(policy.ByRevoke, ratelimit.Never, "user=7")
	s.pass(1, "user=8")
	require.Equal(t, time.Hour, s.peek("user=8").RetryAfter)
	s.refuse(policy.ByLimit, time.Hour, "user=8") // the one place is taken
	s.refuse(policy.ByBlock, time.Hour, "user=8")
	s.refuse(policy.ByRevoke, ratelimit.Never, "user=7")
	require.True(t, s.Pardon("api", policy.Attr{Name: "user", Value: "7"}))
	require.False(t, s.Pardon("api", policy.Attr{Name: "user", Value: "7"}))
	s.pass(1, "user=7")
	s.at(6 * 24 * time.Hour)
	s.pass(1, "user=9")
	s.refuse(policy.ByLimit, ratelimit.Never, "user=9")
}

// P10: without a For, a revocation that there is no room for is a block of a day.
func TestP10WithoutRoomARevocationIsADay(t *testing.T) {
	clock := limittest.NewClock(t0)
	e, err := policy.New(parse(t, minute(`{"after": 1, "do": "revoke"}`)), 1, policy.WithClock(clock))
	require.NoError(t, err)
	s := &scene{t: t, Engine: e, clock: clock}
	s.pass(1, "user=7")
	s.refuse(policy.ByLimit, ratelimit.Never, "user=7")
	s.pass(1, "user=8")
	s.refuse(policy.ByLimit, 24*time.Hour, "user=8")
}

// A pardon ends blocks, throttles and revocations, also those of who, and forgets strikes. Limits
// stay.
func TestPardon(t *testing.T) {
	s := newScene(t, minute(`{"after": 1, "within": "1h", "do": "block", "for": "10m", "who": ["ip"]}`))
	attrs := []policy.Attr{{Name: "user", Value: "7"}, {Name: "ip", Value: "1"}}
	require.False(t, s.Pardon("api", attrs...))
	s.pass(1, "user=7", "ip=1")
	s.refuse(policy.ByLimit, 10*time.Minute, "user=7", "ip=1")
	s.refuse(policy.ByBlock, 10*time.Minute, "user=8", "ip=1")
	require.False(t, s.Pardon("other", attrs...))
	require.True(t, s.Pardon("api", attrs...))
	s.pass(1, "user=8", "ip=1")
	d := s.refuse(policy.ByLimit, 10*time.Minute, "user=7", "ip=1")
	require.Equal(t, 1, d.Reached[0].Strikes, "the strikes begin anew")
}

// A pardon is for whom any step hits, also behind one that hits the rule's own key.
func TestPardonOfWhomALaterStepHits(t *testing.T) {
	s := newScene(t, minute(`{"after": 1, "within": "1h", "do": "notify"}, {"after": 2, "within": "1h", "do": "block", "for": "9h", "who": ["ip"]}`))
	s.strike(0, "user=7", "ip=1")
	s.strike(1, "user=7", "ip=1")
	s.at(2*time.Minute).refuse(policy.ByBlock, 9*time.Hour-time.Minute, "user=8", "ip=1")
	require.True(t, s.Pardon("api", policy.Attr{Name: "user", Value: "7"}, policy.Attr{Name: "ip", Value: "1"}))
	s.pass(1, "user=8", "ip=1")
}
