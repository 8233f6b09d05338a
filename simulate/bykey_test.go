package simulate_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-3506548a/ratelimit/simulate"
)

// A key is one that was refused also if all of its requests that were refused cost nothing. They
// are no events, so what was offered of a key is what was granted and what was refused, as of all.
func TestKeysOfRefusalsThatCostNothing(t *testing.T) {
	p := parsed(`{"costs": [{"match": ["/free"], "n": 0}], "rules": [{"name": "r", "key": ["user"], "limits": [{"name": "two", "rate": "2/min", "as": "log"}],
		"ladder": [{"after": 1, "within": "1m", "do": "block", "for": "1m"}]}]}`)
	var requests []simulate.Request
	for i, path := range []string{"/", "/", "/", "/free", "/free"} { // the third is refused, and blocks
		requests = append(requests, named(path, "a", float64(i)))
	}
	r := run(t, append(requests, by("b", 5)), simulate.Options{}, simulate.Subject{Judge: judging(p)})[0]
	require.Equal(t, []any{6, int64(4), int64(3), int64(1), 1}, []any{r.Requests, r.Offered, r.Granted, r.Refused, r.KeysRefused})
	require.Equal(t, []any{"a", int64(3), int64(2), int64(1)}, []any{r.Worst[0].Key, r.Worst[0].Offered, r.Worst[0].Granted, r.Worst[0].Refused})

	less := []simulate.Request{by("a", 0), by("b", 1), by("b", 2), by("c", 3), by("c", 4)}
	for i, cost := range []int{1, -1, -1, -1, 1} {
		less[i].Cost = cost
	}
	r = run(t, less, simulate.Options{}, simulate.Subject{Judge: limited("log 5/s")})[0]
	require.Equal(t, []any{5, int64(2), int64(2), int64(0), 3, 2}, []any{r.Requests, r.Offered, r.Granted, r.Refused, r.Never, r.KeysRefused})
	require.Len(t, r.Worst, 3)
	for i, want := range []simulate.Key{{Key: "a", Offered: 1, Granted: 1}, {Key: "c", Offered: 1, Granted: 1}, {Key: "b"}} {
		require.Equal(t, []any{want.Key, want.Offered, want.Granted, want.Refused}, []any{r.Worst[i].Key, r.Worst[i].Offered, r.Worst[i].Granted, r.Worst[i].Refused})
		require.Equal(t, want.Key != "a", r.Worst[i].Busy != nil)
	}
	require.NotContains(t, r.String(), "worst keys", "there is nothing to list")
}

// Of each of the worst keys there is what was granted and refused over time, from its first refusal
// on, in bins that are as wide as for all keys. Keys of which nothing was offered are not among
// them.
func TestBinsOfKeys(t *testing.T) {
	requests := []simulate.Request{by("a", 0), by("b", 0), by("a", 1), by("a", 1.5), by("b", 2), by("a", 2.9), by("a", 3), by("c", 3), by("c", 3)}
	requests[8].Cost = -1
	r := run(t, requests, simulate.Options{}, simulate.Subject{Judge: limited("log 2/2s")})[0]
	require.Equal(t, simulate.Seconds(time.Second), r.HeatWidth)
	require.Len(t, r.Worst, 3, "and no others")
	require.Equal(t, []any{"a", []simulate.Cells{{}, {Refused: 1}, {Granted: 1}, {Granted: 1}}}, []any{r.Worst[0].Key, r.Worst[0].Bins})
	require.Equal(t, []any{"b", []simulate.Cells(nil)}, []any{r.Worst[1].Key, r.Worst[1].Bins})
	require.Equal(t, []any{"c", []simulate.Cells{{}, {}, {}, {}}}, []any{r.Worst[2].Key, r.Worst[2].Bins})

	// A bin is as wide as lets 96 of them reach to the end.
	for end, width := range map[float64]time.Duration{95.9: time.Second, 96: 2 * time.Second, 191.9: 2 * time.Second, 192: 4 * time.Second} {
		want := make([]simulate.Cells, int(end/width.Seconds())+1)
		var requests []simulate.Request
		for _, seconds := range []float64{0, 3, 5, 90, end} {
			requests = append(requests, by("a", seconds), by("a", seconds), by("a", seconds))
			bin := &want[int(seconds/width.Seconds())]
			bin.Granted, bin.Refused = bin.Granted+2, bin.Refused+1
		}
		want[0].Granted -= 2 // these were before the first refusal
		r := run(t, requests, simulate.Options{}, simulate.Subject{Judge: limited("log 2/2s")})[0]
		require.Equal(t, simulate.Seconds(width), r.HeatWidth)
		require.Equal(t, want, r.Worst[0].Bins, "%v", end)
	}
}

// Where too many keys are refused, those that were first have bins, and all are counted.
func TestBinsOfManyKeys(t *testing.T) {
	const most = 1 << 14
	requests := func(yield func(simulate.Request) bool) {
		for i := range 2 * (most + 2) {
			r := by(fmt.Sprintf("%05d", i/2), 0)
			r.Cost = 2
			if !yield(r) {
				return
			}
		}
	}
	results, err := simulate.Run(requests, simulate.Options{Top: most + 10}, simulate.Subject{Judge: limited("log 1/s")})
	require.NoError(t, err)
	require.Equal(t, []int{most + 2, most + 2}, []int{results[0].KeysRefused, len(results[0].Worst)})
	for i, k := range results[0].Worst {
		switch one := []simulate.Cells{{Refused: 4}}; {
		case k.Refused != 4:
			require.Fail(t, "refused", "%v", k)
		case i >= most && (k.Busy != nil || k.Bins != nil):
			require.Fail(t, "bins that are too many", "%v", k)
		case i < most && (!slices.Equal(k.Bins, one) || !slices.Equal(k.Busy.Bins, one)):
			require.Fail(t, "bins", "%v", k)
		}
	}
}
