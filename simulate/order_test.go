package simulate_test

import (
	"iter"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/simulate"
)

// What is a little out of order is put in order, as by sorting all; what is too far, is an error.
func TestReorder(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for round := range 60 {
		most := []int{40, 200, math.MaxInt}[round%3]
		var all []simulate.Request
		for i := range random.IntN(3000) {
			all = append(all, by("k", float64(i)+float64(random.IntN(20))))
		}
		sorted := slices.Collect(simulate.Sorted(slices.Values(all)))
		require.True(t, slices.IsSortedFunc(sorted, func(a, b simulate.Request) int { return a.At.Compare(b.At) }))
		var failed error
		require.Equal(t, sorted, slices.Collect(simulate.Reorder(slices.Values(all), most, &failed)))
		require.NoError(t, failed)
	}
	var failed error
	late := []simulate.Request{by("k", 1), by("k", 2), by("k", 3), by("k", 0.5)}
	require.Len(t, slices.Collect(simulate.Reorder(slices.Values(late), 2, &failed)), 1)
	require.EqualError(t, failed, "request 4, of 1995-10-25T04:11:25.5Z, is 500ms earlier than one that came more than 2 requests before it: sort them first")
	failed = nil
	require.Len(t, slices.Collect(simulate.Reorder(slices.Values(late), 3, &failed)), 4)
	require.Len(t, slices.Collect(simulate.Reorder(slices.Values(late[:3]), 0, &failed)), 3)
	require.NoError(t, failed)
	same := []simulate.Request{by("a", 1), by("b", 1), by("d", 2), by("c", 1)}
	keys := func(requests iter.Seq[simulate.Request]) (keys string) {
		for r := range requests {
			keys += r.Key
		}
		return keys
	}
	require.Equal(t, "abcd", keys(simulate.Sorted(slices.Values(same))))
	for most, want := range map[int]string{-1: "abd", 0: "abd", 1: "abcd", 2: "abcd"} {
		failed = nil
		require.Equal(t, want, keys(simulate.Reorder(slices.Values(same), most, &failed)), "%d", most)
		require.Equal(t, most > 0, failed == nil)
	}
	require.Equal(t, "bacd", keys(simulate.Reorder(slices.Values([]simulate.Request{by("d", 9), by("c", 5), by("a", 1), by("b", 0)}), 3, &failed)))
	ancient := []simulate.Request{{At: time.Date(-9, 1, 1, 0, 0, 0, 0, time.UTC)}, {At: time.Date(-8, 1, 1, 0, 0, 0, 0, time.UTC)}, {At: time.Date(-7, 1, 1, 0, 0, 0, 0, time.UTC)}}
	for most := range 4 {
		failed = nil
		require.Equal(t, ancient, slices.Collect(simulate.Reorder(slices.Values(ancient), most, &failed)))
		require.NoError(t, failed)
	}
	for range simulate.Sorted(slices.Values(late)) {
		break
	}
	for range simulate.Reorder(slices.Values(late), 1, &failed) {
		break
	}
}

func TestStamps(t *testing.T) {
	var s simulate.Stamps
	for range s.Watch(slices.Values([]simulate.Request{by("a", 1), by("a", 31), by("a", 0), by("a", 30)})) {
	}
	require.Equal(t, simulate.Stamps{Requests: 4, First: t0, Last: t0.Add(31 * time.Second), Late: 2, LateBy: 31 * time.Second, Whole: true}, s)
	require.Len(t, s.Warnings(ratelimit.PerSecond(1)), 2, "one minute, and whole seconds")
	require.Len(t, s.Warnings(ratelimit.PerMinute(5)), 1)
	for range s.Watch(slices.Values([]simulate.Request{by("a", 1), by("a", 61)})) {
	}
	require.Empty(t, s.Warnings(ratelimit.PerMinute(5)))
	require.Len(t, s.Warnings(ratelimit.PerMinute(90)), 1, "one comes back in less than a second")
	for range s.Watch(slices.Values([]simulate.Request{by("a", 1), by("a", 61.5)})) {
	}
	require.Empty(t, s.Warnings(ratelimit.PerSecond(1)))
	for range s.Watch(slices.Values([]simulate.Request{by("a", 1), by("a", 61)})) {
	}
	for rate, warned := range map[ratelimit.Rate]bool{
		ratelimit.PerDay(0): false, ratelimit.Per(0, time.Second): false, ratelimit.Per(1, 10*time.Second): true, ratelimit.Per(1, 10*time.Second+1): false,
		ratelimit.Per(11, 11*time.Second): false, ratelimit.Per(12, 11*time.Second): true,
	} {
		require.Equal(t, warned, len(s.Warnings(rate)) == 1, "%v", rate)
	}
	require.Len(t, s.Warnings(ratelimit.PerSecond(1), ratelimit.PerSecond(2)), 1, "once for all limits")
	for range s.Watch(slices.Values([]simulate.Request{by("a", 1)})) {
		break
	}
	require.Empty(t, s.Warnings(ratelimit.PerSecond(1)))
}

func TestSubseconds(t *testing.T) {
	all := []simulate.Request{by("a", 1), by("a", 1), by("a", 1.5), by("a", 2)}
	spread := slices.Collect(simulate.Subseconds(slices.Values(all), 1))
	require.Equal(t, all[2], spread[2], "it has a fraction")
	for i, r := range spread {
		require.Equal(t, all[i].At.Truncate(time.Second), r.At.Truncate(time.Second))
	}
	require.Equal(t, []time.Duration{1567645280, 1693381003, 2991522380}, []time.Duration{spread[0].At.Sub(t0), spread[1].At.Sub(t0), spread[3].At.Sub(t0)}, "the same as in each version")
	require.Equal(t, spread, slices.Collect(simulate.Subseconds(slices.Values(all), 1)))
	for range simulate.Subseconds(slices.Values(all), 1) {
		break
	}
}

// Keys are skewed as they should be.
func TestCrowded(t *testing.T) {
	events := simulate.Until(ratelimit.Must(simulate.Constant(t0, ratelimit.PerSecond(1000))), t0.Add(100*time.Second))
	for _, row := range []struct{ skew, first, second float64 }{{0, 10_000, 10_000}, {1, 28_900, 16_900}, {2, 55_000, 18_300}} {
		counts := map[string]int{}
		for r := range ratelimit.Must(simulate.Crowded(events, 10, row.skew, 1, simulate.Request{Method: "GET"}, "user", "ip")) {
			counts[r.Key]++
			require.Len(t, r.Attrs, 2)
			require.Equal(t, r.Key, r.Attrs[1].Value)
			require.Equal(t, "GET", r.Method)
		}
		require.Len(t, counts, 10)
		require.InEpsilon(t, row.first, counts["1"], 0.05, "skew %v", row.skew)
		require.InEpsilon(t, row.second, counts["2"], 0.05, "skew %v", row.skew)
	}
	for r := range simulate.From(at(3, 0)) {
		require.Equal(t, simulate.Request{At: t0, Cost: 3}, r)
	}
	for range ratelimit.Must(simulate.Crowded(events, 1, 0, 1, simulate.Request{})) {
		break
	}
}
