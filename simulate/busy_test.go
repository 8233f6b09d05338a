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
