//go:build explore

package explore_test

import (
	"fmt"
	"math/big"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/internal/proof/bounds"
	"github.com/seed-3506548a/ratelimit/internal/proof/explore"
	"github.com/seed-3506548a/ratelimit/limittest"
	"github.com/seed-3506548a/ratelimit/slidingwindow"
)

// Callers that are suspended for good, before whatever step, keep nobody from going on: not one of
// them, and not a hundred, many more than a Log has cells for. And when they wake up, all times
// together keep the limit.
func TestNobodyWaitsForASuspendedCaller(t *testing.T) {
	for _, k := range explored {
		for _, w := range k.worlds {
			for _, crowd := range []int{1, 100} {
				t.Run(fmt.Sprintf("%s/%s/%d", k.name, w.name, crowd), func(t *testing.T) {
					number := 0
					for k.stall(t, w, crowd, number) {
						number++
					}
					require.Greater(t, number, 2)
					t.Logf("suspended before each of %d steps", number)
				})
			}
		}
	}
}

// A refund that is suspended holds up neither another refund nor a change of rate, whatever step it
// is suspended before.
func TestNobodyWaitsForASuspendedRefund(t *testing.T) {
	for _, k := range explored {
		t.Run(k.name, func(t *testing.T) {
			stalled := true
			for number := 0; stalled; number++ {
				s := k.build(k.worlds[0])
				require.True(t, s.limiter.TakeAt(s.now, 1).OK)
				before := s.limiter.PeekAt(s.now, 0).Remaining
				stalled = explore.Stall(func() { s.limiter.RefundAt(s.now, 1, s.now.Sub(s.taken)) }, number, func() {
					s.limiter.RefundAt(s.now, 1, 0)
					require.GreaterOrEqual(t, s.limiter.PeekAt(s.now, 0).Remaining, before)
					require.NoError(t, s.limiter.SetRateAt(s.now, s.other, 1))
				})
			}
		})
	}
}

// stall suspends a crowd of callers before the step of the given number, and asks for 200 events,
// some of which are granted. It reports whether a caller had so many steps.
func (k kind) stall(t *testing.T, w world, crowd, number int) bool {
	s := k.build(w)
	now := s.now.Add(8 * s.rate.Per) // when all that was granted has expired
	if w.bottom {                    // where no time passes
		now = s.origin
	}
	var grants []bounds.Grant
	take := func(at time.Time) {
		if s.limiter.TakeAt(at, 1).OK {
			grants = append(grants, bounds.Grant{At: at, N: 1})
		}
	}
	stalled := false
	others := func() {
		before := len(grants)
		for i := range 200 {
			take(now.Add(time.Duration(i) * s.rate.Per / 10))
		}
		require.Greater(t, len(grants), before+10)
	}
	for i := range crowd {
		inner := others
		others = func() {
			stalled = explore.Stall(func() { take(now.Add(time.Duration(i))) }, number, inner) || stalled
		}
	}
	others()
	bounds.Require(t, grants, func(length time.Duration) *big.Int {
		windows := int64(2 + length/s.rate.Per) // those of fixed windows, and more than the others allow
		return big.NewInt(windows * int64(max(s.burst, s.rate.Events)))
	})
	return stalled
}

// All has expired for a caller of Allow, who is suspended before each of its steps while another
// begins a bucket.
func TestAllowOfACounterSuspendedWhileABucketBegins(t *testing.T) {
	for later := range 12 {
		for number := 0; ; number++ {
			clock := limittest.NewClock(time.Unix(1000, 0))
			l := ratelimit.Must(slidingwindow.NewCounter(ratelimit.Per(5, 2*time.Second), 2, ratelimit.WithClock(clock)))
			require.True(t, l.Allow())
			clock.Set(clock.Now().Add(time.Duration(later) * time.Second))
			granted := false
			stalled := explore.Stall(func() { granted = l.Allow() }, number, func() { require.True(t, l.TakeAt(clock.Now(), 1).OK) })
			require.True(t, granted, "%d s later, step %d", later, number)
			if !stalled {
				break
			}
		}
	}
}
