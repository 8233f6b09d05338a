package main

import (
	"fmt"
	"io"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/policy"
	"github.com/seed-3506548a/ratelimit/simulate"
)

// saved writes a file, and returns its path.
func saved(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	require.NoError(t, os.WriteFile(path, []byte(text), 0o666))
	return path
}

// policyOf parses the document of a policy.
func policyOf(t *testing.T, document string) judged {
	t.Helper()
	p, faults := policy.Parse([]byte(document))
	require.NoError(t, faults)
	return judged{name: "p", policy: &p}
}

// generated returns the requests of -gen.
func generated(t *testing.T, all []judged, args string) (requests []simulate.Request) {
	t.Helper()
	o, err := parse("", strings.Fields(args), world{})
	require.NoError(t, err)
	s, err := o.open(all, world{err: io.Discard})
	require.NoError(t, err)
	defer s.close()
	return slices.Collect(s.requests)
}

// Generated traffic begins with 2026, or at -from, lasts for -duration, and is of the kind that
// -gen names: on and off is on in a tenth of the time, at ten times the rate; a flash crowd rises
// from a tenth of the rate, after a fifth of the time, to the rate.
func TestGenerators(t *testing.T) {
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	later := time.Date(2026, 3, 2, 8, 0, 0, 0, time.UTC)
	const s, ms, us = time.Second, time.Millisecond, time.Microsecond
	rate := func(n int, per time.Duration) ratelimit.Rate { return ratelimit.Rate{Events: n, Per: per} }
	type events = iter.Seq[simulate.Event]
	for _, row := range []struct {
		args  string
		start time.Time
		long  time.Duration
		want  func(start time.Time) (events, error)
	}{
		{"-gen constant -rate 2/s -duration 3s", start, 3 * s, func(at time.Time) (events, error) { return simulate.Constant(at, rate(2, s)) }},
		{"-gen constant -rate 2/s -duration 3s -from 2026-03-02T08:00:00Z", later, 3 * s, func(at time.Time) (events, error) { return simulate.Constant(at, rate(2, s)) }},
		{"-gen -duration 1s", start, s, func(at time.Time) (events, error) { return simulate.Poisson(at, rate(100, s), 1) }},
		{"-gen poisson -duration 1s -seed 7", start, s, func(at time.Time) (events, error) { return simulate.Poisson(at, rate(100, s), 7) }},
		{"-gen onoff -rate 10/s -duration 100s", start, 100 * s, func(at time.Time) (events, error) {
			return simulate.OnOff(at, rate(10, 100*ms), s+1, 9*s, 1)
		}},
		{"-gen onoff -rate 1/20ns -duration 10us -seed 2", start, 10 * us, func(at time.Time) (events, error) { return simulate.OnOff(at, rate(1, 2), 101, 900, 2) }},
		{"-gen onoff -rate 1/5ns -duration 1us -seed 3", start, us, func(at time.Time) (events, error) { return simulate.OnOff(at, rate(1, 1), 11, 90, 3) }},
		{"-gen flashcrowd -rate 10/s -duration 100s -seed 4", start, 100 * s, func(at time.Time) (events, error) {
			return simulate.FlashCrowd(at, simulate.Crowd{Usual: rate(10, 10*s), Peak: rate(10, s), After: 20 * s, Rise: 5 * s, Decay: 20 * s}, 4)
		}},
	} {
		want, err := row.want(row.start)
		require.NoError(t, err, row.args)
		var wanted, times []time.Time
		for e := range simulate.Until(want, row.start.Add(row.long)) {
			wanted = append(wanted, e.At)
		}
		for _, r := range generated(t, nil, "-limit 1/s "+row.args) {
			times = append(times, r.At)
		}
		require.NotEmpty(t, times, row.args)
		require.Equal(t, wanted, times, row.args)
	}
}

// Generated requests are such that a rule is for them, and have what the policy asks for.
func TestGeneratedRequests(t *testing.T) {
	limited := func(rule string) judged {
		return policyOf(t, `{"rules": [{"name": "a", `+rule+`"limits": [{"name": "b", "rate": "1/s", "as": "gcra"}]}]}`)
	}
	type attrs = []policy.Attr
	for name, row := range map[string]struct {
		judged       judged
		method, path string
		attrs        attrs
	}{
		"a limit":           {judged{limit: policy.Limit{Rate: ratelimit.PerSecond(1)}}, "GET", "/", nil},
		"a key":             {limited(`"match": ["POST /x"], "key": ["user"], `), "POST", "/x", attrs{{Name: "user", Value: "1"}}},
		"a route":           {limited(`"match": ["PUT /y"], "key": ["route"], `), "PUT", "/y", attrs{{Name: "route", Value: "PUT /y"}}},
		"a route and a key": {limited(`"match": ["/y"], "key": ["route", "user"], `), "GET", "/y", attrs{{Name: "user", Value: "1"}, {Name: "route", Value: "GET /y"}}},
		"two and a route": {limited(`"match": ["/y"], "key": ["ip", "route", "user"], `), "GET", "/y",
			attrs{{Name: "ip", Value: "1"}, {Name: "user", Value: "1"}, {Name: "route", Value: "GET /y"}}},
	} {
		all := generated(t, []judged{row.judged}, "-limit 1/s -gen constant -rate 1/s -duration 1s")
		require.Len(t, all, 1, name)
		r := all[0]
		require.Equal(t, []any{"1", row.method, row.path, 200}, []any{r.Key, r.Method, r.Path, r.Status}, name)
		if row.attrs == nil {
			row.attrs = attrs{}
		}
		require.Equal(t, row.attrs, append(attrs{}, r.Attrs...), name)
	}
}

// The example is a request that a rule is for: a GET if any, the first pattern if there is none,
// and GET / if a rule is for all requests. Rules that exempt do not count.
func TestExample(t *testing.T) {
	rules := func(all ...string) judged {
		for i, r := range all {
			all[i] = fmt.Sprintf(`{"name": "r%d", %s}`, i, r)
		}
		return policyOf(t, `{"rules": [`+strings.Join(all, ", ")+`]}`)
	}
	const limits = `, "limits": [{"name": "b", "rate": "1/s", "as": "gcra"}]`
	limit := judged{limit: policy.Limit{Rate: ratelimit.PerSecond(1)}}
	for name, row := range map[string]struct {
		all          []judged
		method, path string
	}{
		"nothing":             {nil, "GET", "/"},
		"a limit":             {[]judged{limit}, "GET", "/"},
		"a limit, and others": {[]judged{limit, rules(`"match": ["POST /a"]` + limits)}, "POST", "/a"},
		"any method":          {[]judged{rules(`"match": ["/a/b"]` + limits)}, "GET", "/a/b"},
		"the first":           {[]judged{rules(`"match": ["PUT /a", "POST /b", "PATCH /c"]` + limits)}, "PUT", "/a"},
		"a GET":               {[]judged{rules(`"match": ["PUT /a", "POST /b", "GET /c", "GET /d"]` + limits)}, "GET", "/c"},
		"a GET elsewhere":     {[]judged{rules(`"match": ["PUT /a"]`+limits, `"match": ["/c"]`+limits)}, "GET", "/c"},
		"all requests":        {[]judged{rules(`"match": ["GET /a"]`+limits, `"key": ["user"]`+limits)}, "GET", "/"},
		"exempted":            {[]judged{rules(`"match": ["GET /a"], "mode": "exempt"`, `"match": ["PUT /b"]`+limits)}, "PUT", "/b"},
		"all are exempted":    {[]judged{rules(`"when": ["user=a"], "mode": "exempt"`, `"match": ["PUT /b"]`+limits)}, "PUT", "/b"},
		"parts of paths":      {[]judged{rules(`"match": ["GET /{user}/files/{rest...}"]` + limits)}, "GET", "/user/files/rest"},
		"the end of a path":   {[]judged{rules(`"match": ["POST /a/{$}"]` + limits)}, "POST", "/a/"},
	} {
		method, path := example(row.all)
		require.Equal(t, row.method+" "+row.path, method+" "+path, name)
	}
}

// What policies ask for is sorted, each once, whatever is tried with them.
func TestWanted(t *testing.T) {
	limit := judged{limit: policy.Limit{Rate: ratelimit.PerSecond(7)}}
	second := policyOf(t, `{"rules": [{"name": "z", "key": ["zone", "client"], "limits": [{"name": "a", "rate": "1/s", "as": "gcra"},
		{"name": "b", "rate": "2/min", "as": "log", "of": "tokens"}, {"name": "c", "rate": "3/min", "as": "log", "of": "bytes"}]}]}`)
	third := policyOf(t, `{"rules": [{"name": "z", "key": ["client", "app"], "limits": [{"name": "b", "rate": "4/min", "as": "log", "of": "bytes"}]}]}`)
	attributes, amounts, rates := wanted([]judged{limit, second, third})
	require.Equal(t, []string{"app", "client", "zone"}, attributes)
	require.Equal(t, []string{"bytes", "tokens"}, amounts)
	require.Equal(t, []ratelimit.Rate{ratelimit.PerSecond(7), ratelimit.PerSecond(1), ratelimit.PerMinute(2), ratelimit.PerMinute(3), ratelimit.PerMinute(4)}, rates)
}

// What cannot be tried is an error, also if others follow or went before.
func TestWhatCannotBeTried(t *testing.T) {
	log := accessLog(3)
	for _, row := range []struct {
		args []string
		want string
	}{
		{[]string{"-limit", "gcra"}, `ratesim: policy.ParseLimit: limit is "gcra", want an algorithm and a rate, as in "gcra 90/min"` + "\n"},
		{[]string{"-compare", "log 1/s,nonsense"}, `ratesim: there is no policy "nonsense"`},
		{[]string{"-compare", "nonsense,log 1/s"}, `ratesim: there is no policy "nonsense"`},
		{[]string{"-policy", "nonsense", "-limit", "log 1/s"}, `ratesim: there is no policy "nonsense"`},
	} {
		status, out, errs := ratesim(t, log, append(row.args, "-trace", "-")...)
		require.Equal(t, 2, status, row.args)
		require.Empty(t, out)
		require.True(t, strings.HasPrefix(errs, row.want), "%s: %s", row.args, errs)
	}
}

// lateTrace is a trace of a request a second, 65,536 of them and so many more, of which the last is
// earlier than all others.
func lateTrace(more int) string {
	var b strings.Builder
	b.WriteString("time,user\n")
	for i := range 1<<16 + more - 1 {
		_, _ = fmt.Fprintf(&b, "%d,ann\n", 1_800_000_000+i)
	}
	b.WriteString("1799999999,bob\n1800000000,ann\n")
	return b.String()
}

// Up to 65,536 requests are kept to put them in order. If that is not enough, a file is read again,
// and sorted; the standard input is not.
func TestHowMuchIsPutInOrder(t *testing.T) {
	t.Chdir(t.TempDir())
	require.NoError(t, os.WriteFile("-", []byte("time,user\n1,ann\n"), 0o666)) // is not what -trace - means
	few, many := lateTrace(1), lateTrace(2)
	file := saved(t, "a.csv", many)
	const limit = "log 1/s"
	r := jsonOf(t, few, "-limit", limit, "-trace", "-")
	require.Equal(t, []int{65538, 2}, []int{r.Requests, r.Late})
	r = jsonOf(t, "", "-limit", limit, "-trace", file)
	require.Equal(t, []int{65539, 2}, []int{r.Requests, r.Late})
	const wrong = "request 65538, of 2027-01-15T07:59:59Z, is 1s earlier than one that came more than 65536 requests before it: sort them first"
	const advice = ", or give -order sort, which keeps all of them in memory\n"
	status, _, errs := ratesim(t, many, "-limit", limit, "-trace", "-")
	require.Equal(t, 2, status)
	require.Equal(t, "ratesim: -: "+wrong+advice, errs)
	require.Equal(t, 65539, jsonOf(t, many, "-limit", limit, "-trace", "-", "-order", "sort").Requests)
	status, _, errs = ratesim(t, "", "-limit", limit, "-trace", file, "-order", "refuse")
	require.Equal(t, 2, status)
	require.Equal(t, "ratesim: "+file+": request 65538, of 2027-01-15T07:59:59Z, is 18h12m17s earlier than one that came more than 0 requests before it: sort them first"+advice, errs)

	status, out, errs := ratesim(t, many, "suggest", "-trace", "-")
	require.Zero(t, status, errs)
	require.Contains(t, out, "\n65539 requests of 2 keys.", "all of them are sorted")
}

// With -order refuse, a request that comes right after a later one ends the run.
func TestOrderRefuse(t *testing.T) {
	status, out, errs := ratesim(t, "time,user\n1800000001,ann\n1800000000,ann\n", "-limit", "log 1/s", "-trace", "-", "-order", "refuse")
	require.Equal(t, 2, status)
	require.Empty(t, out)
	require.Equal(t, "ratesim: -: request 2, of 2027-01-15T08:00:00Z, is 1s earlier than one that came more than 0 requests before it: sort them first"+
		", or give -order sort, which keeps all of them in memory\n", errs)
}

// Times that -subsecond uniform changes are not out of order for that: those of the trace count.
func TestOrderRefuseOfSeconds(t *testing.T) {
	log := "time,user\n" + strings.Repeat("1800000000,ann\n", 20) + strings.Repeat("1800000001,ann\n", 20)
	args := []string{"-limit", "log 1/s", "-trace", "-", "-order", "refuse", "-subsecond", "uniform"}
	status, _, errs := ratesim(t, log, args...)
	require.Zero(t, status, errs)
	status, _, errs = ratesim(t, log+"1800000000,ann\n", args...)
	require.Equal(t, 2, status)
	require.Contains(t, errs, "request 41, of 2027-01-15T08:00:00Z, is 1s earlier")
}

// -subsecond uniform spreads times that are whole seconds, and no others, by the seed.
func TestSubseconds(t *testing.T) {
	const log = "time,user\n1800000000,ann\n1800000005.25,ann\n"
	first := func(args ...string) string {
		status, out, errs := ratesim(t, log, append(args, "-limit", "log 1/s", "-trace", "-", "-json")...)
		require.Zero(t, status, errs)
		require.Contains(t, out, `"last": "2027-01-15T08:00:05.25Z",`)
		_, rest, _ := strings.Cut(out, `"first": "`)
		at, _, _ := strings.Cut(rest, `"`)
		return at
	}
	require.Equal(t, "2027-01-15T08:00:00Z", first())
	one, two := first("-subsecond", "uniform"), first("-subsecond", "uniform", "-seed", "2")
	require.Regexp(t, `^2027-01-15T08:00:00\.\d+Z$`, one)
	require.Regexp(t, `^2027-01-15T08:00:00\.\d+Z$`, two)
	require.NotEqual(t, one, two)
}

// A trace is closed when it is read, and when it cannot be.
func TestTraceIsClosed(t *testing.T) {
	open := func() (paths []string) {
		files, err := os.ReadDir("/proc/self/fd")
		if err != nil {
			t.Skip("which files are open cannot be seen here")
		}
		for _, f := range files {
			if path, err := os.Readlink("/proc/self/fd/" + f.Name()); err == nil {
				paths = append(paths, path)
			}
		}
		return paths
	}
	file := saved(t, "a.csv", "time,user\n1800000000,ann\n")
	for _, args := range [][]string{{"-limit", "log 1/s"}, {"-limit", "log 1/s", "-where", "user=bob"}, {"suggest"}} {
		_, _, _ = ratesim(t, "", append(args, "-trace", file)...)
		require.NotContains(t, open(), file, args)
	}
}

// What is compressed so that it takes more than 256 MiB to read is refused.
func TestZstdWindow(t *testing.T) {
	frame := []byte{0x28, 0xb5, 0x2f, 0xfd, 0, 18<<3 | 1, 1, 0, 0} // of 288 MiB, and empty
	status, _, errs := ratesim(t, string(frame), "-limit", "log 1/s", "-trace", "-")
	require.Equal(t, 2, status)
	require.Equal(t, "ratesim: -: reading ended early: logs.Read: line 1: window size exceeded\n", errs)
}

// A condition holds or not; a status may have an x for any digit, and only a status.
func TestWhere(t *testing.T) {
	const log = "time,user,status,code,method\n1800000000,ann,404,404,GET\n1800000001,bob,200,4xx,POST\n1800000002,,499,40,4xx\n1800000003,,,4xx,\n"
	for where, want := range map[string]string{
		"user": "0 1", "!user": "2 3", "status=4xx": "0 2", "status=40x": "0", "status=xx4": "0", "status=4*": "0 2", "status!=4xx": "1 3", "status=404|200": "0 1", "status=40": "",
		"code=4xx": "1 3", "code=40x": "", "code=40*": "0 2", "code!=4xx": "0 2", "method=xET": "", "method=GET|POST": "0 1", "method!=GET": "1 2 3", "status=x": "", "user=ann": "0", "user!=ann|bob": "2 3",
	} {
		o, err := parse("", []string{"-limit", "1/s", "-trace", "-", "-where", where}, world{})
		require.NoError(t, err, where)
		s, err := o.open(nil, world{in: strings.NewReader(log), err: io.Discard})
		require.NoError(t, err)
		var left []string
		for r := range s.requests {
			left = append(left, fmt.Sprint(r.At.Unix()-1_800_000_000))
		}
		require.Equal(t, want, strings.Join(left, " "), where)
		require.Equal(t, 4-len(left), s.skipped, where)
	}
}

// Without -key, requests are counted by user and address. A column host beside that of the client's
// address is the name of the server.
func TestUsualKey(t *testing.T) {
	for log, keys := range map[string]int{
		`{"time":1800000000,"remote_addr":"192.0.2.1","host":"example.com"}` + "\n" + `{"time":1800000001,"remote_addr":"192.0.2.2","host":"example.com"}`: 2,
		"time,host\n1800000000,192.0.2.1:4711\n1800000001,192.0.2.1:4712\n":                                                                                1,
		"time,host\n1800000000,\n1800000001,192.0.2.1\n":                                                                                                   2,
		"time,user,ip\n1800000000,ann,192.0.2.1\n1800000001,,192.0.2.1\n1800000002,ann,192.0.2.2\n":                                                        2,
	} {
		r := jsonOf(t, log, "-limit", "log 1/s", "-trace", "-")
		require.Equal(t, keys, r.Keys, log)
		for _, warning := range r.Warnings {
			require.NotContains(t, warning, "of one key", log)
		}
	}
}

// Counts are spread over the interval of the whole table, and -where, -from and -to select from
// what they are spread to.
func TestSelectionOfCounts(t *testing.T) {
	const table = "time,user,count\n1800000000,ann,600\n1800003600,bob,600\n1800007200,bob,600\n1800010800,ann,600\n"
	for args, want := range map[string]struct{ requests, first, last int }{
		"":                                   {2400, 0, 14400},
		"-where user=ann":                    {1200, 0, 14400},
		"-where user=bob":                    {1200, 3600, 10800},
		"-to 1800003600":                     {600, 0, 3600},
		"-from 1800010800":                   {600, 10800, 14400},
		"-from 1800001800 -to 1800005400":    {600, 1800, 5400},
		"-from 1800001800 -where user=ann":   {900, 1800, 14400},
		"-format counts:every=1m -where ann": {0, 0, 0},
	} {
		requests := tracedBy(t, table, args)
		require.InDelta(t, want.requests, len(requests), 60, args)
		if len(requests) > 0 {
			require.InDelta(t, want.first, requests[0].At.Unix()-1_800_000_000, 60, args)
			require.InDelta(t, want.last, requests[len(requests)-1].At.Unix()-1_800_000_000, 60, args)
		}
	}
}

// tracedBy returns the requests of a trace.
func tracedBy(t *testing.T, log, args string) []simulate.Request {
	t.Helper()
	o, err := parse("", append([]string{"-limit", "1/s", "-trace", "-"}, strings.Fields(args)...), world{})
	require.NoError(t, err)
	s, err := o.open(nil, world{in: strings.NewReader(log), err: io.Discard})
	require.NoError(t, err)
	defer s.close()
	return slices.Collect(s.requests)
}
