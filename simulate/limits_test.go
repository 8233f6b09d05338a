package simulate_test

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/policy"
	"github.com/seed-3506548a/ratelimit/simulate"
)

// from makes a request at a second after t0, with attributes other than its key.
func from(key string, seconds float64, attributes ...string) simulate.Request {
	r := by(key, seconds)
	r.Attrs = nil
	for i := 0; i < len(attributes); i += 2 {
		r.Attrs = append(r.Attrs, policy.Attr{Name: attributes[i], Value: attributes[i+1]})
	}
	return r
}

// The most that a limit has granted is by the keys of its rule. Such a key is named by its parts.
func TestMostGrantedByKeysOfRules(t *testing.T) {
	requests := []simulate.Request{
		from("k", 0, "user", "ann", "ip", "1"), from("l", 1, "user", "1", "ip", "2"), from("m", 1, "user", "ann", "ip", "2"),
		from("m", 2, "user", "ann", "ip", "2"), from("ann", 2, "user", "ann", "ip", "3"), from("m", 3, "user", "1", "ip", "2"),
	}
	without := []simulate.Request{from("k", 4, "ip", "1"), from("1", 4, "ip", "1"), from("m", 5, "user", "", "ip", "2")}
	for _, row := range []struct {
		key  string
		more []simulate.Request
		most int64
		name string
	}{
		{`"key": ["user"], `, nil, 4, "ann"},
		{`"key": ["ip"], `, nil, 4, "2"},
		{`"key": ["user", "ip"], `, nil, 2, "ann, 2"},
		{`"key": ["ip", "user"], `, nil, 2, "2, ann"},
		{`"key": ["user|ip"], `, nil, 4, "ann"},
		{`"key": ["user|ip"], `, without, 4, "ann"}, // user 1 and address 1 are two
		{`"key": ["user|ip"], `, append(without, without...), 4, "ann"},
		{`"key": ["user|ip"], `, append(append(without, without...), without...), 6, "1"},
		{`"key": ["ip|user"], `, without, 5, "2"},
		{`"key": ["user|ip", "ip"], `, without, 2, "ann, 2"},
		{``, nil, 6, ""},
	} {
		p := parsed(`{"rules": [{"name": "r", ` + row.key + `"limits": [{"name": "n", "rate": "100/min", "as": "log"}]}]}`)
		r := run(t, slices.Concat(requests, row.more), simulate.Options{}, simulate.Subject{Judge: judging(p)})[0]
		require.Equal(t, []simulate.Limit{{Rule: "r", Name: "n", Limit: "log 100/min", MostGranted: row.most, MostKey: row.name, Per: simulate.Seconds(time.Minute)}}, r.Limits, "%v, %d", row.key, len(row.more))
	}
}

// Keys that a Run does not tell apart are told apart by the limits of a policy.
func TestMostGrantedToOthers(t *testing.T) {
	p := parsed(`{"rules": [{"name": "r", "key": ["user"], "limits": [{"name": "n", "rate": "2/min", "as": "log"}]}]}`)
	requests := []simulate.Request{by("a", 0), by("b", 1), by("c", 2), by("d", 3), by("d", 4), by("d", 5)}
	r := run(t, requests, simulate.Options{Keys: 1}, simulate.Subject{Judge: judging(p)})[0]
	require.Equal(t, []simulate.Limit{{Rule: "r", Name: "n", Limit: "log 2/min", Refused: 1, MostGranted: 2, MostKey: "d", Per: simulate.Seconds(time.Minute)}}, r.Limits)
	require.Equal(t, []any{"(others)", int64(5), int64(1)}, []any{r.Worst[0].Key, r.Worst[0].Offered, r.Worst[0].Refused})
}

// What a limit counts of a request is its cost, an amount that is known with the response (1 if it is
// not said), or the responses of some status.
func TestWhatLimitsCount(t *testing.T) {
	p := parsed(`{"costs": [{"match": ["/dear"], "n": 7}, {"match": ["/free"], "n": 0}], "rules": [
		{"name": "posts", "match": ["POST /"], "key": ["user"], "limits": [{"name": "all", "rate": "100/min", "as": "log"}]},
		{"name": "api", "key": ["user"], "limits": [
			{"name": "all", "rate": "100/min", "as": "log"},
			{"name": "tokens", "rate": "100/min", "as": "log", "of": "tokens"},
			{"name": "failures", "rate": "100/min", "as": "log", "count": ["401", "5xx"]},
			{"name": "missing", "rate": "100/min", "as": "log", "count": ["404"]}]}]}`)
	most := func(requests ...simulate.Request) (all [5]int64) {
		r := run(t, requests, simulate.Options{}, simulate.Subject{Judge: judging(p)})[0]
		require.Len(t, r.Limits, 5)
		for i, l := range r.Limits {
			all[i] = l.MostGranted
			require.Zero(t, l.Refused)
			require.Equal(t, l.MostGranted > 0, l.MostKey == "z", "%v", l)
		}
		return all
	}
	request := func(path string, status int, tokens ...int) simulate.Request {
		r := named(path, "z", 1)
		r.Status = status
		for _, n := range tokens {
			r.Amounts = append(r.Amounts, policy.Amount{Name: "bytes", N: 50}, policy.Amount{Name: "tokens", N: n})
		}
		return r
	}
	require.Equal(t, [5]int64{0, 1, 1, 0, 0}, most(request("/", 200)))
	require.Equal(t, [5]int64{0, 1, 9, 0, 0}, most(request("/", 200, 9)))
	require.Equal(t, [5]int64{0, 1, 0, 0, 1}, most(request("/", 404, 0)))
	require.Equal(t, [5]int64{0, 7, 0, 7, 0}, most(request("/dear", 500, 0)))
	require.Equal(t, [5]int64{0, 0, 2, 0, 0}, most(request("/free", 401, 2)))
	require.Equal(t, [5]int64{0, 3, 3, 2, 0}, most(request("/", 401), request("/", 400), request("/", 599)))
	post := request("/", 0)
	post.Method = "POST"
	require.Equal(t, [5]int64{1, 2, 2, 0, 0}, most(post, request("/", 0)))
	other := post
	other.Key, other.Attrs = "y", []policy.Attr{{Name: "user", Value: "y"}}
	require.Equal(t, [5]int64{2, 4, 4, 0, 0}, most(other, request("/", 0), post, post, request("/", 0)), "each rule numbers its keys")
}

// Of requests that a limit does not grant, it counts what they cost, whatever it counts else.
func TestWhatLimitsRefuse(t *testing.T) {
	p := parsed(`{"costs": [{"match": ["/dear"], "n": 7}], "rules": [
		{"name": "one", "key": ["user"], "limits": [{"name": "some", "rate": "10/min", "as": "log"}, {"name": "few", "rate": "8/min", "as": "log"}]},
		{"name": "two", "key": ["user"], "mode": "shadow", "limits": [{"name": "fewer", "rate": "1/min", "as": "log"}]}]}`)
	r := run(t, []simulate.Request{named("/dear", "a", 0), named("/", "a", 1), named("/", "a", 2), named("/dear", "a", 3)}, simulate.Options{}, simulate.Subject{Judge: judging(p)})[0]
	var refused, most []int64
	for _, l := range r.Limits {
		refused, most = append(refused, l.Refused), append(most, l.MostGranted)
	}
	require.Equal(t, []int64{7, 8, 7}, refused, "the last was not asked for what others refused")
	require.Equal(t, []int64{8, 8, 1}, most)
}

// A policy learns of the responses to what it has granted: of those only, and at once.
func TestPolicyIsToldOfResponses(t *testing.T) {
	tokens := `{"name": "tokens", "rate": "100/min", "as": "log", "of": "tokens"}`
	failures := `{"name": "failures", "rate": "2/min", "as": "log", "count": ["401"]}`
	plenty := `{"name": "plenty", "rate": "4/min", "as": "log"}`
	request := func(seconds float64, status, n int) simulate.Request {
		r := by("a", seconds)
		r.Status, r.Amounts = status, []policy.Amount{{Name: "tokens", N: n}}
		return r
	}
	for _, row := range []struct {
		limits   string
		requests []simulate.Request
		granted  string
	}{
		{tokens, []simulate.Request{request(0, 200, 60), request(1, 200, 60), request(2, 200, 40), request(3, 200, 1)}, "+-+-"},
		{failures, []simulate.Request{request(0, 401, 0), request(1, 200, 0), request(2, 401, 0), request(3, 200, 0)}, "+++-"},
		{plenty, []simulate.Request{request(0, 401, 0), request(1, 200, 0), request(2, 401, 0), request(3, 200, 0), request(4, 200, 0)}, "++++-"},
		{tokens + "," + plenty, []simulate.Request{request(0, 200, 60), request(1, 200, 60), request(2, 200, 40)}, "+-+"},
		{failures + "," + plenty, []simulate.Request{request(0, 401, 0), request(1, 401, 0), request(2, 401, 0), request(59, 401, 0), request(60, 401, 0), request(61, 200, 0)}, "++--++"},
		{plenty + "," + failures, []simulate.Request{request(0, 401, 0), request(1, 401, 0), request(2, 401, 0)}, "++-"},
	} {
		got := ""
		run(t, row.requests, simulate.Options{Each: func(_ int, _ *simulate.Request, v *simulate.Verdict) {
			got += map[bool]string{true: "+", false: "-"}[v.OK]
		}}, simulate.Subject{Judge: judging(parsed(`{"rules": [{"name": "r", "key": ["user"], "limits": [` + row.limits + `]}]}`))})
		require.Equal(t, row.granted, got, "%v", row.limits)
	}
}

// judge is one of one's own, on top of a policy.
type judge struct {
	*simulate.Policy
	asked int
}

func (j *judge) Judge(r *simulate.Request, v *simulate.Verdict) {
	j.asked++
	j.Policy.Judge(r, v)
}

// A judge of one's own has no limits that are known, also if it hands on the decisions of a policy.
func TestRunOfOwnJudges(t *testing.T) {
	p := parsed(`{"rules": [{"name": "r", "key": ["user"], "mode": "shadow", "limits": [{"name": "n", "rate": "2/min", "as": "log"}]}]}`)
	own := &judge{Policy: ratelimit.Must(simulate.NewPolicy(p, 100))}
	require.Equal(t, policy.Stats{}, own.Stats(), "nothing is counted before the first request")
	require.Equal(t, "r", own.Policy.Policy().Rules[0].Name)
	r := run(t, []simulate.Request{by("a", 0), by("a", 1), by("a", 2), by("b", 2)}, simulate.Options{}, simulate.Subject{Judge: own})[0]
	require.Equal(t, []any{4, int64(4), int64(1), 0}, []any{own.asked, r.Granted, r.Shadow, len(r.Limits)})
	require.NotEqual(t, policy.Stats{}, own.Stats())
	require.Equal(t, "a", r.Worst[0].Key)
	require.Equal(t, int64(1), r.Worst[0].Shadow)
}
