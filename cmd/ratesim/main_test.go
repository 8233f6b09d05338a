package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"image/png"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"
	"github.com/stretchr/testify/require"

	"github.com/seed-3506548a/ratelimit/simulate"
)

// asRatesim has the test's program be the command, with its arguments.
const asRatesim = "RATESIM_IS_RUN_BY_A_TEST"

func TestMain(m *testing.M) {
	if os.Getenv(asRatesim) != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

// The program takes its arguments and its standard input, and ends with an exit status.
func TestProgram(t *testing.T) {
	self, err := os.Executable()
	require.NoError(t, err)
	for args, want := range map[string][3]any{
		"check trakt": {0, "trakt: no faults, 3 rules\n", ""},
		"-limit 'log 2/min' -trace - -fail refused>0": {1, "", "ratesim: log 2/min: -fail refused>0: failed, it is 1\n"},
		"explain": {2, "", "ratesim: explain takes one policy: a name of the catalog, a file, or a limit\n"},
	} {
		command := exec.CommandContext(t.Context(), self, words(args)...)
		command.Env = append(os.Environ(), asRatesim+"=1")
		command.Stdin = strings.NewReader(short)
		var out, errs bytes.Buffer
		command.Stdout, command.Stderr = &out, &errs
		_ = command.Run()
		require.Equal(t, want[0], command.ProcessState.ExitCode(), args)
		require.Equal(t, want[2], errs.String(), args)
		if want[1] != "" {
			require.Equal(t, want[1], out.String(), args)
		}
	}
}

// ratesim runs the command.
func ratesim(t testing.TB, in string, args ...string) (status int, out, errs string) {
	t.Helper()
	var stdout, stderr bytes.Buffer
	status = run(args, world{strings.NewReader(in), &stdout, &stderr})
	return status, stdout.String(), stderr.String()
}

// accessLog writes a log of n requests, one in half a second, from a few addresses.
func accessLog(n int) string {
	var b strings.Builder
	random := rand.New(rand.NewPCG(1, 2))
	at := time.Date(2026, 3, 2, 8, 0, 0, 0, time.UTC)
	for i := range n {
		method := "GET"
		if random.IntN(4) == 0 {
			method = "POST"
		}
		_, _ = fmt.Fprintf(&b, "192.0.2.%d - u%d [%s] \"%s /v1/%d?q HTTP/1.1\" 200 5 \"-\" \"agent\"\n", random.IntN(9), random.IntN(3), at.Add(time.Duration(i/2)*time.Second).Format("02/Jan/2006:15:04:05 -0700"), method, i%3)
	}
	return b.String()
}

type result struct {
	Requests, Offered, Granted, Refused, Keys, Late int
	Limits                                          []struct {
		Name        string
		Refused     int
		MostGranted int `json:"most_granted"`
	}
	Worst []struct {
		Key              string
		Offered, Refused int
	}
	Warnings []string
	Errors   struct{ Lines, Lost int }
	Results  []json.RawMessage
}

func jsonOf(t testing.TB, in string, args ...string) (r result) {
	t.Helper()
	status, out, errs := ratesim(t, in, append(args, "-json")...)
	require.Zero(t, status, errs)
	require.NoError(t, json.Unmarshal([]byte(out), &r))
	return r
}

func TestJSON(t *testing.T) {
	log := accessLog(2000)
	r := jsonOf(t, log, "-limit", "log 10/min", "-trace", "-", "-key", "host")
	require.Equal(t, []int{2000, 2000, 9, 0}, []int{r.Requests, r.Offered, r.Keys, r.Late})
	require.Equal(t, r.Offered, r.Granted+r.Refused)
	require.Positive(t, r.Refused)
	require.Equal(t, "log 10/min", r.Limits[0].Name)
	require.Equal(t, 10, r.Limits[0].MostGranted)
	require.Equal(t, r.Refused, r.Limits[0].Refused)
	require.Len(t, r.Worst, 9)
	require.True(t, strings.HasPrefix(r.Worst[0].Key, "192.0.2."))

	require.Equal(t, 3, jsonOf(t, log, "-limit", "log 10/min", "-trace", "-").Keys, "of users")
	require.Len(t, jsonOf(t, log, "-limit", "log 10/min", "-trace", "-", "-top", "2").Worst, 2)
	require.Empty(t, jsonOf(t, log, "-limit", "log 10/min", "-trace", "-", "-top", "0").Worst)
	_, none, _ := ratesim(t, log, "-compare", "log 10/min,log 20/min", "-trace", "-", "-top", "0")
	require.NotContains(t, none, "worst keys")
	require.NotContains(t, none, "u1")
	posts := jsonOf(t, log, "-policy", "trakt", "-trace", "-", "-key", "user|ip", "-where", "method=POST|PUT", "-where", "path=/v1/*", "-where", "status=2xx")
	require.InDelta(t, 500, posts.Requests, 100)
	require.Equal(t, "AUTHED_API_POST_LIMIT", posts.Limits[0].Name)
	require.Positive(t, posts.Limits[0].Refused)
	require.Equal(t, 1, posts.Limits[0].MostGranted)
	hour := jsonOf(t, log, "-policy", "willittrack", "-trace", "-", "-from", "2026-03-02T08:05:00Z", "-to", "2026-03-02 08:06:00")
	require.Equal(t, 120, hour.Requests)
	require.Len(t, jsonOf(t, log, "-compare", "trakt, gcra 90/min burst 10 ,trakt-strict", "-trace", "-").Results, 3)
	generated := jsonOf(t, "", "-policy", "trakt", "-gen", "poisson", "-rate", "100/s", "-duration", "10s", "-keys", "7", "-seed", "3")
	require.InDelta(t, 1000, generated.Requests, 150)
	require.Equal(t, 7, generated.Keys)
	for _, kind := range []string{"constant", "onoff", "flashcrowd"} {
		require.Positive(t, jsonOf(t, "", "-limit", "gcra 5/s", "-gen", kind, "-rate", "200/s", "-duration", "1m").Requests, kind)
	}
	require.InDelta(t, 6000, jsonOf(t, "", "-limit", "gcra 5/s", "-gen").Requests, 300)
}

// -policy takes a name of the catalog, a file, also one whose policy has no name, or a limit.
func TestWhatAPolicyMayBe(t *testing.T) {
	file := filepath.Join(t.TempDir(), "no-name.json")
	require.NoError(t, os.WriteFile(file, []byte(`{"rules": [{"name": "a", "key": ["client"], "limits": [{"name": "b", "rate": "10/m", "as": "log"}]}]}`), 0o600))
	log := accessLog(2000)
	want := jsonOf(t, log, "-limit", "log 10/min", "-trace", "-", "-key", "host").Refused
	require.Positive(t, want)
	for _, policy := range []string{file, "log 10/min"} {
		require.Equal(t, want, jsonOf(t, log, "-policy", policy, "-trace", "-", "-key", "host").Refused, policy)
		status, out, errs := ratesim(t, "", "explain", policy)
		require.Zero(t, status, errs)
		require.NotContains(t, out, "not valid", policy)
	}
}

// Requests that are out of order are put in order, and the report says how many were.
func TestOrder(t *testing.T) {
	lines := strings.SplitAfter(strings.TrimSuffix(accessLog(2000), "\n"), "\n")
	lines[len(lines)-1] += "\n"
	sorted := jsonOf(t, strings.Join(lines, ""), "-limit", "log 10/min", "-trace", "-", "-key", "host")
	rand.New(rand.NewPCG(1, 2)).Shuffle(len(lines), func(i, j int) { lines[i], lines[j] = lines[j], lines[i] })
	for _, order := range []string{"auto", "sort"} {
		shuffled := jsonOf(t, strings.Join(lines, ""), "-limit", "log 10/min", "-trace", "-", "-key", "host", "-order", order)
		require.Equal(t, []int{sorted.Requests, sorted.Granted, sorted.Refused}, []int{shuffled.Requests, shuffled.Granted, shuffled.Refused})
		require.Greater(t, shuffled.Late, 1000)
	}
	status, _, errs := ratesim(t, strings.Join(lines, ""), "-limit", "log 10/min", "-trace", "-", "-order", "refuse")
	require.Equal(t, 2, status)
	require.Contains(t, errs, "give -order sort")
}

// A star stands for anything, and many of them take no longer than a few.
func TestMatches(t *testing.T) {
	for _, row := range []struct {
		pattern, value string
		want           bool
	}{
		{"*", "", true}, {"**", "a", true}, {"a*", "a", true}, {"a*a", "a", false}, {"a*a", "aa", true}, {"*ab", "aab", true}, {"*ab*", "xaby", true},
		{"a*b*c", "abbc", true}, {"a*bc*c", "abc", false}, {"a*b", "b", false}, {"*a*", "b", false}, {"/v1/*", "/v1/", true}, {"/v1/*", "/v2/", false},
		{strings.Repeat("*a", 200) + "*b", strings.Repeat("a", 4000), false},
	} {
		require.Equal(t, row.want, matches(row.pattern, row.value), "%.20s %.20s", row.pattern, row.value)
	}
}

// A pipe is never read a second time: what it gave first would be missing.
func TestPipe(t *testing.T) {
	read, write, err := os.Pipe()
	require.NoError(t, err)
	pipe := fmt.Sprintf("/dev/fd/%d", read.Fd())
	if _, err := os.Stat(pipe); err != nil {
		t.Skip("pipes have no names here")
	}
	written := make(chan struct{})
	go func() {
		defer close(written)
		out := bufio.NewWriter(write)
		_, _ = fmt.Fprintln(out, "time,user")
		for i := range 2 * reordered {
			_, _ = fmt.Fprintf(out, "%d,bob\n", 1_800_000_000+i)
			if i == reordered+1000 {
				_, _ = fmt.Fprintln(out, "1700000000,bob")
			}
		}
		_ = out.Flush()
		_ = write.Close()
	}()
	status, _, errs := ratesim(t, "", "-limit", "log 10/min", "-trace", pipe)
	require.NoError(t, read.Close())
	<-written
	require.Equal(t, 2, status)
	require.Contains(t, errs, "give -order sort")
}

// The same seed and input give the same bytes, whatever is printed.
func TestDeterminism(t *testing.T) {
	log := filepath.Join(t.TempDir(), "access.log")
	require.NoError(t, os.WriteFile(log, []byte(accessLog(500)), 0o666))
	for _, args := range [][]string{
		{"-policy", "fair-use", "-trace", log, "-key", "host", "-subsecond", "uniform", "-client", "impatient"},
		{"-compare", "trakt,anilist,prayerletters", "-trace", log, "-client", "backoff", "-json"},
		{"-policy", "anilist", "-gen", "onoff", "-rate", "20/s", "-duration", "1m", "-keys", "20", "-bench", "-client", "obeying"},
		{"suggest", "-trace", log, "-key", "host"},
	} {
		folder, page := t.TempDir(), filepath.Join(t.TempDir(), "r.html")
		more := args
		switch args[0] {
		case "-policy":
			more = append([]string{"-html", page}, args...)
		case "-compare":
			more = append([]string{"-plot", folder}, args...)
		}
		all := func() string {
			status, out, errs := ratesim(t, "", more...)
			require.Zero(t, status, errs)
			files, err := filepath.Glob(filepath.Join(folder, "*"))
			require.NoError(t, err)
			for _, file := range append(files, page) {
				if text, err := os.ReadFile(file); err == nil {
					out += string(text)
				}
			}
			return out
		}
		once, again := all(), all()
		require.Equal(t, once, again)
	}
}

func TestGates(t *testing.T) {
	log := accessLog(1000)
	for gate, want := range map[string]int{"refused>1%": 1, "refused>99%": 0, "refused > 1": 1, "granted<50%": 0, "wait>1h": 0, "wait>1s": 1, "wait_p50>=100ms": 1, "keys<=9": 1,
		"keys_refused>=100%": 1, "requests<1000": 0, "never>0": 0, "late>0": 0, "offered>=1000": 1, "shadow>0": 0, "keys_shadow>0": 0} {
		status, _, errs := ratesim(t, log, "-limit", "log 10/min", "-trace", "-", "-key", "host", "-fail", gate)
		require.Equal(t, want, status, "%s: %s", gate, errs)
		require.Equal(t, want == 1, strings.Contains(errs, "-fail "+gate+": failed, it is "), "%s: %s", gate, errs)
	}
	status, _, errs := ratesim(t, log, "-compare", "log 1000/s,log 10/min", "-trace", "-", "-key", "host", "-fail", "newly_refused>10%", "-fail", "refused>100%")
	require.Equal(t, 1, status, errs)
	status, _, errs = ratesim(t, log, "-limit", "log 10/min", "-trace", "-", "-fail", "newly_refused>0")
	require.Equal(t, 2, status)
	require.Equal(t, "ratesim: -fail newly_refused is about what the first of several policies has not refused: give them with -compare\n", errs)
}

// A log that is partly garbage passes no gate on lost lines, also where nothing is refused.
func TestLostGate(t *testing.T) {
	log := accessLog(98) + "garbage\nmore of it\n"
	for gate, want := range map[string]int{"lost>0": 1, "lost>=2%": 1, "lost>2%": 0, "lost>2": 0} {
		status, _, errs := ratesim(t, log, "-limit", "log 1000/s", "-trace", "-", "-fail", gate)
		require.Equal(t, want, status, "%s: %s", gate, errs)
	}
	status, _, errs := ratesim(t, accessLog(98), "-limit", "log 1000/s", "-trace", "-", "-fail", "lost>0")
	require.Zero(t, status, errs)
}

// A line with two errors is one line, and so is a line of counts that stands for many requests.
func TestLinesWithErrors(t *testing.T) {
	for log, lines := range map[string]int{
		"time,user,cost\n1800000000,ann,-5,more\n1800000001,ann,x\n1800000002,ann,1\n":                                                              2,
		"time,user,cost,count\n1800000000,ann,x,100\n1800000000,bob,x,100\n1800000000,bob,1,100\n1800003600,ann,x,100,more\n1800007200,ann,1,100\n": 3,
	} {
		r := jsonOf(t, log, "-limit", "log 1/s", "-trace", "-")
		require.Equal(t, []int{lines, 0}, []int{r.Errors.Lines, r.Errors.Lost}, log)
		require.Contains(t, strings.Join(r.Warnings, "\n"), fmt.Sprintf("%d × the number of column cost cannot be read", lines), log)
	}
}

// If no line has any of the columns of -key, that is a mistake. Without -key, all are of one key.
func TestKeyThatIsNotThere(t *testing.T) {
	for _, args := range [][]string{{"-limit", "log 1/s"}, {"suggest"}} {
		for _, key := range []string{"usr", "usr|client"} {
			status, _, errs := ratesim(t, accessLog(10), append(args, "-trace", "-", "-key", key)...)
			require.Equal(t, 2, status)
			require.Contains(t, errs, "no line of the trace has a column "+strings.ReplaceAll(key, "|", " or "))
		}
		status, _, errs := ratesim(t, accessLog(10), append(args, "-trace", "-", "-key", "usr|host")...) // this one is there
		require.Zero(t, status, errs)
		status, _, errs = ratesim(t, "time,cost\n1800000000,2\n", append(args, "-trace", "-")...)
		require.Zero(t, status, errs)
	}
}

// What a gate prints is short, but never looks like its bound.
func TestGateValues(t *testing.T) {
	for _, row := range []struct {
		offered, refused int64
		gate, want       string
	}{
		{1_000_000, 10_001, "refused>1%", "1.0001 %"},
		{1_000_000, 10_001, "refused>2%", "1 %"},
		{1_000_000, 10_001, "refused>1", "10001"},
		{1_000_000, 10_001, "offered>1", "1000000"},
		{1_000_000, 10_000, "refused>1%", "1 %"},
		{1_000_000, 123_456, "refused>1%", "12.3 %"},
		{1_000_000, 123_456, "refused>12.3%", "12.35 %"},
		{1_000_000, 123_456, "refused>12.35%", "12.3 %"},
		{100_000_000, 1_001_234, "refused>1%", "1.001 %"},
		{10_000_000_000, 123_000_123, "refused>1.23%", "1.230001 %"},
		{1, 1, "refused>1%", "100 %"},
		{1, 0, "refused>1%", "0 %"},
		{0, 1, "refused>1%", "0 %"},
		{1, 1, "wait>1s", "1m30s"},
	} {
		g, err := parseGate(row.gate)
		require.NoError(t, err)
		r := &simulate.Result{Offered: row.offered, Refused: row.refused, Waits: &simulate.Waits{Longest: simulate.Seconds(90 * time.Second)}}
		_, was := g.holds(outcome{Result: r})
		require.Equal(t, row.want, was, "%d of %d: %s", row.refused, row.offered, row.gate)
	}
}

// A share that is a whole number of percent is not more than that, and not less.
func TestExactShares(t *testing.T) {
	for offered := int64(1); offered <= 400; offered++ {
		for percent := int64(1); percent <= 100; percent++ {
			if percent*offered%100 != 0 {
				continue
			}
			for op, want := range map[string]bool{">": false, "<": false, ">=": true, "<=": true} {
				g, err := parseGate(fmt.Sprintf("refused%s%d%%", op, percent))
				require.NoError(t, err)
				holds, was := g.holds(outcome{Result: &simulate.Result{Offered: offered, Refused: percent * offered / 100}})
				if holds != want {
					require.Fail(t, g.text, "%d of %d: %s", percent*offered/100, offered, was)
				}
			}
		}
	}
}

// What is wrong is said, with what would be right, and exit status 2.
func TestErrors(t *testing.T) {
	folder := t.TempDir()
	bad := filepath.Join(folder, "bad.json")
	require.NoError(t, os.WriteFile(bad, []byte(`{"rules": [{"name": "a", "limits": [{"name": "x", "rate": "1/s", "as": "gcr"}]}]}`), 0o666))
	log := accessLog(10)
	for _, row := range []struct {
		args, want string
	}{
		{"-trace -", "nothing is tried: give -policy"},
		{"-policy trakt", "there is no traffic: give -trace FILE"},
		{"-policy trakt -trace - -gen", "-trace and -gen are both given"},
		{"-policy tract -trace -", "trakt-2026-10, trakt-strict"},
		{"-policy " + bad + " -trace -", "rules[0].limits[0].as"},
		{"-policy trakt -trace " + folder + "/none", "no such file"},
		{"-policy trakt -trace - -fail refused", "has no < or >"},
		{"-policy trakt -trace - -fail nothing>1", "want one of refused"},
		{"-policy trakt -trace - -fail wait>1", "want a length of time"},
		{"-policy trakt -trace - -fail keys>1%", "is a part of nothing"},
		{"-policy trakt -trace - -fail refused>x", "want a number"},
		{"-policy trakt -trace - -fail refused>NaN%", "want a number"},
		{"-policy trakt -trace - -fail keys<Inf", "want a number"},
		{"-policy trakt -trace - -client rude", "open, obeying, backoff, impatient"},
		{"-policy trakt -trace - -format xml", "want auto"},
		{"-policy trakt -trace - -subsecond x", "want as-is or uniform"},
		{"-policy trakt -trace - -order x", "want auto, sort or refuse"},
		{"-policy trakt -trace - more", "left over"},
		{"-policy trakt -trace - -where user=nobody", "leave none of 10 requests"},
		{"-policy trakt -trace - -where <1", "no condition"},
		{"-policy trakt -trace - -from yesterday", "want a time"},
		{"-policy trakt -trace - -json -bench", "take one"},
		{"-policy trakt -trace - -top -1", "want 0 or more"},
		{"-policy trakt -gen x", "want poisson, constant"},
		{"-policy trakt -gen -keys 0", "keys is 0"},
		{"-policy trakt -gen -rate 0/s", "makes no requests"},
		{"-policy trakt -gen -duration 0s", "more than 0s"},
		{"-policy trakt -gen -where user", "-where: not for -gen, but for a -trace"},
		{"-policy trakt -gen -to 2026-01-01 -order sort -subsecond as-is -format json -key user", "-format, -key, -order, -subsecond, -to: not for -gen"},
		{"-policy trakt -trace - -duration 1m -keys 2 -rate 1/s -skew 0", "-duration, -keys, -rate, -skew: not for a -trace, but for -gen"},
		{"suggest -trace - -share 100%", "less than 100%"},
		{"explain", "takes one policy"},
		{"-policy trakt -trace - -capacity -1", "-capacity is -1, want 0 or more"},
		{"check", "takes one policy"},
		{"check " + folder + "/none", "there is no policy"},
		{"check " + folder, "is a directory"},
	} {
		status, _, errs := ratesim(t, log, strings.Fields(row.args)...)
		require.Equal(t, 2, status, "%s: %s", row.args, errs)
		require.Contains(t, errs, row.want, row.args)
	}
	status, _, errs := ratesim(t, log, "-limit", "log 1/s", "-trace", "-", "-capacity", "-1")
	require.Equal(t, 2, status)
	require.Contains(t, errs, "-capacity is -1, want 0 or more")
	status, _, errs = ratesim(t, "what is this\n", "-policy", "trakt", "-trace", "-")
	require.Equal(t, 2, status)
	require.Contains(t, errs, "the format is not known")
	status, _, errs = ratesim(t, "\x1f\x8b\x08\x00", "-policy", "trakt", "-trace", "-")
	require.Equal(t, 2, status)
	require.Contains(t, errs, "reading ended early")
	status, _, errs = ratesim(t, "", "-h")
	require.Zero(t, status)
	require.True(t, strings.HasPrefix(errs, "Usage of ratesim:\n"), errs)
	require.Contains(t, errs, "\n  ratesim check FILE\n")
	_, _, errs = ratesim(t, "", "-polcy", "trakt")
	require.Equal(t, "ratesim: flag provided but not defined: -polcy; ratesim -h lists the flags\n", errs)
	status, out, errs := ratesim(t, "", "check", bad)
	require.Equal(t, 1, status, out)
	require.Contains(t, errs, "want gcra, interval")
}

func TestExplainAndCheck(t *testing.T) {
	status, out, _ := ratesim(t, "", "explain", "trakt")
	require.Zero(t, status)
	require.Contains(t, out, "AUTHED_API_POST_LIMIT")
	status, out, _ = ratesim(t, "", "check", "trakt")
	require.Zero(t, status)
	require.Equal(t, "trakt: no faults, 3 rules\n", out)
	status, out, _ = ratesim(t, "", "check", "log 1/s")
	require.Zero(t, status)
	require.Equal(t, "log 1/s: no faults, 1 rule\n", out)
	status, out, errs := ratesim(t, "", "explain", "gcra 90/min burst 10")
	require.Zero(t, status, errs)
	require.NotEmpty(t, out)
}

// A report warns of what makes it doubtful.
func TestWarnings(t *testing.T) {
	r := jsonOf(t, accessLog(100)+"broken\n"+accessLog(1), "-policy", "trakt", "-trace", "-")
	require.Equal(t, 1, r.Errors.Lost)
	require.Equal(t, 1, r.Late)
	text := strings.Join(r.Warnings, "\n")
	require.Contains(t, text, "The policy counts by client. The trace does not have it")
	require.Contains(t, text, "within the minute of 2026-03-02 08:00")
	require.Contains(t, text, "Times are whole seconds")
	require.Contains(t, text, "1 lines have errors, 1 requests of them are lost")
	require.NotContains(t, strings.Join(jsonOf(t, accessLog(100), "-policy", "trakt", "-trace", "-", "-subsecond", "uniform").Warnings, "\n"), "whole seconds")
	require.Contains(t, strings.Join(jsonOf(t, accessLog(100), "-policy", "trakt", "-trace", "-", "-capacity", "1").Warnings, "\n"), "Raise -capacity 1")
	azure := jsonOf(t, "TIMESTAMP,ContextTokens,GeneratedTokens\n2023-11-16 18:17:03.9799600,4808,10\n2023-11-16 18:19:04.0319600,3180,8\n",
		"-limit", "log 6000/min", "-trace", "-", "-format", "csv:cost=ContextTokens")
	require.Equal(t, []int{2, 7988, 1}, []int{azure.Requests, azure.Offered, azure.Keys})
	tokens := jsonOf(t, "TIMESTAMP,tokens\n2023-11-16 18:17:03.9799600,90000\n2023-11-16 18:17:04.0319600,80000\n", "-policy", "openai-like", "-trace", "-")
	require.Contains(t, strings.Join(tokens.Warnings, "\n"), "these requests are POST /v1/")
	require.Equal(t, []int{1, 1}, []int{tokens.Granted, tokens.Refused})
}

func TestZstd(t *testing.T) {
	var b bytes.Buffer
	z, err := zstd.NewWriter(&b)
	require.NoError(t, err)
	_, err = io.WriteString(z, accessLog(100))
	require.NoError(t, err)
	require.NoError(t, z.Close())
	require.Equal(t, 100, jsonOf(t, b.String(), "-limit", "log 1/s", "-trace", "-").Requests)
	status, _, errs := ratesim(t, b.String()[:b.Len()-20], "-limit", "log 1/s", "-trace", "-")
	require.Equal(t, 2, status, errs)
}

// Pictures are small, are XML, need no fonts, and follow the reader's scheme.
func TestPictures(t *testing.T) {
	folder := t.TempDir()
	status, _, errs := ratesim(t, "", "-policy", "trakt", "-gen", "-rate", "5000/s", "-duration", "2m", "-keys", "300", "-plot", folder)
	require.Zero(t, status, errs)
	for _, name := range []string{"timeline", "cumulative", "keys", "waits"} {
		text, err := os.ReadFile(filepath.Join(folder, name+".svg"))
		require.NoError(t, err)
		require.Less(t, len(text), 150_000, name)
		require.NoError(t, xml.Unmarshal(text, new(struct{})))
		require.Contains(t, string(text), "prefers-color-scheme:dark")
		require.NotContains(t, string(text), "<text")
		file, err := os.Open(filepath.Join(folder, name+".png"))
		require.NoError(t, err)
		picture, err := png.Decode(file)
		require.NoError(t, err)
		require.NoError(t, file.Close())
		require.Equal(t, 1720, picture.Bounds().Dx())
	}
}

// Results can be compared by benchstat.
func TestBench(t *testing.T) {
	status, out, errs := ratesim(t, accessLog(1000), "-compare", "gcra 1/s burst 2,trakt", "-trace", "-", "-bench")
	require.Zero(t, status, errs)
	require.Regexp(t, `^BenchmarkPolicy/policy=gcra-1-s-burst-2/client=open 1 1000 requests [\d.]+ %refused [\d.]+ %keys-refused .*\nBenchmarkPolicy/policy=trakt`, out)
}

// The report says in a sentence how many keys are left alone, and what it is about.
func TestPageInWords(t *testing.T) {
	path := filepath.Join(t.TempDir(), "r.html")
	for _, row := range []struct{ flag, tried, head string }{
		{"-limit", "log 1000/s", "limit"}, {"-policy", "trakt", "policy"}, {"-compare", "log 1000/s,trakt", "limit or policy"},
	} {
		status, _, errs := ratesim(t, accessLog(100), row.flag, row.tried, "-trace", "-", "-key", "host", "-html", path)
		require.Zero(t, status, errs)
		page, err := os.ReadFile(path)
		require.NoError(t, err)
		require.Contains(t, string(page), "<th>"+row.head+"</th>")
		if row.flag != "-policy" {
			require.Contains(t, string(page), "log 1000/s: all of 9 keys are refused nothing.")
		}
	}
	require.Equal(t, "x: 180 of 183 keys are refused nothing. 2.5 % of the events of all keys are refused.",
		spared(&simulate.Result{Name: "x", Keys: 183, KeysRefused: 3, Offered: 1000, Refused: 25}))
	require.Equal(t, "x: 0 of 1 keys are refused nothing. 100 % of the events of all keys are refused.",
		spared(&simulate.Result{Name: "x", Keys: 1, KeysRefused: 1, Offered: 1, Refused: 1}))
	require.Equal(t, "x: 0 of 1 keys are refused nothing. 0 % of the events of all keys are refused.", spared(&simulate.Result{Name: "x", Keys: 1, KeysRefused: 1}))
	require.Equal(t, "x: all of 1 keys are refused nothing.", spared(&simulate.Result{Name: "x", Keys: 1}))
}
