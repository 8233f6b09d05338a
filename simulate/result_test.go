package simulate_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/policy"
	"github.com/seed-3506548a/ratelimit/simulate"
)

// told is a judge that says what a test tells it.
type told func(r *simulate.Request, v *simulate.Verdict)

func (f told) Judge(r *simulate.Request, v *simulate.Verdict) { f(r, v) }

func refusing(waits ...time.Duration) simulate.Judge {
	next := 0
	return told(func(r *simulate.Request, v *simulate.Verdict) {
		*v = simulate.Verdict{OK: waits[next] == 0, Cost: r.Cost, Action: policy.ByLimit, RetryAfter: waits[next]}
		if v.OK {
			v.Action = policy.Granted
		}
		next++
	})
}

// Waits are quantiles of what was told, and how often each was told; without what can never be.
func TestResultWaits(t *testing.T) {
	var waits []time.Duration
	var requests []simulate.Request
	for i := range 200 {
		waits, requests = append(waits, time.Duration(i%50+1)), append(requests, by("a", float64(i)))
	}
	waits[199], waits[198] = ratelimit.Never, 63
	r := run(t, requests, simulate.Options{}, simulate.Subject{Judge: refusing(waits...)})[0]
	require.Equal(t, []simulate.Seconds{25, 45, 50, 63}, []simulate.Seconds{r.Waits.Median, r.Waits.P90, r.Waits.P99, r.Waits.Longest})
	require.Equal(t, []any{1, 1}, []any{r.Schema, r.Never})
	require.Len(t, r.Waits.Cells, 51)
	require.Equal(t, []simulate.Cell{{Wait: 1, Requests: 4}, {Wait: 2, Requests: 4}}, r.Waits.Cells[:2])
	require.Equal(t, []simulate.Cell{{Wait: 49, Requests: 3}, {Wait: 50, Requests: 3}, {Wait: 63, Requests: 1}}, r.Waits.Cells[48:])

	require.Equal(t, simulate.Seconds(9), run(t, requests[:1], simulate.Options{}, simulate.Subject{Judge: refusing(9)})[0].Waits.Longest)
	require.Nil(t, run(t, requests[:1], simulate.Options{}, simulate.Subject{Judge: refusing(0)})[0].Waits)
	require.Nil(t, run(t, requests[:1], simulate.Options{}, simulate.Subject{Judge: refusing(ratelimit.Never)})[0].Waits)
}

// A cost below 0 is no event. Of requests that cost nothing, a key is refused, but no event.
func TestResultOfCosts(t *testing.T) {
	var requests []simulate.Request
	for i, cost := range []int{5, -3, 0, 2, 0} {
		r := by(fmt.Sprint(i), float64(i))
		r.Cost = cost
		requests = append(requests, r)
	}
	r := run(t, requests, simulate.Options{}, simulate.Subject{Judge: refusing(0, 0, 0, 1, 1)})[0]
	require.Equal(t, []any{5, int64(7), int64(5), int64(2), 2}, []any{r.Requests, r.Offered, r.Granted, r.Refused, r.KeysRefused})
	require.Equal(t, "3", r.Worst[0].Key)
}

// Bins begin at the first request, as wide as they were asked for, or else as many as 240.
func TestResultBins(t *testing.T) {
	one := func(seconds float64) simulate.Request {
		return simulate.Request{At: by("", seconds).At, Key: "a", Cost: 1}
	}
	requests := []simulate.Request{one(0), one(1), one(239.9)}
	r := run(t, requests, simulate.Options{}, simulate.Subject{Judge: refusing(0, 1, 0)})[0]
	require.Len(t, r.Bins, 240)
	require.Equal(t, []simulate.Seconds{simulate.Seconds(time.Second), simulate.Seconds(4 * time.Second)}, []simulate.Seconds{r.BinWidth, r.HeatWidth})
	require.Equal(t, simulate.Bin{At: t0.Add(time.Second), Offered: 1, Refused: 1}, r.Bins[1])
	require.Equal(t, simulate.Bin{At: t0.Add(239 * time.Second), Offered: 1, Granted: 1}, r.Bins[239])
	requests[2] = one(240)
	r = run(t, requests, simulate.Options{}, simulate.Subject{Judge: refusing(0, 1, 0)})[0]
	require.Len(t, r.Bins, 121)
	require.Equal(t, simulate.Bin{At: t0, Offered: 2, Granted: 1, Refused: 1}, r.Bins[0])
	require.Equal(t, simulate.Bin{At: t0.Add(240 * time.Second), Offered: 1, Granted: 1}, r.Bins[120])

	// Bins of a fixed width are put together only if there were a million of them.
	r = run(t, requests, simulate.Options{Bin: 500 * time.Millisecond}, simulate.Subject{Judge: refusing(0, 1, 0)})[0]
	require.Len(t, r.Bins, 481)
	require.Equal(t, simulate.Bin{At: t0.Add(time.Second), Offered: 1, Refused: 1}, r.Bins[2])
	requests[2] = one(1 << 20)
	r = run(t, requests, simulate.Options{Bin: time.Second}, simulate.Subject{Judge: refusing(0, 1, 0)})[0]
	require.Len(t, r.Bins, 1<<19+1)
}

// Requests for which a policy has no rule are unlimited, unless one exempts them.
func TestResultOfUnlimited(t *testing.T) {
	p := parsed(`{"rules": [{"name": "posts", "match": ["POST /"], "limits": [{"name": "l", "rate": "1/min", "as": "log"}]}, {"name": "free", "match": ["/free"], "mode": "exempt"}]}`)
	requests := []simulate.Request{by("a", 0), by("a", 1), by("a", 2), by("a", 3), by("a", 4)}
	requests[0].Method, requests[3].Method, requests[2].Path = "POST", "POST", "/free"
	r := run(t, requests, simulate.Options{}, simulate.Subject{Judge: judging(p)})[0]
	require.Equal(t, []any{2, int64(4), int64(1)}, []any{r.Unlimited, r.Granted, r.Refused})
}

// Steps are counted by what they do and when, in the order in which they were first reached.
func TestResultOfSteps(t *testing.T) {
	p := parsed(`{"rules": [
		{"name": "a", "key": ["user"], "limits": [{"name": "l", "rate": "1/min", "as": "log"}],
			"ladder": [{"after": 1, "do": "notify"}, {"after": 2, "within": "1h", "do": "notify"}, {"after": 3, "within": "1h", "do": "block", "for": "10s"}, {"after": 3, "within": "2h", "do": "notify"}]},
		{"name": "b", "key": ["user"], "limits": [{"name": "l", "rate": "1/min", "as": "log"}], "ladder": [{"after": 1, "do": "notify"}]}]}`)
	var requests []simulate.Request
	for i := range 4 {
		requests = append(requests, by("u", float64(i)*61), by("u", float64(i)*61+1), by("v", float64(i)*61+2))
	}
	r := run(t, requests, simulate.Options{}, simulate.Subject{Judge: judging(p)})[0]
	var steps []string
	for _, s := range r.Steps {
		steps = append(steps, fmt.Sprintf("%s %s %d %v: %d", s.Rule, s.Do, s.After, s.Within, s.Times))
	}
	require.Equal(t, []string{"a notify 1 0s: 4", "b notify 1 0s: 4", "a notify 2 1h0m0s: 1", "a block 3 1h0m0s: 2", "a notify 3 2h0m0s: 1"}, steps)
}
