package simulate_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/policy"
	"github.com/seed-3506548a/ratelimit/simulate"
)

// The same arguments give the same keys, in this version and in the next.
func TestCrowdIsDeterministic(t *testing.T) {
	for _, row := range []struct {
		keys int
		skew float64
		seed uint64
		want string // the first ones, and those of the 63rd to 68th request
	}{
		{5, 0, 1, "5 1 5 5 2 5 5 1 3 2 2 5 2 3 2 4 3 3"},
		{5, 0, 2, "1 1 3 2 1 3 2 3 2 5 4 3 3 5 2 2 2 2"},
		{1000, 1, 1, "10 537 306 295 27 722 234 227 57 18 5 30 218 121 107 129 10 3"},
		{1000, 0.5, 1, "130 834 696 687 245 911 635 627 360 194 67 262 619 497 472 509 131 44"},
		{1000, 2, 1, "1 10 5 5 1 20 4 4 2 1 1 1 4 3 3 3 1 1"},
		{1000, 3, 1, "1 3 2 2 1 4 2 2 1 1 1 1 2 1 1 1 1 1"},
		{3, 1, 7, "1 3 2 2 3 2 1 1 3 2 2 1 2 2 1 1 3 3"},
		{1, 3, 1, "1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1"},
	} {
		events := slices.Values(slices.Collect(at(1, make([]time.Duration, 70)...)))
		var keys []string
		for r := range ratelimit.Must(simulate.Crowded(events, row.keys, row.skew, row.seed, simulate.Request{})) {
			keys = append(keys, r.Key)
		}
		require.Len(t, keys, 70)
		require.Equal(t, row.want, strings.Join(append(keys[:12], keys[62:68]...), " "), "%d keys, skew %v", row.keys, row.skew)
	}
}

// A request is as it should be, but for its time, its key and what the event costs.
func TestCrowdedRequests(t *testing.T) {
	as := simulate.Request{Method: "POST", Path: "/x", Cost: 7, Status: 201, Attrs: []policy.Attr{{Name: "plan", Value: "free"}}, Amounts: []policy.Amount{{Name: "tokens", N: 3}}}
	for _, row := range []struct {
		attributes []string
		want       []policy.Attr
	}{
		{nil, []policy.Attr{{Name: "plan", Value: "free"}}},
		{[]string{"user"}, []policy.Attr{{Name: "user", Value: "1"}, {Name: "plan", Value: "free"}}},
		{[]string{"user", "ip"}, []policy.Attr{{Name: "user", Value: "1"}, {Name: "ip", Value: "1"}, {Name: "plan", Value: "free"}}},
	} {
		for n, cost := range map[int]int{0: 0, 1: 7, 2: 2, 3: 3} {
			for r := range ratelimit.Must(simulate.Crowded(at(n, time.Minute), 1, 1, 1, as, row.attributes...)) {
				require.Equal(t, []any{t0.Add(time.Minute), "1", "POST", "/x", cost, 201, row.want, as.Amounts},
					[]any{r.At, r.Key, r.Method, r.Path, r.Cost, r.Status, r.Attrs, r.Amounts})
			}
		}
	}
	var costs []int
	mixed := slices.Values([]simulate.Event{{At: t0, N: 1}, {At: t0, N: 2}, {At: t0, N: 1}, {At: t0, N: 0}, {At: t0, N: 1}})
	for r := range ratelimit.Must(simulate.Crowded(mixed, 1, 1, 1, as)) {
		costs = append(costs, r.Cost)
	}
	require.Equal(t, []int{7, 2, 7, 0, 7}, costs, "each event by itself")
	seen := map[string][]policy.Attr{}
	events := at(1, make([]time.Duration, 500)...)
	for r := range ratelimit.Must(simulate.Crowded(events, 4, 0, 1, as, "user")) {
		seen[r.Key] = r.Attrs
		require.Equal(t, 2, cap(r.Attrs), "what is appended to one does not reach another")
	}
	require.Len(t, seen, 4)
	for key, attrs := range seen {
		require.Equal(t, []policy.Attr{{Name: "user", Value: key}, {Name: "plan", Value: "free"}}, attrs)
	}
	_, err := simulate.Crowded(events, 1<<24+1, 3, 1, as)
	require.EqualError(t, err, "simulate.Crowded: keys is 16777217, want 1 to 16777216")
}
