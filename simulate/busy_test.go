package simulate_test

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-3506548a/ratelimit/simulate"
)

// The busy period of a key begins with its first refusal and ends with the last of a flood: neither
// what comes hours before nor what comes hours after is part of it, however often it is refused.
func TestBusy(t *testing.T) {
	const before, after = 5 * 3600.0, 9 * 3600.0
	var requests []simulate.Request
	for i := range 10 {
		requests = append(requests, by("a", float64(i)*100))
	}
	for i := range 1200 { // for ten minutes two in a second, of which one is granted
		requests = append(requests, by("a", before+float64(i)/2))
	}
	for i := range 10 {
		requests = append(requests, by("a", after+float64(i)/10))
	}
	for name, width := range map[string]time.Duration{"gcra 1/s": 16 * time.Second, "gcra 3600/h burst 1": time.Hour / 64} {
		r := run(t, requests, simulate.Options{}, simulate.Subject{Judge: limited(name)})[0]
		k := r.Worst[0]
		require.Equal(t, requests[11].At, k.Busy.From)
		require.Equal(t, int64(1), k.Busy.First)
		require.Equal(t, width, time.Duration(k.Busy.Width))
		var granted, refused int64
		for _, c := range k.Busy.Bins {
			granted, refused = granted+c.Granted, refused+c.Refused
		}
		require.Equal(t, []int64{599, 600}, []int64{granted, refused})
		require.Less(t, refused, k.Refused)
		require.Positive(t, k.Busy.Bins[len(k.Busy.Bins)-1].Refused)
	}
	calm := run(t, requests[:5], simulate.Options{}, simulate.Subject{Judge: limited("gcra 1/s")})[0]
	require.Nil(t, calm.Worst[0].Busy)
}

// However long a flood is, its busy period is counted in few bins, and in full.
func TestBusyIsBounded(t *testing.T) {
	var requests []simulate.Request
	for i := range 200_000 {
		requests = append(requests, by("a", float64(i*i)/1e5))
	}
	r := run(t, slices.Clip(requests), simulate.Options{}, simulate.Subject{Judge: limited("gcra 1/h")})[0]
	var refused int64
	for _, c := range r.Worst[0].Busy.Bins {
		refused += c.Refused
	}
	require.Equal(t, r.Refused, refused)
	require.LessOrEqual(t, len(r.Worst[0].Busy.Bins), 64)
	require.GreaterOrEqual(t, len(r.Worst[0].Busy.Bins), 32)
}

// The bins of a busy period are as narrow as lets 64 of them reach to its last refusal, and a
// refusal after twice as long as 64 of the narrowest is of another period.
func TestBinsOfBusyPeriods(t *testing.T) {
	never := func(seconds float64) simulate.Request {
		r := by("a", seconds)
		r.Cost = 3
		return r
	}
	for _, row := range []struct {
		refused []float64 // when, in seconds
		width   time.Duration
		bins    map[int]int64 // refused, and all others are empty
	}{
		{[]float64{10}, time.Second, map[int]int64{0: 3}},
		{[]float64{10, 73.9}, time.Second, map[int]int64{0: 3, 63: 3}},
		{[]float64{10, 74}, 2 * time.Second, map[int]int64{0: 3, 32: 3}},
		{[]float64{10, 11, 12, 110}, 2 * time.Second, map[int]int64{0: 6, 1: 3, 50: 3}},
		{[]float64{10, 137.9}, 2 * time.Second, map[int]int64{0: 3, 63: 3}},
		{[]float64{10, 138}, time.Second, map[int]int64{0: 3}},
		{[]float64{10, 138, 150}, time.Second, map[int]int64{0: 3}},
		{[]float64{10, 110, 265.9}, 4 * time.Second, map[int]int64{0: 3, 25: 3, 63: 3}},
		{[]float64{10, 110, 266}, 2 * time.Second, map[int]int64{0: 3, 50: 3}},
	} {
		var requests []simulate.Request
		for _, seconds := range row.refused {
			requests = append(requests, never(seconds))
		}
		busy := run(t, requests, simulate.Options{}, simulate.Subject{Judge: limited("log 2/s")})[0].Worst[0].Busy
		require.Equal(t, t0.Add(10*time.Second), busy.From)
		require.Equal(t, []any{int64(3), simulate.Seconds(row.width)}, []any{busy.First, busy.Width}, "%v", row.refused)
		got := map[int]int64{}
		for i, bin := range busy.Bins {
			require.Zero(t, bin.Granted)
			if bin.Refused > 0 {
				got[i] = bin.Refused
			}
		}
		require.Equal(t, row.bins, got, "%v", row.refused)
		require.Positive(t, busy.Bins[len(busy.Bins)-1].Refused, "the last has the last refusal")
	}
}
