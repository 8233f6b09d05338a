package logs_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

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
		{"example.com ", "192.0.2.1"},
		{"example.com:443 ", "192.0.2.1"},
		{"203.0.113.7, 10.0.0.1, ", "203.0.113.7"},
		{"203.0.113.7,10.0.0.1,", "203.0.113.7"},
		{"\ufeff", "192.0.2.1"},
		{strings.Repeat("\x00", 50), "192.0.2.1"},
		{strings.Repeat("\x00", 50) + "\ufeff", "192.0.2.1"},
		{"203.0.113.7 - ", ""},
		{"203.0.113.7 - - ", ""},
		{"203.0.113.7 ", ""},
		{"unknown, 10.0.0.1, ", ""},
		{"[web] ", ""},
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
