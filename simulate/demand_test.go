package simulate_test

import (
	"fmt"
	"math"
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

// asked makes requests of key "a" for so many events each, at so many seconds.
func asked(n int, seconds ...float64) (all []simulate.Request) {
	for _, at := range seconds {
		r := by("a", at)
		r.Cost = n
		all = append(all, r)
	}
	return all
}

// Most is over half-open spans; a request without a cost asks for one event, and one with a cost
// below 0 for none.
func TestMostInASpan(t *testing.T) {
	d := simulate.NewDemand(slices.Values(append(asked(0, 0, 10, 20, 25), asked(3, 60)...)))
	for span, want := range map[time.Duration]int64{-1: 0, 0: 0, 1: 3, 5 * time.Second: 3, 10*time.Second + 1: 3, 15*time.Second + 1: 3, 25 * time.Second: 3,
		25*time.Second + 1: 4, 35*time.Second + 1: 4, 40*time.Second + 1: 5, 60 * time.Second: 6, 60*time.Second + 1: 7, math.MaxInt64: 7} {
		require.Equal(t, []int64{want}, d.Most(span, 1), "%v", span)
		events, refused := d.Window(span, 0)
		require.Equal(t, max(want, 1), events, "%v", span)
		require.Empty(t, refused)
	}
	require.Equal(t, 1, d.Keys())
	require.Equal(t, []int64{0}, simulate.NewDemand(slices.Values(asked(-5, 0, 1))).Most(time.Hour, 1))
}

// Times may be 292 years before and after the first.
func TestDemandOfCenturies(t *testing.T) {
	var requests []simulate.Request
	for i, d := range []time.Duration{0, math.MaxInt64, math.MinInt64, math.MinInt64 + 1, 1, math.MaxInt64 - 1, math.MaxInt64 - 2} {
		r := by("a", 0)
		r.At, r.Cost = t0.Add(d), 1<<i
		requests = append(requests, r)
	}
	d := simulate.NewDemand(slices.Values(requests))
	require.Equal(t, []int64{2 + 32 + 64}, d.Most(time.Second, 1))
}

// Quantiles are what some key asks for: the least that so large a share of the keys does not
// exceed.
func TestQuantilesOfDemand(t *testing.T) {
	var requests []simulate.Request
	for i, key := range []string{"d", "b", "a", "c"} {
		for range []int{4, 2, 1, 3}[i] {
			requests = append(requests, by(key, 0))
		}
	}
	d := simulate.NewDemand(slices.Values(requests))
	require.Equal(t, []int64{1, 1, 1, 2, 2, 3, 4, 4, 4}, d.Most(time.Minute, -1, 0, 0.25, 0.26, 0.5, 0.75, 0.76, 1, 2))
	require.Empty(t, d.Most(time.Minute))
	for share, want := range map[float64]struct {
		events  int64
		refused []string
	}{-1: {4, nil}, 0: {4, nil}, 0.24: {4, nil}, 0.25: {3, []string{"d"}}, 0.5: {2, []string{"d", "c"}}, 0.75: {1, []string{"d", "c", "b"}},
		1: {1, []string{"d", "c", "b"}}, 1.5: {1, []string{"d", "c", "b"}}} {
		events, refused := d.Window(time.Minute, share)
		require.Equal(t, want.events, events, "%v", share)
		require.Equal(t, want.refused, refused, "%v", share)
	}
	nothing := simulate.NewDemand(slices.Values([]simulate.Request{}))
	events, refused := nothing.Window(time.Minute, 0.5)
	require.Equal(t, int64(1), events)
	require.Empty(t, refused)
	require.Equal(t, []int64{0, 0}, nothing.Most(time.Minute, 0, 1))
}

// Rates are what is needed in an hour, twice, five times and twenty times of it, rounded up.
func TestRates(t *testing.T) {
	for _, row := range []struct {
		n, times int // requests for n events, so many within an hour
		want     []ratelimit.Rate
	}{
		{1, 1, []ratelimit.Rate{ratelimit.PerHour(1), ratelimit.PerHour(2), ratelimit.PerHour(5), ratelimit.PerHour(20)}},
		{1, 2, []ratelimit.Rate{ratelimit.PerHour(2), ratelimit.PerHour(5), ratelimit.PerHour(10), ratelimit.PerHour(50)}},
		{3, 1, []ratelimit.Rate{ratelimit.PerHour(5), ratelimit.PerHour(10), ratelimit.PerHour(20), ratelimit.PerMinute(1)}},
		{5, 1, []ratelimit.Rate{ratelimit.PerHour(5), ratelimit.PerHour(10), ratelimit.PerHour(50), ratelimit.PerMinute(2)}},
		{59, 1, []ratelimit.Rate{ratelimit.PerHour(100), ratelimit.PerMinute(2), ratelimit.PerMinute(5), ratelimit.PerMinute(20)}},
		{10, 6, []ratelimit.Rate{ratelimit.PerMinute(1), ratelimit.PerMinute(2), ratelimit.PerMinute(5), ratelimit.PerMinute(20)}},
		{61, 1, []ratelimit.Rate{ratelimit.PerMinute(2), ratelimit.PerMinute(5), ratelimit.PerMinute(10), ratelimit.PerMinute(50)}},
		{150, 60, []ratelimit.Rate{ratelimit.PerMinute(200), ratelimit.PerMinute(500), ratelimit.PerMinute(1000), ratelimit.PerMinute(5000)}},
		{math.MaxInt32, 1000, []ratelimit.Rate{ratelimit.PerMinute(500_000_000)}}, // the most
	} {
		var seconds []float64
		for i := range row.times {
			seconds = append(seconds, float64(i)/1000)
		}
		require.Equal(t, row.want, simulate.NewDemand(slices.Values(asked(row.n, seconds...))).Rates(0), "%d times %d", row.times, row.n)
	}

	// A need that is 1, 2 or 5 and zeros is the rate, and is not rounded up to the next.
	for _, n := range []int{1, 2, 5, 10, 20, 50} {
		require.Equal(t, ratelimit.PerHour(n), simulate.NewDemand(slices.Values(asked(n, 0))).Rates(0)[0])
		require.Equal(t, ratelimit.PerMinute(n), simulate.NewDemand(slices.Values(asked(60*n, 0))).Rates(0)[0])
	}
}

// A share of keys that is a whole number is not one less, nor is a quantile that of the next key.
func TestSharesOfKeys(t *testing.T) {
	var requests []simulate.Request
	for key := range 100 {
		r := by(fmt.Sprint(key), 0)
		r.Cost = key + 1
		requests = append(requests, r)
	}
	d := simulate.NewDemand(slices.Values(requests))
	for percent := range 100 {
		share := float64(percent) / 100
		events, refused := d.Window(time.Minute, share)
		require.Equal(t, []int64{100 - int64(percent), int64(percent)}, []int64{events, int64(len(refused))}, "%d %%", percent)
		require.Equal(t, []int64{max(int64(percent), 1)}, d.Most(time.Minute, share), "%d %%", percent)
	}
}
