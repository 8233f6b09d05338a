package simulate_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/policy"
	"github.com/seed-3506548a/ratelimit/simulate"
)

// Keys that a Run does not tell apart are told apart by the limits of a policy.
func TestMostGrantedToOthers(t *testing.T) {
	p := parsed(`{"rules": [{"name": "r", "key": ["user"], "limits": [{"name": "n", "rate": "2/min", "as": "log"}]}]}`)
	requests := []simulate.Request{by("a", 0), by("b", 1), by("c", 2), by("d", 3), by("d", 4), by("d", 5)}
	r := run(t, requests, simulate.Options{Keys: 1}, simulate.Subject{Judge: judging(p)})[0]
	require.Equal(t, []simulate.Limit{{Rule: "r", Name: "n", Limit: "log 2/min", Refused: 1, MostGranted: 2, MostKey: "d", Per: simulate.Seconds(time.Minute)}}, r.Limits)
	require.Equal(t, []any{"(others)", int64(5), int64(1)}, []any{r.Worst[0].Key, r.Worst[0].Offered, r.Worst[0].Refused})
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

// No limit of a log has granted more than it may, also if requests do not have the amount that it
// is of: they need room for 1, and are charged nothing.
func TestLimitsOfAmountsThatAreMissing(t *testing.T) {
	p := parsed(`{"rules": [{"name": "r", "limits": [{"name": "l", "rate": "2/min", "as": "log", "of": "tokens"}]}]}`)
	requests := []simulate.Request{by("a", 0), by("a", 1), by("a", 2), by("a", 3), by("a", 4)}
	requests[3].Amounts = []policy.Amount{{Name: "tokens", N: 2}}
	r := run(t, requests, simulate.Options{}, simulate.Subject{Judge: judging(p)})[0]
	require.Equal(t, []int64{4, 1, 2}, []int64{r.Granted, r.Limits[0].Refused, r.Limits[0].MostGranted})
}

// Requests that cost nothing are no events of a limit, and one event is granted to a key, too.
func TestLimitsOfRequestsThatCostNothing(t *testing.T) {
	p := parsed(`{"costs": [{"match": ["/free"], "n": 0}], "rules": [{"name": "r", "key": ["user"], "limits": [
		{"name": "all", "rate": "1/min", "as": "log"}, {"name": "failures", "rate": "5/min", "as": "log", "count": ["4xx"]}]}]}`)
	for i, want := range [][]simulate.Limit{
		{{Name: "all"}, {Name: "failures"}},
		{{Name: "all", MostGranted: 1, MostKey: "b"}, {Name: "failures", MostGranted: 1, MostKey: "b"}},
		{{Name: "all", Refused: 1, MostGranted: 1, MostKey: "b"}, {Name: "failures", MostGranted: 1, MostKey: "b"}},
	} {
		requests := []simulate.Request{named("/free", "a", 0), named("/free", "a", 1), named("/", "b", 2), named("/", "b", 3)}[:i+2]
		for j := range requests {
			requests[j].Status = 404
		}
		var got []simulate.Limit
		for _, l := range run(t, requests, simulate.Options{}, simulate.Subject{Judge: judging(p)})[0].Limits {
			got = append(got, simulate.Limit{Name: l.Name, Refused: l.Refused, MostGranted: l.MostGranted, MostKey: l.MostKey})
		}
		require.Equal(t, want, got, "%d requests", len(requests))
	}
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
