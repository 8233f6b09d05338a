package main

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/cmd/ratesim/internal/chart"
	"github.com/seed-3506548a/ratelimit/policy"
	"github.com/seed-3506548a/ratelimit/simulate"
	"github.com/seed-3506548a/ratelimit/simulate/logs"
)

// posts is a policy that one request of short is not for, and short is a log with a line that
// cannot be read.
const (
	posts = `{"rules": [{"name": "posts", "match": ["POST /v1/posts"], "key": ["user"], "limits": [{"name": "minute", "rate": "2/min", "as": "log"}]}]}`
	short = `time,user,method,path
2026-03-02T08:00:00Z,ann,POST,/v1/posts
2026-03-02T08:00:01Z,ann,POST,/v1/posts
2026-03-02T08:00:02Z,ann,POST,/v1/posts
2026-03-02T08:00:03Z,bob,GET,/v1/posts?a<b
oops,bob,GET,/
2026-03-02T08:01:09Z,bob,POST,/v1/posts
`
	lostLine = `1 × the time cannot be read; the first is line 6: the time cannot be read: "oops", want a time as 02/Jan/2006:15:04:05 -0700, RFC 3339, or seconds since 1970`
)

// The report has the warnings, and then each result, with an empty line between them.
func TestPrint(t *testing.T) {
	t.Chdir(filepath.Dir(saved(t, "posts.json", posts)))
	status, out, errs := ratesim(t, short, "-compare", "posts.json, log 2/min,log 1/min", "-trace", "-", "-top", "1")
	require.Zero(t, status, errs)
	require.Equal(t, `warning: 1 lines have errors, 1 requests of them are lost: `+lostLine+`.
warning: posts.json: no rule is for 1 of 5 requests: they are not limited.
posts.json: 5 requests in 1m9s, clients: open
  offered 5, granted 4, refused 1 (20 %), to 1 of 2 keys (50 %)
  requests refused by: limit 1
  waits: median 58s, 90% 58s, 99% 58s, longest 58s
  limit                                                              refused           most granted
  posts/minute                             log 2/min                       1                2 in 1m
  worst keys                                  offered    granted    refused
  ann                                               3          2          1

log 2/min: 5 requests in 1m9s, clients: open
  offered 5, granted 4, refused 1 (20 %), to 1 of 2 keys (50 %)
  requests refused by: limit 1
  waits: median 58s, 90% 58s, 99% 58s, longest 58s
  limit                                                              refused           most granted
  log 2/min                                log 2/min                       1                2 in 1m
  worst keys                                  offered    granted    refused
  ann                                               3          2          1
  beside posts.json: newly refused 0 requests (keys: 0), newly granted 0 (keys: 0)

log 1/min: 5 requests in 1m9s, clients: open
  offered 5, granted 3, refused 2 (40 %), to 1 of 2 keys (50 %)
  requests refused by: limit 2
  waits: median 58s, 90% 59s, 99% 59s, longest 59s
  limit                                                              refused           most granted
  log 1/min                                log 1/min                       2                1 in 1m
  worst keys                                  offered    granted    refused
  ann                                               3          1          2
  beside posts.json: newly refused 1 requests (keys: 1), newly granted 0 (keys: 0)
  ann                                               1 newly refused          0 newly granted
`, out)
}

// One result is an object with what it is of; several are a list in such an object.
func TestJSONDocument(t *testing.T) {
	status, out, errs := ratesim(t, short, "-limit", "log 2/min", "-trace", "-", "-json", "-bin", "1m", "-top", "1", "-seed", "7")
	require.Zero(t, status, errs)
	lost := strings.ReplaceAll(lostLine, `"`, `\"`)
	head := `{
	"trace": "-",
	"seed": 7,
	"warnings": [
		"1 lines have errors, 1 requests of them are lost: ` + lost + `."
	],
	"errors": {
		"lines": 1,
		"lost": 1,
		"reasons": [
			"` + lost + `"
		]
	},
	`
	require.Equal(t, head+`"schema": 1,
	"name": "log 2/min",
	"client": "open",
	"first": "2026-03-02T08:00:00Z",
	"last": "2026-03-02T08:01:09Z",
	"requests": 5,
	"offered": 5,
	"granted": 4,
	"refused": 1,
	"never": 0,
	"shadow": 0,
	"unlimited": 0,
	"keys": 2,
	"keys_refused": 1,
	"late": 0,
	"late_by": 0,
	"actions": [
		{
			"action": "limit",
			"requests": 1
		}
	],
	"limits": [
		{
			"name": "log 2/min",
			"limit": "log 2/min",
			"refused": 1,
			"most_granted": 2,
			"most_key": "ann",
			"per": 60
		}
	],
	"waits": {
		"median": 58,
		"p90": 58,
		"p99": 58,
		"longest": 58
	},
	"worst": [
		{
			"key": "ann",
			"offered": 3,
			"granted": 2,
			"refused": 1
		}
	],
	"bin_width": 60,
	"bins": [
		{
			"at": "2026-03-02T08:00:00Z",
			"offered": 4,
			"granted": 3,
			"refused": 1
		},
		{
			"at": "2026-03-02T08:01:00Z",
			"offered": 1,
			"granted": 1,
			"refused": 0
		}
	],
	"heat_width": 1
}
`, out)
	status, out, errs = ratesim(t, "time,user,path\n1800000000,<&>,/\n1800000090,<&>,/\n", "-compare", "log 2/min,log 1/min", "-trace", "-", "-json")
	require.Zero(t, status, errs)
	require.True(t, strings.HasPrefix(out, "{\n\t\"schema\": 1,\n\t\"trace\": \"-\",\n\t\"seed\": 1,\n\t\"warnings\": [],\n"+
		"\t\"errors\": {\n\t\t\"lines\": 0,\n\t\t\"lost\": 0,\n\t\t\"reasons\": []\n\t},\n\t\"results\": [\n\t\t{\n\t\t\t\"schema\": 1,\n\t\t\t\"name\": \"log 2/min\",\n"), out)
	require.Contains(t, out, `"key": "<&>"`, "as it is")
	status, out, errs = ratesim(t, "", "-limit", "log 1/s", "-gen", "constant", "-rate", "1/s", "-duration", "2m", "-json")
	require.Zero(t, status, errs)
	require.Contains(t, out, "\n\t\"trace\": \"constant, 1/s for 2m0s\",\n")
	require.Contains(t, out, "\n\t\"warnings\": [],\n", "times are whole seconds since they were generated so")
}

// With -top 0 no key is named, and no request.
func TestTopOfNone(t *testing.T) {
	status, out, errs := ratesim(t, short, "-compare", "log 2/min,log 1/min", "-trace", "-", "-top", "0", "-json")
	require.Zero(t, status, errs)
	require.Contains(t, out, `"newly_refused": 1,`)
	require.Equal(t, 2, strings.Count(out, `"worst": []`+",\n\t\t\t\"bin_width\"")+strings.Count(out, `"worst": []`+",\n\t\t\t\"diff\""))
	require.Contains(t, out, "\"worst\": [],\n\t\t\t\t\"examples\": []\n")
	require.NotContains(t, out, `"key"`)
}

// Rows for benchstat have shares in percent, waits in seconds if there are any, and no blanks in
// names.
func TestBenchRows(t *testing.T) {
	seconds := func(s float64) simulate.Seconds { return simulate.Seconds(s * float64(time.Second)) }
	r := &report{results: []*simulate.Result{
		{Name: "a b/c=d\te", Client: "open", Requests: 9, Offered: 8, Refused: 1, Keys: 4, KeysRefused: 3, Waits: &simulate.Waits{Median: seconds(1.5), Longest: seconds(90)},
			Limits: []simulate.Limit{{Rule: "r", Name: "a minute", MostGranted: 7}, {Rule: "r", Name: "day", MostGranted: 70}, {Name: "log 5/s", MostGranted: 5}}},
		{Name: "none", Client: "backoff", Requests: 2},
		{Name: "one", Client: "open", Requests: 1, Offered: 1, Refused: 1, Keys: 1, KeysRefused: 1},
	}}
	var out bytes.Buffer
	require.NoError(t, r.bench(&out))
	require.Equal(t, "BenchmarkPolicy/policy=a-b-c-d-e/client=open 1 9 requests 12.5 %refused 75 %keys-refused 1.5 sec-wait-p50 90 sec-wait-max 7 most-in-r/a-minute 70 most-in-r/day 5 most-in-log-5/s\n"+
		"BenchmarkPolicy/policy=none/client=backoff 1 2 requests 0 %refused 0 %keys-refused\n"+
		"BenchmarkPolicy/policy=one/client=open 1 1 requests 100 %refused 100 %keys-refused\n", out.String())
}

// Each number that says a decision depended on other keys is counted.
func TestCrowded(t *testing.T) {
	s := policy.Stats{Forgotten: 1, Unrecorded: 10, Unrevoked: 100, Revoked: 5,
		Counts: policy.Counts{Live: 5, Inherited: 1000, Saturated: 10_000, Full: 100_000, Late: 1_000_000, Ahead: 10_000_000, Untracked: 100_000_000, Unanswered: 5}}
	require.Equal(t, uint64(111_111_111), crowded(s))
}

// There is a warning, in a whole sentence, of each thing that makes a result doubtful, and of
// nothing else.
func TestWarningsInWords(t *testing.T) {
	at := time.Date(2026, 3, 2, 8, 0, 0, 0, time.UTC)
	stamps := simulate.Stamps{Requests: 9, First: at, Last: at.Add(time.Hour), Whole: true}
	fine := stamps
	fine.Whole = false
	minute, second := policy.Limit{Rate: ratelimit.PerMinute(2)}, policy.Limit{Rate: ratelimit.PerSecond(2)}
	p := &policy.Policy{Rules: []policy.Rule{{Limits: []policy.Limit{minute}}}}
	const whole = "Times are whole seconds, and the limit of 2/s is finer: requests of one second seem to come at once, which changes what is refused by half or so. " +
		"Spread them over their seconds (-subsecond uniform), and compare."
	missing := []simulate.Acted{{Action: "limit", Requests: 8}, {Action: "missing", Requests: 7}}
	for name, row := range map[string]struct {
		o       options
		j       judged
		result  simulate.Result
		stamps  simulate.Stamps
		crowded uint64
		want    []string
	}{
		"nothing":                          {options{}, judged{policy: p}, simulate.Result{Requests: 9}, stamps, 0, nil},
		"whole seconds":                    {options{}, judged{limit: second}, simulate.Result{}, stamps, 0, []string{whole}},
		"whole seconds that are spread":    {options{subseconds: true}, judged{limit: second}, simulate.Result{}, stamps, 0, nil},
		"whole seconds that are generated": {options{gen: "constant"}, judged{limit: second}, simulate.Result{}, stamps, 0, nil},
		"whole seconds, and minutes":       {options{}, judged{limit: minute}, simulate.Result{}, stamps, 0, nil},
		"parts of seconds":                 {options{}, judged{limit: second}, simulate.Result{}, fine, 0, nil},
		"one is not limited":               {options{}, judged{name: "p", policy: p}, simulate.Result{Requests: 9, Unlimited: 1}, stamps, 0, []string{"p: no rule is for 1 of 9 requests: they are not limited."}},
		"two are not limited":              {options{}, judged{name: "p", policy: p}, simulate.Result{Requests: 9, Unlimited: 2}, stamps, 0, []string{"p: no rule is for 2 of 9 requests: they are not limited."}},
		"no policy":                        {options{}, judged{limit: minute}, simulate.Result{Requests: 9, Unlimited: 2}, stamps, 0, nil},
		"a missing key": {options{}, judged{name: "p", policy: p}, simulate.Result{Requests: 9, Actions: missing}, stamps, 0,
			[]string{"p: 7 requests have no value for a key of the policy, and were refused for that. Name a column with -key."}},
		"once no room": {options{capacity: 3}, judged{name: "p", policy: p}, simulate.Result{Requests: 9}, stamps, 1,
			[]string{"p: 1 times there was no room for a key, and what others owe was counted in its place. Raise -capacity 3, and compare."}},
		"often no room": {options{capacity: 4}, judged{name: "q", policy: p}, simulate.Result{Requests: 9}, stamps, 12,
			[]string{"q: 12 times there was no room for a key, and what others owe was counted in its place. Raise -capacity 4, and compare."}},
	} {
		r := &report{options: &row.o, judged: []judged{row.j}, results: []*simulate.Result{&row.result}, crowded: []uint64{row.crowded}, source: &source{stamps: row.stamps}}
		r.warn()
		require.Equal(t, row.want, r.warnings, name)
	}
}

// If there are no requests, it is said why: all are left out, no line can be read, or there are
// none.
func TestNothing(t *testing.T) {
	for _, row := range []struct {
		in, args, want string
	}{
		{"time,user\n1800000000,ann\n", "-trace - -where user=bob", "-: -where, -from and -to leave none of 1 requests"},
		{"time,user\n1800000000,ann\n1800000000,ann\n", "-trace - -where user=bob", "-: -where, -from and -to leave none of 2 requests"},
		{"time,user\noops,ann\n", "-trace -", "-: no line could be read: " + strings.ReplaceAll(lostLine, "line 6", "line 2")},
		{"time,user\n", "-trace -", "- has no requests"},
		{"", "-gen -rate 0/s", "-gen makes no requests: raise -rate or -duration"},
	} {
		for _, args := range []string{"-policy trakt ", "suggest "} {
			status, out, errs := ratesim(t, row.in, strings.Fields(args+row.args)...)
			require.Equal(t, 2, status)
			require.Empty(t, out)
			require.Equal(t, "ratesim: "+row.want+"\n", errs)
		}
	}
}

// full is a writer that takes so many bytes, and no more.
type full struct{ room int }

func (f *full) Write(p []byte) (int, error) {
	if f.room -= len(p); f.room < 0 {
		return 0, errors.New("no room")
	}
	return len(p), nil
}

// A report that cannot be written is an error, wherever it ends.
func TestOutputThatIsFull(t *testing.T) {
	log := saved(t, "a.csv", short)
	limits := saved(t, "posts.json", posts)
	for _, args := range [][]string{{"-limit", "log 2/min", "-trace", log}, {"-limit", "log 2/min", "-trace", log, "-json"}, {"-limit", "log 2/min", "-trace", log, "-bench"}, {"check", limits}, {"explain", limits}} {
		_, out, _ := ratesim(t, "", args...)
		for _, room := range []int{0, strings.IndexByte(out, '\n') + 1, len(out)} {
			var errs bytes.Buffer
			status := run(args, world{strings.NewReader(""), &full{room}, &errs})
			if room == len(out) {
				require.Zero(t, status, args)
				continue
			}
			require.Equal(t, "ratesim: no room\n", errs.String(), args)
			require.Equal(t, 2, status, args)
		}
	}
}

// Pictures, page and gates are all of one run; and pictures are as other files.
func TestAllThatIsWritten(t *testing.T) {
	folder := t.TempDir()
	pictures, page := filepath.Join(folder, "a", "b"), filepath.Join(folder, "r.html")
	status, out, errs := ratesim(t, short, "-limit", "log 2/min", "-trace", "-", "-plot", pictures, "-html", page, "-fail", "refused>1%")
	require.Equal(t, 1, status, errs)
	require.NotEmpty(t, out)
	require.Equal(t, "ratesim: log 2/min: -fail refused>1%: failed, it is 20 %\n", errs)
	text, err := os.ReadFile(page)
	require.NoError(t, err)
	files, err := filepath.Glob(filepath.Join(pictures, "*"))
	require.NoError(t, err)
	require.Len(t, files, 2*strings.Count(string(text), "<svg"), "each as SVG and PNG")
	require.GreaterOrEqual(t, len(files), 6)
	other := filepath.Join(folder, "other")
	require.NoError(t, os.Mkdir(other, 0o777))
	like := func(path, other string) {
		is, err := os.Stat(path)
		require.NoError(t, err)
		want, err := os.Stat(other)
		require.NoError(t, err)
		require.Equal(t, want.Mode(), is.Mode(), path)
	}
	like(pictures, other)
	for _, file := range files {
		like(file, page)
	}
}

// What cannot be written is said: a page, a folder, a picture of either kind.
func TestWhatCannotBeWritten(t *testing.T) {
	folder, file := t.TempDir(), saved(t, "file", "")
	for _, row := range [][2]string{{"-html", folder}, {"-html", filepath.Join(file, "a")}, {"-plot", file}} {
		status, _, errs := ratesim(t, short, "-limit", "log 2/min", "-trace", "-", row[0], row[1])
		require.Equal(t, 2, status, row)
		require.Contains(t, errs, row[1]+": ", row)
	}
	pictures := []chart.Picture{chart.All([]*simulate.Result{{Bins: make([]simulate.Bin, 3), BinWidth: simulate.Seconds(time.Second)}})[0]}
	for _, kind := range []string{".svg", ".png"} {
		blocked := t.TempDir()
		path := filepath.Join(blocked, pictures[0].Name+kind)
		require.NoError(t, os.Mkdir(path, 0o777))
		require.EqualError(t, plot(blocked, pictures), "open "+path+": is a directory")
	}
	const device = "/dev/full"
	if _, err := os.Stat(device); err != nil {
		t.Skip("there is no device that is always full")
	}
	status, _, errs := ratesim(t, short, "-limit", "log 2/min", "-trace", "-", "-html", device)
	require.Equal(t, 2, status)
	require.Equal(t, "ratesim: write /dev/full: no space left on device\n", errs)
	for _, kind := range []string{".svg", ".png"} {
		linked := t.TempDir()
		link := filepath.Join(linked, pictures[0].Name+kind)
		require.NoError(t, os.Symlink(device, link))
		require.EqualError(t, plot(linked, pictures), "write "+link+": no space left on device")
	}
}

// The gate says of which result it is, if there are several, and each that is true is named.
func TestGatesOfSeveral(t *testing.T) {
	results := []*simulate.Result{{Name: "a", Offered: 10, Refused: 1}, {Name: "b", Offered: 10, Refused: 5}}
	o, err := parse("", strings.Fields("-trace - -fail refused>4 -fail lost>=50% -fail refused>9"), world{})
	require.NoError(t, err)
	r := &report{options: o, results: results, source: &source{lines: 4, faults: logs.Faults{Lost: 2}}}
	require.EqualError(t, r.gate(), "b: -fail refused>4: failed, it is 5\na: -fail lost>=50%: failed, it is 50 %\nb: -fail lost>=50%: failed, it is 50 %")
	r.source.faults.Lost = 1
	r.results = results[:1]
	require.NoError(t, r.gate())
}
