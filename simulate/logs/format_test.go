package logs_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-3506548a/ratelimit/simulate/logs"
)

// The first line shows the format. Counts have at most four columns, and commas between them.
func TestSniffing(t *testing.T) {
	for _, row := range []struct {
		format, log string
		count       int
	}{
		{"", "time,count\n2000000000,3", 3},
		{"", "count,time\n3,2000000000", 3},
		{"", "time,user,host,count\n2000000000,bob,h,3", 3},
		{"", "time,user,host,path,count\n2000000000,bob,h,/,3", 1},
		{"", "time\tcount\n2000000000\t3", 1},
		{"", "\ttime\tcount\n0\t2000000000\t3", 1},
		{"", "time,user,odd [x]\n2000000000,bob,1", 1},
		{"", "time,user,odd [a:b:c:d]\n2000000000,bob,1", 1},
		{"", "time,user,odd [a/b/c\n2000000000,bob,1", 1},
		{"counts", "count,time\n3,2000000000", 3},
		{"counts", "time,a,b,c,count\n2000000000,1,2,3,3", 3},
		{"tsv", "time\ta,b,c\n2000000000\t1,2", 1},
		{"tsv:count=n", "n\ttime\n3\t2000000000", 1},
	} {
		f, err := logs.ParseFormat(row.format)
		require.NoError(t, err)
		records, faults := read(t, row.log, f)
		require.NoError(t, faults.Err, row.log)
		require.Empty(t, faults.Summary(), row.log)
		require.Len(t, records, 1, row.log)
		require.Equal(t, row.count, records[0].Count, row.log)
		require.Equal(t, int64(2000000000), records[0].At.Unix(), row.log)
	}
}

// The format must show within 20 lines. Lines of blanks are none.
func TestGuesses(t *testing.T) {
	records, faults := read(t, strings.Repeat("cut off\n  \n", 19)+line, logs.Auto)
	require.NoError(t, faults.Err)
	require.Len(t, records, 1)
	require.Equal(t, 19, faults.Lost)
	records, faults = read(t, strings.Repeat("cut off\n", 20)+line, logs.Auto)
	require.ErrorContains(t, faults.Err, "the format is not known")
	require.Empty(t, records)
	records, faults = read(t, line+"  \n \t \r\n"+line, logs.Auto)
	require.Len(t, records, 2)
	require.Empty(t, faults.Summary())
}

// A line with its line break may have 1 MiB.
func TestLongestLine(t *testing.T) {
	whole := strings.TrimSpace(line) + ` "` + strings.Repeat("x", 1<<20-len(line)-3) + "\"\n"
	require.Len(t, whole, 1<<20)
	records, faults := read(t, whole+line, logs.Auto)
	require.Len(t, records, 2)
	require.Empty(t, faults.Summary())
	records, faults = read(t, "1"+whole+line, logs.Auto)
	require.Len(t, records, 1)
	require.Equal(t, []string{"1 × the line is longer than 1 MiB; the first is line 1: the line is longer than 1 MiB"}, faults.Summary())
}

// The most frequent fault comes first, also if it is so by one, and those as frequent come in the
// order of their names.
func TestSummary(t *testing.T) {
	_, faults := read(t, "time,user,status\n2000000000,bob\n2000000000,bob,x\n2000000000,bob,x\nsoon,bob,200\n,bob,200", logs.Auto)
	var reasons []string
	for _, sentence := range faults.Summary() {
		reason, _, _ := strings.Cut(sentence, ";")
		reasons = append(reasons, reason)
	}
	require.Equal(t, []string{"2 × the status cannot be read", "1 × the number of columns is not the header's", "1 × the time cannot be read", "1 × there is no time"}, reasons)
}

// An object of JSON is a request if it has any column of one, or if the format names a column. Else
// one with a message is none.
func TestObjects(t *testing.T) {
	for _, row := range []struct {
		format, log string
		lost        int
	}{
		{"", `{"host":"192.0.2.1","msg":"x","time":2000000000}`, 0},
		{"", `{"msg":"x","time":2000000000}`, 1},
		{"", `{"message":"x","time":2000000000}`, 1},
		{"", `{"time":2000000000}`, 0},
		{"json:time=when", `{"msg":"x","when":2000000000}`, 0},
		{"", `{"time":"soon","user":"bob"}`, 1},
		{"", `{"user":"bob"}`, 1},
		{"", `{"time":2000000000,"user":"bob"}{"time":2000000000,"user":"ann"}`, 1},
		{"", `{"time":2000000000,"user":"bob"} "`, 1},
		{"", `{"time":2000000000,"user":"bob"}  `, 0},
	} {
		f, err := logs.ParseFormat(row.format)
		require.NoError(t, err)
		records, faults := read(t, row.log, f)
		require.Equal(t, []int{row.lost, row.lost, 1 - row.lost}, []int{faults.Lost, faults.Lines, len(records)}, row.log)
	}
	f, err := logs.ParseFormat("json:plan=a,kind=b.c,same=same,none=x")
	require.NoError(t, err)
	records, faults := read(t, `{"a":"free","b":{"c":"k"},"empty":[],"list":["curl"],"lists":["a","b"],"mixed":[1],"no":false,"same":"s","time":2000000000,"yes":true}`, f)
	require.Empty(t, faults.Summary())
	for name, want := range map[string]string{"a": "free", "plan": "free", "kind": "k", "b.c": "k", "same": "s", "none": "", "x": "",
		"yes": "true", "no": "false", "list": "curl", "lists": "", "empty": "", "mixed": ""} {
		require.Equal(t, want, records[0].Get(name), name)
	}
}
