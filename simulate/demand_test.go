package simulate_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/simulate"
)

// What is suggested refuses something to as many keys as it says, and one event less to more than
// the share.
func TestDemand(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	var requests []simulate.Request
	for i := range 2000 {
		requests = append(requests, by(fmt.Sprint(int(40*random.ExpFloat64())), float64(i)+random.Float64()))
	}
	requests = slices.Collect(simulate.Sorted(slices.Values(requests)))
	shuffled := slices.Clone(requests)
	random.Shuffle(len(shuffled), func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
	d := simulate.NewDemand(slices.Values(shuffled))
	refusedBy := func(limit string) (refused []string) {
		for _, k := range run(t, requests, simulate.Options{Top: 1000}, simulate.Subject{Judge: limited(limit)})[0].Worst {
			if k.Refused > 0 {
				refused = append(refused, k.Key)
			}
		}
		return refused
	}
	for _, share := range []float64{0, 0.01, 0.1, 0.5} {
		most := int(share * float64(d.Keys()))
		for _, span := range []time.Duration{10 * time.Second, time.Minute, time.Hour} {
			events, refused := d.Window(span, share)
			require.LessOrEqual(t, len(refused), most)
			require.ElementsMatch(t, refused, refusedBy(fmt.Sprintf("log %v", ratelimit.Per(int(events), span))))
			if events > 1 {
				require.Greater(t, len(refusedBy(fmt.Sprintf("log %v", ratelimit.Per(int(events-1), span)))), most)
			}
		}
		for _, rate := range append(d.Rates(share), ratelimit.PerMinute(7)) {
			burst, refused := d.Burst(rate, share)
			require.LessOrEqual(t, len(refused), most)
			require.ElementsMatch(t, refused, refusedBy(fmt.Sprintf("gcra %v burst %d", rate, burst)), "%v burst %d", rate, burst)
			if burst > 1 {
				require.Greater(t, len(refusedBy(fmt.Sprintf("gcra %v burst %d", rate, burst-1))), most, "%v burst %d of share %v", rate, burst, share)
			}
		}
	}
	require.IsIncreasing(t, d.Most(time.Hour, 0.1, 0.5, 1))
	empty := simulate.NewDemand(slices.Values([]simulate.Request{}))
	require.Empty(t, empty.Rates(0.1))
	require.Equal(t, []int64{0}, empty.Most(time.Hour, 1))
}

// The keys that a suggested limit refuses are in order of what they need.
func TestDemandNamesTheRefused(t *testing.T) {
	var requests []simulate.Request
	for i, key := range []string{"calm", "b", "b", "b", "a", "a", "a", "flood", "flood", "flood", "flood"} {
		requests = append(requests, by(key, float64(i)/1000))
	}
	d := simulate.NewDemand(slices.Values(requests))
	events, refused := d.Window(time.Minute, 0.75)
	require.Equal(t, int64(1), events)
	require.Equal(t, []string{"flood", "a", "b"}, refused)
	_, refused = d.Burst(ratelimit.PerMinute(1), 0.25)
	require.Equal(t, []string{"flood"}, refused)
}
