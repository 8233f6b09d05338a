package logs_test

import (
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/simulate/logs"
)

const line = `192.0.2.1 - - [02/Mar/2026:08:00:01 +0000] "GET / HTTP/1.1" 200 5` + "\n"

// read returns the records of a log that can be used, and what was wrong.
func read(t testing.TB, log string, f logs.Format) (records []logs.Record, faults logs.Faults) {
	t.Helper()
	for r, err := range logs.Read(strings.NewReader(log), f) {
		if faults.Add(&r, err) {
			records = append(records, r)
		}
	}
	return records, faults
}

// What programs put in front of a line is taken off, or is an error: it is never taken for a host.
func TestPrefixes(t *testing.T) {
	for _, row := range []struct{ prefix, host string }{
		{"", "192.0.2.1"},
		{"Mar  2 08:00:01 web nginx: ", "192.0.2.1"},
		{"Mar 12 08:00:01 web nginx: ", "192.0.2.1"},
		{"<190>Mar 12 08:00:01 web nginx: ", "192.0.2.1"},
		{"2026-03-02T08:00:01+00:00 web nginx[12]: ", "192.0.2.1"},
		{"web-1  | ", "192.0.2.1"},
		{"web-1 | ", "192.0.2.1"},
		{"\x1b[32mweb-1  | \x1b[0m", "192.0.2.1"},
		{"web-1  | Mar  2 08:00:01 web nginx: ", "192.0.2.1"},
		{"a | b | c | d | ", "192.0.2.1"},
		{strings.Repeat("n", 64) + " | ", "192.0.2.1"},
		{"\x1b[38;2;10;20;30m", "192.0.2.1"},
		{"<>Mar 12 08:00:01 web nginx: ", "192.0.2.1"},
		{"<1234>Mar 12 08:00:01 web nginx: ", "192.0.2.1"},
		{"Mar  2 08:00:01 w: ", "192.0.2.1"},
		{"Mar  2 08:00:01 " + strings.Repeat("n", 128) + ": ", "192.0.2.1"},
		{"example.com ", "192.0.2.1"},
		{"example.com:443 ", "192.0.2.1"},
		{"203.0.113.7, 10.0.0.1, ", "203.0.113.7"},
		{"203.0.113.7,10.0.0.1,", "203.0.113.7"},
		{"fe80::1, 10.0.0.1, ", "fe80::1"},
		{"::1, 10.0.0.1, ", "::1"},
		{"\ufeff", "192.0.2.1"},
		{strings.Repeat("\x00", 50), "192.0.2.1"},
		{strings.Repeat("\x00", 50) + "\ufeff", "192.0.2.1"},
		{strings.Repeat("\x00", 1<<16-1) + "\ufeff", "192.0.2.1"},
		{"203.0.113.7 - ", ""},
		{"203.0.113.7 - - ", ""},
		{"203.0.113.7 ", ""},
		{"unknown, 10.0.0.1, ", ""},
		{"203.0.113.7, unknown, ", ""},
		{"203.0.113.7,unknown,", ""},
		{",", ""},
		{"a | b | c | d | e | ", ""},
		{strings.Repeat("n", 65) + " | ", ""},
		{"my web | ", ""},
		{"\x1b[38;2;255;255;255m", "192.0.2.1"},
		{"\x1b[m", "192.0.2.1"},
		{"\x1b[K", "192.0.2.1"},
		{"\x1b[xm", ""},
		{"\x1b[38;2;x;20;130m", ""},
		{"<12345>Mar 12 08:00:01 web nginx: ", ""},
		{"Mar  2 08:00:01 web my nginx: ", ""},
		{"Mar  2 08:00:01 \"web: ", ""},
		{"Mar  2 08:00:01 : ", ""},
		{"Mar  2 08:00:01 " + strings.Repeat("n", 129) + ": ", ""},
		{"[web] ", ""},
		{"app [12]: ", ""},
		{"app web [12]: ", ""},
		{"192.0.2.9 app [12]: ", ""},
		{"192.0.2.1\t", ""},
		{"nginx: ", ""},
	} {
		for _, user := range []string{"-", "bob", "Anna Maria"} {
			records, faults := read(t, row.prefix+strings.Replace(line, "- -", "- "+user, 1), logs.Format{Kind: "access"})
			if row.host == "" {
				require.Empty(t, records, "%q", row.prefix)
				require.Equal(t, 1, faults.Lost)
				continue
			}
			require.Empty(t, faults.Summary(), "%q", row.prefix)
			require.Len(t, records, 1, "%q", row.prefix)
			require.Equal(t, row.host, records[0].Host, "%q", row.prefix)
			require.Equal(t, strings.TrimPrefix(user, "-"), records[0].User, "%q", row.prefix)
			require.Equal(t, "GET", records[0].Method)
		}
	}
}

// A client chooses its user's name, but not the time of its request.
func TestBracketsInUser(t *testing.T) {
	const user = "x [01/Mar/2026:00:00:00 +0000]"
	records, faults := read(t, strings.Replace(line, "- -", "- "+user, 1), logs.Auto)
	require.Empty(t, faults.Summary())
	require.Equal(t, user, records[0].User)
	require.Equal(t, 2, records[0].At.Day())
	_, faults = read(t, line+"192.0.2.1 - "+user+" [02/Mar/2026:08:00:01 +0000] GET /", logs.Auto)
	require.Equal(t, 1, faults.Lost)
}

// A log that was cut while its writer went on begins with NULs, however many.
func TestNULs(t *testing.T) {
	for _, n := range []int{50, 2 << 20} {
		records, faults := read(t, strings.Repeat("\x00", n)+line+line+line, logs.Auto)
		require.Len(t, records, 3)
		require.Empty(t, faults.Summary())
		require.Equal(t, "192.0.2.1", records[0].Host)
	}
}

// Each format gives the same request.
func TestFormats(t *testing.T) {
	at := time.Date(2026, 3, 2, 8, 0, 1, 0, time.UTC)
	for name, row := range map[string]struct{ format, log string }{
		"common":   {"", `192.0.2.1 - bob [02/Mar/2026:09:00:01 +0100] "GET /a?b=c HTTP/1.1" 404 5`},
		"combined": {"combined", `192.0.2.1 - bob [02/Mar/2026:08:00:01 +0000] "GET /a?b=c HTTP/1.1" 404 - "-" "an \"agent\"" 0.004 "more"`},
		"nginx":    {"nginx", `{"time_iso8601":"2026-03-02T08:00:01+00:00","remote_addr":"192.0.2.1","remote_user":"bob","host":"example.com","request":"GET /a?b=c HTTP/1.1","status":"404"}`},
		"msec":     {"", `{"msec":1772438401.000,"remote_addr":"192.0.2.1","remote_user":"bob","request_method":"GET","request_uri":"/a?b=c","status":404}`},
		"caddy": {"caddy", `{"level":"info","ts":1772438401.0,"msg":"handled request","user_id":"bob","status":404,` +
			`"request":{"remote_ip":"10.0.0.1","client_ip":"192.0.2.1","remote_port":"4711","method":"GET","host":"example.com","uri":"/a?b=c","headers":{"User-Agent":["curl"]}}}`},
		"traefik": {"traefik", `{"ClientAddr":"192.0.2.1:4711","ClientHost":"192.0.2.1","ClientUsername":"bob","DownstreamStatus":404,"RequestHost":"example.com",` +
			`"RequestMethod":"GET","RequestPath":"/a?b=c","StartUTC":"2026-03-02T08:00:01Z","time":"2026-03-02T08:00:07Z"}`},
		"custom":     {"json:time=when,host=who.ip,user=who.name,method=verb,target=what,status=code", `{"when":1772438401000,"who":{"ip":"192.0.2.1","name":"bob"},"verb":"GET","what":"/a?b=c","code":404}`},
		"prefixed":   {"", `web-1  | {"time":"2026-03-02T08:00:01Z","ip":"192.0.2.1","user":"bob","method":"GET","path":"/a?b=c","status":404}`},
		"csv":        {"", "\ufeffTime,IP,User,Method,Path,Status,Agent\n2026-03-02 08:00:01,192.0.2.1,bob,GET,/a?b=c,404,\"one, \"\"two\"\"\""},
		"tsv":        {"", "ts\tclient_ip\tuser\tverb\turl\tcode\n1772438401000000\t192.0.2.1\tbob\tGET\t/a?b=c\t404"},
		"semicolons": {"csv:time=when", "when;host;user;method;target;status\n2026-03-02T08:00:01Z;192.0.2.1;bob;GET;/a?b=c;404"},
		"forwarded":  {"", `{"time":"2026-03-02T08:00:01Z","host":"192.0.2.1, 10.0.0.1","user":"bob","method":"GET","path":"/a?b=c","status":404}`},
		"port":       {"", `{"time":"2026-03-02T08:00:01Z","remote_addr":"192.0.2.1:4711","user":"bob","method":"GET","path":"/a?b=c","status":404}`},
	} {
		f, err := logs.ParseFormat(row.format)
		require.NoError(t, err)
		records, faults := read(t, row.log+"\n\n", f)
		require.Empty(t, faults.Summary(), name)
		require.Len(t, records, 1, name)
		r := records[0]
		require.True(t, at.Equal(r.At), "%s: %v", name, r.At)
		require.Equal(t, []any{"192.0.2.1", "bob", "GET", "/a?b=c", "/a", 404, 1}, []any{r.Host, r.User, r.Method, r.Target, r.Path(), r.Status, r.Count}, name)
		require.Equal(t, "192.0.2.1", r.Get("ip"), name)
		require.Equal(t, "404", r.Get("status"), name)
		require.Empty(t, r.Get("nothing"), name)
	}
}

func TestTimes(t *testing.T) {
	at := time.Date(2026, 3, 2, 8, 0, 1, 500_000_000, time.UTC)
	for _, text := range []string{
		"2026-03-02T08:00:01.5Z", "2026-03-02 08:00:01.500000000", "2026-03-02T09:00:01.5+01:00", "2026-03-02 08:00:01.5 +0000 UTC",
		"1772438401.5", "1772438401500", "1772438401500000", "1772438401500000000", "1772438401500.0", "1.7724384015e9",
	} {
		got, err := logs.ParseTime(text)
		require.NoError(t, err, text)
		require.True(t, at.Equal(got), "%s: %v", text, got)
	}
	exact, err := logs.ParseTime("1772438401.123456789")
	require.NoError(t, err)
	require.Equal(t, 123456789, exact.Nanosecond(), "a float would round it")
	for _, text := range []string{"", "-", "soon", "08:00:01", "1.2.3", "99999999999999999999"} {
		_, err := logs.ParseTime(text)
		var bad *ratelimit.ArgumentError
		require.ErrorAs(t, err, &bad, text)
	}
}

// A column that is wrong does not lose a request whose time and key can be read, and faults are
// summed up.
func TestFaults(t *testing.T) {
	log := line + strings.Repeat(`192.0.2.7 - - [02/Mar/2026:08:00:02 +0000] "GET / HTTP/1.1" OK 5`+"\n", 1000) +
		`192.0.2.8 - - [31/Feb/2026:08:00:02 +0000] "GET / HTTP/1.1" 200 5` + "\n" +
		`192.0.2.8 - - [01/Jan/0001:00:00:00 +0000] "GET / HTTP/1.1" 200 5` + "\n" +
		`192.0.2.8 - - [31/Dec/9999:23:59:59 +0000] "GET / HTTP/1.1" 200 5` + "\n" +
		`192.0.2.9 - - [02/Mar/2026:08:00:03 +0000] GET /` + "\n" +
		strings.Repeat("x", 2<<20) + "\n" + line
	records, faults := read(t, log, logs.Auto)
	require.Len(t, records, 1003)
	require.Equal(t, 1005, faults.Lines)
	require.Equal(t, 4, faults.Lost)
	require.NoError(t, faults.Err)
	require.Equal(t, "192.0.2.7", records[1].Host)
	require.Zero(t, records[1].Status)
	require.Equal(t, "GET", records[1].Method)
	summary := faults.Summary()
	require.Len(t, summary, 6)
	require.Equal(t, `1000 × the status cannot be read; the first is line 2: the status cannot be read: "OK", want three digits`, summary[0])
	require.Contains(t, strings.Join(summary, "\n"), "of the year 9999, which stands for none")
	require.Contains(t, strings.Join(summary, "\n"), "line 1006: the line is longer than 1 MiB")

	records, faults = read(t, "time,user,status\n2026-03-02 08:00:01,bob,x\n2026-03-02 08:00:02,bob\n,bob,200\n\"2026,bob\n"+
		"time,user,status\n2026-03-02 08:00:03,bob,200,9", logs.Auto)
	require.Len(t, records, 3)
	require.Equal(t, 5, faults.Lines)
	require.Equal(t, 2, faults.Lost)
	records, faults = read(t, `{"time":"2026-03-02T08:00:01Z","user":"bob"}`+"\n{\n"+`{"time":"2026-03-02T08:00:01Z","level":"info","msg":"starting"}`+"\n[]", logs.Auto)
	require.Len(t, records, 1)
	require.Equal(t, 3, faults.Lost)
}

// Reading that ends early ends with a failure, and what is compressed is read.
func TestInput(t *testing.T) {
	broken := errors.New("broken")
	faultsOf := func(r io.Reader) (n int, f logs.Faults) {
		for r, err := range logs.Read(r, logs.Auto) {
			if f.Add(&r, err) {
				n++
			}
		}
		return n, f
	}
	n, f := faultsOf(io.MultiReader(strings.NewReader(line+line[:20]), iotest.ErrReader(broken)))
	require.Equal(t, 1, n)
	require.ErrorIs(t, f.Err, broken)

	var zipped bytes.Buffer
	z := gzip.NewWriter(&zipped)
	_, _ = z.Write([]byte(line + line))
	require.NoError(t, z.Close())
	n, f = faultsOf(bytes.NewReader(zipped.Bytes()))
	require.Equal(t, 2, n)
	require.NoError(t, f.Err)
	_, f = faultsOf(bytes.NewReader(zipped.Bytes()[:zipped.Len()-9]))
	require.ErrorIs(t, f.Err, io.ErrUnexpectedEOF)
	_, f = faultsOf(strings.NewReader("\x28\xb5\x2f\xfd\x04\x00"))
	require.ErrorContains(t, f.Err, "zstd")
	_, f = faultsOf(strings.NewReader("one\ntwo\n"))
	require.ErrorContains(t, f.Err, "the format is not known")
	n, f = faultsOf(strings.NewReader("cut off\n" + line))
	require.Equal(t, []any{1, 1}, []any{n, f.Lost})
	require.PanicsWithValue(t, "logs.Read: r is nil, want a reader", func() { logs.Read(nil, logs.Auto) })
	for r, err := range logs.Read(strings.NewReader(line+line), logs.Auto) {
		require.NoError(t, err)
		require.Equal(t, 1, r.Line)
		break
	}
}

func TestParseFormat(t *testing.T) {
	f, err := logs.ParseFormat("counts:every=1m,count=hits")
	require.NoError(t, err)
	require.Equal(t, logs.Format{Kind: "counts", Columns: map[string]string{"count": "hits"}, Every: time.Minute}, f)
	f, err = logs.ParseFormat("counts:every=1ns")
	require.NoError(t, err)
	require.Equal(t, time.Nanosecond, f.Every)
	for _, text := range []string{"xml", "csv:", "csv:time", "csv:time=", "csv:=when", "csv:a=b,a=c", "counts:every=0s", "counts:every=x"} {
		_, err := logs.ParseFormat(text)
		var bad *ratelimit.ArgumentError
		require.ErrorAs(t, err, &bad, text)
	}
}

// Whatever a log holds, each line comes at most once, and no host has what no host has.
func FuzzRead(f *testing.F) {
	f.Add(line + "\n\nx")
	f.Add("web-1  | Mar  2 08:00:01 web nginx: " + line + "\ufeff\x00" + line)
	f.Add("time,host,count\n2026-03-02 08:00:01,\"192.0.2.1, 10.0.0.1\",3\n,,\n\"")
	f.Add(`{"ts":1.5e9,"request":{"client_ip":"::1"}}` + "\n" + `{"ts":{},"request":[1]}`)
	f.Add("203.0.113.7, 10.0.0.1, " + line + "example.com:80 " + line)
	f.Fuzz(func(t *testing.T, log string) {
		n, last := 0, 0
		for r, err := range logs.Read(strings.NewReader(log), logs.Auto) {
			var of *logs.LineError
			if err != nil && !errors.As(err, &of) {
				continue
			}
			n++
			require.Greater(t, r.Line, last)
			last = r.Line
			if of != nil {
				require.Equal(t, r.Line, of.Line)
				require.NotEmpty(t, of.Reason)
			}
			if !r.At.IsZero() {
				require.False(t, strings.ContainsAny(r.Host, " \x00\ufeff"), "%q", r.Host)
				require.False(t, r.At.Year() < 1970 || r.At.Year() > 2201)
				require.GreaterOrEqual(t, r.Count, 0)
			}
		}
		require.LessOrEqual(t, n, strings.Count(log, "\n")+1)
	})
}

// The other columns of an access log are there, too.
func TestColumns(t *testing.T) {
	records, faults := read(t, `example.com:443 192.0.2.1 ident bob [02/Mar/2026:08:00:08 +0000] "GET / HTTP/1.1" 200 512 "-" "an \"agent\"" 0.004 "and more" x`+"\n"+line, logs.Auto)
	require.Empty(t, faults.Summary())
	for name, want := range map[string]string{"vhost": "example.com:443", "host": "192.0.2.1", "ident": "ident", "protocol": "HTTP/1.1", "size": "512",
		"referer": "", "agent": `an "agent"`, "column1": "0.004", "column2": "and more", "column3": "x", "column4": "", "column0": "", "column": ""} {
		require.Equal(t, want, records[0].Get(name), name)
		require.Equal(t, want != "", records[0].Has(name), name)
	}
	require.Equal(t, "5", records[1].Get("size"))
	from, _ := read(t, strings.TrimSpace(line)+` "http://example.com/" "curl"`, logs.Auto)
	require.Equal(t, []string{"http://example.com/", "curl"}, []string{from[0].Get("referer"), from[0].Get("agent")})
	empty, _ := read(t, `192.0.2.1 - - [02/Mar/2026:08:00:08 +0000] "-" 408 0`, logs.Auto)
	require.Empty(t, empty[0].Get("target"))
	require.Empty(t, empty[0].Get("path"))
	require.False(t, empty[0].Has("target"))
	require.Empty(t, records[1].Get("agent"))
}
