package policy_test

import (
	"math"
	"strings"
	"testing"
	"time"

	"github.com/benbjohnson/clock"
	"github.com/stretchr/testify/require"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/policy"
)

func TestParseLimit(t *testing.T) {
	shown := ratelimit.PerHour(10)
	for text, want := range map[string]policy.Limit{
		"gcra 90/min burst 10":       {Rate: ratelimit.PerMinute(90), As: policy.GCRA, Burst: 10},
		"gcra 0/min":                 {Rate: ratelimit.PerMinute(0), As: policy.GCRA},
		"log 50/hour":                {Rate: ratelimit.PerHour(50), As: policy.Log},
		"counter 600/day buckets 24": {Rate: ratelimit.PerDay(600), As: policy.Counter, Burst: 24},
		"anchored 1000/5m":           {Rate: ratelimit.Per(1000, 5*time.Minute), As: policy.Anchored},
		"tokens: interval 90000/min capacity 180000 of tokens": {
			Name: "tokens", Rate: ratelimit.PerMinute(90000), As: policy.Interval, Burst: 180000, Of: "tokens"},
		"failures: aligned 20/hour count 401,4xx shown 10/hour": {
			Name: "failures", Rate: ratelimit.PerHour(20), As: policy.Aligned, Count: []string{"401", "4xx"}, Shown: &shown},
		"peak: log 10/s hidden": {Name: "peak", Rate: ratelimit.PerSecond(10), As: policy.Log, Hidden: true},
	} {
		got, err := policy.ParseLimit(text)
		require.NoError(t, err)
		require.Equal(t, want, got)
		require.Equal(t, text, got.String())
	}
	got, err := policy.ParseLimit("  log\t60/1m ")
	require.NoError(t, err)
	require.Equal(t, "log 60/min", got.String())
	require.Equal(t, "log 60/min burst 5", policy.Limit{Rate: ratelimit.PerMinute(60), As: policy.Log, Burst: 5}.String(), "which is not valid")
}

func TestParseLimitRefuses(t *testing.T) {
	for text, want := range map[string]string{
		"":                             "an algorithm and a rate",
		"a:":                           "an algorithm and a rate",
		"gcra":                         "an algorithm and a rate",
		"90/min":                       "an algorithm and a rate",
		"90/min gcra":                  "gcra, interval, anchored, aligned, log or counter as the algorithm",
		"a/b: log 1/s":                 "before the colon",
		"a/b:":                         "before the colon",
		"log 50":                       "a rate after the algorithm",
		"log -1/s":                     "a rate after the algorithm",
		"log 1/s burst 5":              `nothing after the rate but of AMOUNT, count STATUS,..., shown RATE and hidden, in this order; not "burst 5"`,
		"gcra 1/s capacity 5":          `nothing after the rate but burst N, of AMOUNT`,
		"counter 1/s burst 5":          `nothing after the rate but buckets N, of AMOUNT`,
		"gcra 1/s burst":               `not "burst"`,
		"gcra 1/s burst 0":             "1 or more, after burst",
		"gcra 1/s burst -1":            "1 or more, after burst",
		"gcra 1/s burst +1":            "1 or more, after burst",
		"gcra 1/s burst 1.5":           "1 or more, after burst",
		"gcra 1/s burst 99999999999":   "burst",
		"gcra 1/s hidden of tokens":    `not "of tokens"`,
		"gcra 1/s of to/kens":          "of: an amount",
		"gcra 1/s of tokens count 4xx": "of: none",
		"gcra 1/s count 4xx,4xx":       "count[1]: each once",
		"gcra 1/s count 9xx":           "count[0]: a status",
		"gcra 1/s shown 5":             "a rate after shown",
		"gcra 1/s shown 5/s hidden":    "shown: none",
		"log 262144/s":                 "rate: a number of events of 0 to 262143",
		"gcra 1/day burst 30000":       "burst: at most 26687",
	} {
		_, err := policy.ParseLimit(text)
		var bad *ratelimit.ArgumentError
		require.ErrorAs(t, err, &bad, text)
		require.Equal(t, "policy.ParseLimit", bad.Func)
		require.Equal(t, text, bad.Value)
		require.Contains(t, bad.Want, want, text)
	}
}

// What is no text in UTF-8 is an error that quotes it, as any other.
func TestParseLimitOfWhatIsNoText(t *testing.T) {
	for _, is := range []string{"\xaf", "ä\xaf", "\xff"} {
		for n := range 140 {
			_, err := policy.ParseLimit("counter 0/d " + strings.Repeat(is, n) + "x")
			require.ErrorContains(t, err, "policy.ParseLimit: limit is")
		}
	}
}

func FuzzParseLimit(f *testing.F) {
	for _, seed := range []string{"gcra 90/min burst 10", "a: log 50/hour of b", "counter 600/day buckets 24 count 4xx,200", "interval 1/s capacity 5 shown 3/s hidden"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, s string) {
		l, err := policy.ParseLimit(s)
		if err != nil {
			return
		}
		again, err := policy.ParseLimit(l.String())
		require.NoError(t, err)
		require.Equal(t, l, again)
		_, err = l.New()
		require.NoError(t, err)
		if l.Name != "" {
			require.NoError(t, policy.Policy{Rules: []policy.Rule{{Name: "rule", Limits: []policy.Limit{l}}}}.Validate())
		}
	})
}

// TestLimitNew asks each algorithm for as many as it grants, three times.
func TestLimitNew(t *testing.T) {
	for _, c := range []struct {
		text  string
		first int // granted at once
		later int // granted a second later
		next  int // and at the begin of the next period
	}{
		{"gcra 4/4s burst 6", 6, 1, 3},
		{"gcra 4/4s", 4, 1, 3},
		{"interval 4/4s capacity 6", 6, 0, 4},
		{"interval 4/4s", 4, 0, 4},
		{"anchored 4/4s", 4, 0, 4},
		{"aligned 4/4s", 4, 0, 4},
		{"log 4/4s", 4, 0, 4},
		{"counter 4/4s buckets 4", 4, 0, 0},
		{"gcra 0/s", 0, 0, 0},
	} {
		mock := clock.NewMock()
		l, err := policy.ParseLimit(c.text)
		require.NoError(t, err)
		limiter, err := l.New(ratelimit.WithClock(mock))
		require.NoError(t, err)
		granted := func() (n int) {
			for limiter.Allow() {
				n++
			}
			return n
		}
		require.Equal(t, c.first, granted(), c.text)
		mock.Add(time.Second)
		require.Equal(t, c.later, granted(), c.text)
		mock.Add(3 * time.Second)
		require.Equal(t, c.next, granted(), c.text)
	}
}

func TestLimitNewRefuses(t *testing.T) {
	second := ratelimit.PerSecond(1)
	for _, c := range []struct {
		limit policy.Limit
		field string
		value any
		want  string
	}{
		{policy.Limit{Rate: second}, "as", "", "gcra, interval, anchored, aligned, log or counter"},
		{policy.Limit{Rate: second, As: "GCRA"}, "as", "GCRA", "gcra, interval, anchored, aligned, log or counter"},
		{policy.Limit{As: policy.GCRA}, "rate.Per", time.Duration(0), "more than 0s"},
		{policy.Limit{As: policy.GCRA, Rate: second, Burst: -1}, "burst", -1, "1 to 2147483647"},
		{policy.Limit{As: policy.Log, Rate: second, Burst: 1}, "burst", 1, "none: only gcra, interval and counter have one"},
		{policy.Limit{As: policy.Counter, Rate: second, Burst: math.MaxInt32}, "buckets", math.MaxInt32, "1 to 65535"},
	} {
		limiter, err := c.limit.New()
		require.Nil(t, limiter)
		require.Equal(t, &ratelimit.ArgumentError{Func: "policy.Limit.New", Field: c.field, Value: c.value, Want: c.want}, err)
	}
	_, err := policy.Limit{As: policy.Log, Rate: second}.New(ratelimit.WithClock(nil))
	require.ErrorContains(t, err, "policy.Limit.New: ")
}
