package simulate_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/gcra"
	"github.com/seed-3506548a/ratelimit/simulate"
)

// A report prints itself in a few lines, and leaves out what there is not.
func TestReportInWords(t *testing.T) {
	played := func(n int, after ...time.Duration) string {
		return simulate.Replay(at(n, after...), ratelimit.Must(gcra.New(ratelimit.PerSecond(1), 2))).String()
	}
	require.Equal(t, "0 requests for 0 events: 0 granted, 0 refused (0 %)", played(1))
	require.Equal(t, "1 requests for 1 events: 1 granted, 0 refused (0 %)", played(1, 0))
	require.Equal(t, "1 requests for 3 events: 0 granted, 3 refused (100 %)\n1 requests could never be granted", played(3, 0))
	for requests, share := range map[int]string{100: "98 refused (98 %)", 200: "198 refused (99.0 %)", 10_000: "9998 refused (99.9 %)"} {
		require.Contains(t, played(1, make([]time.Duration, requests)...), share, "which is not all")
	}
	require.Equal(t, "3 requests for 3 events: 2 granted, 1 refused (33 %)\nwaits: median 1s, longest 1s", played(1, 0, 0, 0))
	require.Equal(t, "5 requests for 5 events: 2 granted, 3 refused (60 %)\nwaits: median 500ms, longest 900ms",
		played(1, 0, 0, 100*time.Millisecond, 500*time.Millisecond, 877*time.Millisecond+600*time.Microsecond))
}

// Everything that a result can have is printed, in one order.
func TestResultInWords(t *testing.T) {
	seconds := func(f float64) simulate.Seconds { return simulate.Seconds(f * 1e9) }
	r := simulate.Result{
		Name: "all", Client: "obeying", First: t0, Last: t0.Add(90 * time.Minute),
		Requests: 12, Offered: 1000, Granted: 901, Refused: 99, Never: 1, Shadow: 1, Keys: 3, KeysRefused: 1, KeysShadow: 1,
		Late: 1, LateBy: seconds(1.5),
		Actions: []simulate.Acted{{Action: "limit", Requests: 3}, {Action: "block", Requests: 2}},
		Limits: []simulate.Limit{
			{Rule: "a-rule-with-a-name-that-is-not-short", Name: "requests", Limit: "gcra 60/min burst 30", Refused: 98, MostGranted: 90, Per: seconds(60)},
			{Name: "log 5/s", Limit: "log 5/s", Mode: "shadow", MostGranted: 5, AtLeast: true, Per: seconds(1)},
			{Rule: "r", Name: "n", Limit: "counter 100000/24h buckets 1440", Mode: "watch", MostGranted: 7, Per: seconds(86400)},
		},
		Steps: []simulate.Reached{{Rule: "api", Do: "block", After: 3, Times: 2}},
		Waits: &simulate.Waits{Median: seconds(1), P90: seconds(2), P99: seconds(3), Longest: seconds(4)},
		Worst: []simulate.Key{
			{Key: "", Offered: 500, Granted: 401, Refused: 99},
			{Key: "a b\x1f\x7f\u0080ä", Offered: 1, Granted: 1, Shadow: 1},
			{Key: "calm", Offered: 1, Granted: 1},
		},
		Clients: &simulate.Clients{Retries: 4, GrantedLate: 5, GaveUp: 6, MedianDelay: seconds(7), LongestDelay: seconds(8)},
		Diff: &simulate.Diff{From: "one", NewlyRefused: 1, NewlyGranted: 2, KeysRefused: 3, KeysGranted: 4,
			Worst: []simulate.KeyDiff{{Key: "a", NewlyRefused: 5, NewlyGranted: 6}, {NewlyGranted: 1}}},
	}
	require.Equal(t, `all: 12 requests in 1h30m0s, clients: obeying
  offered 1000, granted 901, refused 99 (9.9 %), to 1 of 3 keys (33 %)
  1 requests came late, by 1.5s at most: they were put in order
  requests refused by: limit 3, block 2
  waits: median 1s, 90% 2s, 99% 3s, longest 4s
  refused for ever: 1 requests
  clients: 4 retries, 5 requests granted late (median 7s, longest 8s), 6 given up
  limit                                                                            refused           most granted
  a-rule-with-a-name-that-is-not-short/requests gcra 60/min burst 30                    98               90 in 1m
  log 5/s (shadow)                              log 5/s                                  0       at least 5 in 1s
  r/n (watch)                                   counter 100000/24h buckets 1440          0               7 in 24h
  api: block after 3 strikes, 2 times
  rules in shadow would have refused 1 requests, of 1 of 3 keys
  worst keys                                  offered    granted    refused  in shadow
  (no key)                                        500        401         99          0
  a b���ä                                           1          1          0          1
  beside one: newly refused 1 requests (keys: 3), newly granted 2 (keys: 4)
  a                                                 5 newly refused          6 newly granted
  (no key)                                          0 newly refused          1 newly granted
`, r.String())

	worst := func(change func(r *simulate.Result)) bool {
		changed := r
		change(&changed)
		return strings.Contains(changed.String(), "worst keys")
	}
	require.True(t, worst(func(r *simulate.Result) { r.KeysRefused = 0 }), "some are in shadow")
	require.True(t, worst(func(r *simulate.Result) { r.Keys = 2 }))
	require.True(t, worst(func(r *simulate.Result) { r.KeysShadow, r.Worst = 0, r.Worst[:1] }))
	require.False(t, worst(func(r *simulate.Result) { r.KeysRefused, r.KeysShadow = 0, 0 }))
	require.False(t, worst(func(r *simulate.Result) { r.Keys = 1 }))
	require.False(t, worst(func(r *simulate.Result) { r.Worst = nil }))

	require.Equal(t, "nothing: 0 requests in 0s, clients: open\n  offered 0, granted 0, refused 0 (0 %), to 0 of 0 keys (0 %)\n",
		(&simulate.Result{Name: "nothing", Client: "open", First: t0, Last: t0}).String())
}

// Shares have three digits, but whole percents from 10 on.
func TestShares(t *testing.T) {
	for _, row := range []struct {
		refused, offered int64
		want             string
	}{{0, 7, "0 %"}, {1, 1, "100 %"}, {1, 10, "10 %"}, {105, 1000, "10 %"}, {107, 1000, "11 %"}, {99, 1000, "9.9 %"}, {1, 3000, "0.0333 %"}, {1, 100, "1 %"}} {
		r := simulate.Result{Refused: row.refused, Offered: row.offered}
		require.Contains(t, r.String(), "("+row.want+"), to 0 of 0 keys", "%d of %d", row.refused, row.offered)
	}
}

// Lengths of time are rounded to three digits, and those of hours to minutes.
func TestSeconds(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0: "0s", 1: "1ns", 999: "999ns", 1000: "1µs", 1004: "1µs", 1006: "1.01µs", 123_456: "123µs", 1_234_567: "1.23ms", 12_345_678: "12.3ms",
		999_499_999: "999ms", 1_234_567_890: "1.23s", 61_540 * time.Millisecond: "1m1.5s", 20*time.Minute + 1500*time.Millisecond: "20m0s",
		2*time.Hour + 31*time.Second: "2h0m30s", 9999 * time.Second: "2h46m40s", 10_000 * time.Second: "2h47m0s", 30*time.Hour + 9*time.Minute + 31*time.Second: "30h10m0s",
	} {
		require.Equal(t, want, simulate.Seconds(d).String(), "%d", d)
		text, err := json.Marshal(simulate.Seconds(d))
		require.NoError(t, err)
		var back simulate.Seconds
		require.NoError(t, json.Unmarshal(text, &back))
		require.InDelta(t, float64(d), float64(back), 1)
	}
	text, err := json.Marshal([]simulate.Seconds{simulate.Seconds(100 * time.Millisecond), simulate.Seconds(1e18), 1})
	require.NoError(t, err)
	require.Equal(t, "[0.1,1000000000,0.000000001]", string(text))
}
