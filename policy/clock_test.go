package policy_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-3506548a/ratelimit/policy"
)

// Without a clock of its own an engine goes by the system's, whatever its limits are: with requests
// that bring their time and with those that do not.
func TestTheSystemClock(t *testing.T) {
	for _, as := range []string{"gcra", "interval", "anchored", "aligned", "log", "counter"} {
		synctest.Test(t, func(t *testing.T) { // in which it is midnight
			e, err := policy.New(parse(t, `"rules": [{"name": "api", "limits": [{"name": "hour", "rate": "1/h", "as": "`+as+`"}]}]`), 10)
			require.NoError(t, err)
			s := &scene{t: t, Engine: e}
			require.True(t, s.decide(&policy.Request{Time: time.Now()}).OK)
			time.Sleep(20 * time.Minute)
			wait := s.refuse(policy.ByLimit, s.peek().RetryAfter).RetryAfter
			require.Equal(t, wait, s.decide(&policy.Request{Time: time.Now()}).RetryAfter, as)
			if as == "counter" {
				require.Greater(t, wait, 40*time.Minute)
			} else {
				require.InDelta(t, 40*time.Minute, wait, float64(time.Second), as)
			}
			time.Sleep(wait)
			s.pass(1)
			s.refuse(policy.ByLimit, s.peek().RetryAfter)
		})
	}
}
