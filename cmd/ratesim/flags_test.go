package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-3506548a/ratelimit"
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

// What is wrong with a gate, and with a share, is said in a whole sentence.
func TestGateErrors(t *testing.T) {
	const list = "refused, granted, offered, requests, keys, keys_refused, keys_shadow, never, shadow, late, lost, newly_refused, wait, wait_p50, wait_p90, wait_p99"
	for text, want := range map[string]string{
		"refused":       `gate "refused" has no < or >, want one as refused>1%`,
		"":              `gate "" has no < or >, want one as refused>1%`,
		">1":            `gate ">1" has no < or >, want one as refused>1%`,
		"x>1":           `gate "x>1" is about "x", want one of ` + list,
		"xy < 1":        `gate "xy < 1" is about "xy", want one of ` + list,
		"wait>1":        `gate "wait>1" compares with "1", want a length of time as 30s`,
		"keys<1%":       `gate "keys<1%" compares with a share, but keys is a part of nothing: want a number`,
		"refused=1":     `gate "refused=1" has no < or >, want one as refused>1%`,
		"refused>":      `gate "refused>" compares with "", want a number or a share as 1%`,
		"refused>x%":    `gate "refused>x%" compares with "x", want a number or a share as 1%`,
		"refused>Inf":   `gate "refused>Inf" compares with "Inf", want a number or a share as 1%`,
		"refused>-Inf%": `gate "refused>-Inf%" compares with "-Inf", want a number or a share as 1%`,
		"refused>NaN":   `gate "refused>NaN" compares with "NaN", want a number or a share as 1%`,
	} {
		_, err := parseGate(text)
		require.EqualError(t, err, want)
	}
	for text, want := range map[string]float64{"0%": 0, "0": 0, "1%": 0.01, "0.25": 0.25, "99.5%": 0.995} {
		share, err := parseShare(text)
		require.NoError(t, err, text)
		require.InDelta(t, want, share, 1e-15, text)
	}
	for _, text := range []string{"-1%", "100%", "1", "NaN", "x", ""} {
		share, err := parseShare(text)
		require.EqualError(t, err, fmt.Sprintf("the share is %q, want 0%% to less than 100%%", text))
		require.Zero(t, share)
	}
}

// Without flags, suggest lets a limit refuse something to 1 % of the keys, and a policy is tried
// with 100 requests a second for a minute.
func TestDefaults(t *testing.T) {
	o, err := parse("suggest", []string{"-gen"}, world{})
	require.NoError(t, err)
	require.InDelta(t, 0.01, o.share, 0)
	for _, name := range []string{"", "suggest"} {
		o, err = parse(name, []string{"-gen"}, world{})
		require.NoError(t, err)
		require.Equal(t, []any{"poisson", ratelimit.PerSecond(100), time.Minute, 1, 1.0, uint64(1)}, []any{o.gen, o.rate, o.duration, o.keys, o.skew, o.seed})
	}
}

// What is wrong with flags is said once, to the caller.
func TestFlagErrors(t *testing.T) {
	printed := stderrOf(t, func() {
		for args, want := range map[string]string{
			"":                           "there is no traffic: give -trace FILE, -trace - for the standard input, or -gen",
			"-polcy trakt":               "flag provided but not defined: -polcy; ratesim -h lists the flags",
			"-top x -trace -":            `invalid value "x" for flag -top: parse error; ratesim -h lists the flags`,
			"suggest -polcy trakt":       "flag provided but not defined: -polcy; ratesim suggest -h lists the flags",
			"-trace - one two":           `"one" is left over: ratesim takes flags, which ratesim -h lists, or first explain, check or suggest`,
			"suggest -trace - check two": `"check" is left over: ratesim takes flags, which ratesim -h lists, or first explain, check or suggest`,
			"-trace - -gen":              "-trace and -gen are both given: take one",
			"explain":                    "explain takes one policy: a name of the catalog, a file, or a limit",
			"explain trakt anilist":      "explain takes one policy: a name of the catalog, a file, or a limit",
			"check":                      "check takes one policy: a name of the catalog, or a file",
		} {
			status, out, errs := ratesim(t, "", strings.Fields(args)...)
			require.Equal(t, 2, status, args)
			require.Empty(t, out, args)
			require.Equal(t, "ratesim: "+want+"\n", errs, args)
		}
	})
	require.Empty(t, printed, "to the standard error behind the caller's back")
}

// stderrOf returns what is written to the standard error of the process.
func stderrOf(t *testing.T, do func()) string {
	t.Helper()
	file, err := os.Create(filepath.Join(t.TempDir(), "stderr"))
	require.NoError(t, err)
	was := os.Stderr
	defer func() { os.Stderr = was }()
	os.Stderr = file
	do()
	require.NoError(t, file.Close())
	text, err := os.ReadFile(file.Name())
	require.NoError(t, err)
	return string(text)
}
