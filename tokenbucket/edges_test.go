package tokenbucket_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/limittest"
	"github.com/seed-3506548a/ratelimit/tokenbucket"
)

// Reservations at the end of a frame, as far ahead as can be.
func TestReserveAtTheEndOfTheFrame(t *testing.T) {
	const capacity, quarter = 1<<30 - 1, 1 << 31
	for past := range 12 { // what is before the end, or beyond it
		clock := limittest.NewClock(t0)
		l, err := tokenbucket.NewInterval(ratelimit.Rate{Events: 1, Per: 1}, capacity, ratelimit.WithClock(clock))
		require.NoError(t, err)
		at := t0.Add(2*quarter - 6 + time.Duration(past))
		for i := range 3 {
			r, d := l.ReserveAt(at, capacity, quarter)
			require.True(t, d.OK)
			require.Equal(t, at.Add(time.Duration(i*capacity)), r.ActAt())
		}
		require.Equal(t, time.Duration(3*capacity), l.PeekAt(at, 0).ResetAfter)
		require.False(t, l.TakeAt(at, 1).OK)
	}
}
