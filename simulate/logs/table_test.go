package logs_test

import (
	"math"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-3506548a/ratelimit/simulate/logs"
)

// A cell in quotes may have commas and quotes, and blanks around it.
func TestCells(t *testing.T) {
	for cells, want := range map[string][2]string{
		`a,b`:               {"a", "b"},
		` a , b `:           {"a", "b"},
		`"a","b"`:           {"a", "b"},
		` "a" , "b" `:       {"a", "b"},
		`"a,1","b;2"`:       {"a,1", "b;2"},
		`"",""`:             {"", ""},
		`"""",""""""`:       {`"`, `""`},
		`"a ""x"" ",b`:      {`a "x" `, "b"},
		`a,"b"`:             {"a", "b"},
		`"a",b`:             {"a", "b"},
		` a , "b"`:          {"a", "b"},
		`a"1",b"`:           {`a"1"`, `b"`},
		`"a",`:              {"a", ""},
		`,"b"`:              {"", "b"},
		`a` + "\t" + `,"b"`: {"a", "b"},
	} {
		records, faults := read(t, "time,a,b\n2000000000,"+cells, logs.Auto)
		require.Empty(t, faults.Summary(), cells)
		require.Equal(t, want, [2]string{records[0].Get("a"), records[0].Get("b")}, cells)
	}
	records, faults := read(t, "time\ta\tb\n2000000000\t\"a\t\"b\"", logs.Auto) // as programs write TSV
	require.Empty(t, faults.Summary())
	require.Equal(t, [2]string{`"a`, `"b"`}, [2]string{records[0].Get("a"), records[0].Get("b")})
	for _, cells := range []string{`"a,b`, `a,"b`, `"a"x,b`, `"a" x,b`, `"a"";b`, `"`, `"""`, `"a";"b"`} {
		_, faults := read(t, "time,a,b\n2000000000,"+cells, logs.Auto)
		require.Equal(t, 1, faults.Lost, cells)
		require.Contains(t, faults.Summary()[0], "a quote is not closed")
	}
}

// A line with fewer or more cells than the header has those that are in both, and is told.
func TestRaggedLines(t *testing.T) {
	for i, of := range []string{"auto", "csv:plan=a", "csv:plan=b"} {
		format, err := logs.ParseFormat(of)
		require.NoError(t, err)
		records, faults := read(t, "time,a,b\n2000000000,1\n2000000000,1,2,3\n2000000000,1,2\ntime,a,b\n2000000000", format)
		require.Equal(t, []int{4, 3, 0}, []int{len(records), faults.Lines, faults.Lost})
		for j, want := range [][2]string{{"1", ""}, {"1", "2"}, {"1", "2"}, {"", ""}} {
			require.Equal(t, want, [2]string{records[j].Get("a"), records[j].Get("b")})
			require.Equal(t, append([]string{""}, want[:]...)[i], records[j].Get("plan"))
		}
		require.Equal(t, "3 × the number of columns is not the header's; the first is line 2: the number of columns is not the header's: \"2\", want 3", faults.Summary()[0])
	}
}

// A count is a whole number from 0 to 10^12, or to the greatest int if that is less. A line whose
// count is none stands for no request.
func TestCounts(t *testing.T) {
	const most = min(1e12, math.MaxInt)
	for _, row := range []struct {
		text string
		want int
	}{{"0", 0}, {"1", 1}, {"1e3", 1000}, {"5.0", 5}, {strconv.Itoa(most), most}, {" 7 ", 7}} {
		records, faults := read(t, "time,count\n2000000000,"+row.text, logs.Auto)
		require.Empty(t, faults.Summary(), row.text)
		require.Equal(t, row.want, records[0].Count, row.text)
	}
	for _, text := range []string{"", "-1", "0.5", "1000000000001", "NaN", "Inf", "x"} {
		records, faults := read(t, "time,count\n2000000000,"+text, logs.Auto)
		require.Empty(t, records, text)
		require.Equal(t, []int{1, 1}, []int{faults.Lines, faults.Lost}, text)
		require.Contains(t, faults.Summary()[0], "line 2: the count cannot be read")
	}
	_, faults := read(t, "time,count\n2000000000", logs.Auto)
	require.Equal(t, 1, faults.Lost)
}

// Names of columns are found whatever their case, the best first, and what the format names is
// taken before.
func TestRoles(t *testing.T) {
	for _, row := range []struct{ format, log, host, user, method, target string }{
		{"", "time,host,ip,clientip\n2000000000,a,b,c", "c", "", "", ""},
		{"csv:host=host", "time,host,ip\n2000000000,a,b", "a", "", "", ""},
		{"csv:host=none", "time,host,ip\n2000000000,a,b", "", "", "", ""},
		{"", "User,TIME,UID\nbob,2000000000,1", "", "bob", "", ""},
		{"", "time,request\n2000000000,GET /a HTTP/1.1", "", "", "GET", "/a"},
		{"", "time,request,method\n2000000000,GET /a HTTP/1.1,PUT", "", "", "PUT", "/a"},
		{"", "time,request,path\n2000000000,GET /a HTTP/1.1,/b", "", "", "GET", "/b"},
		{"", "time,request\n2000000000,GET /a", "", "", "", ""},
		{"", "time,request\n2000000000,GET /a b HTTP/1.1", "", "", "", ""},
		{"", "host,time\n192.0.2.1:80,2000000000", "192.0.2.1", "", "", ""},
		{"", "host,time\n[::1]:80,2000000000", "::1", "", "", ""},
		{"", "time,StartUTC\n1000000000,2000000000", "", "", "", ""},
		{"", "startutc,time\n2000000000,1000000000", "", "", "", ""},
		{"", "host,time\n\" 192.0.2.1 , 10.0.0.1\",2000000000", "192.0.2.1", "", "", ""},
	} {
		f, err := logs.ParseFormat(row.format)
		require.NoError(t, err)
		records, faults := read(t, row.log, f)
		require.Empty(t, faults.Summary(), row.log)
		r := records[0]
		require.Equal(t, int64(2000000000), r.At.Unix(), row.log)
		require.Equal(t, []string{row.host, row.user, row.method, row.target}, []string{r.Host, r.User, r.Method, r.Target}, row.log)
	}
	for _, host := range []string{"a b", "a\u00a0b", "\"192.0.2.1,x\"", "\"x,192.0.2.1\"", "a\x7f", "a\x01b", "\"192.0.2.1,\""} {
		records, faults := read(t, "host,user,time\n"+host+",bob,2000000000", logs.Auto)
		require.Equal(t, []int{1, 0}, []int{faults.Lines, faults.Lost}, "%q", host)
		require.Equal(t, []string{"", "bob"}, []string{records[0].Host, records[0].User}, "%q", host)
	}
}

// A cell that is - is none: another column is the key then.
func TestAbsentCells(t *testing.T) {
	all, faults := requests(t, &logs.Mapping{Key: []string{"user", "host"}}, "time,user,host,plan\n2000000000,-,192.0.2.1,-\n2000000001,bob,192.0.2.1,-", logs.Auto)
	require.Empty(t, faults.Summary())
	require.Equal(t, []string{"192.0.2.1", "bob"}, []string{all[0].Key, all[1].Key})
	records, _ := read(t, "time,user,plan\n2000000000,-,-", logs.Auto)
	require.Empty(t, records[0].Get("user")+records[0].Get("plan"))
	require.True(t, records[0].Has("plan"))
}

// A column that the format names is taken, also if the log has another one of that name.
func TestNamedColumns(t *testing.T) {
	f, err := logs.ParseFormat("auto:host=client,user=plan,plan=user")
	require.NoError(t, err)
	for _, log := range []string{
		"time,host,client,user,plan\n2000000000,example.com,192.0.2.1,bob,free",
		`{"time":2000000000,"host":"example.com","client":"192.0.2.1","user":"bob","plan":"free"}`,
	} {
		records, faults := read(t, log, f)
		require.Empty(t, faults.Summary())
		r := records[0]
		require.Equal(t, []string{"192.0.2.1", "192.0.2.1", "free", "bob"}, []string{r.Host, r.Get("host"), r.Get("user"), r.Get("plan")}, log)
	}
}
