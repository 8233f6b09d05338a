package main

import (
	"fmt"
	"math/rand/v2"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-3506548a/ratelimit/policy"
)

// crowd is a trace of 200 keys, of so many seconds. 100 keys make a request, 80 two, 18 three, and
// the last two seven and nine, a second apart. One more line cannot be read.
func crowd(seconds int) string {
	var b strings.Builder
	line := func(second int, key string) { _, _ = fmt.Fprintf(&b, "%d,%s,GET,/\n", 1_800_000_000+second, key) }
	b.WriteString("time,user,method,path\n")
	for key := range 200 {
		n := 1
		switch {
		case key == 199:
			n = 9
		case key == 198:
			n = 7
		case key >= 180:
			n = 3
		case key >= 100:
			n = 2
		}
		for i := range n {
			line(i, fmt.Sprintf("k%d", key))
		}
	}
	b.WriteString("oops,k1,GET,/\n")
	line(seconds, "last")
	return b.String()
}

// suggest prints what is doubtful, then limits for each span that the trace is as long as, and
// bursts at some rates: how many keys they refuse something to, and which.
func TestSuggestInFull(t *testing.T) {
	const want = `warning: Times are whole seconds: requests of one second seem to come at once, so that what keys ask for in a few seconds, and in bursts, seems to be more or less than it was. Spread them over their seconds (-subsecond uniform), and compare.
warning: 1 × the time cannot be read; the first is line 332: the time cannot be read: "oops", want a time as 02/Jan/2006:15:04:05 -0700, RFC 3339, or seconds since 1970
331 requests of 201 keys. These limits refuse something to at most 2 of them (1 %):

  the least in any span    keys refused  50 %, 90 %, 99 %, all keys ask for at most  which
  log 1/s                             0  1, 1, 1, 1
  log 3/10s                           2  1, 2, 3, 9                                  k199, k198
  log 3/min                           2  1, 2, 3, 9                                  k199, k198
  log 3/5m                            2  1, 2, 3, 9                                  k199, k198
  log 3/hour                          2  1, 2, 3, 9                                  k199, k198
  log 3/day                           2  1, 2, 3, 9                                  k199, k198

  the least burst          keys refused  which
  gcra 5/hour burst 3                 2  k199, k198
  gcra 10/hour burst 3                2  k199, k198
  gcra 20/hour burst 3                2  k199, k198
  gcra 1/min burst 3                  2  k199, k198
`
	status, out, errs := ratesim(t, crowd(24*3600-1), "suggest", "-trace", "-")
	require.Zero(t, status, errs)
	require.Equal(t, want, out)
}

// A span is left out if the trace is shorter, by more than the second that its times may be cut to.
func TestSuggestedSpans(t *testing.T) {
	for seconds, want := range map[int]int{10: 2, 58: 2, 59: 3, 298: 3, 299: 4, 3598: 4, 3599: 5, 24*3600 - 2: 5, 24*3600 - 1: 6, 48 * 3600: 6} {
		status, out, errs := ratesim(t, crowd(seconds), "suggest", "-trace", "-")
		require.Zero(t, status, errs)
		require.Equal(t, want, strings.Count(out, "\n  log "), seconds)
	}
}

// A log does not take as many events as a counter.
func TestSuggestOfManyEvents(t *testing.T) {
	const note = "  A log does not take so many events. A counter does, and may refuse a little more than a log would.\n"
	for count, want := range map[int]string{262143: "  log 262143/s ", 262144: "  counter 262144/s "} {
		status, out, errs := ratesim(t, fmt.Sprintf("time,count\n1800000000,%d\n", count), "suggest", "-trace", "-", "-format", "counts:every=1s")
		require.Zero(t, status, errs)
		require.Contains(t, out, want)
		require.Equal(t, count > 262143, strings.Contains(out, note))
		line := regexp.MustCompile(`(log|counter) \d+/s`).FindString(out)
		_, err := policy.ParseLimit(line)
		require.NoError(t, err, "which ratesim takes")
	}
}

// suggest warns of times that are doubtful, but not of those that it has made itself.
func TestSuggestWarns(t *testing.T) {
	const (
		whole  = "warning: Times are whole seconds: "
		minute = "warning: All 4 times are within the minute of 2027-01-15 08:00. Perhaps the column has the minutes and seconds only, or is not when requests came.\n"
	)
	log := "time,user,path\n1800000000,ann,/\n1800000001,ann,/\n1800000009,ann,/\n1800000009,bob,/\n"
	for name, row := range map[string]struct {
		in, args      string
		whole, minute bool
	}{
		"a log":             {log, "-trace -", true, true},
		"spread":            {log, "-trace - -subsecond uniform", false, false},
		"parts of a second": {strings.ReplaceAll(log, "01,", "01.5,"), "-trace -", false, true},
		"more than that":    {strings.ReplaceAll(log, "09,", "99,"), "-trace -", true, false},
		"generated":         {"", "-gen constant -rate 1/s -duration 4s", false, false},
	} {
		status, out, errs := ratesim(t, row.in, append([]string{"suggest"}, strings.Fields(row.args)...)...)
		require.Zero(t, status, errs)
		require.Equal(t, row.whole, strings.Contains(out, whole), name)
		require.Equal(t, row.minute, strings.Contains(out, minute), name)
		if !row.whole && !row.minute {
			require.NotContains(t, out, "warning: ", name)
		}
	}
}

// The least limits are the same in whatever order requests come.
func TestSuggest(t *testing.T) {
	status, out, errs := ratesim(t, accessLog(3000), "suggest", "-trace", "-", "-key", "host", "-share", "20%")
	require.Zero(t, status, errs)
	require.Contains(t, out, "3000 requests of 9 keys. These limits refuse something to at most 1 of them (20 %)")
	require.Contains(t, out, "warning: Times are whole seconds")
	require.NotContains(t, out, "the limit of", "nobody gave one")
	require.Regexp(t, `(?m)log \d+/min +(0 .*\d|1 .* 192\.0\.2\.\d)$`, out)
	lines := strings.SplitAfter(accessLog(3000), "\n")
	rand.New(rand.NewPCG(1, 2)).Shuffle(len(lines), func(i, j int) { lines[i], lines[j] = lines[j], lines[i] })
	_, shuffled, _ := ratesim(t, strings.Join(lines, ""), "suggest", "-trace", "-", "-key", "host", "-share", "20%")
	require.Equal(t, out, shuffled)
	require.Regexp(t, `gcra \d+/min burst \d+ +(0|1  192\.0\.2\.\d)\n`, out)
}

// The keys that a limit refuses are named, few of them, so that they can be looked at.
func TestListed(t *testing.T) {
	require.Empty(t, listed(nil))
	require.Equal(t, "flood, (no key)", listed([]string{"flood", ""}))
	require.Equal(t, "a, b, c, d", listed(strings.Split("abcd", "")))
	require.Equal(t, "a, b, c, d and 1 more", listed(strings.Split("abcde", "")))
	require.Equal(t, "a, b, c, d and 2 more", listed(strings.Split("abcdef", "")))
	require.Equal(t, "a\uFFFDb", listed([]string{"a\nb"}))
}

// The share of keys is counted as the limits are that are suggested.
func TestSuggestedShare(t *testing.T) {
	log := "time,user\n"
	for key := range 100 {
		log += strings.Repeat(fmt.Sprintf("1800000000,%d\n", key), key+1)
	}
	status, out, errs := ratesim(t, log, "suggest", "-trace", "-", "-share", "29%")
	require.Zero(t, status, errs)
	require.Contains(t, out, " refuse something to at most 29 of them (29 %):")
	require.Regexp(t, `log 71/s +29 `, out)
}
