package httplimit_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-3506548a/ratelimit/httplimit"
)

// readLines returns what Read makes of header fields, each a line.
func readLines(lines string) (got []string) {
	for _, r := range httplimit.Read(fields(strings.Split(lines, "\n")...), receivedAt) {
		got = append(got, describe(r))
	}
	return got
}

// What the fields of the X-RateLimit-* family say, and what is left out of those that are odd.
func TestReadFamilies(t *testing.T) {
	for _, c := range []struct {
		name, lines string
		want        []string
	}{
		// names
		{"another family", "X-Rate-Window-Limit: 5", nil},
		{"a limit of nothing", "X-Limit-Remaining: 5", nil},
		{"a rate at the end", "X-Limit-Rate: 5", nil},
		{"a limit's rate in front", "Rate-Limit-Limit: 5", []string{"5/-"}},
		{"a rate limit alone", "X-Rate-Limit: 700", []string{"700/-"}},
		{"nothing but a reset", "X-RateLimit-Reset-After: 5", []string{"-/- reset=5s"}},
		{"a name before", "X-RateLimit-Search-Reset-After: 5\nX-RateLimit-Search-Remaining: 0", []string{"search -/0 reset=5s"}},
		{"a name after", "X-RateLimit-Reset-After-Search: 5\nX-RateLimit-Remaining-Search: 0", []string{"search -/0 reset=5s"}},
		{"a name of two words", "X-RateLimit-Remaining-Input-Tokens: 1", []string{"input-tokens -/1"}},
		{"two roles", "X-RateLimit-Limit-Remaining: 5", nil},
		{"two roles and a name", "X-RateLimit-Limit-Search-Remaining: 5", nil},
		{"a reset that is now", "X-RateLimit-Remaining: 0\nX-RateLimit-Reset: 9\nX-RateLimit-Reset-After: 0", []string{"-/0"}},
		{"a reset that cannot be", "X-RateLimit-Remaining: 0\nX-RateLimit-Reset: 9\nX-RateLimit-Reset-After: 31536000", []string{"-/0 reset=9s"}},
		{"a reset that counts more", "X-RateLimit-Remaining: 0\nX-RateLimit-Reset: 9\nX-RateLimit-Reset-After: 5", []string{"-/0 reset=5s"}},

		// marks
		{"a scope", "X-RateLimit-Scope: Global\nX-RateLimit-Remaining: 0", []string{"-/0 global"}},
		{"a scope that is not global", "X-RateLimit-Scope: user\nX-RateLimit-Remaining: 0", []string{"-/0"}},
		{"global", "X-RateLimit-Global: TRUE\nX-RateLimit-Remaining: 0", []string{"-/0 global"}},
		{"global, by one of the two", "X-RateLimit-Global: true\nX-RateLimit-Scope: user\nX-RateLimit-Remaining: 0", []string{"-/0 global"}},
		{"not global", "X-RateLimit-Global: false\nX-RateLimit-Remaining: 0", []string{"-/0"}},
		{"global, of a bucket", "X-RateLimit-Global: true\nX-RateLimit-Bucket: a\nRetry-After: 5", []string{"-/- retry=5s global"}},
		{"a bucket rather than a resource", "X-RateLimit-Resource: core\nX-RateLimit-Bucket: a\nX-RateLimit-Remaining: 0\nRetry-After: 5",
			[]string{"@a -/0", "@a -/- retry=5s"}},

		// numbers
		{"a limit that is no number", "X-RateLimit-Limit: many\nX-RateLimit-Remaining: 5", []string{"-/5"}},
		{"a rest that is no number", "X-RateLimit-Limit: 5\nX-RateLimit-Remaining: some", []string{"5/-"}},
		{"neither is one", "X-RateLimit-Limit: many\nX-RateLimit-Remaining: some\nX-RateLimit-Reset: 5", []string{"-/- reset=5s"}},
		{"a limit only", "X-RateLimit-Limit: 5", []string{"5/-"}},
		{"a reset only", "X-RateLimit-Reset: 5", []string{"-/- reset=5s"}},
		{"the greatest numbers", "X-RateLimit-Limit: 999999999999999\nX-RateLimit-Remaining: 999999999999998", []string{"999999999999999/999999999999998"}},
		{"greater ones", "X-RateLimit-Limit: 1000000000000000\nX-RateLimit-Remaining: 5", []string{"-/5"}},
		{"parts of a request", "X-RateLimit-Limit: 10.0\nX-RateLimit-Remaining: 5.9999", []string{"10/5"}},
		{"no whole number", "X-RateLimit-Limit: x.5\nX-RateLimit-Remaining: 5.x", nil},
		{"used", "X-RateLimit-Limit: 10\nX-RateLimit-Used: 3", []string{"10/7"}},
		{"all used", "X-RateLimit-Limit: 10\nX-RateLimit-Used: 10", []string{"10/0"}},
		{"more than all used", "X-RateLimit-Limit: 10\nX-RateLimit-Used: 12", []string{"10/0"}},
		{"nothing granted, and used", "X-RateLimit-Limit: 0\nX-RateLimit-Used: 3", []string{"0/0"}},
		{"used of nobody knows what", "X-RateLimit-Used: 3", nil},
		{"used, though what remains is there", "X-RateLimit-Limit: 10\nX-RateLimit-Used: 3\nX-RateLimit-Remaining: 5", []string{"10/5"}},

		// lists
		{"a limit and one window", "RateLimit-Limit: 10, 10;w=60\nRateLimit-Remaining: 5", []string{"10/5 w=1m0s"}},
		{"a limit and two windows", "RateLimit-Limit: 10, 10;w=60, 50;w=3600\nRateLimit-Remaining: 5", []string{"10/5 w=1m0s", "50/- w=1h0m0s"}},
		{"a limit with its window", "RateLimit-Limit: 10;w=60\nRateLimit-Remaining: 5", []string{"10/5 w=1m0s"}},
		{"a limit with its window, and others", "RateLimit-Limit: 10;w=60, 20;w=3600\nRateLimit-Remaining: 5", []string{"10/5 w=1m0s", "20/- w=1h0m0s"}},
		{"a window beside what remains", "RateLimit-Limit: 10\nRateLimit-Remaining: 5;w=60", []string{"10/5 w=1m0s"}},
		{"a window of the limit that is not the policy's", "RateLimit-Limit: 10;w=60\nRateLimit-Remaining: 5\nRateLimit-Policy: 10;w=1", []string{"10/5 w=1m0s"}},
		{"two limits", "X-RateLimit-Limit: 10;w=1, 100;w=60\nX-RateLimit-Remaining: 5, 50\nX-RateLimit-Reset: 1, 30",
			[]string{"10/5 w=1s reset=1s", "100/50 w=1m0s reset=30s"}},
		{"two limits, of which nobody knows which", "X-RateLimit-Limit: 10;w=1, 100;w=60, 1000;w=3600\nX-RateLimit-Remaining: 5, 50", []string{"-/5", "-/50"}},
		{"one limit, of which two remain", "X-RateLimit-Limit: 10;w=1\nX-RateLimit-Remaining: 5, 50", []string{"-/5", "-/50"}},
		{"a policy, and a limit with a name", "RateLimit-Limit: 9\nRateLimit-Remaining: 8\nRateLimit-Limit-Tokens: 5\nRateLimit-Remaining-Tokens: 4\nRateLimit-Policy: 9;w=60",
			[]string{"9/8 w=1m0s", "tokens 5/4"}},
		{"a policy of both", "RateLimit: \"a\";r=1\nRateLimit-Limit: 5\nRateLimit-Remaining: 4\nRateLimit-Policy: 5;w=60", []string{"a -/1", "5/- w=1m0s", "5/4"}},

		// forms of their own
		{"two shops", "A-Shop-Api-Call-Limit: 32/40\nB-Shop-Api-Call-Limit: 50/40", []string{"40/8", "40/0"}},
		{"a shop and others", "A-Shop-Api-Call-Limit: 32/40\nX-RateLimit-Tickets: total=10; remaining=9; resets=2", []string{"40/8", "tickets 10/9 reset=2s"}},
		{"a shop that is closed", "A-Shop-Api-Call-Limit: closed\nB-Shop-Api-Call-Limit: 1/x", nil},
		{"an object", `X-Ratelimit: {"name":"a","period":60,"limit":10,"remaining":5,"until":"2026-03-02T08:00:30Z"}`, []string{"a@a 10/5 w=1m0s reset=30s"}},
		{"an object without a limit", `X-Ratelimit: {"name":"a","remaining":5}`, []string{"a@a -/5"}},
		{"an object of which nothing is said to remain", `X-Ratelimit: {"name":"a","limit":5}`, []string{"a@a 5/-"}},
		{"an object without a time", `X-Ratelimit: {"name":"a","remaining":5,"until":"soon"}`, []string{"a@a -/5"}},
		{"an object of a far time", `X-Ratelimit: {"name":"a","period":31536000,"remaining":5,"until":"2126-03-02T08:00:30Z"}`, []string{"a@a -/5"}},
		{"an object of a long time", `X-Ratelimit: {"name":"a","period":31535999,"remaining":5,"until":"2027-03-02T07:59:59Z"}`, []string{"a@a -/5 w=8759h59m59s reset=8759h59m59s"}},
		{"an object of no known form", "X-Ratelimit: {\"name\":7}\nX-Ratelimit: {\nX-Ratelimit: {\"name\":\"a\",\"limit\":5}", []string{"a@a 5/-"}},
		{"an object of a role", `X-RateLimit-Limit: {"limit":5}`, nil},
		{"an object of no family", `X-Limit: {"limit":5}`, nil},
		{"words of a role", "X-RateLimit-Limit: total=10; remaining=9", nil},
		{"words of no family", "X-Limits: total=10; remaining=9", nil},
	} {
		require.Equal(t, c.want, readLines(c.lines), c.name)
	}
}
