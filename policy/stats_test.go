package policy_test

import (
	"fmt"
	"math"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/limittest"
	"github.com/seed-3506548a/ratelimit/policy"
)

// small returns a scene of an engine with room for so few keys.
func small(t *testing.T, capacity int, fields string) *scene {
	t.Helper()
	clock := limittest.NewClock(t0)
	e, err := policy.New(parse(t, fields), capacity, policy.WithClock(clock))
	require.NoError(t, err)
	return &scene{t: t, Engine: e, clock: clock}
}

// undisturbed requires that nothing was counted, and returns how many keys are live.
func (s *scene) undisturbed() int {
	s.t.Helper()
	stats := s.Stats()
	live := stats.Live
	stats.Live, stats.Limits = 0, nil
	require.Equal(s.t, policy.Stats{}, stats)
	return live
}

// P15: as long as there is room, nothing is counted but the keys.
func TestP15Stats(t *testing.T) {
	s := small(t, 1000, `"rules": [
		{"name": "api", "key": ["user"], "limits": [{"name": "gcra", "rate": "9/h", "as": "gcra"}, {"name": "log", "rate": "2/h", "as": "log"}],
			"ladder": [{"after": 1, "do": "throttle", "to": "1/h", "for": "1h"}]},
		{"name": "next", "mode": "shadow", "limits": [{"name": "window", "rate": "3/h", "as": "aligned"}]}]`)
	require.Zero(t, s.undisturbed())
	for i := range 10 {
		user := fmt.Sprint("user=", i)
		s.pass(2, user)
		s.refuse(policy.ByLimit, time.Hour, user)
		s.refuse(policy.ByLimit, time.Hour, user)
		s.decide(&policy.Request{Cost: math.MaxInt32, Attrs: request(user).Attrs})
	}
	require.Equal(t, 21, s.undisturbed())
	require.Equal(t, []policy.LimitStats{
		{"api", "gcra", policy.Counts{Live: 10}},
		{"api", "log", policy.Counts{Live: 10}},
		{"next", "window", policy.Counts{Live: 1}},
	}, s.Stats().Limits)
}

// Keys that find no room are counted, once for each limit that refuses them for it; a Peek is not.
func TestStatsOfFullTables(t *testing.T) {
	for as, want := range map[string]policy.Counts{
		"gcra":     {Live: 64, Saturated: 1},
		"aligned":  {Live: 64, Saturated: 1},
		"log":      {Live: 8, Full: 1},
		"anchored": {Live: 8, Full: 1},
	} {
		for _, mode := range []string{"", `, "mode": "watch"`, `, "mode": "shadow"`} {
			limit := `{"name": "%s", "rate": "1/h", "as": "` + as + `"}`
			s := small(t, 8, `"rules": [{"name": "api", "key": ["user"], "limits": [`+
				fmt.Sprintf(limit, "first")+`, `+fmt.Sprintf(limit, "second")+`]`+mode+`}]`)
			crossed, full := [2]uint64{}, [2]uint64{}
			for i := range 2000 {
				user := fmt.Sprint("user=", i)
				s.peek(user)
				for j, standing := range s.ask(user).Standings {
					if standing.Crossed {
						crossed[j]++
					}
					if standing.Full {
						full[j]++
					}
				}
			}
			stats := s.Stats()
			var all policy.Counts
			for j, l := range stats.Limits {
				require.Equal(t, want.Live, l.Live, "%s%s: all places are taken", as, mode)
				require.Positive(t, crossed[j])
				const alike = 10 // keys that a table takes for another
				require.InDelta(t, want.Saturated*crossed[j], l.Saturated, alike, "%s%s: a Peek counts nothing", as, mode)
				require.Equal(t, want.Full*crossed[j], l.Full, "%s%s: a Peek counts nothing", as, mode)
				require.Equal(t, full[j], l.Full, "%s%s: as standings say it", as, mode)
				require.Zero(t, l.Inherited+l.Late+l.Ahead+l.Untracked)
				all.Live += l.Live
				all.Saturated += l.Saturated
				all.Full += l.Full
			}
			require.Len(t, stats.Limits, 2)
			require.Equal(t, all, stats.Counts, "the sum of all limits")
		}
	}
}

// A new key that is granted in a full table begins with what another owed.
func TestStatsOfInheritance(t *testing.T) {
	s := small(t, 8, `"rules": [{"name": "api", "key": ["user"], "limits": [{"name": "hour", "rate": "10/h", "as": "gcra"}]}]`)
	for i := range 100 {
		s.ask(fmt.Sprint("user=", i))
	}
	require.Positive(t, s.Stats().Inherited)
	require.Equal(t, s.Stats().Inherited, s.Stats().Limits[0].Inherited)
}

// A limit that has no room for a new key is counted, also where one before it lets the key go on.
func TestStatsOfAFullLimitBehindOneWithRoom(t *testing.T) {
	s := small(t, 1, `"rules": [{"name": "api", "key": ["user"], "limits": [
		{"name": "table", "rate": "9/h", "as": "gcra"}, {"name": "map", "rate": "9/h", "as": "log"}]}]`)
	s.pass(1, "user=7")
	s.ask("user=8")
	require.Equal(t, []policy.LimitStats{{"api", "table", policy.Counts{Live: 1}}, {"api", "map", policy.Counts{Live: 1, Full: 1}}}, s.Stats().Limits)
}

// Times that are too far from the others are counted.
func TestStatsOfTimes(t *testing.T) {
	s := small(t, 8, `"rules": [{"name": "api", "limits": [{"name": "minute", "rate": "60/min", "as": "aligned"}]}]`)
	s.at(time.Hour).pass(1)
	require.False(t, s.decide(&policy.Request{Time: t0}).OK)
	require.False(t, s.decide(&policy.Request{Time: t0.Add(24 * time.Hour)}).OK)
	require.False(t, s.decide(&policy.Request{Time: t0.Add(48 * time.Hour)}).OK)
	stats := s.Stats()
	require.EqualValues(t, 1, stats.Late)
	require.EqualValues(t, 2, stats.Ahead)
	require.Zero(t, stats.Saturated+stats.Full+stats.Inherited)
}

// What Done had to charge and a map had no room for is counted.
func TestStatsOfCharges(t *testing.T) {
	s := small(t, 1, `"rules": [{"name": "api", "key": ["user"], "limits": [{"name": "failures", "rate": "9/h", "as": "log", "count": ["401"]}]}]`)
	var second policy.Decision
	s.pass(1, "user=7")
	s.Decide(request("user=8"), &second)
	require.True(t, second.OK)
	s.failed(&s.d)
	require.Zero(t, s.Stats().Untracked)
	s.failed(&second)
	require.EqualValues(t, 1, s.Stats().Untracked)
	require.Equal(t, 1, s.Stats().Live)
}

// Strikes that are forgotten or find no room are counted, and so are revocations.
func TestStatsOfLadders(t *testing.T) {
	s := small(t, 4, minute(`{"after": 2, "within": "1h", "do": "notify"}`)) // one bucket, of 8 keys
	for i := range 10 {
		s.strike(0, fmt.Sprint("user=", i))
	}
	stats := s.Stats()
	require.EqualValues(t, 2, stats.Forgotten)
	require.Zero(t, stats.Unrecorded)

	s = small(t, 4, minute(`{"after": 1, "do": "block", "for": "2h"}`))
	for i := range 10 {
		s.strike(0, fmt.Sprint("user=", i))
	}
	stats = s.Stats()
	require.Zero(t, stats.Forgotten)
	require.EqualValues(t, 2, stats.Unrecorded)

	s = small(t, 4, minute(`{"after": 1, "do": "block", "for": "2h", "who": ["ip"]}`))
	for i := range 10 {
		s.strike(0, fmt.Sprint("user=", i), fmt.Sprint("ip=", i))
	}
	stats = s.Stats()
	require.EqualValues(t, 2, stats.Forgotten, "strikes of the users, whom nothing holds")
	require.EqualValues(t, 2, stats.Unrecorded, "blocks of the addresses")

	s = small(t, 2, minute(`{"after": 1, "do": "revoke"}`))
	for i := range 5 {
		s.strike(0, fmt.Sprint("user=", i))
		s.peek(fmt.Sprint("user=", i))
	}
	require.Equal(t, 2, s.Stats().Revoked)
	require.EqualValues(t, 3, s.Stats().Unrevoked)
	require.True(t, s.Pardon("api", policy.Attr{Name: "user", Value: "0"}))
	require.Equal(t, 1, s.Stats().Revoked)
}

// The throttles of ladders count, too.
func TestStatsOfThrottles(t *testing.T) {
	s := small(t, 1000, `"rules": [{"name": "api", "key": ["user"], "limits": [{"name": "minute", "rate": "1/min", "as": "log"}],
		"ladder": [{"after": 1, "do": "throttle", "to": "1/h", "for": "1d"}]}]`)
	for i := range 600 {
		s.strike(0, fmt.Sprint("user=", i))
	}
	s.at(time.Minute)
	for i := range 600 { // a throttle has room for an eighth of the keys, and four times that as its burst is 1
		s.ask(fmt.Sprint("user=", i))
	}
	stats := s.Stats()
	require.Zero(t, stats.Limits[0].Saturated)
	require.Positive(t, stats.Saturated+stats.Inherited)
}

// What the throttle of a rule in shadow would refuse since its time is too old is counted, unless
// it is a Peek.
func TestStatsOfThrottlesInShadow(t *testing.T) {
	s := small(t, 1000, `"rules": [{"name": "tried", "key": ["user"], "limits": [{"name": "minute", "rate": "2/min", "as": "log"}],
		"ladder": [{"after": 1, "do": "throttle", "to": "1/min", "for": "1d"}], "mode": "shadow"}]`)
	s.pass(3, "user=7") // the third is the strike
	s.at(time.Hour).pass(1, "user=7")
	require.False(t, s.d.Shadow)
	late := request("user=7")
	late.Time = t0.Add(2 * time.Minute)
	s.Peek(late, &s.d)
	require.True(t, s.d.Shadow)
	require.Zero(t, s.Stats().Late)
	require.True(t, s.decide(late).OK)
	require.True(t, s.d.Shadow)
	require.False(t, s.d.Standings[0].Crossed)
	require.EqualValues(t, 1, s.Stats().Late)
	require.Zero(t, s.Stats().Limits[0].Late, "the limit has no such times")
}

// A limit that a new policy keeps keeps its counts, and others begin anew.
func TestStatsAfterReplace(t *testing.T) {
	s := small(t, 1, `"rules": [{"name": "api", "key": ["user"], "limits": [{"name": "a", "rate": "3/h", "as": "log"}]}]`)
	s.pass(1, "user=1")
	s.ask("user=2")
	require.NoError(t, s.Replace(parse(t, `"rules": [
		{"name": "new", "limits": [{"name": "a", "rate": "1/h", "as": "log"}]},
		{"name": "api", "key": ["user"], "limits": [{"name": "a", "rate": "4/h", "as": "log"}]}]`)))
	require.NoError(t, s.Replace(s.Policy()), "and again")
	stats := s.Stats()
	require.Equal(t, []policy.LimitStats{{"new", "a", policy.Counts{}}, {"api", "a", policy.Counts{Live: 1, Full: 1}}}, stats.Limits)
	require.NoError(t, s.Replace(parse(t, minute(""))))
	require.NoError(t, s.Replace(parse(t, `"rules": [{"name": "api", "key": ["user"], "limits": [{"name": "a", "rate": "3/h", "as": "log"}]}]`)))
	require.Zero(t, s.undisturbed())
}

// Stats may be asked while others decide and replace.
func TestStatsUnderLoad(t *testing.T) {
	s := small(t, 8, minute(`{"after": 1, "do": "revoke"}`))
	other := parse(t, minute(`{"after": 1, "do": "block", "for": "1h", "who": ["ip"]}`))
	was := s.Policy()
	var all sync.WaitGroup
	for range 2 {
		all.Go(func() {
			var d policy.Decision
			for i := range 500 {
				s.Decide(request(fmt.Sprint("user=", i)), &d)
			}
		})
		all.Go(func() {
			for range 50 {
				if err := s.Replace(other); err != nil {
					t.Error(err)
				}
				if err := s.Replace(was); err != nil {
					t.Error(err)
				}
			}
		})
	}
	var last policy.Stats
	for range 100 {
		stats := s.Stats()
		if stats.Saturated < last.Saturated || len(stats.Limits) != 1 {
			t.Errorf("from %+v to %+v", last, stats)
		}
		last = stats
	}
	all.Wait()
}

// Revocations of all ladders are counted together.
func TestStatsOfSeveralLadders(t *testing.T) {
	s := newScene(t, `"rules": [
		{"name": "a", "key": ["user"], "limits": [{"name": "l", "rate": "1/min", "as": "log"}], "ladder": [{"after": 1, "do": "revoke"}]},
		{"name": "b", "key": ["ip"], "limits": [{"name": "l", "rate": "1/min", "as": "log"}], "ladder": [{"after": 1, "do": "revoke"}]}]`)
	s.pass(1, "user=7", "ip=1")
	s.ask("user=8", "ip=1")
	s.ask("user=7", "ip=2")
	require.Equal(t, 2, s.Stats().Revoked)
}

// So are strikes for which there was no room.
func TestStatsOfSeveralFullLadders(t *testing.T) {
	s := small(t, 4, `"rules": [
		{"name": "a", "key": ["user"], "limits": [{"name": "l", "rate": "1/min", "as": "aligned"}], "ladder": [{"after": 1, "do": "block", "for": "2h"}]},
		{"name": "b", "key": ["ip"], "limits": [{"name": "l", "rate": "1/min", "as": "aligned"}], "ladder": [{"after": 1, "do": "block", "for": "2h"}]}]`)
	for i := range 10 {
		s.strike(0, fmt.Sprint("user=", i), fmt.Sprint("ip=", i))
	}
	require.EqualValues(t, 4, s.Stats().Unrecorded)
}

// Whoever is revoked by the same steps of several rules is one.
func TestStatsOfOneWhoOfSeveralLadders(t *testing.T) {
	s := newScene(t, `"rules": [
		{"name": "a", "key": ["user"], "limits": [{"name": "l", "rate": "1/min", "as": "log"}], "ladder": [{"after": 1, "do": "revoke", "who": ["tenant"]}]},
		{"name": "b", "key": ["ip"], "limits": [{"name": "l", "rate": "1/min", "as": "log"}], "ladder": [{"after": 1, "do": "revoke", "who": ["tenant"]}]}]`)
	s.pass(1, "user=7", "ip=1", "tenant=3")
	s.ask("user=7", "ip=2", "tenant=3")
	require.Equal(t, 1, s.Stats().Revoked)
	s.refuse(policy.ByRevoke, ratelimit.Never, "user=8", "ip=3", "tenant=3")
}
