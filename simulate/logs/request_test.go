package logs_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-3506548a/ratelimit/policy"
	"github.com/seed-3506548a/ratelimit/simulate"
	"github.com/seed-3506548a/ratelimit/simulate/logs"
)

func requests(t *testing.T, m *logs.Mapping, log string, f logs.Format) (all []simulate.Request, faults logs.Faults) {
	records, _ := read(t, log, f)
	for _, r := range records {
		q, err := m.Request(&r)
		faults.Add(&r, err)
		all = append(all, q)
	}
	return all, faults
}

// What a policy asks for is the column of its name, and what there is not is the key.
func TestMapping(t *testing.T) {
	m := logs.Mapping{Key: []string{"user", "host"}, Attributes: []string{"client", "ip", "route", "user"}}
	all, _ := requests(t, &m, line+`192.0.2.2 - bob [02/Mar/2026:08:00:01 +0000] "POST /a?b HTTP/1.1" 201 5`, logs.Auto)
	require.Equal(t, "192.0.2.1", all[0].Key)
	require.Equal(t, []policy.Attr{{Name: "client", Value: "192.0.2.1"}, {Name: "ip", Value: "192.0.2.1"}, {Name: "route", Value: "GET /"}, {Name: "user"}}, all[0].Attrs)
	require.Equal(t, []policy.Attr{{Name: "client", Value: "bob"}, {Name: "ip", Value: "192.0.2.2"}, {Name: "route", Value: "POST /a"}, {Name: "user", Value: "bob"}}, all[1].Attrs)
	require.Equal(t, []any{"POST", "/a", 201}, []any{all[1].Method, all[1].Path, all[1].Status})
	require.Len(t, m.Notes(), 2)

	m = logs.Mapping{Key: []string{"host"}, Attributes: []string{"user"}, AsUser: true}
	all, _ = requests(t, &m, line, logs.Auto)
	require.Equal(t, "192.0.2.1", all[0].Attrs[0].Value)
	require.Empty(t, m.Notes())

	f, err := logs.ParseFormat("csv:cost=Tokens")
	require.NoError(t, err)
	m = logs.Mapping{Key: []string{"user"}, Attributes: []string{"user"}, Amounts: []string{"Tokens"}}
	all, faults := requests(t, &m, "TIMESTAMP,Tokens\n2026-03-02 08:00:01,12\n2026-03-02 08:00:02,x\n2026-03-02 08:00:03,-1", f)
	require.Equal(t, logs.Everybody, all[0].Key)
	require.Equal(t, 12, all[0].Cost)
	require.Equal(t, []policy.Amount{{Name: "Tokens", N: 12}}, all[0].Amounts)
	require.Equal(t, "/", all[0].Path)
	require.Equal(t, []any{3, 2, 0}, []any{len(all), faults.Lines, faults.Lost})
	require.Len(t, m.Notes(), 3)
}

// Counts are spread over their intervals, in order, and none is lost.
func TestSpread(t *testing.T) {
	log := "time,user,count\n2026-03-02 08:00:00,a,1000\n2026-03-02 08:00:00,b,500\n2026-03-02 08:01:00,a,0\n2026-03-02 08:02:00,b,1\n2026-03-02 08:03:00,b,no\n"
	start := time.Date(2026, 3, 2, 8, 0, 0, 0, time.UTC)
	for _, format := range []string{"", "counts:every=1m"} {
		f, err := logs.ParseFormat(format)
		require.NoError(t, err)
		records, faults := read(t, log, f)
		require.Equal(t, 1, faults.Lost)
		spread := slices.Collect(logs.Spread(slices.Values(records), f.Every, 1))
		require.Len(t, spread, 1501)
		of, early := map[string]int{}, 0
		for i, r := range spread {
			require.True(t, i == 0 || !r.At.Before(spread[i-1].At))
			require.Equal(t, 1, r.Count)
			of[r.User]++
			if r.At.Sub(start) < 30*time.Second {
				early++
			}
		}
		require.Equal(t, map[string]int{"a": 1000, "b": 501}, of)
		require.InDelta(t, 750, early, 100, "half of them in half of the minute")
		require.WithinRange(t, spread[1499].At, start.Add(55*time.Second), start.Add(time.Minute-1))
		require.WithinRange(t, spread[1500].At, start.Add(2*time.Minute), start.Add(3*time.Minute-1))
		require.Equal(t, spread, slices.Collect(logs.Spread(slices.Values(records), f.Every, 1)))
		require.NotEqual(t, spread, slices.Collect(logs.Spread(slices.Values(records), f.Every, 2)))
	}
	plain, _ := read(t, line+line, logs.Auto)
	require.Equal(t, plain, slices.Collect(logs.Spread(slices.Values(plain), 0, 1)))
}

// What a log has is decided by all of it, and not by its first record.
func TestColumnsOfLaterRecords(t *testing.T) {
	const bob, eve = `{"time":2000000001,"user":"bob","plan":"a"}`, `{"time":2000000002,"user":"eve","plan":"b","method":"PUT","path":"/x"}`
	keys := func(all []simulate.Request) (keys []string) {
		for _, q := range all {
			keys = append(keys, q.Key+" "+q.Attrs[0].Value+" "+q.Method)
		}
		return keys
	}
	m := logs.Mapping{Key: []string{"user"}, Attributes: []string{"plan"}}
	all, _ := requests(t, &m, `{"time":2000000000,"user":null,"plan":null,"method":null}`+"\n"+bob+"\n"+eve+"\n"+`{"time":2000000003}`, logs.Auto)
	require.Equal(t, []string{"  GET", "bob a GET", "eve b PUT", "  "}, keys(all))
	require.Equal(t, []string{"The first 2 requests do not have methods and paths: these requests are GET /."}, m.Notes())

	m = logs.Mapping{Key: []string{"user"}, Attributes: []string{"plan"}}
	all, _ = requests(t, &m, `{"time":2000000000}`+"\n"+bob+"\n"+eve+"\n"+`{"time":2000000003}`, logs.Auto)
	require.Equal(t, []string{"all all GET", "bob a GET", "eve b PUT", "  "}, keys(all))
	require.Equal(t, []string{"The first 1 requests do not have a column user: these requests are of one key. Name a column with -key.",
		"The policy counts by plan. The first 1 requests do not have it: the key stands for it.",
		"The first 2 requests do not have methods and paths: these requests are GET /."}, m.Notes())

	m = logs.Mapping{Key: []string{"user"}}
	require.Empty(t, m.Notes())
	all, _ = requests(t, &m, `{"time":2000000000,"remote_addr":null,"ip":"192.0.2.1","cost":null}`, logs.Auto)
	require.Equal(t, []any{logs.Everybody, 0}, []any{all[0].Key, all[0].Cost})
	require.Equal(t, "The trace does not have a column user: these requests are of one key. Name a column with -key.", m.Notes()[0])
}

// A column of users is there by whatever name, also where it is empty: those are requests without a
// user, and the key does not stand for one.
func TestColumnOfUsersThatIsEmpty(t *testing.T) {
	for _, log := range []string{
		"time,user,ip\n2000000000,,192.0.2.1",
		"time,user_id,ip\n2000000000,,192.0.2.1",
		`{"time":2000000000,"user_id":"","ip":"192.0.2.1"}`,
		`{"time":2000000000,"user_id":null,"ip":"192.0.2.1"}`,
		`192.0.2.1 - - [18/May/2033:03:33:20 +0000] "GET / HTTP/1.1" 200 1`,
	} {
		m := logs.Mapping{Key: []string{"user", "ip"}, Attributes: []string{"user"}}
		all, faults := requests(t, &m, log, logs.Auto)
		require.Empty(t, faults.Summary(), log)
		require.Equal(t, []string{"192.0.2.1", ""}, []string{all[0].Key, all[0].Attrs[0].Value}, log)
		for _, note := range m.Notes() {
			require.NotContains(t, note, "user", log)
		}
	}
}

// A number that is none is a fault, and the request counts as one without it.
func TestNumbers(t *testing.T) {
	csv := logs.Format{Kind: "csv"}
	m := logs.Mapping{Amounts: []string{"n"}}
	for _, bad := range []string{"NaN", "-1", "Inf", "2147483648", "x", "-NaN"} {
		all, faults := requests(t, &m, "time,cost,n\n2000000000,"+bad+","+bad+"\n2000000001,3,"+bad, csv)
		require.Equal(t, []int{2, 0}, []int{faults.Lines, faults.Lost}, bad)
		require.Equal(t, []int{0, 0, 3, 0}, []int{all[0].Cost, all[0].Amounts[0].N, all[1].Cost, all[1].Amounts[0].N}, bad)
	}
	all, faults := requests(t, &m, "time,cost,n\n2000000000,2147483647,\n2000000001,0.5,0", csv)
	require.Empty(t, faults.Summary())
	require.Equal(t, []int{2147483647, 0, 1, 0}, []int{all[0].Cost, all[0].Amounts[0].N, all[1].Cost, all[1].Amounts[0].N})
}

// Notes name the key if there is one, and only what is put in place of an attribute.
func TestNotes(t *testing.T) {
	const times = "time,path\n2000000000,/x"
	const keys = "The trace does not have a column user: these requests are of one key. Name a column with -key."
	for _, row := range []struct {
		m     logs.Mapping
		notes []string
	}{
		{logs.Mapping{}, nil},
		{logs.Mapping{Key: []string{"user"}}, []string{keys}},
		{logs.Mapping{Attributes: []string{"plan"}}, []string{`The policy counts by plan. The trace does not have it: "all" stands for it.`}},
		{logs.Mapping{Key: []string{"user"}, Attributes: []string{"plan"}}, []string{keys, `The policy counts by plan. The trace does not have it: "all" stands for it.`}},
		{logs.Mapping{Key: []string{"path"}, Attributes: []string{"plan"}}, []string{"The policy counts by plan. The trace does not have it: the key stands for it."}},
		{logs.Mapping{Key: []string{"path"}, AsUser: true, Attributes: []string{"plan", "route"}},
			[]string{"The policy counts by route. The trace does not have it: method and path stand for it, so that each path is a route of its own."}},
	} {
		all, faults := requests(t, &row.m, times, logs.Auto)
		require.Empty(t, faults.Summary())
		require.Equal(t, []string{"", "/x"}, []string{all[0].Method, all[0].Path}, "a log with paths only has paths")
		require.Equal(t, row.notes, row.m.Notes())
		require.Equal(t, len(row.m.Attributes) == 0, all[0].Attrs == nil)
	}
	m := logs.Mapping{Method: "PUT"}
	all, _ := requests(t, &m, "time,method\n2000000000,POST", logs.Auto)
	require.Equal(t, []string{"POST", ""}, []string{all[0].Method, all[0].Path})
}

// A cost is of the column that is named, else of a column cost, and else there is none.
func TestCosts(t *testing.T) {
	for _, row := range []struct {
		cost, log string
		want      int
	}{
		{"", "time,cost\n2000000000,3", 3},
		{"", `{"request":{"uri":"/"},"time":2000000000,"cost":4}`, 4},
		{"n", "time,n,cost\n2000000000,5,3", 5},
		{"n", "time,n\n2000000000,1e3", 1000},
		{"", "time,n\n2000000000,5", 0},
		{"size", line, 5},
		{"", line, 0},
	} {
		m := logs.Mapping{Cost: row.cost}
		all, faults := requests(t, &m, row.log, logs.Auto)
		require.Empty(t, faults.Summary(), row.log)
		require.Equal(t, row.want, all[0].Cost, row.log)
	}
	m := logs.Mapping{}
	q, err := m.Request(&logs.Record{})
	require.NoError(t, err)
	require.Zero(t, q.Cost)
}

// Many requests have attributes of their own, however many, which do not change when others are
// read.
func TestAttributesOfMany(t *testing.T) {
	m := logs.Mapping{Key: []string{"host"}, Attributes: []string{"user", "status"}}
	all, _ := requests(t, &m, strings.Repeat(line, 600)+strings.Replace(line, "- -", "- bob", 1), logs.Auto)
	for i, q := range all {
		user := ""
		if i == 600 {
			user = "bob"
		}
		require.Equal(t, []policy.Attr{{Name: "user", Value: user}, {Name: "status", Value: "200"}}, q.Attrs)
		require.Equal(t, 2, cap(q.Attrs))
	}
	m = logs.Mapping{Key: []string{"host"}, Attributes: slices.Repeat([]string{"user", "status"}, 20)}
	all, _ = requests(t, &m, strings.Repeat(line, 3), logs.Auto)
	require.Len(t, all[2].Attrs, 40)
}

// The interval of counts is the distance of the first two times, whatever the later are, and a
// second if there is one time only. Times that go back do not make one.
func TestIntervals(t *testing.T) {
	for _, row := range []struct {
		seconds []int64
		every   time.Duration // that is given
		want    time.Duration
	}{
		{[]int64{0}, 0, time.Second},
		{[]int64{0, 0, 0}, 0, time.Second},
		{[]int64{0, 60, 3660}, 0, time.Minute},
		{[]int64{0, 60, 60, 120}, 0, time.Minute},
		{[]int64{0, 3600, 3660}, 0, time.Hour},
		{[]int64{3600, 0}, 0, time.Hour},
		{[]int64{0, 60}, time.Hour, time.Hour},
		{[]int64{0, 60}, 1, 1},
		{[]int64{0}, 1, 1},
	} {
		var records []logs.Record
		latest := map[int64]time.Duration{}
		for _, second := range row.seconds {
			records = append(records, logs.Record{At: time.Unix(second, 0), Count: 2000})
		}
		n := 0
		var last time.Time
		for r := range logs.Spread(slices.Values(records), row.every, 1) {
			require.True(t, !r.At.Before(last) || row.want != time.Minute, "in order where intervals do not overlap: %v", row)
			last = r.At
			start := row.seconds[min(n/2000, len(row.seconds)-1)]
			latest[start] = max(latest[start], r.At.Sub(time.Unix(start, 0)))
			n++
		}
		require.Equal(t, 2000*len(row.seconds), n, row)
		for _, second := range row.seconds {
			require.Less(t, latest[second], row.want, row)
			require.GreaterOrEqual(t, latest[second], row.want*9/10, row)
		}
	}
	// A distance of 1 ns is one, too.
	records := []logs.Record{{At: time.Unix(0, 0), Count: 50}, {At: time.Unix(0, 1), Count: 50}, {At: time.Unix(0, 9), Count: 50}}
	for i, r := range slices.Collect(logs.Spread(slices.Values(records), 0, 1)) {
		require.Equal(t, records[i/50].At, r.At)
	}
}

// Records that are not counts stay where they are, and spreading ends when it is told to.
func TestSpreadEnds(t *testing.T) {
	records := []logs.Record{{At: time.Unix(1, 0), Count: 3}, {At: time.Unix(2, 0), Count: 3}, {At: time.Unix(3, 0), Count: 1}, {At: time.Unix(4, 0), Count: 2}}
	for stop := 1; stop <= 9; stop++ {
		n, read := 0, 0
		source := func(yield func(logs.Record) bool) {
			for _, r := range records {
				if read++; !yield(r) {
					return
				}
			}
		}
		for range logs.Spread(source, 0, 1) {
			if n++; n == stop {
				break
			}
		}
		require.Equal(t, stop, n)
	}
	read, _ := read(t, "time,count\n2000000000,1\n2000000060,1\n", logs.Auto)
	for i, r := range slices.Collect(logs.Spread(slices.Values(read), 0, 1)) {
		require.True(t, r.At.After(read[i].At), "one request of a minute is not at its beginning")
	}
}

// Columns that are null may be others in each line.
func TestColumnsThatAreNull(t *testing.T) {
	records, _ := read(t, `{"time":2000000000,"ip":"192.0.2.1","user_id":null}
{"time":2000000001,"ip":"192.0.2.1","plan":null}
{"time":2000000002,"ip":"192.0.2.1"}
{"time":2000000003,"ip":"192.0.2.1","user_id":null}`, logs.Auto)
	var users []bool
	for i := range records {
		users = append(users, records[i].Has("user"))
	}
	require.Equal(t, []bool{true, false, false, true}, users)
}
