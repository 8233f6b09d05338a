package httplimit_test

import (
	"bufio"
	"fmt"
	"math"
	"net/http"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-3506548a/ratelimit/httplimit"
)

// receivedAt is when the header sets without a Date are received.
var receivedAt = time.Date(2026, 3, 2, 8, 0, 0, 0, time.UTC)

// headerSet is a paragraph of testdata/headers.txt.
type headerSet struct {
	name   string
	header http.Header
	want   []string
}

func headerSets(t testing.TB) (sets []headerSet) {
	t.Helper()
	file, err := os.Open("testdata/headers.txt")
	require.NoError(t, err)
	defer func() { require.NoError(t, file.Close()) }()
	for lines := bufio.NewScanner(file); lines.Scan(); {
		line := lines.Text()
		switch {
		case strings.HasPrefix(line, "# "):
			sets = append(sets, headerSet{name: line[2:], header: http.Header{}})
		case len(sets) == 0 || line == "":
		case strings.HasPrefix(line, "> "):
			last := &sets[len(sets)-1]
			last.want = append(last.want, line[2:])
		default:
			name, value, ok := strings.Cut(line, ": ")
			require.True(t, ok, line)
			sets[len(sets)-1].header.Add(name, value)
		}
	}
	return sets
}

// describe writes a Reading as testdata/headers.txt does.
func describe(r httplimit.Reading) string {
	number := func(n int64) string {
		if n == -1 {
			return "-"
		}
		return strconv.FormatInt(n, 10)
	}
	words := []string{r.Name, number(r.Limit) + "/" + number(r.Remaining)}
	if r.Partition != "" {
		words[0] += "@" + r.Partition
	}
	for _, one := range []struct {
		format string
		d      time.Duration
	}{{"w=%v", r.Window}, {"reset=%v", r.Reset}, {"retry=%v", r.RetryAfter}} {
		if one.d != 0 {
			words = append(words, fmt.Sprintf(one.format, one.d))
		}
	}
	if r.Global {
		words = append(words, "global")
	}
	return strings.TrimSpace(strings.Join(words, " "))
}

func TestReadRealHeaders(t *testing.T) {
	sets := headerSets(t)
	require.GreaterOrEqual(t, len(sets), 60)
	for _, set := range sets {
		t.Run(set.name, func(t *testing.T) {
			var got []string
			for _, r := range httplimit.Read(set.header, receivedAt) {
				got = append(got, describe(r))
			}
			require.Equal(t, set.want, got)
		})
	}
}

func TestReadUnits(t *testing.T) {
	const day = 24 * time.Hour
	for _, one := range []struct {
		value string
		want  time.Duration
	}{
		{"0", 0}, {"1", time.Second}, {"0.0001", time.Millisecond}, {"1.5", 1500 * time.Millisecond}, {"1.0000", time.Second},
		{"1.234", 1234 * time.Millisecond}, {"1.2340", 1234 * time.Millisecond}, {"1.2345", 1235 * time.Millisecond}, {"1.23400001", 1235 * time.Millisecond},
		{"0.5h", 30 * time.Minute}, {"0s", 0}, {"9s", 9 * time.Second}, {"1000001ns", 2 * time.Millisecond}, {"8759h59m59.999s", 365*day - time.Millisecond},
		{"8759h59m59.9991s", 0}, {"8760h", 0},
		{"6m0s", 6 * time.Minute}, {"1h30m", 90 * time.Minute}, {"20ms", 20 * time.Millisecond}, {"1ns", time.Millisecond},
		{"1772438460", time.Minute}, {"1772438460.25", time.Minute + 250*time.Millisecond}, {"1772438460000", time.Minute},
		{"1772438399", 0}, {"999999999", 0}, {"1000000000", 0}, {"31535999", 365*day - time.Second}, {"31536000", 0},
		{"2026-03-02T08:01:00Z", time.Minute}, {"2026-03-02t08:01:00z", time.Minute}, {"2026-03-02T09:01:00.5+01:00", time.Minute + time.Second/2},
		{"2026-03-02T08:01Z", time.Minute}, {"Mon, 02 Mar 2026 08:01:00 GMT", time.Minute}, {"Mon, 2 Mar 2026 08:01:00 GMT", time.Minute},
		{"Monday, 02-Mar-26 08:01:00 GMT", time.Minute}, {"Mon Mar  2 08:01:00 2026", time.Minute}, {"Mon, 02 Mar 2026 08:01:00 UTC", time.Minute},
		{"Mon, 02 Mar 2026 10:01:00 +0200", time.Minute}, {"2126-03-02T08:01:00Z", 0}, {"Mon, 02 Mar 2026 08:01:00 CET", 0},
		{"", 0}, {" ", 0}, {"-1", 0}, {"+1", 0}, {"1e3", 0}, {"0x10", 0}, {"NaN", 0}, {"Inf", 0}, {"1_000", 0}, {"1.2.3", 0}, {".5", 0}, {"5.", 0},
		{"-6m", 0}, {"+6m", 0}, {"soon", 0}, {"9999999999999999", 0}, {"999999999999999", 0}, {"2562047h48m", 0}, {"٣", 0}, {"1,5", 0},
		{"10, 20", 20 * time.Second}, {"20, 10", 20 * time.Second}, {"Mon, 02 Mar 2026 08:01:00 GMT, 5", 0}, {"10, soon", 0}, {"10, ", 0}, {", ", 0},
	} {
		readings := httplimit.Read(http.Header{"Retry-After": {one.value}}, receivedAt)
		if one.want == 0 {
			require.Empty(t, readings, "%q", one.value)
			continue
		}
		require.Len(t, readings, 1, "%q", one.value)
		require.Equal(t, one.want, readings[0].RetryAfter, "%q", one.value)
	}
}

// A number is one of seconds, of Unix seconds from 10^9 on, and of Unix milliseconds from 10^11 on.
func TestReadUnixTimes(t *testing.T) {
	for _, c := range []struct {
		date, value string
		want        time.Duration // 0: it is not believed
	}{
		{"Sun, 09 Sep 2001 01:46:00 GMT", "1000000000", 40 * time.Second},
		{"Sun, 09 Sep 2001 01:46:00 GMT", "999999999.999", 0},
		{"Sat, 03 Mar 1973 09:46:00 GMT", "100000000000", 40 * time.Second},
		{"Sat, 03 Mar 1973 09:46:00 GMT", "99999999999.999", 0},
		{"Mon, 02 Mar 2026 08:00:00 GMT", "1772438400000.1", time.Millisecond},
		{"Mon, 02 Mar 2026 08:00:00 GMT", "1772438400001.001", 2 * time.Millisecond},
		{"Mon, 02 Mar 2026 08:00:00 GMT", "1772438400.0001", time.Millisecond},
	} {
		require.Equal(t, c.want, longestWait(http.Header{"Date": {c.date}, "Retry-After": {c.value}}), "%+v", c)
	}
}

// longestWait returns the Retry-After that Read returns, or 0.
func longestWait(h http.Header) (wait time.Duration) {
	for _, r := range httplimit.Read(h, receivedAt) {
		wait = max(wait, r.RetryAfter)
	}
	return wait
}

// The fields in milliseconds are so whatever the number is, and parts of one are rounded up. Of
// several waits the longest counts.
func TestReadMilliseconds(t *testing.T) {
	for _, name := range []string{"Retry-After-Ms", "X-Ms-Retry-After-Ms"} {
		for value, want := range map[string]time.Duration{
			"0": 0, "0.001": time.Millisecond, "1": time.Millisecond, "1.001": 2 * time.Millisecond, "1.0001": 2 * time.Millisecond, "1500": 1500 * time.Millisecond,
			"1000000000": 1_000_000 * time.Second, "31535999999": 365*24*time.Hour - time.Millisecond, "31536000000": 0, "5s": 0, "": 0,
		} {
			require.Equal(t, want, longestWait(http.Header{name: {value}}), "%s: %s", name, value)
			require.Equal(t, max(want, 7*time.Millisecond), longestWait(http.Header{name: {value}, "Retry-After": {"0.007"}, "X-Ratelimit-Retry-After": {"0.003"}}), "%s: %s", name, value)
		}
	}
}

// What lies in a cache has become so much older, however long ago that is, and says nothing else.
func TestReadAge(t *testing.T) {
	for age, want := range map[string]time.Duration{
		"": time.Minute, "0": time.Minute, "0.5": 59500 * time.Millisecond, "59": time.Second, "60": 0, "999999999999999": 0, "-5": time.Minute, "soon": time.Minute,
	} {
		h := http.Header{
			"Age": {age}, "Date": {"Mon, 02 Mar 2026 08:00:00 GMT"}, "Retry-After": {"Mon, 02 Mar 2026 08:01:00 GMT"},
			"X-Ratelimit-Remaining": {"5"},
		}
		require.Equal(t, want, longestWait(h), age)
		told := 0
		for _, r := range httplimit.Read(h, receivedAt) {
			if r.Remaining == 5 {
				told++
			}
		}
		require.Equal(t, want == time.Minute, told == 1, age)
	}
}

func TestReadAnySpelling(t *testing.T) {
	h := http.Header{"RETRY-AFTER": {"3"}, "retry-after": {"5"}, "x-ratelimit-LIMIT": {"10"}, "X-RATE-LIMIT-remaining": {"4"}}
	require.Equal(t, []httplimit.Reading{
		{Limit: 10, Remaining: 4},
		{Limit: -1, Remaining: -1, RetryAfter: 5 * time.Second},
	}, httplimit.Read(h, receivedAt))
}

func TestReadSeveralPolicies(t *testing.T) {
	var policies, standings []string
	for i := range 1000 {
		policies = append(policies, fmt.Sprintf(`"p%d";q=%d;w=60`, i, i))
		standings = append(standings, fmt.Sprintf(`"p%d";r=%d;t=9`, i, i))
	}
	h := http.Header{"Ratelimit-Policy": policies, "Ratelimit": standings, "Retry-After": {"7"}}
	all := httplimit.Read(h, receivedAt)
	require.LessOrEqual(t, len(all), 64)
	require.Equal(t, httplimit.Reading{Name: "p0", Limit: 0, Remaining: 0, Window: time.Minute, Reset: 9 * time.Second}, all[0])
	require.Equal(t, 7*time.Second, all[len(all)-1].RetryAfter)
}

func FuzzRead(f *testing.F) {
	for _, set := range headerSets(f) {
		var lines []string
		for name, values := range set.header {
			for _, v := range values {
				lines = append(lines, name+": "+v)
			}
		}
		f.Add(strings.Join(lines, "\n"))
	}
	f.Add("RAtelimit: limit,reset=0,0000000000000000000")
	f.Fuzz(func(t *testing.T, text string) {
		h := http.Header{}
		for line := range strings.SplitSeq(text, "\n") {
			name, value, _ := strings.Cut(line, ": ")
			h[name] = append(h[name], value)
		}
		readings := httplimit.Read(h, receivedAt)
		require.LessOrEqual(t, len(readings), 64)
		for _, r := range readings {
			for _, d := range []time.Duration{r.Window, r.Reset, r.RetryAfter} {
				require.GreaterOrEqual(t, d, time.Duration(0))
				require.Less(t, d, 365*24*time.Hour)
				require.Zero(t, d%time.Millisecond)
			}
			require.GreaterOrEqual(t, r.Limit, int64(-1))
			require.GreaterOrEqual(t, r.Remaining, int64(-1))
			require.LessOrEqual(t, r.Limit, int64(math.MaxInt64/1000))
			require.NotEqual(t, httplimit.Reading{Name: r.Name, Partition: r.Partition, Limit: -1, Remaining: -1, Window: r.Window, Global: r.Global}, r)
		}
		require.Equal(t, readings, httplimit.Read(h, receivedAt))
	})
}
