package httplimit

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-3506548a/ratelimit/keyed"
	"github.com/seed-3506548a/ratelimit/policy"
)

// Read looks at fields up to a length, and returns so many readings, of which the last is the
// longest Retry-After.
func TestReadIsBounded(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	padded := func(length int) http.Header {
		return http.Header{"X-Ratelimit-Remaining": {strings.Repeat(" ", length-1) + "5"}}
	}
	require.Len(t, Read(padded(4096), now), 1)
	require.Empty(t, Read(padded(4097), now))

	h := http.Header{}
	for i := range mostReadings {
		h[fmt.Sprintf("X-Ratelimit-Remaining-A%03d", i)] = []string{"1"}
	}
	all := Read(h, now)
	require.Len(t, all, mostReadings)
	for i, r := range all {
		require.Equal(t, fmt.Sprintf("a%03d", i), r.Name)
	}
	h["Retry-After"] = []string{"9"}
	more := Read(h, now)
	require.Equal(t, all[:mostReadings-1], more[:len(more)-1])
	require.Equal(t, 9*time.Second, more[len(more)-1].RetryAfter)
}

// The order of readings, and which of the spellings of a field comes first, is the same each time.
func TestReadInOneOrder(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	h := http.Header{"RATELIMIT": {`"a";r=1`}, "RateLimit": {`"b";r=2`}, "ratelimit": {`"c";r=3`}}
	for i := range 20 {
		h[fmt.Sprintf("X-Ratelimit-Remaining-%c", 'd'+i)] = []string{"4"}
	}
	first := Read(h, now)
	require.Len(t, first, 23)
	for i, r := range first {
		require.Equal(t, string(rune('a'+i)), r.Name)
	}
	for range 20 {
		require.Equal(t, first, Read(h, now))
	}
	for field, value := range map[string]string{"x-ratelimit-remaining-": "1", "zendesk-ratelimit-": "total=2; remaining=1; resets=9"} {
		two := Read(http.Header{field + "a": {value}, http.CanonicalHeaderKey(field + "b"): {value}}, now) // as if in lower case
		require.Equal(t, []string{"a", "b"}, []string{two[0].Name, two[1].Name})
	}
}

// A limit of 0 is a reading, too.
func TestReadALimitOfZero(t *testing.T) {
	all := Read(http.Header{"X-Ratelimit-Limit": {"0"}}, time.Unix(1_800_000_000, 0))
	require.Len(t, all, 1)
	require.Equal(t, []int64{0, -1}, []int64{all[0].Limit, all[0].Remaining})
}

// What refuses is a matter of the server's if it is a store, or only limits without room for the
// key that are no shadows.
func TestUndecidable(t *testing.T) {
	crossed, full, shadow := policy.Standing{Crossed: true}, policy.Standing{Crossed: true, Full: true}, policy.Standing{Crossed: true, Full: true, Shadow: true}
	for _, row := range []struct {
		action    policy.Action
		standings []policy.Standing
		want      bool
	}{
		{policy.ByLimit, []policy.Standing{full}, true},
		{policy.ByLimit, []policy.Standing{{}, full}, true},
		{policy.ByLimit, []policy.Standing{full, crossed}, false},
		{policy.ByLimit, []policy.Standing{crossed}, false},
		{policy.ByLimit, []policy.Standing{{}}, false},
		{policy.ByLimit, []policy.Standing{shadow}, false},
		{policy.ByBlock, []policy.Standing{full}, false},
		{policy.Granted, []policy.Standing{full}, false},
		{policy.ByStore, nil, true},
	} {
		err := undecidable(&policy.Decision{Action: row.action, Standings: row.standings})
		require.Equal(t, row.want, err != nil, "%+v", row)
		if row.want && row.action == policy.ByLimit {
			require.Equal(t, &StoreError{By: keyed.Full}, err)
		}
	}
}
