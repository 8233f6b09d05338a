package policy

import (
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-3506548a/ratelimit"
)

// A clone stays as it is when the Decision is used for the next request, which overwrites its
// lists in place.
func TestACloneStaysAsItIs(t *testing.T) {
	var d Decision
	d.Standings = []Standing{{Name: "first"}}
	d.Reached = []Reached{{Rule: "first"}}
	d.settlement = settlement{matched: []matched{{hash: 1}}, asked: []asked{{n: 1}}, throttles: []asked{{n: 1}}, attributes: []attribute{{value: "first"}}}
	c := d.Clone()
	d.Standings[0].Name, d.Reached[0].Rule = "next", "next"
	s := &d.settlement
	s.matched[0].hash, s.asked[0].n, s.throttles[0].n, s.attributes[0].value = 2, 2, 2, "next"
	require.Equal(t, "first", c.Standings[0].Name)
	require.Equal(t, "first", c.Reached[0].Rule)
	require.Equal(t, []any{uint64(1), 1, 1, "first"}, []any{c.settlement.matched[0].hash, c.settlement.asked[0].n, c.settlement.throttles[0].n, c.settlement.attributes[0].value})
}

// A log has what was decided and why, and the limit that binds, if there is one.
func TestLogValue(t *testing.T) {
	standings := []Standing{{Rule: "r", Name: "first"}, {Rule: "r", Name: "second", Remaining: 7}}
	for _, row := range []struct {
		d    Decision
		want string
	}{
		{Decision{OK: true, Action: Granted, Binding: -1, Standings: standings}, "[ok=true]"},
		{Decision{OK: true, Action: Granted, Binding: 1, Standings: standings}, "[ok=true rule=r limit=second remaining=7]"},
		{Decision{OK: true, Action: Granted, Binding: 2, Standings: standings, Shadow: true}, "[ok=true shadow=true]"},
		{Decision{Action: ByLimit, RetryAfter: 3 * time.Second, Binding: 0, Standings: standings}, "[ok=false action=limit retry_after=3s rule=r limit=first remaining=0]"},
		{Decision{Action: ByRevoke, RetryAfter: ratelimit.Never, Binding: -1, Reached: []Reached{{"r", Step{Do: "revoke"}, 5}}},
			"[ok=false action=revoke retry_after=never reached=[rule=r do=revoke strikes=5]]"},
		{Decision{Action: ByStore, Binding: -1, Err: errors.New("gone")}, "[ok=false action=store retry_after=0s error=gone]"},
		{Decision{OK: true, Binding: -1}, "[ok=true]"},
	} {
		require.Equal(t, row.want, row.d.LogValue().String())
	}
}

// The counts of several limits are added up, each.
func TestCountsAddUp(t *testing.T) {
	one := Counts{1, 2, 3, 4, 5, 6, 7, 8}
	var s Stats
	s.add(one)
	s.add(one)
	require.Equal(t, Counts{2, 4, 6, 8, 10, 12, 14, 16}, s.Counts)
}
