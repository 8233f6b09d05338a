package simulate_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

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
	require.Equal(t, "unknown", simulate.Client(9).String())
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
