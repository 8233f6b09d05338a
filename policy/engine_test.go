package policy_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/limittest"
	"github.com/seed-3506548a/ratelimit/policy"
)

var t0 = time.Date(2026, 3, 2, 8, 0, 0, 0, time.UTC)

func engine(t testing.TB, document string) (*policy.Engine, *limittest.Clock) {
	t.Helper()
	p, err := policy.Parse([]byte(document))
	require.NoError(t, err)
	c := limittest.NewClock(t0)
	e, err := policy.New(p, 1000, policy.WithClock(c))
	require.NoError(t, err)
	return e, c
}

func TestFirst(t *testing.T) {
	for _, as := range []string{"gcra", "interval", "anchored", "aligned", "log", "counter"} {
		e, c := engine(t, `{"rules": [{"name": "api", "key": ["user"], "limits": [{"name": "minute", "rate": "3/min", "as": "`+as+`"}],
			"ladder": [{"after": 2, "within": "1h", "do": "block", "for": "10m"}]}]}`)
		var d policy.Decision
		ask := func() { e.Decide(&policy.Request{Attrs: []policy.Attr{{"user", "7"}}}, &d) }
		for i := range 3 {
			ask()
			require.True(t, d.OK)
			require.Equal(t, 2-i, d.Standings[0].Remaining, as)
		}
		ask()
		require.False(t, d.OK)
		require.Equal(t, policy.ByLimit, d.Action)
		t.Logf("%s: %+v", as, d.Standings)
		wait := d.RetryAfter
		require.NotZero(t, wait)
		at := c.Now().Add(wait)
		c.Set(at.Add(-1))
		ask()
		require.False(t, d.OK)
		require.Equal(t, time.Duration(1), d.RetryAfter, as)
		c.Set(at)
		ask()
		require.True(t, d.OK)
		for d.OK {
			ask()
		}
		require.Equal(t, policy.ByLimit, d.Action)
		require.Equal(t, 10*time.Minute, d.RetryAfter, as)
		ask()
		require.Equal(t, policy.ByBlock, d.Action)
		require.True(t, e.Pardon("api", policy.Attr{"user", "7"}))
		ask()
		require.Equal(t, policy.ByLimit, d.Action)
		_ = ratelimit.Never
	}
}
