package policy_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/limittest"
	"github.com/seed-3506548a/ratelimit/policy"
)

var errDown = errors.New("no route to host")

const farGCRA = `{"name": "x", "rate": "60/min", "as": "gcra", "burst": 3}`

// A limit in a store decides as one in the engine: in every field but MoreAfter of a log, which may
// be longer. Only a request that is refused costs more than to look.
func TestStoreDecidesAsTheEngine(t *testing.T) {
	for _, limit := range []string{
		`"rate": "60/min", "as": "gcra", "burst": 5, "of": "tokens"`,
		`"rate": "7/min", "as": "gcra", "of": "tokens", "shown": "5/min"`,
		`"rate": "9/10s", "as": "aligned", "of": "tokens"`,
		`"rate": "9/10s", "as": "log"`,
		`"rate": "4/10s", "as": "log", "count": ["401"]`,
		`"rate": "9/10s", "as": "anchored", "of": "tokens"`,
	} {
		for _, mode := range []string{``, `, "mode": "watch"`, `, "mode": "shadow"`} {
			fields := `"rules": [{"name": "api", "key": ["user"], "limits": [{"name": "x", ` + limit + `}],
				"ladder": [{"after": 3, "within": "1h", "do": "block", "for": "20s"}]` + mode + `}]`
			s, f := newFarScene(t, fields, "x")
			near := f.engine(t, fields)
			random := rand.New(rand.NewPCG(1, 2))
			var want policy.Decision
			for i := range 1000 {
				s.clock.Advance(time.Duration(random.IntN(1500)) * time.Millisecond)
				r := request(fmt.Sprintf("user=%d", random.IntN(2)))
				r.Amounts = []policy.Amount{{Name: "tokens", N: random.IntN(5)}}
				if random.IntN(9) == 0 {
					r.Tighten = []policy.Tightening{{Limit: "x", To: 2}}
				}
				ask := (*policy.Engine).Decide
				if random.IntN(4) == 0 {
					ask = (*policy.Engine).Peek
				}
				ask(s.Engine, r, &s.d)
				ask(near, r, &want)
				got := s.d.Clone()
				for j := range got.Standings {
					if got.Standings[j].Unanswered {
						require.False(t, got.OK)
						got.Standings[j] = want.Standings[j]
					}
				}
				require.Equal(t, want.Standings, got.Standings, "%s%s %d", limit, mode, i)
				require.Equal(t, want.Action, got.Action)
				require.Equal(t, want.Shadow, got.Shadow)
				require.Equal(t, want.Reached, got.Reached)
				if got.Action != policy.ByBlock { // when the store is not asked
					require.Equal(t, want.RetryAfter, got.RetryAfter)
					require.Equal(t, want.Binding, got.Binding)
					require.GreaterOrEqual(t, got.MoreAfter, want.MoreAfter)
					if !strings.Contains(limit, "log") {
						require.LessOrEqual(t, got.MoreAfter-want.MoreAfter, time.Duration(1), "%s%s %d", limit, mode, i)
					}
				}
				s.clock.Advance(time.Duration(random.IntN(300)) * time.Millisecond)
				if random.IntN(3) == 0 {
					s.Undo(&s.d)
					near.Undo(&want)
					continue
				}
				o := policy.Outcome{Status: 200 + 201*random.IntN(2), Amounts: []policy.Amount{{Name: "tokens", N: random.IntN(9)}}}
				s.Done(&s.d, o)
				near.Done(&want, o)
			}
		}
	}
}

// A request asks a store as seldom as can be.
func TestStoreIsAskedSeldom(t *testing.T) {
	const two = `"rules": [
		{"name": "api", "key": ["user"], "limits": [` + farGCRA + `, {"name": "near", "rate": "5/h", "as": "log"},
			{"name": "day", "rate": "100/day", "as": "aligned"}], "ladder": [{"after": 1, "within": "1h", "do": "block", "for": "1h"}]},
		{"name": "failures", "limits": [{"name": "login", "rate": "2/h", "as": "log", "count": ["401"]}]}]`

	s, f := newFarScene(t, two, "x")
	s.pass(1, "user=7")
	require.Equal(t, []string{"take api/x user=7"}, f.made())
	s.at(time.Minute).peek("user=7")
	require.Equal(t, []string{"peek api/x user=7", "peek api/x user=7"}, f.made())

	s, f = newFarScene(t, two, "api/x", "day", "login")
	s.pass(1, "user=7")
	require.Equal(t, []string{"peek api/day user=7", "peek failures/login ", "take api/x user=7", "take api/day user=7"}, f.made())
	s.Done(&s.d, policy.Outcome{Status: 401})
	require.Equal(t, []string{"charge failures/login "}, f.made())
	s.pass(2, "user=7")
	f.made()
	require.True(t, s.refuse(policy.ByLimit, time.Hour, "user=7").Standings[0].Crossed) // and a block
	require.Equal(t, []string{"peek api/day user=7", "peek failures/login ", "take api/x user=7"}, f.made())
	d := s.refuse(policy.ByBlock, time.Hour, "user=7")
	require.Empty(t, f.made())
	for i, unanswered := range []bool{true, false, true, true} {
		require.Equal(t, unanswered, d.Standings[i].Unanswered)
		require.False(t, d.Standings[i].Crossed)
	}
	require.Equal(t, 100, d.Standings[2].Limit)
	require.Equal(t, 1, d.Binding, "the one that is known")
}

// A rule that watches, before the one that enforces, does not make a store be asked more often.
func TestStoreIsAskedSeldomBehindARuleThatWatches(t *testing.T) {
	s, f := newFarScene(t, `"rules": [
		{"name": "seen", "mode": "watch", "limits": [{"name": "hour", "rate": "9/h", "as": "log"}]},
		{"name": "api", "key": ["user"], "limits": [`+farGCRA+`]}]`, "x")
	s.pass(1, "user=7")
	require.Equal(t, []string{"take api/x user=7"}, f.made())
	require.True(t, s.peek("user=7").OK)
	require.Equal(t, []string{"peek api/x user=7", "peek api/x user=7"}, f.made())
	f.known = map[string]time.Duration{"api/x user=7": time.Minute}
	s.refuse(policy.ByLimit, time.Minute, "user=7")
	require.Empty(t, f.made())
}

// A request that costs nothing is charged nothing in a store, and asks it once.
func TestStoreIsNotChargedNothing(t *testing.T) {
	s, f := newFarScene(t, `"costs": [{"match": ["/"], "n": 0}], "rules": [{"name": "api", "limits": [
		{"name": "x", "rate": "9/h", "as": "log"}, {"name": "y", "rate": "9/h", "as": "log", "count": ["401"]}]}]`, "x", "y")
	s.pass(1)
	require.Equal(t, []string{"peek api/x ", "peek api/y "}, f.made())
	s.Done(&s.d, policy.Outcome{Status: 401})
	require.Empty(t, f.made())
}

// The error is that of the store which did not answer, and not of one that was not asked.
func TestStoreThatDidNotAnswer(t *testing.T) {
	s, f := newFarScene(t, `"rules": [
		{"name": "seen", "mode": "watch", "limits": [{"name": "y", "rate": "9/h", "as": "log"}]},
		{"name": "api", "limits": [`+farGCRA+`]}]`, "x", "y")
	f.down = errDown
	s.refuse(policy.ByStore, ratelimit.Never)
	require.EqualError(t, s.d.Err, "policy: limit api/x: no route to host")
}

// bare is a store of limiters that remember nothing.
type bare struct{ limiter ratelimit.Limiter }

func (b bare) Limiter(string) ratelimit.Limiter { return b.limiter }

func TestStoreWithoutAMemory(t *testing.T) {
	clock := limittest.NewClock(t0)
	open := func(_ string, l policy.Limit) (policy.Store, error) {
		limiter, err := l.New(ratelimit.WithClock(clock))
		return bare{limiter}, err
	}
	e, err := policy.New(parse(t, `"rules": [{"name": "api", "limits": [`+farGCRA+`]}]`), 10, policy.WithClock(clock), policy.WithStore("x", open))
	require.NoError(t, err)
	s := &scene{t: t, Engine: e, clock: clock}
	s.pass(3)
	require.False(t, s.peek().OK)
	s.refuse(policy.ByLimit, time.Second)
	require.True(t, s.at(time.Second).peek().OK)
	s.pass(1)
}

// Refusals that stores remember come before all questions: then no store is asked, and all that is
// known is told.
func TestStoreThatRemembersIsNotAsked(t *testing.T) {
	const fields = `"rules": [
		{"name": "all", "limits": [{"name": "sum", "rate": "90/h", "as": "log"}]},
		{"name": "api", "key": ["user"], "limits": [` + farGCRA + `, {"name": "day", "rate": "80/day", "as": "log"}, {"name": "near", "rate": "70/h", "as": "log"}]},
		{"name": "seen", "key": ["user"], "mode": "shadow", "limits": [{"name": "y", "rate": "60/h", "as": "log"}]}]`
	s, f := newFarScene(t, fields, "sum", "x", "day", "y")
	s.pass(1, "user=7")
	f.made()
	f.known = map[string]time.Duration{"api/x user=7": time.Minute, "api/day user=7": time.Hour}
	for range 3 {
		d := s.refuse(policy.ByLimit, time.Hour, "user=7")
		require.Empty(t, f.made())
		require.Equal(t, 2, d.Binding)
		for i, unanswered := range []bool{true, false, false, false, true} {
			require.Equal(t, unanswered, d.Standings[i].Unanswered, "%d", i)
			require.Equal(t, i == 1 || i == 2, d.Standings[i].Crossed, "%d", i)
		}
		require.Equal(t, []int{90, 3, 80, 70, 60}, limits(d))
		require.Equal(t, 69, d.Standings[3].Remaining)
		s.peek("user=7")
		require.False(t, s.d.OK)
		require.Empty(t, f.made())
	}
	s.pass(1, "user=8") // of which nothing is remembered
	require.Len(t, f.made(), 5+2)
	require.Zero(t, s.Stats().Unanswered)

	f.known = map[string]time.Duration{"seen/y user=7": time.Minute}
	s.pass(1, "user=7")
	require.NotContains(t, strings.Join(f.made(), "\n"), "seen/y")
	require.True(t, s.d.Shadow)
}

func limits(d *policy.Decision) (all []int) {
	for _, s := range d.Standings {
		all = append(all, s.Limit)
	}
	return all
}

// P1: what a store has charged is given back if another limit refuses after all, and nothing is
// charged to others if a store refuses.
func TestP01StoresAreChargedTogether(t *testing.T) {
	const fields = `"rules": [
		{"name": "api", "key": ["user"], "limits": [` + farGCRA + `, {"name": "near", "rate": "5/h", "as": "log"}]},
		{"name": "all", "limits": [{"name": "sum", "rate": "2/h", "as": "log"}]}]`
	s, f := newFarScene(t, fields, "x", "sum")
	other := f.engine(t, fields, "x", "sum")
	once := true
	f.before = func(call string) {
		if call == "take all/sum " && once { // another process is faster
			once = false
			var d policy.Decision
			for range 2 {
				other.Decide(request("user=8"), &d)
				require.True(t, d.OK)
			}
		}
	}
	d := s.refuse(policy.ByLimit, time.Hour, "user=7")
	require.Equal(t, 3, d.Standings[0].Remaining)
	require.False(t, d.Standings[0].Crossed)
	require.Equal(t, 5, d.Standings[1].Remaining)
	require.True(t, d.Standings[2].Crossed)
	require.Equal(t, 2, d.Binding)
	require.Contains(t, f.made(), "refund api/x user=7")
	require.Equal(t, 2, s.at(time.Hour).peek("user=7").Standings[0].Remaining, "and one for the request")
}

// Undo gives back what stores have granted.
func TestStoreUndo(t *testing.T) {
	s, f := newFarScene(t, `"rules": [{"name": "api", "key": ["user"], "limits": [`+farGCRA+`]}]`, "x")
	s.pass(3, "user=7")
	s.Undo(&s.d)
	s.Undo(&s.d)
	require.Equal(t, "refund api/x user=7", f.calls[len(f.calls)-1])
	s.pass(1, "user=7")
	require.False(t, s.ask("user=7").OK)
}

// What a store does not answer is refused, is no strike, and charges nothing else.
func TestStoreThatDoesNotAnswer(t *testing.T) {
	const fields = `"rules": [{"name": "api", "key": ["user"], "limits": [` + farGCRA + `, {"name": "near", "rate": "5/h", "as": "log"}, {"name": "day", "rate": "90/day", "as": "log"}],
		"ladder": [{"after": 1, "do": "notify"}]}]`
	for _, limits := range [][]string{{"x"}, {"day", "x"}} {
		s, f := newFarScene(t, fields, limits...)
		s.pass(1, "user=7")
		f.down = errDown
		d := s.refuse(policy.ByStore, ratelimit.Never, "user=7")
		require.EqualError(t, d.Err, "policy: limit api/"+map[int]string{1: "x", 2: "day"}[len(limits)]+": no route to host")
		require.ErrorIs(t, d.Err, errDown)
		require.Contains(t, d.LogValue().String(), "no route to host")
		require.Empty(t, d.Reached)
		require.True(t, d.Standings[0].Unanswered)
		require.Equal(t, 1, d.Binding)
		require.EqualValues(t, 1, s.Stats().Unanswered)
		s.peek("user=7")
		require.Equal(t, policy.ByStore, s.d.Action)
		f.down = nil
		require.Equal(t, 4, s.remaining("near", "user=7"))
		s.pass(1, "user=7")
		require.NoError(t, s.d.Err)
		require.EqualValues(t, 2, s.Stats().Unanswered)
	}
}

// What stands in for a store may grant. What it has granted is not given back to the store.
func TestStoreStandIn(t *testing.T) {
	s, f := newFarScene(t, `"rules": [{"name": "api", "key": ["user"], "limits": [`+farGCRA+`, {"name": "login", "rate": "9/h", "as": "log", "count": ["401"]}]}]`, "x", "login")
	f.down, f.standIn = errDown, true
	s.pass(5, "user=7")
	require.True(t, s.d.Standings[0].Unanswered)
	require.Equal(t, 3, s.d.Standings[0].Remaining, "of the limit, and not of the other")
	require.Equal(t, -1, s.d.Binding)
	s.Undo(&s.d)
	s.pass(1, "user=7")
	before := s.Stats().Limits[1].Unanswered
	s.Done(&s.d, policy.Outcome{Status: 401})
	require.Equal(t, before+1, s.Stats().Limits[1].Unanswered)
	require.NotContains(t, strings.Join(f.made(), "\n"), "refund")
	require.EqualValues(t, 1, s.Stats().Limits[1].Untracked)
	f.down = nil
	s.pass(3, "user=7")
}

// Two keys never have one text.
func TestStoreKeys(t *testing.T) {
	s, f := newFarScene(t, `"rules": [{"name": "api", "key": ["user|ip", "route"], "missing": "share", "limits": [`+farGCRA+`]}]`, "x")
	for _, c := range []struct {
		attrs []string
		key   string
	}{
		{[]string{"user=7", "ip=1", "route=/a"}, "user=7&route=/a"},
		{[]string{"ip=7", "route=/a"}, "ip=7&route=/a"},
		{[]string{"user=7&route=/a", "route=/b"}, "user=7%26route=/a&route=/b"},
		{[]string{"user=7%26route=/a", "route=/b"}, "user=7%2526route=/a&route=/b"},
		{[]string{"user=7=}{é\x00"}, "user=7=}{é\x00&"},
		{[]string{"route=user=7"}, "&route=user=7"},
		{nil, "&"},
	} {
		s.pass(1, c.attrs...)
		require.Equal(t, []string{"take api/x " + c.key}, f.made())
		require.Equal(t, 2, s.d.Standings[0].Remaining)
	}
}

// Overrides and Replace have stores of their own for each rate, under the same name.
func TestStoreOverridesAndReplace(t *testing.T) {
	const fields = `"rules": [{"name": "api", "key": ["user"], "limits": [{"name": "x", "rate": "%d/day", "as": "log", "count": ["401", "5xx"]}]}],
		"overrides": [{"when": ["plan=pro"], "limit": "x", "rate": "5/day"}, {"when": ["plan=max"], "limit": "x", "rate": "5/day", "shown": "4/day"},
			{"when": ["plan=free"], "limit": "x", "unlimited": true}]`
	s, f := newFarScene(t, fmt.Sprintf(fields, 2), "x")
	require.Equal(t, []string{"api/x:log:24h0m0s:count=401,5xx x: log 2/day count 401,5xx", "api/x:log:24h0m0s:count=401,5xx x: log 5/day count 401,5xx"}, f.opened)
	fail := func(attrs ...string) {
		s.pass(1, attrs...)
		s.Done(&s.d, policy.Outcome{Status: 500})
	}
	fail("user=7")
	fail("user=7", "plan=pro")
	s.refuse(policy.ByLimit, 24*time.Hour, "user=7")
	s.pass(1, "user=7", "plan=free")
	s.pass(1, "user=7", "plan=max")
	require.Equal(t, 2, s.d.Standings[0].Remaining)
	require.NoError(t, s.Replace(parse(t, fmt.Sprintf(fields, 3))))
	require.Len(t, f.opened, 3)
	require.NoError(t, s.Replace(parse(t, fmt.Sprintf(fields, 3))))
	require.Len(t, f.opened, 3)
	require.Equal(t, 1, s.remaining("x", "user=7"))
	fail("user=7")
	s.refuse(policy.ByLimit, 24*time.Hour, "user=7")
	require.NoError(t, s.Replace(parse(t, fmt.Sprintf(fields, 2))))
	require.Len(t, f.opened, 4, "what no policy has was forgotten")
}

// What is kept in a store is known by all that it is counted by.
func TestStoreNames(t *testing.T) {
	_, f := newFarScene(t, `"rules": [{"name": "api", "limits": [
		{"name": "x", "rate": "9/min", "as": "log"},
		{"name": "y", "rate": "9/h", "as": "gcra", "of": "tokens"},
		{"name": "z", "rate": "9/day", "as": "anchored", "count": ["401", "403"]}]}]`, "x", "y", "z")
	var names []string
	for _, opened := range f.opened {
		name, _, _ := strings.Cut(opened, " ")
		names = append(names, name)
	}
	require.Equal(t, []string{"api/x:log:1m0s", "api/y:gcra:1h0m0s:of=tokens", "api/z:anchored:24h0m0s:count=401,403"}, names)
}

func TestWithStoreErrors(t *testing.T) {
	const fields = `"rules": [{"name": "api", "key": ["user"], "limits": [` + farGCRA + `]}, {"name": "web", "limits": [` + farGCRA + `, {"name": "y", "rate": "1/s", "as": "log"}]}]`
	f := newFar(limittest.NewClock(t0))
	refused := func(string, policy.Limit) (policy.Store, error) { return nil, errDown }
	empty := func(string, policy.Limit) (policy.Store, error) { return nil, nil }
	for _, c := range []struct {
		opts []policy.Option
		want string
	}{
		{[]policy.Option{policy.WithStore("z", f.open)}, "policy.New: WithStore limit is \"z\", want the name of a limit that there is: api/x, web/x or web/y"},
		{[]policy.Option{policy.WithStore("x", f.open)}, "policy.New: WithStore limit is \"x\", want one of the limits of this name: api/x or web/x"},
		{[]policy.Option{policy.WithStore("y", f.open), policy.WithStore("web/y", f.open)}, "policy.New: WithStore limit is \"web/y\", want one store for a limit"},
		{[]policy.Option{policy.WithStore("y", nil)}, "policy.New: WithStore open is nil, want a function that opens a store"},
		{[]policy.Option{policy.WithStore("y", refused)}, "policy.New: rules[1].limits[1]: no route to host"},
		{[]policy.Option{policy.WithStore("y", empty)}, "policy.New: rules[1].limits[1]: policy.OpenStore: Store is nil, want a store, or an error"},
	} {
		_, err := policy.New(parse(t, fields), 10, c.opts...)
		require.EqualError(t, err, c.want)
	}
	e := f.engine(t, fields, "y")
	require.EqualError(t, e.Replace(parse(t, `"rules": [{"name": "api", "limits": [`+farGCRA+`]}]`)),
		"policy.Engine.Replace: WithStore limit is \"y\", want the name of a limit that there is: api/x")
	require.Len(t, e.Policy().Rules, 2)
}

// Engines that share a store grant together what the limit is, and no more.
func TestStoreIsSharedByEngines(t *testing.T) {
	const fields = `"rules": [{"name": "api", "key": ["user"], "limits": [{"name": "x", "rate": "50/h", "as": "log"}, {"name": "near", "rate": "1000/h", "as": "log"}]}]`
	s, f := newFarScene(t, fields, "x")
	engines := []*policy.Engine{s.Engine, f.engine(t, fields, "x")}
	granted := make([]int, 8)
	var all sync.WaitGroup
	for i := range granted {
		all.Go(func() {
			var d policy.Decision
			for range 20 {
				if engines[i%2].Decide(request("user=7"), &d); d.OK {
					granted[i]++
				}
			}
		})
	}
	all.Wait()
	sum := 0
	for _, n := range granted {
		sum += n
	}
	require.Equal(t, 50, sum)
}
