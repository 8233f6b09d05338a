package simulate_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/simulate"
)

// tries plays requests through one in 10 s, and returns when each of them was tried, and with what
// success.
func tries(t *testing.T, c simulate.Client, requests ...simulate.Request) (at []float64, granted []bool, r *simulate.Result) {
	o := simulate.Options{Each: func(_ int, r *simulate.Request, v *simulate.Verdict) {
		at, granted = append(at, r.At.Sub(t0).Seconds()), append(granted, v.OK)
	}}
	r = run(t, requests, o, simulate.Subject{Judge: limited("log 1/10s"), Client: c, Seed: 1})[0]
	return at, granted, r
}

// A client that obeys sends nothing while it waits, and then in order.
func TestObeying(t *testing.T) {
	at, granted, r := tries(t, simulate.Obeying, by("a", 0), by("a", 2.5), by("b", 3), by("a", 4), by("a", 40))
	require.Equal(t, []float64{0, 2.5, 3, 10.5, 10.5, 20.5, 40}, at, "8 s for 7.5, and 10 from then on")
	require.Equal(t, []bool{true, false, true, true, false, false, true}[:4], granted[:4])
	require.Equal(t, "obeying", r.Client)
	require.Equal(t, 2, r.Clients.GrantedLate)
	require.Zero(t, r.Clients.GaveUp)
	require.EqualValues(t, 5, r.Granted)
	require.Contains(t, r.String(), "requests granted late")
}

// Keys beyond the most that are told apart are many clients: one of them does not wait for another.
func TestObeyingOthers(t *testing.T) {
	var at []float64
	o := simulate.Options{Keys: 1, Each: func(_ int, r *simulate.Request, _ *simulate.Verdict) { at = append(at, r.At.Sub(t0).Seconds()) }}
	run(t, []simulate.Request{by("a", 0), by("b", 0), by("b", 1), by("c", 2), by("a", 3), by("a", 4)}, o,
		simulate.Subject{Judge: limited("log 1/10s"), Client: simulate.Obeying})
	require.Equal(t, []float64{0, 0, 1, 2, 3, 10, 10, 10, 20}, at)
}

func TestBackoffAndImpatient(t *testing.T) {
	at, granted, r := tries(t, simulate.Impatient, by("a", 0), by("a", 1), by("a", 9.9))
	require.Equal(t, 2+6+1, len(at)-r.Clients.Retries+5+r.Clients.GaveUp, "%v", at)
	require.Equal(t, 1, r.Clients.GaveUp)
	for i := 2; i < 7; i++ {
		require.InDelta(t, 0.1, at[i]-at[i-1], 0.05)
	}
	require.True(t, granted[len(granted)-1], "the last one tries until 10 s")
	at, _, r = tries(t, simulate.Backoff, by("a", 0), by("a", 1))
	require.Greater(t, at[len(at)-1]-1, 1.0, "%v", at)
	require.LessOrEqual(t, at[len(at)-1]-1, 31.0)
	require.Positive(t, r.Clients.Retries)
	for _, name := range []string{"open", "obeying", "backoff", "impatient"} {
		c, err := simulate.ParseClient(name)
		require.NoError(t, err)
		require.Equal(t, name, c.String())
	}
	require.Equal(t, "unknown", simulate.Client(4).String())
	require.Equal(t, "unknown", simulate.Client(255).String())
	c, err := simulate.ParseClient("rude")
	require.Error(t, err)
	require.Equal(t, simulate.Open, c)
	require.Equal(t, simulate.Obeying, ratelimit.Must(simulate.ParseClient("retry-after")))
}

// An obeying client gives up what is never granted, and what comes too late.
func TestObeyingGivesUp(t *testing.T) {
	never := by("a", 0)
	never.Cost = 2
	var requests []simulate.Request
	for range 100 {
		requests = append(requests, by("b", 1))
	}
	_, _, r := tries(t, simulate.Obeying, append([]simulate.Request{never}, requests...)...)
	require.Equal(t, 1, r.Never)
	require.Positive(t, r.Clients.GaveUp)
	require.LessOrEqual(t, time.Duration(r.Clients.LongestDelay), 10*time.Minute)
}

// tried is a request at one of its tries.
type tried struct {
	name string // its path
	at   float64
	ok   bool
}

// sent plays requests, named by their paths, for clients, beside those that are open to a limit
// that refuses nothing.
func sent(t *testing.T, limit string, c simulate.Client, requests ...simulate.Request) (all []tried, r *simulate.Result) {
	o := simulate.Options{Each: func(subject int, r *simulate.Request, v *simulate.Verdict) {
		if subject == 1 {
			all = append(all, tried{r.Path, r.At.Sub(t0).Seconds(), v.OK})
		}
	}}
	return all, run(t, requests, o, simulate.Subject{Name: "all", Judge: limited("gcra 100000/s")}, simulate.Subject{Judge: limited(limit), Client: c, Seed: 1})[1]
}

func named(name, key string, seconds float64) simulate.Request {
	r := by(key, seconds)
	r.Path = name
	return r
}

// What an obeying client holds back is sent when its pause ends, in order, before what comes at
// that time; if the first of these is refused, all others wait for the next time, in order.
func TestObeyingKeepsTheOrder(t *testing.T) {
	all, r := sent(t, "log 2/10s", simulate.Obeying, named("1", "a", 0), named("2", "a", 0), named("3", "a", 2), named("4", "a", 3), named("5", "a", 4),
		named("6", "a", 5), named("x", "b", 6), named("7", "a", 10))
	require.Equal(t, []tried{{"1", 0, true}, {"2", 0, true}, {"3", 2, false}, {"x", 6, true},
		{"3", 10, true}, {"4", 10, true}, {"5", 10, false}, // it waits until 20, and so do the next
		{"5", 20, true}, {"6", 20, true}, {"7", 20, false}, {"7", 30, true}}, all)
	require.Equal(t, simulate.Clients{Retries: 3, GrantedLate: 5, MedianDelay: simulate.Seconds(15 * time.Second), LongestDelay: simulate.Seconds(20 * time.Second)}, *r.Clients)
	require.Equal(t, []int{3, 5, 0}, []int{r.Diff.BothGranted, r.Diff.NewlyRefused, r.Diff.NewlyGranted}, "at the first try; what is held back is not granted")

	all, r = sent(t, "log 3/10s", simulate.Obeying, named("1", "a", 0), named("2", "a", 0), named("3", "a", 0), named("4", "a", 5), named("5", "a", 10))
	require.Equal(t, []tried{{"1", 0, true}, {"2", 0, true}, {"3", 0, true}, {"4", 5, false}, {"4", 10, true}, {"5", 10, true}}, all)
	require.Equal(t, []int{4, 1}, []int{r.Diff.BothGranted, r.Diff.NewlyRefused}, "what comes when the pause ends is sent at once")
	require.Equal(t, 1, r.Clients.GrantedLate)

	// Many wait for the same time, of several keys.
	var requests []simulate.Request
	for i := range 40 {
		requests = append(requests, named(fmt.Sprint(i), fmt.Sprint(i%2), 0))
	}
	all, _ = sent(t, "log 5/10s", simulate.Obeying, requests...)
	last := map[int]int{0: -2, 1: -1}
	var before float64
	for _, one := range all {
		require.GreaterOrEqual(t, one.at, before)
		before = one.at
		if one.ok {
			var n int
			_, err := fmt.Sscan(one.name, &n)
			require.NoError(t, err)
			require.Equal(t, last[n%2]+2, n)
			last[n%2] = n
		}
	}
	require.Equal(t, map[int]int{0: 38, 1: 39}, last)
}

// A client waits for whole seconds, at least as long as it is told.
func TestObeyingRoundsUp(t *testing.T) {
	for after, at := range map[time.Duration]float64{1: 10.000000001, time.Second: 10, time.Second - 1: 10.999999999, time.Second + 1: 10.000000001, 9999 * time.Millisecond: 10.999} {
		second := named("2", "a", 0)
		second.At = t0.Add(after)
		all, _ := sent(t, "log 1/10s", simulate.Obeying, named("1", "a", 0), second)
		require.Equal(t, []tried{{"1", 0, true}, {"2", after.Seconds(), false}, {"2", at, true}}, all, "%v", after)
	}
}

// A request is tried six times, and not later than ten minutes after it was due.
func TestGivingUp(t *testing.T) {
	for _, c := range []simulate.Client{simulate.Backoff, simulate.Impatient} {
		all, r := sent(t, "log 1/h", c, by("a", 4000), by("a", 4001), by("a", 4200))
		require.Len(t, all, 13)
		require.Equal(t, []int{10, 2, 0}, []int{r.Clients.Retries, r.Clients.GaveUp, r.Clients.GrantedLate}, "%v", c)
	}

	// Ten minutes are not too long; a second more is. Then nothing waits.
	all, r := sent(t, "log 1/10m", simulate.Obeying, named("1", "a", 4000), named("2", "a", 4000))
	require.Equal(t, []tried{{"1", 4000, true}, {"2", 4000, false}, {"2", 4600, true}}, all)
	require.Equal(t, simulate.Clients{Retries: 1, GrantedLate: 1, MedianDelay: simulate.Seconds(10 * time.Minute), LongestDelay: simulate.Seconds(10 * time.Minute)}, *r.Clients)
	all, r = sent(t, "log 1/601s", simulate.Obeying, named("1", "a", 4000), named("2", "a", 4000), named("3", "a", 4001), named("4", "a", 4001.5))
	require.Equal(t, []tried{{"1", 4000, true}, {"2", 4000, false}, {"3", 4001, false}, {"3", 4601, true}, {"4", 4601, false}}, all)
	require.Equal(t, 2, r.Clients.GaveUp, "2 at once, so 3 is sent when it comes")

	// What waits for others is given up when that is ten minutes after it was due.
	all, r = sent(t, "log 1/300s", simulate.Obeying, named("1", "a", 0), named("2", "a", 0), named("3", "a", 0), named("4", "a", 0))
	require.Equal(t, []tried{{"1", 0, true}, {"2", 0, false}, {"2", 300, true}, {"3", 300, false}, {"3", 600, true}, {"4", 600, false}}, all)
	require.Equal(t, []int{2, 1, 2}, []int{r.Clients.Retries, r.Clients.GaveUp, r.Clients.GrantedLate})

	// What is never granted is given up at once.
	never := by("a", 0)
	never.Cost = 2
	all, r = sent(t, "log 1/h", simulate.Obeying, never, by("a", 1))
	require.Len(t, all, 2)
	require.Equal(t, simulate.Clients{GaveUp: 1}, *r.Clients)
	require.Equal(t, []int{1, 1}, []int{r.Diff.BothGranted, r.Diff.NewlyRefused})
}

// Those who try again at random wait for as long as they should, in the order of time.
func TestRandomWaits(t *testing.T) {
	var requests []simulate.Request
	for i := range 400 {
		requests = append(requests, named("first", fmt.Sprint(i), 0))
	}
	for i := range 400 {
		requests = append(requests, named(fmt.Sprint(i), fmt.Sprint(i), 1))
	}
	for c, most := range map[simulate.Client][5]float64{simulate.Backoff: {1, 2, 4, 8, 16}, simulate.Impatient: {0.15, 0.15, 0.15, 0.15, 0.15}} {
		all, _ := sent(t, "log 1/h", c, requests...)
		tries, last := map[string]int{}, map[string]float64{}
		var before float64
		var longest [5]float64
		shortest := [5]float64{99, 99, 99, 99, 99}
		for _, one := range all[400:] {
			require.GreaterOrEqual(t, one.at, before)
			before = one.at
			if n := tries[one.name]; n > 0 {
				wait := one.at - last[one.name]
				longest[n-1], shortest[n-1] = max(longest[n-1], wait), min(shortest[n-1], wait)
			}
			tries[one.name]++
			last[one.name] = one.at
		}
		require.Len(t, tries, 400)
		for i, least := range shortest {
			from := 0.0
			if c == simulate.Impatient {
				from = 0.05
			}
			require.LessOrEqual(t, longest[i], most[i]+1e-9, "%v", c)
			require.InDelta(t, most[i], longest[i], (most[i]-from)/100)
			require.GreaterOrEqual(t, least, from-1e-9)
			require.InDelta(t, from, least, (most[i]-from)/100)
		}
	}
}

// A seed gives the same waits in this version and in the next.
func TestRandomWaitsStayTheSame(t *testing.T) {
	for c, want := range map[simulate.Client]string{simulate.Backoff: "[0s 0s 769.373ms 2.002246s 5.139958s 11.51273s 15.261151s]", simulate.Impatient: "[0s 0s 126.937ms 238.581ms 367.024ms 496.683ms 570.111ms]"} {
		all, _ := sent(t, "log 1/h", c, by("a", 0), by("a", 0))
		var at []string
		for _, one := range all {
			at = append(at, fmt.Sprint(time.Duration(one.at*1e9).Round(time.Microsecond)))
		}
		require.Equal(t, want, fmt.Sprint(at))
	}
}
