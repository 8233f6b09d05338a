package simulate_test

import (
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-3506548a/ratelimit/simulate"
)

// read returns the entries, and the texts of the errors, of a log.
func read(t testing.TB, r io.Reader) (entries []simulate.Entry, failures []string) {
	for e, err := range simulate.ReadLog(r) {
		if err != nil {
			require.Zero(t, e)
			failures = append(failures, err.Error())
			continue
		}
		entries = append(entries, e)
	}
	return entries, failures
}

func TestReadLog(t *testing.T) {
	entries, failures := read(t, strings.NewReader(`192.0.2.1 - bob [02/Mar/2026:08:00:08 +0100] "GET /movies?q=a HTTP/1.1" 200 512

::1 - - [02/Mar/2026:08:00:09 -0030] "POST / HTTP/2.0" 429 - "http://example.com/" "Mozilla/5.0 (\"x\" [y] \\ \x41)"
example.com ident Anna Maria [02/Mar/2026:08:00:10 +0000] "-" 408 0 "-" "-"
192.0.2.2 - - [02/Mar/2026:08:00:11 +0000] "\x16\x03\x01 \q" 400 226 "" "an agent" 0.004 "and more"`))
	require.Empty(t, failures)
	at := func(second, zone int) time.Time {
		return time.Date(2026, 3, 2, 8, 0, second, 0, time.FixedZone("", zone))
	}
	for i, want := range []simulate.Entry{
		{Host: "192.0.2.1", User: "bob", At: at(8, 3600), Method: "GET", Target: "/movies?q=a", Protocol: "HTTP/1.1", Status: 200, Size: 512},
		{Host: "::1", At: at(9, -1800), Method: "POST", Target: "/", Protocol: "HTTP/2.0", Status: 429,
			Referer: "http://example.com/", Agent: `Mozilla/5.0 ("x" [y] \ A)`},
		{Host: "example.com", User: "Anna Maria", At: at(10, 0), Target: "-", Status: 408},
		{Host: "192.0.2.2", At: at(11, 0), Target: `\x16\x03\x01 \q`, Status: 400, Size: 226, Agent: "an agent"},
	} {
		got := entries[i]
		require.True(t, want.At.Equal(got.At), "line %d: %v", i, got.At)
		got.At = want.At
		require.Equal(t, want, got, "line %d", i)
	}
}

func TestReadLogOfOtherLines(t *testing.T) {
	const good = `192.0.2.1 - - [02/Mar/2026:08:00:08 +0000] "GET / HTTP/1.1" 200 512`
	for line, want := range map[string]string{
		`example.com:80 192.0.2.1 - bob [02/Mar/2026:08:00:08 +0000] "GET / HTTP/1.1" 200 512`: `it begins with "example.com:80 192.0.2.1 - bob [02/Mar/2026:08:00:08 +0000] \"GET", want host, identity, user and [time]`,
		`192.0.2.1 - - [02/Mar/2026:08:00:08.5 +0000] "GET / HTTP/1.1" 200 512`:                `time is "02/Mar/2026:08:00:08.5 +0000", want one as in [02/Jan/2006:15:04:05 -0700]`,
		`192.0.2.1 - - [02/Mar/2026:08:00:08 +0000] "GET / HTTP/1.1"200 512`:                   `after the time comes "\"GET / HTTP/1.1\"200 512", want a request in quotes`,
		`192.0.2.1 - - [02/Mar/2026:08:00:08 +0000] "GET / HTTP/1.1" -20 512`:                  `status is "-20", want three digits`,
		`192.0.2.1 - - [02/Mar/2026:08:00:08 +0000] "GET / HTTP/1.1" 200 +5`:                   `size is "+5", want a number of bytes or -`,
		`hello`:                    `it begins with "hello", want host, identity, user and [time]`,
		`192.0.2.1 - [02/Mar/2026`: `it begins with "192.0.2.1 - [02/Mar/2026", want host, identity, user and [time]`,
		`192.0.2.1 - - [02/Mar/2026:08:00:08 +0000`:                                      `time is "02/Mar/2026:08:00:08 +0000", want one as in [02/Jan/2006:15:04:05 -0700]`,
		`192.0.2.1 - - [30/Feb/2026:08:00:08 +0000] "GET / HTTP/1.1" 200 512`:            `time is "30/Feb/2026:08:00:08 +0000", want one as in [02/Jan/2006:15:04:05 -0700]`,
		`192.0.2.1 - - [02/Mar/2026:08:00:08 +0000] GET / 200 512`:                       `after the time comes "GET / 200 512", want a request in quotes`,
		`192.0.2.1 - - [02/Mar/2026:08:00:08 +0000] "GET / \" 200 512`:                   `after the time comes "\"GET / \\\" 200 512", want a request in quotes`,
		`192.0.2.1 - - [02/Mar/2026:08:00:08 +0000] "GET / HTTP/1.1" OK 512`:             `status is "OK", want three digits`,
		`192.0.2.1 - - [02/Mar/2026:08:00:08 +0000] "GET / HTTP/1.1" 20 512`:             `status is "20", want three digits`,
		`192.0.2.1 - - [02/Mar/2026:08:00:08 +0000] "GET / HTTP/1.1" 200`:                `size is "", want a number of bytes or -`,
		`192.0.2.1 - - [02/Mar/2026:08:00:08 +0000] "GET / HTTP/1.1" 200 -5`:             `size is "-5", want a number of bytes or -`,
		`192.0.2.1 - - [02/Mar/2026:08:00:08 +0000] "GET / HTTP/1.1" 200 5 more`:         `after the size comes "more", want referer and user agent in quotes, or nothing`,
		`192.0.2.1 - - [02/Mar/2026:08:00:08 +0000] "GET / HTTP/1.1" 200 5 "-" "more`:    `after the size comes "\"more", want referer and user agent in quotes, or nothing`,
		`192.0.2.1 - - [` + strings.Repeat("9", 1000) + `] "GET / HTTP/1.1" 200 5 "-" "`: `time is "` + strings.Repeat("9", 64) + `", want one as in [02/Jan/2006:15:04:05 -0700]`,
	} {
		entries, failures := read(t, strings.NewReader(good+"\n"+line+"\n"+good))
		require.Len(t, entries, 2, "the others are read")
		require.Equal(t, []string{"simulate.ReadLog: line 2: " + want}, failures)
	}

	broken := errors.New("broken")
	for _, cut := range []string{"", good, good[:len(good)-2]} { // of what is cut off nobody knows what it was
		entries, failures := read(t, io.MultiReader(strings.NewReader(good+"\r\n"+cut), iotest.ErrReader(broken)))
		require.Len(t, entries, 1)
		require.Equal(t, []string{"simulate.ReadLog: line 2: broken"}, failures)
	}
	var err error
	for _, err = range simulate.ReadLog(iotest.ErrReader(broken)) {
		require.ErrorIs(t, err, broken)
	}
	require.Error(t, err)
	for _, err := range simulate.ReadLog(strings.NewReader(good + "\n" + good)) {
		require.NoError(t, err)
		break
	}
}

// A line of 1 MiB is read. A longer one is an error, and the next is read all the same.
func TestReadLogOfLongLines(t *testing.T) {
	const good = `192.0.2.1 - - [02/Mar/2026:08:00:08 +0000] "GET / HTTP/1.1" 200 512`
	for _, row := range []struct{ length, entries int }{{1 << 20, 3}, {1<<20 + 1, 2}, {5 << 20, 2}} {
		long := good + strings.Repeat(" ", row.length-len(good)-1) + "\n"
		entries, failures := read(t, strings.NewReader(good+"\n"+long+good))
		require.Len(t, entries, row.entries)
		require.Len(t, failures, 3-row.entries)
		for _, failure := range failures {
			require.Equal(t, "simulate.ReadLog: line 2: it is longer than 1 MiB", failure)
		}
		entries, failures = read(t, strings.NewReader(good+"\n"+long[:row.length-1]+" "))
		require.Len(t, entries, row.entries-1, "without a line break at the end")
		require.Len(t, failures, 3-row.entries)
	}
}

// What programs put in front of a line is not taken for the client, nor the client for a user.
func TestReadLogOfLinesBehindSomethingElse(t *testing.T) {
	for _, user := range []string{"-", "bob", "Anna Maria"} {
		line := "192.0.2.1 - " + user + ` [02/Mar/2026:08:00:08 +0000] "GET / HTTP/1.1" 200 512`
		entries, failures := read(t, strings.NewReader(line))
		require.Len(t, entries, 1)
		require.Empty(t, failures)
		for _, prefix := range []string{
			"Mar  2 08:00:01 web nginx: ", "Mar 12 08:00:01 web nginx: ", "2026-03-02T08:00:01+00:00 web nginx[12]: ",
			"web-1  | ", "web-1 | ", "[web] ", "203.0.113.7, 10.0.0.1, ", "203.0.113.7 - ", "203.0.113.7 ", "203.0.113.7 - - ",
			strings.Repeat("\x00", 50), "\x1b[32m", "192.0.2.1\t",
		} {
			entries, failures := read(t, strings.NewReader(prefix+line))
			require.Empty(t, entries, "%q", prefix)
			require.Len(t, failures, 1, "%q", prefix)
			require.Contains(t, failures[0], "want host, identity, user and [time]")
		}
	}
}

// Nor is what programs put between the client and the time taken for its user.
func TestReadLogOfLinesWithSomethingElse(t *testing.T) {
	for between, user := range map[string]string{"-": "", "- bob": "bob", "[7] bob": "none", " bob": "none", "[7] ": "none", "id [7]": "none", "- [7]": "[7]"} {
		entries, failures := read(t, strings.NewReader("192.0.2.1 "+between+` [02/Mar/2026:08:00:08 +0000] "GET / HTTP/1.1" 200 512`))
		if user == "none" || between == "-" {
			require.Empty(t, entries, "%q", between)
			require.Len(t, failures, 1)
			require.Contains(t, failures[0], "want host, identity, user and [time]")
			continue
		}
		require.Empty(t, failures)
		require.Equal(t, user, entries[0].User)
	}
}

// Some editors begin a file with a byte order mark; some tools join such files.
func TestReadLogWithByteOrderMarks(t *testing.T) {
	const line = "\ufeff" + `192.0.2.1 - - [02/Mar/2026:08:00:08 +0000] "GET / HTTP/1.1" 200 512` + "\n"
	entries, failures := read(t, strings.NewReader(line+line+"\ufeff\n"))
	require.Empty(t, failures)
	require.Len(t, entries, 2)
	for _, e := range entries {
		require.Equal(t, "192.0.2.1", e.Host)
	}
}

// A log that was cut while its writer went on begins with NULs.
func TestReadLogBehindNULs(t *testing.T) {
	const line = `192.0.2.1 - - [02/Mar/2026:08:00:08 +0000] "GET / HTTP/1.1" 200 512` + "\n"
	entries, failures := read(t, strings.NewReader(strings.Repeat("\x00", 2<<20)+line+line+line))
	require.Len(t, entries, 2)
	require.Equal(t, []string{"simulate.ReadLog: line 1: it is longer than 1 MiB"}, failures)
}

// Whatever a log holds, each line that is not empty comes as an entry or as an error.
func FuzzReadLog(f *testing.F) {
	f.Add(`192.0.2.1 - bob [02/Mar/2026:08:00:08 +0100] "GET /movies HTTP/1.1" 200 512` + "\n\nx")
	f.Add(`::1 - - [02/Mar/2026:08:00:09 -0030] "POST / HTTP/2.0" 429 - "http://example.com/" "Mozilla/5.0 (\"x\" \\ \x41)"`)
	f.Add(`h - - [02/Mar/2026:08:00:09 -0030] "\` + "\n" + `h - - [02/Mar/2026:08:00:09 -0030] "" 200 0 "\"" "`)
	f.Add("\ufeff h - - [02/Mar/2026:08:00:09 -0030] \"\" 200 0\n\x00h - - [\nMar  2 08:00:01 web nginx: h - - [02/Mar/2026:08:00:09 -0030]")
	f.Fuzz(func(t *testing.T, log string) {
		lines := 0
		for line := range strings.SplitSeq(log, "\n") {
			if strings.TrimSpace(strings.TrimPrefix(line, "\ufeff")) != "" {
				lines++
			}
		}
		entries, failures := read(t, strings.NewReader(log))
		require.Equal(t, lines, len(entries)+len(failures))
		for _, e := range entries {
			require.False(t, e.Status < 0 || e.Size < 0 || e.Host == "" || strings.ContainsAny(e.Host, " \x00\ufeff"))
		}
	})
}
