package httplimit_test

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-3506548a/ratelimit/httplimit"
)

// What the fields of the IETF's drafts say, and what is left out of those that do not keep to them.
func TestReadStructured(t *testing.T) {
	for _, c := range []struct {
		name, rateLimit, policy string
		want                    []string
	}{
		{"a policy only", ``, `"day";q=100;w=86400`, []string{"day 100/- w=24h0m0s"}},
		{"an empty member", `, "a";r=1`, ``, []string{"a -/1"}},
		{"an empty name", `"";r=1, "a";r=1`, ``, []string{"a -/1"}},
		{"a name of two characters", `"ab";r=1`, ``, []string{"ab -/1"}},
		{"a quote in a name", `"a\"b,c";r=1`, ``, []string{`a"b,c -/1`}},
		{"a name of digits", `:12:;r=1`, `:12:;q=5;w=1`, []string{"12 5/1 w=1s"}},
		{"a number that begins as it ends", ``, `11;w=60`, []string{"11/- w=1m0s"}},
		{"both words for a window", ``, `5;w=60;window=7`, []string{"5/- w=1m0s"}},
		{"a window of no time", ``, `5;w=0;window=7`, []string{"5/- w=7s"}},
		{"a window of a millisecond", ``, `5;w=0.001`, []string{"5/- w=1ms"}},
		{"a window of a year", ``, `5;w=31536000`, []string{"5/-"}},
		{"a limit", `"a";r=5;c=10`, ``, []string{"a 10/5"}},
		{"a limit of which all remains", `"a";r=5;c=5`, ``, []string{"a 5/5"}},
		{"a limit of which more remains", `"a";r=5;c=4`, ``, []string{"a -/5"}},
		{"both words for a reset", `"a";r=5;t=3;w=60`, ``, []string{"a -/5 reset=3s"}},
		{"a limit of nothing", `"a";r=0;c=0`, `"a";q=5`, []string{"a 0/0"}},
		{"a policy of another name", `"a";r=1;c=5`, `"b";q=5`, []string{"a 5/1", "b 5/-"}},
		{"a policy of each partition", `"a";r=1;pk="x"`, `"a";q=5;pk="y", "a";q=7;pk="x"`, []string{"a@x 7/1", "a@y 5/-"}},
		{"a policy of all partitions", `"a";r=1;pk="x"`, `"a";q=5`, []string{"a@x 5/1"}},
		{"a partition that only the policy names", `"a";r=1`, `"a";q=5;pk="y"`, []string{"a@y 5/1"}},
		{"a dictionary with a limit", `limit= 5 `, ``, []string{"5/-"}},
		{"a dictionary with what remains", `remaining=3`, ``, []string{"-/3"}},
		{"a dictionary with a reset", `reset=3`, ``, []string{"-/- reset=3s"}},
		{"nothing remains to be said", `"a";t=3, "b";r=1`, ``, []string{"b -/1"}},
	} {
		h := http.Header{}
		for name, value := range map[string]string{"RateLimit": c.rateLimit, "RateLimit-Policy": c.policy} {
			if value != "" {
				h[name] = []string{value}
			}
		}
		var got []string
		for _, r := range httplimit.Read(h, receivedAt) {
			got = append(got, describe(r))
		}
		require.Equal(t, c.want, got, c.name)
	}
}

// A response may have both families: what RateLimit says counts beside RateLimit-Limit.
func TestReadStructuredBesideOthers(t *testing.T) {
	h := http.Header{"Ratelimit": {`"a";r=1`}, "Ratelimit-Limit": {"9"}, "Ratelimit-Remaining": {"3"}}
	var got []string
	for _, r := range httplimit.Read(h, receivedAt) {
		got = append(got, describe(r))
	}
	require.Contains(t, got, "a -/1")
}
