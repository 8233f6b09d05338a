package policy_test

import (
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-3506548a/ratelimit/policy"
)

// P14: for keys that were seen before, Decide, Peek, Done and Undo allocate nothing: granted or
// refused, by a throttle or a block, with rules that watch and are in shadow. Only a strike does.
func TestP14NothingIsAllocated(t *testing.T) {
	for _, as := range []string{"gcra", "interval", "anchored", "aligned", "log", "counter"} {
		for _, more := range []string{"", `, "count": ["200"]`, `, "of": "tokens"`} {
			s := newScene(t, `"costs": [{"match": ["POST /a/{id}"], "n": 2}], "rules": [
				{"name": "api", "match": ["/a/", "GET /b/{x}"], "key": ["user|ip", "route"], "missing": "share",
					"limits": [{"name": "x", "rate": "900/h", "as": "`+as+`"`+more+`}, {"name": "y", "rate": "90000/h", "as": "aligned", "hidden": true}],
					"ladder": [{"after": 1, "within": "1h", "do": "throttle", "to": "5000/s", "for": "100h", "who": ["user"]}]},
				{"name": "all", "limits": [{"name": "x", "rate": "250/h", "as": "`+as+`"}], "ladder": [{"after": 2, "within": "100h", "do": "block", "for": "1h"}]},
				{"name": "seen", "limits": [{"name": "x", "rate": "10/h", "as": "`+as+`"}], "mode": "watch"},
				{"name": "tried", "limits": [{"name": "x", "rate": "200/h", "as": "`+as+`"}], "mode": "shadow",
					"ladder": [{"after": 1, "within": "1h", "do": "throttle", "to": "1/s", "for": "1h"}]}],
				"overrides": [{"limit": "api/x", "when": ["plan=pro"], "rate": "800/h"}]`)
			r := request("user=7", "ip=1", "plan=pro")
			r.Path, r.Amounts = "/a/1", []policy.Amount{{Name: "tokens", N: 1}}
			outcome := policy.Outcome{Status: 200, Amounts: []policy.Amount{{Name: "tokens", N: 2}}}
			seen := map[policy.Action]int{}
			step := func() {
				s.Peek(r, &s.d)
				s.Decide(r, &s.d)
				s.Done(&s.d, outcome)
				seen[s.d.Action]++
				s.Decide(r, &s.d)
				s.Undo(&s.d)
			}
			free := func(by policy.Action) {
				t.Helper()
				step()
				require.Zero(t, testing.AllocsPerRun(100, step), "%s%s, action %q", as, more, by)
				require.Greater(t, seen[by], 50, "%s %v", as, seen)
			}
			free(policy.Granted)
			for range 800 {
				step()
			}
			free(policy.ByLimit)
			s.at(2 * time.Hour)
			for range 800 {
				step()
			}
			free(policy.ByBlock)
		}
	}
}

// P14: a key takes as much memory as docs/policy.md says, within a fifth.
func TestP14MemoryOfAKey(t *testing.T) {
	if strconv.IntSize != 64 {
		t.Skip("counted on 64-bit platforms")
	}
	const windows, counter, log, event = 150, 610, 370, 16
	docs, err := os.ReadFile("../docs/policy.md")
	require.NoError(t, err)
	require.Contains(t, strings.Join(strings.Fields(string(docs)), " "), fmt.Sprintf(
		"%d bytes for `interval` and `anchored`, %d for a `counter` of 10 buckets, and for a `log` %d and %d for each event of the limit", windows, counter, log, event))
	for text, want := range map[string]int{
		"interval 10/min": windows, "anchored 1000/5m": windows, "counter 10/min": counter, "log 10/min": log + 10*event, "log 100/min": log + 100*event,
	} {
		const keys = 12 << 10 // half of the slots of the map are in use then
		limit, err := policy.ParseLimit("limit: " + text)
		require.NoError(t, err)
		e, err := policy.New(policy.Policy{Rules: []policy.Rule{{Name: "rule", Key: []string{"user"}, Limits: []policy.Limit{limit}}}}, 1<<20)
		require.NoError(t, err)
		var d policy.Decision
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		for i := range keys {
			e.Decide(&policy.Request{Attrs: []policy.Attr{{Name: "user", Value: strconv.Itoa(i)}}}, &d)
			require.True(t, d.OK)
		}
		runtime.GC()
		runtime.ReadMemStats(&after)
		require.InEpsilon(t, want, (after.HeapAlloc-before.HeapAlloc)/keys, 0.2, text)
		runtime.KeepAlive(e)
	}
}
