package main

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-3506548a/ratelimit/simulate"
)

// TestHelp compares what -h prints with testdata/help.txt: all flags, what they do, and defaults.
func TestHelp(t *testing.T) {
	const file = "testdata/help.txt"
	status, out, help := ratesim(t, "", "-h")
	require.Zero(t, status)
	require.Empty(t, out)
	status, out, suggest := ratesim(t, "", "suggest", "-h")
	require.Zero(t, status)
	require.Empty(t, out)
	if *update {
		require.NoError(t, os.WriteFile(file, []byte(help+suggest), 0o666))
	}
	want, err := os.ReadFile(file)
	require.NoError(t, err)
	require.Equal(t, string(want), help+suggest)
}

// Without flags, a limit has room for 262,144 keys, or for four times as many as are generated.
func TestCapacity(t *testing.T) {
	for args, want := range map[string]int{
		"-trace -": 1 << 18, "-trace - -capacity 7": 7, "-gen": 1 << 10, "-gen -keys 256": 1 << 10, "-gen -keys 257": 1028, "-gen -keys 100000": 400_000,
		"-gen -keys 67108864": 1 << 28, "-gen -keys 67108865": 1 << 28, "-gen -keys 9 -capacity 8": 8,
	} {
		o, err := parse("", strings.Fields("-limit 1/s "+args), world{})
		require.NoError(t, err, args)
		require.Equal(t, want, o.capacity, args)
	}
	for args, want := range map[string]string{"-gen -duration 1ns": "", "-gen -duration 0s": "-duration is 0s, want more than 0s", "-trace - -top 0": "", "-trace - -bin 0s": ""} {
		_, err := parse("", strings.Fields(args), world{})
		if want == "" {
			require.NoError(t, err)
			continue
		}
		require.EqualError(t, err, want)
	}
}

// A gate can be about each number of a result, and about its share if it is a part of something.
func TestMetrics(t *testing.T) {
	seconds := func(n int) simulate.Seconds { return simulate.Seconds(time.Duration(n) * time.Second) }
	r := outcome{Result: &simulate.Result{
		Offered: 1000, Granted: 900, Refused: 100, Requests: 500, Keys: 50, KeysRefused: 5, KeysShadow: 10, Never: 20, Shadow: 30, Late: 40,
		Diff: &simulate.Diff{NewlyRefused: 60}, Waits: &simulate.Waits{Median: seconds(1), P90: seconds(2), P99: seconds(3), Longest: seconds(4)},
	}, lost: 7, lines: 70}
	nothing := outcome{Result: &simulate.Result{}}
	for name, want := range map[string][3]string{ // of this, its share, and of nothing
		"refused": {"100", "10 %", "0"}, "granted": {"900", "90 %", "0"}, "offered": {"1000", "", "0"}, "requests": {"500", "", "0"}, "keys": {"50", "", "0"},
		"keys_refused": {"5", "10 %", "0"}, "keys_shadow": {"10", "20 %", "0"}, "never": {"20", "4 %", "0"}, "shadow": {"30", "6 %", "0"}, "late": {"40", "8 %", "0"},
		"lost": {"7", "10 %", "0"}, "newly_refused": {"60", "12 %", "0"}, "wait": {"4s", "", "0s"}, "wait_p50": {"1s", "", "0s"}, "wait_p90": {"2s", "", "0s"}, "wait_p99": {"3s", "", "0s"},
	} {
		number, share := "0", "0%"
		if strings.HasPrefix(name, "wait") {
			number, share = "0s", "0s%"
		}
		g, err := parseGate(name + "<" + number)
		require.NoError(t, err, name)
		holds, was := g.holds(r)
		require.Equal(t, []any{false, want[0]}, []any{holds, was}, name)
		holds, was = g.holds(nothing)
		require.Equal(t, []any{false, want[2]}, []any{holds, was}, name)
		g, err = parseGate(name + ">" + share)
		if want[1] == "" {
			require.Error(t, err, name)
			continue
		}
		require.NoError(t, err, name)
		holds, was = g.holds(r)
		require.Equal(t, []any{true, want[1]}, []any{holds, was}, name)
		holds, was = g.holds(nothing)
		require.Equal(t, []any{false, "0 %"}, []any{holds, was}, name)
	}
	for op, want := range map[string][3]bool{"<": {true, false, false}, "<=": {true, true, false}, ">": {false, false, true}, ">=": {false, true, true}} {
		for i, bound := range []string{"101", "100", "99"} {
			g, err := parseGate("refused" + op + bound)
			require.NoError(t, err)
			holds, _ := g.holds(r)
			require.Equal(t, want[i], holds, "refused%s%s", op, bound)
		}
	}
	require.Len(t, metrics, 16)
}
