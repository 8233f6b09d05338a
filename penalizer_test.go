package ratelimit_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-3506548a/ratelimit"
)

// penalizing says that its refusals change it.
type penalizing struct{ ratelimit.Limiter }

func (penalizing) Blocked() (time.Time, bool) { return time.Time{}, false }

func (penalizing) TakeAt(time.Time, int) ratelimit.Decision { panic("it must not be asked") }

// A limiter that a refusal changes is no member of a composition, which would look at it first, and
// is not waited for, which would ask it again and again.
func TestPenalizer(t *testing.T) {
	l := penalizing{ratelimit.Unlimited()}
	want := " is ratelimit_test.penalizing, want a limiter that a refusal does not change; put the penalty outermost"
	_, err := ratelimit.All(ratelimit.Unlimited(), l)
	require.EqualError(t, err, "ratelimit.All: ls[1]"+want)
	_, err = ratelimit.NewQueue(l, 1)
	require.EqualError(t, err, "ratelimit.NewQueue: l"+want)
	err = ratelimit.Wait(t.Context(), l, 1)
	require.EqualError(t, err, "ratelimit.Wait: l"+want)
	var bad *ratelimit.ArgumentError
	require.ErrorAs(t, err, &bad)
}
