package simulate_test

import (
	"cmp"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/keyed"
	"github.com/seed-3506548a/ratelimit/limittest"
	"github.com/seed-3506548a/ratelimit/policy"
	"github.com/seed-3506548a/ratelimit/policy/catalog"
	"github.com/seed-3506548a/ratelimit/simulate"
)

func run(t testing.TB, requests []simulate.Request, o simulate.Options, subjects ...simulate.Subject) []*simulate.Result {
	t.Helper()
	results, err := simulate.Run(slices.Values(requests), o, subjects...)
	require.NoError(t, err)
	return results
}

func limited(text string) simulate.Judge {
	return ratelimit.Must(simulate.NewLimit(ratelimit.Must(policy.ParseLimit(text))))
}

func parsed(document string) policy.Policy { return ratelimit.Must(policy.Parse([]byte(document))) }

func judging(p policy.Policy) simulate.Judge { return ratelimit.Must(simulate.NewPolicy(p, 100)) }

// by makes a request of a key, so many seconds after t0.
func by(key string, seconds float64) simulate.Request {
	return simulate.Request{At: t0.Add(time.Duration(seconds * 1e9)), Key: key, Method: "GET", Path: "/", Attrs: []policy.Attr{{Name: "user", Value: key}}}
}

// An exempt request costs what it says itself, whatever the one before has cost.
func TestCostOfExemptRequests(t *testing.T) {
	judge := judging(parsed(`{"costs": [{"match": ["/dear"], "n": 50}], "rules": [
		{"name": "api", "limits": [{"name": "hour", "rate": "100/h", "as": "log"}]},
		{"name": "free", "match": ["/free"], "mode": "exempt"}]}`))
	var costs []int
	for i, path := range []string{"/dear", "/free", "/"} {
		r, v := by("a", float64(i)), simulate.Verdict{}
		r.Path = path
		judge.Judge(&r, &v)
		require.True(t, v.OK)
		costs = append(costs, v.Cost)
	}
	require.Equal(t, []int{50, 1, 1}, costs)
}

func TestRun(t *testing.T) {
	requests := []simulate.Request{by("a", 0), by("a", 0.5), by("b", 1), by("a", 1.5), by("a", 2), by("c", 3), by("a", 10), by("c", 10.5), by("c", 11)}
	r := run(t, requests, simulate.Options{Bin: 2 * time.Second}, simulate.Subject{Name: "two", Judge: limited("log 2/10s")})[0]
	require.Equal(t, []any{9, int64(9), int64(6), int64(3), 3, 2}, []any{r.Requests, r.Offered, r.Granted, r.Refused, r.Keys, r.KeysRefused})
	require.Equal(t, []simulate.Acted{{Action: "limit", Requests: 3}}, r.Actions)
	require.Equal(t, simulate.Limit{Name: "log 2/10s", Limit: "log 2/10s", Refused: 3, MostGranted: 2, MostKey: "a", Per: simulate.Seconds(10 * time.Second)}, r.Limits[0])
	require.Equal(t, "a", r.Worst[0].Key)
	require.Equal(t, []int64{5, 3, 2}, []int64{r.Worst[0].Offered, r.Worst[0].Granted, r.Worst[0].Refused})
	require.Equal(t, []string{"c", "b"}, []string{r.Worst[1].Key, r.Worst[2].Key})
	require.Equal(t, []simulate.Seconds{simulate.Seconds(8 * time.Second), simulate.Seconds(8500 * time.Millisecond)}, []simulate.Seconds{r.Waits.Median, r.Waits.Longest})
	require.Len(t, r.Bins, 6)
	require.Equal(t, simulate.Bin{At: t0, Offered: 4, Granted: 3, Refused: 1}, r.Bins[0])
	require.Equal(t, []time.Time{t0, t0.Add(11 * time.Second)}, []time.Time{r.First, r.Last})
	require.Equal(t, `two: 9 requests in 11s, clients: open
  offered 9, granted 6, refused 3 (33 %), to 2 of 3 keys (67 %)
  requests refused by: limit 3
  waits: median 8s, 90% 8.5s, 99% 8.5s, longest 8.5s
  limit                                                              refused           most granted
  log 2/10s                                log 2/10s                       3               2 in 10s
  worst keys                                  offered    granted    refused
  a                                                 5          3          2
  c                                                 3          2          1
`, r.String())
	text, err := json.Marshal(r)
	require.NoError(t, err)
	for _, name := range []string{`"requests":9`, `"offered":9`, `"granted":6`, `"refused":3`, `"keys":3`, `"late":0`,
		`"limits":[{"name":"log 2/10s","limit":"log 2/10s","refused":3,"most_granted":2,"most_key":"a","per":10}]`, `"worst":[{"key":"a","offered":5,"granted":3,"refused":2}`,
		`"waits":{"median":8,"p90":8.5,"p99":8.5,"longest":8.5}`} {
		require.Contains(t, string(text), name)
	}
	var back simulate.Result
	require.NoError(t, json.Unmarshal(text, &back))
	require.Equal(t, r.Waits.Longest, back.Waits.Longest)
}

// The result of nothing has what is always there, in this order, and its lists are empty.
func TestRunOfNothing(t *testing.T) {
	r := run(t, nil, simulate.Options{}, simulate.Subject{Name: "x", Judge: limited("log 1/s")}, simulate.Subject{Name: "y", Judge: limited("log 1/s"), Client: simulate.Obeying})
	for i, want := range []string{
		`"bin_width":1,"bins":[],"heat_width":1}`,
		`"clients":{"retries":0,"granted_late":0,"gave_up":0,"median_delay":0,"longest_delay":0},` +
			`"diff":{"from":"x","both_granted":0,"both_refused":0,"newly_refused":0,"newly_granted":0,"keys_refused":0,"keys_granted":0,"keys_different":0,"others_requests":0,"worst":[],"examples":[]},` +
			`"bin_width":1,"bins":[],"heat_width":1}`,
	} {
		text, err := json.Marshal(r[i])
		require.NoError(t, err)
		require.Equal(t, fmt.Sprintf(`{"schema":1,"name":%q,"client":%q,"first":"0001-01-01T00:00:00Z","last":"0001-01-01T00:00:00Z","requests":0,"offered":0,"granted":0,"refused":0,`+
			`"never":0,"shadow":0,"unlimited":0,"keys":0,"keys_refused":0,"late":0,"late_by":0,"actions":[],`+
			`"limits":[{"name":"log 1/s","limit":"log 1/s","refused":0,"most_granted":0,"per":1}],"worst":[],`, []string{"x", "y"}[i], []string{"open", "obeying"}[i])+want, string(text))
	}
}

// What a policy does: which rule and limit refused, ladders, shadows, amounts, responses.
func TestRunOfPolicies(t *testing.T) {
	p := parsed(`{"rules": [
		{"name": "api", "key": ["user|ip"], "limits": [{"name": "second", "rate": "1/s", "as": "log"}, {"name": "tokens", "rate": "100/min", "as": "log", "of": "tokens"}],
			"ladder": [{"after": 2, "within": "1m", "do": "block", "for": "30s"}]},
		{"name": "failures", "key": ["user"], "limits": [{"name": "401", "rate": "3/min", "as": "log", "count": ["401"]}]},
		{"name": "next", "key": ["user"], "mode": "shadow", "limits": [{"name": "ten", "rate": "1/10s", "as": "log"}]}]}`)
	var requests []simulate.Request
	for i := range 12 {
		r := by("a", float64(i)*0.9)
		r.Status = 401
		r.Amounts = []policy.Amount{{Name: "tokens", N: 10}}
		requests = append(requests, r, by("b", float64(i)*0.9))
	}
	r := run(t, requests, simulate.Options{}, simulate.Subject{Name: "p", Judge: judging(p)})[0]
	require.Len(t, r.Limits, 4)
	require.Equal(t, "api/second", r.Limits[0].Rule+"/"+r.Limits[0].Name)
	require.EqualValues(t, 1, r.Limits[0].MostGranted)
	require.EqualValues(t, 20, r.Limits[1].MostGranted, "of a, until it is blocked; b has none")
	require.EqualValues(t, 2, r.Limits[2].MostGranted, "responses")
	require.Equal(t, "shadow", r.Limits[3].Mode)
	require.Positive(t, r.Shadow)
	require.Len(t, r.Steps, 1)
	require.Equal(t, []any{"api", "block", 2, 2}, []any{r.Steps[0].Rule, r.Steps[0].Do, r.Steps[0].After, r.Steps[0].Times})
	actions := map[string]int{}
	for _, a := range r.Actions {
		actions[a.Action] = a.Requests
	}
	require.Positive(t, actions["block"])
	require.EqualValues(t, r.Refused, actions["block"]+actions["limit"])
}

// What a rule in shadow would have refused is reported of each key, behind what was refused.
func TestRunOfShadows(t *testing.T) {
	p := parsed(`{"rules": [
		{"name": "now", "key": ["user"], "limits": [{"name": "three", "rate": "3/min", "as": "log"}]},
		{"name": "next", "key": ["user"], "mode": "shadow", "limits": [{"name": "one", "rate": "1/min", "as": "log"}]}]}`)
	requests := []simulate.Request{by("d", 0), by("c", 0), by("b", 1), by("b", 2), by("a", 3), by("a", 4), by("a", 5), by("a", 6)}
	r := run(t, requests, simulate.Options{}, simulate.Subject{Name: "p", Judge: judging(p)})[0]
	require.Equal(t, []any{int64(3), 2, 1}, []any{r.Shadow, r.KeysShadow, r.KeysRefused})
	require.Contains(t, r.String(), `
  rules in shadow would have refused 3 requests, of 2 of 4 keys
  worst keys                                  offered    granted    refused  in shadow
  a                                                 4          3          1          2
  b                                                 2          2          0          1
`)
	require.Equal(t, []string{"c", "d"}, []string{r.Worst[2].Key, r.Worst[3].Key})
}

// TestRunEqualsReference compares counts with a loop over single limiters, on random traffic.
func TestRunEqualsReference(t *testing.T) {
	for seed := range uint64(100) {
		compareWithReference(t, seed)
	}
}

func FuzzRun(f *testing.F) {
	f.Add(uint64(1))
	f.Fuzz(func(t *testing.T, seed uint64) { compareWithReference(t, seed) })
}

func compareWithReference(t *testing.T, seed uint64) {
	random := rand.New(rand.NewPCG(seed, 5))
	as := []policy.Algorithm{policy.Interval, policy.Anchored, policy.Log, policy.Counter, policy.GCRA, policy.Aligned}
	var limits []policy.Limit
	for i := range 1 + random.IntN(3) {
		limits = append(limits, policy.Limit{Name: fmt.Sprint("l", i), As: as[random.IntN(len(as))], Rate: ratelimit.Per(1+random.IntN(6), time.Duration(1+random.IntN(20))*time.Second)})
	}
	p := policy.Policy{Name: "random", Rules: []policy.Rule{
		{Name: "all", Key: []string{"user"}, Limits: slices.Clone(limits[:1])},
		{Name: "posts", Match: []string{"POST /"}, Key: []string{"user", "route"}, Limits: limits},
	}}
	var requests []simulate.Request
	now := t0
	for range random.IntN(150) {
		now = now.Add(time.Duration(random.Int64N(int64(2 * time.Second))))
		user, route, method := fmt.Sprint(random.IntN(4)), fmt.Sprint("r", random.IntN(2)), "GET"
		if random.IntN(3) == 0 {
			method = "POST"
		}
		requests = append(requests, simulate.Request{At: now, Key: user, Method: method, Path: "/" + route, Cost: random.IntN(3),
			Attrs: []policy.Attr{{Name: "user", Value: user}, {Name: "route", Value: route}}})
	}
	r := run(t, requests, simulate.Options{Top: 10}, simulate.Subject{Name: "p", Judge: judging(p)})[0]
	if len(requests) == 0 {
		require.Zero(t, r.Requests)
		return
	}
	reference(t, p, requests, r)
}

// reference plays requests through single limiters, one for each key of each limit, and compares.
func reference(t *testing.T, p policy.Policy, requests []simulate.Request, r *simulate.Result) {
	type limitOf struct {
		limit *policy.Limit
		key   string
	}
	type granted struct {
		at time.Time
		n  int
	}
	limiters, grants := map[limitOf]ratelimit.Limiter{}, map[limitOf][]granted{}
	refusedBy := map[*policy.Limit]int{}
	refusedOf := map[string]int{}
	offered, refused := 0, 0
	clock := limittest.NewClock(requests[0].At)
	for _, q := range requests {
		n := max(q.Cost, 1)
		var asked []limitOf
		for i := range p.Rules {
			rule := &p.Rules[i]
			if i == 1 && q.Method != "POST" {
				continue
			}
			key := rule.Name + " " + q.Attrs[0].Value
			if i == 1 {
				key += " " + q.Attrs[1].Value
			}
			for j := range rule.Limits {
				asked = append(asked, limitOf{&rule.Limits[j], key})
			}
		}
		ok := true
		clock.Set(q.At) // the buckets of a counter begin with its first grant
		of := make([]ratelimit.Limiter, len(asked))
		for i, a := range asked {
			if of[i] = limiters[a]; of[i] == nil {
				of[i] = ratelimit.Must(a.limit.New(ratelimit.WithClock(clock)))
			}
			if !of[i].PeekAt(q.At, n).OK {
				ok = false
				refusedBy[a.limit] += n
			}
		}
		offered += n
		if !ok {
			refused += n
			refusedOf[q.Key] += n
			continue
		}
		for i, a := range asked {
			limiters[a] = of[i]
			require.True(t, of[i].TakeAt(q.At, n).OK)
			grants[a] = append(grants[a], granted{q.At, n})
		}
	}
	require.Equal(t, []int{offered, refused}, []int{int(r.Offered), int(r.Refused)})
	for _, k := range r.Worst {
		require.EqualValues(t, refusedOf[k.Key], k.Refused)
	}
	require.True(t, slices.IsSortedFunc(r.Worst, func(a, b simulate.Key) int { return cmp.Compare(b.Refused, a.Refused) }))
	at := 0
	for i := range p.Rules {
		for j := range p.Rules[i].Limits {
			l := &p.Rules[i].Limits[j]
			require.EqualValues(t, refusedBy[l], r.Limits[at].Refused, "%v", l)
			most := 0
			for a, all := range grants {
				for x := range all {
					inside := 0
					for y := x; y < len(all) && a.limit == l && all[y].at.Sub(all[x].at) < l.Rate.Per; y++ {
						inside += all[y].n
					}
					most = max(most, inside)
				}
			}
			require.EqualValues(t, most, r.Limits[at].MostGranted, "%v", l)
			at++
		}
	}
}

// A store is replayed as it is.
func TestRunOfStores(t *testing.T) {
	table := ratelimit.Must(keyed.NewGCRA[string](ratelimit.PerSecond(1), 2, 100, keyed.WithClock(limittest.NewClock(t0))))
	r := run(t, []simulate.Request{by("a", 0), by("a", 0), by("a", 0), by("b", 0)}, simulate.Options{}, simulate.Subject{Judge: ratelimit.Must(simulate.NewStore(table))})[0]
	require.Equal(t, []int64{3, 1}, []int64{r.Granted, r.Refused})
	require.Empty(t, r.Limits)
	for _, store := range []simulate.Store{nil, (*keyed.Table[string])(nil)} {
		judge, err := simulate.NewStore(store)
		require.Nil(t, judge)
		require.EqualError(t, err, "simulate.NewStore: store is nil, want a table, a map, or another store")
	}
}

// The second policy is compared with the first.
func TestDiff(t *testing.T) {
	var requests []simulate.Request
	for i := range 10 {
		requests = append(requests, by("a", float64(i)*2), by("b", float64(i)*2))
	}
	requests = append(requests, by("a", 21), by("c", 30), by("b", 40), by("b", 40.1), by("b", 40.2), by("d", 40.3), by("d", 40.4))
	seen := 0
	results := run(t, requests, simulate.Options{Top: 2, Each: func(int, *simulate.Request, *simulate.Verdict) { seen++ }},
		simulate.Subject{Name: "loose", Judge: limited("log 1/s")}, simulate.Subject{Name: "strict", Judge: limited("log 2/10s")}, simulate.Subject{Name: "same", Judge: limited("log 1/s")})
	require.Nil(t, results[0].Diff)
	require.Equal(t, 3*len(requests), seen)
	require.Equal(t, simulate.Diff{From: "loose", BothGranted: 12, BothRefused: 1, NewlyRefused: 12, NewlyGranted: 2, KeysRefused: 2, KeysGranted: 2, KeysDifferent: 3,
		Worst: []simulate.KeyDiff{{Key: "b", NewlyRefused: 6, NewlyGranted: 1}, {Key: "a", NewlyRefused: 6}}, // and d
		Examples: []simulate.RequestDiff{
			{At: t0.Add(4 * time.Second), Key: "a", Method: "GET", Path: "/"}, {At: t0.Add(4 * time.Second), Key: "b", Method: "GET", Path: "/"}},
	}, *results[1].Diff, "b is granted the second at 40 s, and d")
	require.Equal(t, simulate.Diff{From: "loose", BothGranted: 24, BothRefused: 3, Worst: []simulate.KeyDiff{}, Examples: []simulate.RequestDiff{}}, *results[2].Diff)
	require.Contains(t, results[1].String(), "beside loose: newly refused 12 requests (keys: 2), newly granted 2 (keys: 2)")
}

// Where keys are not told apart, what differs of all of them counts as one.
func TestDiffOfOthers(t *testing.T) {
	requests := []simulate.Request{by("a", 0), by("b", 0), by("b", 0.1), by("c", 0), by("c", 2), by("c", 4), by("d", 0), by("d", 2), by("d", 4), by("d", 6)}
	slices.SortStableFunc(requests, func(a, b simulate.Request) int { return a.At.Compare(b.At) })
	d := run(t, requests, simulate.Options{Keys: 1}, simulate.Subject{Judge: limited("log 1/s")}, simulate.Subject{Judge: limited("log 2/10s")})[1].Diff
	require.Equal(t, []simulate.KeyDiff{{Key: "(others)", NewlyRefused: 3, NewlyGranted: 1}}, d.Worst)
	require.Equal(t, []int{4, 1, 1, 1}, []int{d.OthersRequests, d.KeysDifferent, d.KeysRefused, d.KeysGranted})

	// The most different come first: of those that differ as often, by name.
	requests = nil
	for i, key := range []string{"x", "y", "z", "w"} {
		for j := range []int{3, 4, 3, 2}[i] {
			requests = append(requests, by(key, float64(j)*2))
		}
		requests = append(requests, by(key, 30))
		for range []int{0, 0, 0, 3}[i] { // these are refused first, and then granted
			requests = append(requests, by(key, 30.1))
		}
	}
	slices.SortStableFunc(requests, func(a, b simulate.Request) int { return a.At.Compare(b.At) })
	d = run(t, requests, simulate.Options{}, simulate.Subject{Judge: limited("log 1/s")}, simulate.Subject{Judge: limited("log 4/8s")})[1].Diff
	require.Equal(t, []simulate.KeyDiff{{Key: "w", NewlyGranted: 3}}, d.Worst)
	require.Equal(t, []int{0, 1, 0, 1}, []int{d.OthersRequests, d.KeysDifferent, d.KeysRefused, d.KeysGranted})
	d = run(t, requests, simulate.Options{}, simulate.Subject{Judge: limited("log 1/s")}, simulate.Subject{Judge: limited("log 2/10s")})[1].Diff
	require.Equal(t, []simulate.KeyDiff{{Key: "y", NewlyRefused: 2}, {Key: "w", NewlyGranted: 1}, {Key: "x", NewlyRefused: 1}, {Key: "z", NewlyRefused: 1}}, d.Worst)
	require.Equal(t, []int{4, 3, 1}, []int{d.KeysDifferent, d.KeysRefused, d.KeysGranted})

	requests = nil
	for i, key := range []string{"two", "six", "one", "four", "five", "three"} {
		for range []int{3, 7, 2, 5, 6, 4}[i] {
			requests = append(requests, by(key, 0))
		}
	}
	d = run(t, requests, simulate.Options{}, simulate.Subject{Judge: limited("log 1/s")}, simulate.Subject{Judge: limited("log 10/s")})[1].Diff
	require.Equal(t, []simulate.KeyDiff{{Key: "six", NewlyGranted: 6}, {Key: "five", NewlyGranted: 5}, {Key: "four", NewlyGranted: 4},
		{Key: "three", NewlyGranted: 3}, {Key: "two", NewlyGranted: 2}, {Key: "one", NewlyGranted: 1}}, d.Worst)
}

// All is the same each time, for policies with ladders and clients that are random, too.
func TestRunIsDeterministic(t *testing.T) {
	p := ratelimit.Must(catalog.Load("fair-use"))
	play := func(seed uint64) string {
		events := simulate.Until(ratelimit.Must(simulate.Poisson(t0, ratelimit.PerSecond(20), seed)), t0.Add(30*time.Second))
		requests := ratelimit.Must(simulate.Crowded(events, 50, 1, seed, simulate.Request{Method: "GET", Path: "/", Status: 200}, p.Attributes()...))
		var subjects []simulate.Subject
		for _, c := range []simulate.Client{simulate.Open, simulate.Obeying, simulate.Backoff, simulate.Impatient} {
			subjects = append(subjects, simulate.Subject{Name: c.String(), Judge: ratelimit.Must(simulate.NewPolicy(p, 1000)), Client: c, Seed: seed},
				simulate.Subject{Name: "limit", Judge: limited("gcra 20/min burst 5"), Client: c, Seed: seed})
		}
		text, err := json.Marshal(ratelimit.Must(simulate.Run(requests, simulate.Options{}, subjects...)))
		require.NoError(t, err)
		return string(text)
	}
	once, again := play(1), play(1)
	require.Equal(t, once, again)
	require.NotEqual(t, play(1), play(2))
}

// A request that is earlier than the one before it is judged as of the time of that one, and so are
// those that follow.
func TestRunOfLateRequests(t *testing.T) {
	var at []float64
	o := simulate.Options{Each: func(_ int, r *simulate.Request, _ *simulate.Verdict) { at = append(at, r.At.Sub(t0).Seconds()) }}
	r := run(t, []simulate.Request{by("a", 0), by("a", 5), by("a", 3), by("a", 4), by("a", 6)}, o, simulate.Subject{Judge: limited("log 9/s")})[0]
	require.Equal(t, []float64{0, 5, 5, 5, 6}, at)
	require.Equal(t, t0.Add(6*time.Second), r.Last)
	require.EqualValues(t, 3, r.Limits[0].MostGranted)
}

// By default ten keys are listed, as many as are told apart by default can be, and all of the
// extremes are accepted.
func TestRunOptions(t *testing.T) {
	var requests []simulate.Request
	for i := range 24 {
		requests = append(requests, by(fmt.Sprint(i/2), 0))
	}
	subject := func() simulate.Subject { return simulate.Subject{Judge: limited("log 1/s")} }
	require.Len(t, run(t, requests, simulate.Options{}, subject())[0].Worst, 10)
	require.Len(t, run(t, requests, simulate.Options{Top: 1}, subject())[0].Worst, 1)
	require.Len(t, run(t, requests, simulate.Options{Top: 11}, subject())[0].Worst, 11)
	r := run(t, requests, simulate.Options{Keys: 1 << 24, Bin: 1}, subject())[0]
	require.Equal(t, []any{12, false, simulate.Seconds(1)}, []any{r.Keys, r.MoreKeys, r.BinWidth})
	_, err := simulate.Run(slices.Values(requests), simulate.Options{Keys: 1<<24 + 1}, subject())
	require.EqualError(t, err, "simulate.Run: Keys is 16777217, want 1 to 16777216")
	_, err = simulate.Run(slices.Values(requests), simulate.Options{}, simulate.Subject{Judge: limited("log 1/s"), Client: simulate.Impatient + 1})
	require.EqualError(t, err, "simulate.Run: subjects[0].Client is 4, want Open, Obeying, Backoff or Impatient")
}

func TestRunArguments(t *testing.T) {
	good := simulate.Subject{Judge: limited("log 1/s")}
	none := slices.Values([]simulate.Request{})
	for want, err := range map[string]error{
		"simulate.Run: requests is nil, want a sequence":                                                  second(simulate.Run(nil, simulate.Options{}, good)),
		`simulate.Run: subjects is "none", want one or more`:                                              second(simulate.Run(none, simulate.Options{})),
		"simulate.Run: subjects[1].Judge is nil, want one":                                                second(simulate.Run(none, simulate.Options{}, good, simulate.Subject{})),
		"simulate.Run: subjects[0].Client is 9, want Open, Obeying, Backoff or Impatient":                 second(simulate.Run(none, simulate.Options{}, simulate.Subject{Judge: good.Judge, Client: 9})),
		"simulate.Run: Top is -1, want 0 or more":                                                         second(simulate.Run(none, simulate.Options{Top: -1}, good)),
		"simulate.Run: Bin is -1ns, want 0s or more":                                                      second(simulate.Run(none, simulate.Options{Bin: -1}, good)),
		"simulate.Run: Keys is -1, want 1 to 16777216":                                                    second(simulate.Run(none, simulate.Options{Keys: -1}, good)),
		`simulate.ParseClient: name is "rude", want open, obeying, backoff, impatient`:                    second(simulate.ParseClient("rude")),
		"simulate.Crowded: keys is 0, want 1 to 16777216":                                                 second(simulate.Crowded(at(1), 0, 0, 1, simulate.Request{})),
		"simulate.Crowded: skew is 4, want 0 to 3":                                                        second(simulate.Crowded(at(1), 1, 4, 1, simulate.Request{})),
		"simulate.NewLimit: limit is log 1/s of tokens, want one of requests: a policy can have this one": second(simulate.NewLimit(policy.Limit{As: policy.Log, Rate: ratelimit.PerSecond(1), Of: "tokens"})),
		"simulate.NewLimit: limit is log 1/s count 401, want one of requests: a policy can have this one": second(simulate.NewLimit(policy.Limit{As: policy.Log, Rate: ratelimit.PerSecond(1), Count: []string{"401"}})),
	} {
		require.EqualError(t, err, want)
	}
	_, err := simulate.NewPolicy(policy.Policy{}, 1)
	require.Error(t, err)
}

func second[T any](_ T, err error) error { return err }

// Beyond the keys that are told apart, all are one.
func TestRunOfManyKeys(t *testing.T) {
	var requests []simulate.Request
	for i := range 100 {
		requests = append(requests, by(fmt.Sprint(i), 0), by(fmt.Sprint(i), 0))
	}
	r := run(t, requests, simulate.Options{Keys: 10, Top: 1}, simulate.Subject{Judge: limited("log 1/s")})[0]
	require.True(t, r.MoreKeys)
	require.Equal(t, 10, r.Keys)
	require.Equal(t, []any{"(others)", int64(90)}, []any{r.Worst[0].Key, r.Worst[0].Refused})
}

// Keys of a generator may be changed on their way: they count as they arrive.
func TestKeysThatAreChanged(t *testing.T) {
	requests := func(yield func(simulate.Request) bool) {
		events := simulate.Until(ratelimit.Must(simulate.Poisson(t0, ratelimit.PerSecond(10), 1)), t0.Add(time.Minute))
		n := 0
		for r := range ratelimit.Must(simulate.Crowded(events, 50, 1, 1, simulate.Request{}, "user")) {
			switch n++; {
			case n%2 == 0:
				r.Key = "even"
			case n%5 == 0:
				r.Key = "fifth"
			}
			if n%3 == 0 {
				r.Attrs = []policy.Attr{{Name: "user", Value: "third"}}
			}
			if !yield(r) {
				return
			}
		}
	}
	plain := slices.Collect(requests)
	for i := range plain { // none of what the generator knows
		plain[i] = simulate.Request{At: plain[i].At, Key: plain[i].Key, Attrs: plain[i].Attrs}
	}
	p := parsed(`{"rules": [{"name": "a", "key": ["user"], "limits": [{"name": "five", "rate": "5/min", "as": "log"}]}]}`)
	for _, judge := range []func() simulate.Judge{func() simulate.Judge { return judging(p) }, func() simulate.Judge { return limited("log 5/min") }} {
		want := run(t, plain, simulate.Options{}, simulate.Subject{Judge: judge()})
		got := run(t, slices.Collect(requests), simulate.Options{}, simulate.Subject{Judge: judge()})
		require.Equal(t, want, got)
		require.Positive(t, got[0].Refused)
	}
}
