package simulate_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/policy"
	"github.com/seed-3506548a/ratelimit/simulate"
)

// A limit that counts responses counts those with its statuses, and no others.
func TestMostOfStatuses(t *testing.T) {
	for _, row := range []struct {
		count string
		want  int64
	}{
		{`"401"`, 1}, {`"4xx"`, 3}, {`"401", "429"`, 2}, {`"200"`, 1}, {`"599"`, 1}, {`"100"`, 1}, {`"1xx"`, 1}, {`"2xx", "5xx"`, 3}, {`"503"`, 0},
	} {
		p := parsed(`{"rules": [{"name": "r", "limits": [{"name": "l", "rate": "100/min", "as": "log", "count": [` + row.count + `]}]}]}`)
		var requests []simulate.Request
		for i, status := range []int{401, 403, 429, 200, 599, 100, 204, 301, 0, 99, 1000, 4010, -1} {
			r := by("a", float64(i))
			r.Status = status
			requests = append(requests, r)
		}
		r := run(t, requests, simulate.Options{}, simulate.Subject{Judge: judging(p)})[0]
		require.Equal(t, row.want, r.Limits[0].MostGranted, row.count)
	}
}

// A limit of amounts counts these, and nothing if a request has none: then it needs room for 1, but
// is not charged.
func TestMostOfAmounts(t *testing.T) {
	p := parsed(`{"rules": [{"name": "r", "limits": [{"name": "first", "rate": "100/min", "as": "log", "of": "rows"}, {"name": "second", "rate": "100/min", "as": "log", "of": "tokens"}, {"name": "third", "rate": "100/min", "as": "log"}]}]}`)
	var requests []simulate.Request
	for i, amounts := range [][]policy.Amount{nil, {{Name: "tokens", N: 10}}, {{Name: "rows", N: 2}, {Name: "tokens", N: 0}}} {
		r := by("a", float64(i))
		r.Amounts, r.Cost = amounts, 5
		requests = append(requests, r)
	}
	r := run(t, requests, simulate.Options{}, simulate.Subject{Judge: judging(p)})[0]
	require.Equal(t, []int64{2, 10, 15}, []int64{r.Limits[0].MostGranted, r.Limits[1].MostGranted, r.Limits[2].MostGranted})
	require.EqualValues(t, 15, r.Offered)
}

// Keys of several attributes are told apart as the policy does, and named so that people know them.
func TestMostOfKeysOfSeveralAttributes(t *testing.T) {
	for _, row := range []struct {
		key  string
		of   []string // user, ip and route of each request
		want int64
		who  string
	}{
		{`"user"`, []string{"a - -", "b - -", "a x -"}, 2, "a"},
		{`"user|ip"`, []string{"a x -", "a y -", "- a -"}, 2, "a"},
		{`"user|ip"`, []string{"- x -", "x - -", "- x r"}, 2, "x"},
		{`"user", "route"`, []string{"a - b", "b - a", "a - b"}, 2, "a, b"},
		{`"user|ip", "route"`, []string{"a x r", "- a r", "a y r", "a y s"}, 2, "a, r"},
		{`"user|ip|route", "route"`, []string{"- - r", "- r r", "r - r", "- - r"}, 2, "r, r"},
		{`"ip"`, []string{"a x -", "b x -", "c - -"}, 2, "x"},
		{`"user"`, []string{"longer-name - -", "longer-name - -"}, 2, "longer-name"},
	} {
		p := parsed(`{"rules": [{"name": "r", "key": [` + row.key + `], "limits": [{"name": "l", "rate": "100/min", "as": "log"}]}]}`)
		var requests []simulate.Request
		for i, values := range row.of {
			r := by("", float64(i))
			r.Attrs = nil
			for j, v := range strings.Fields(values) {
				if v != "-" {
					r.Attrs = append(r.Attrs, policy.Attr{Name: []string{"user", "ip", "route"}[j], Value: v})
				}
			}
			requests = append(requests, r)
		}
		r := run(t, requests, simulate.Options{}, simulate.Subject{Judge: judging(p)})[0]
		require.Equal(t, []any{row.want, row.who}, []any{r.Limits[0].MostGranted, r.Limits[0].MostKey}, "%s of %v", row.key, row.of)
	}
}

// The key of a request need not be what a rule goes by: then each value is a key of its own.
func TestMostOfOtherKeysThanTheReports(t *testing.T) {
	var requests []simulate.Request
	for i, user := range []string{"a", "b", "a", "c", "a", "b"} {
		r := by(user, float64(i))
		if i%2 == 0 {
			r.Attrs = []policy.Attr{{Name: "user", Value: "x"}}
		}
		requests = append(requests, r)
	}
	p := parsed(`{"rules": [{"name": "r", "key": ["user"], "limits": [{"name": "l", "rate": "100/min", "as": "log"}]}]}`)
	r := run(t, requests, simulate.Options{}, simulate.Subject{Judge: judging(p)})[0]
	require.Equal(t, []any{int64(3), "x"}, []any{r.Limits[0].MostGranted, r.Limits[0].MostKey})
	slices.Reverse(requests)
	for i := range requests {
		requests[i].At = by("", float64(i)).At
	}
	r = run(t, requests, simulate.Options{}, simulate.Subject{Judge: judging(p)})[0]
	require.Equal(t, []any{int64(3), "x"}, []any{r.Limits[0].MostGranted, r.Limits[0].MostKey})
}

// Limits are listed in the order of the policy, whether their rules were for a request or not. What
// costs nothing is no grant. A limit that granted nothing has no key.
func TestLimitsOfSeveralRules(t *testing.T) {
	p := parsed(`{"rules": [
		{"name": "posts", "match": ["POST /"], "limits": [{"name": "l", "rate": "1/min", "as": "log"}, {"name": "m", "rate": "2/min", "as": "log"}]},
		{"name": "gets", "match": ["GET /"], "key": ["user"], "limits": [{"name": "l", "rate": "3/min", "as": "log"}]},
		{"name": "all", "key": ["user"], "limits": [{"name": "l", "rate": "4/min", "as": "log"}, {"name": "six", "rate": "6/min", "as": "log"}]},
		{"name": "none", "match": ["PUT /"], "limits": [{"name": "l", "rate": "1/min", "as": "log"}]}]}`)
	var requests []simulate.Request
	for i := range 7 {
		r := by("ab"[i%2:i%2+1], float64(i))
		r.Method = []string{"GET", "GET", "GET", "POST", "GET", "POST", "GET"}[i]
		requests = append(requests, r)
	}
	r := run(t, requests, simulate.Options{}, simulate.Subject{Judge: judging(p)})[0]
	type row struct {
		title         string
		refused, most int64
		who           string
	}
	var rows []row
	for _, l := range r.Limits {
		rows = append(rows, row{l.Rule + "/" + l.Name + ": " + l.Limit, l.Refused, l.MostGranted, l.MostKey})
	}
	require.Equal(t, []row{
		{"posts/l: log 1/min", 1, 1, ""}, {"posts/m: log 2/min", 0, 1, ""}, {"gets/l: log 3/min", 1, 3, "a"},
		{"all/l: log 4/min", 0, 3, "a"}, {"all/six: log 6/min", 0, 3, "a"}, {"none/l: log 1/min", 0, 0, ""},
	}, rows)
	require.EqualValues(t, 2, r.Refused)
}

// What a log is found to have granted to a key in its span is never more than it grants, whatever
// the limit counts and the key is made of.
func TestMostIsNeverMoreThanALogGrants(t *testing.T) {
	for seed := range uint64(100) {
		random := rand.New(rand.NewPCG(seed, 3))
		p := policy.Policy{Name: "random", Costs: []policy.Cost{{Match: []string{"/b"}, N: random.IntN(4)}}}
		for i := range 1 + random.IntN(3) {
			rule := policy.Rule{Name: fmt.Sprint("r", i), Match: [][]string{nil, {"/a"}, {"/b", "/c"}}[random.IntN(3)],
				Key: [][]string{nil, {"user"}, {"user|ip"}, {"ip", "user"}}[random.IntN(4)]}
			if rule.Key != nil {
				rule.Missing = []string{"", "skip", "share"}[random.IntN(3)]
			}
			for j := range 1 + random.IntN(3) {
				l := policy.Limit{Name: fmt.Sprint("l", j), As: policy.Log, Rate: ratelimit.Per(1+random.IntN(9), time.Duration(1+random.IntN(9))*time.Second)}
				if random.IntN(2) == 0 {
					l.Of = "tokens"
				}
				rule.Limits = append(rule.Limits, l)
			}
			p.Rules = append(p.Rules, rule)
		}
		var requests []simulate.Request
		now := t0
		for range random.IntN(300) {
			now = now.Add(time.Duration(random.Int64N(int64(time.Second))))
			r := simulate.Request{At: now, Key: fmt.Sprint(random.IntN(3)), Method: "GET", Path: []string{"/a", "/b", "/c"}[random.IntN(3)]}
			for _, name := range []string{"user", "ip"} {
				if random.IntN(3) > 0 {
					r.Attrs = append(r.Attrs, policy.Attr{Name: name, Value: fmt.Sprint(random.IntN(3))})
				}
			}
			if random.IntN(3) > 0 {
				r.Amounts = []policy.Amount{{Name: "tokens", N: random.IntN(4)}}
			}
			requests = append(requests, r)
		}
		r := run(t, requests, simulate.Options{}, simulate.Subject{Judge: judging(p)})[0]
		for i := range r.Limits {
			l := &r.Limits[i]
			require.LessOrEqual(t, l.MostGranted, int64(ratelimit.Must(policy.ParseLimit(l.Limit)).Rate.Events), "%+v of seed %d", l, seed)
		}
	}
}
