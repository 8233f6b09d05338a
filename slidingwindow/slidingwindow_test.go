package slidingwindow_test

import (
	"math/big"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/internal/limittest"
	"github.com/seed-3506548a/ratelimit/slidingwindow"
)

const ms = time.Millisecond

var t0 = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// counterAt returns a Counter made at start, and its clock.
func counterAt(t testing.TB, start time.Time, rate ratelimit.Rate, buckets int) (*slidingwindow.Counter, *limittest.Clock) {
	c := limittest.NewClock(start)
	l, err := slidingwindow.NewCounter(rate, buckets, ratelimit.WithClock(c))
	require.NoError(t, err)
	return l, c
}

// step is one request, so long after t0, and the answer.
type step struct {
	after      time.Duration
	n          int
	ok         bool
	remaining  int
	retryAfter time.Duration
	resetAfter time.Duration
}

func play(t *testing.T, l ratelimit.Limiter, steps []step) {
	t.Helper()
	limit := l.PeekAt(t0, 0).Limit
	for i, s := range steps {
		want := ratelimit.Decision{
			OK: s.ok, Limit: limit, Remaining: s.remaining, RetryAfter: s.retryAfter, ResetAfter: s.resetAfter}
		require.Equal(t, want, l.PeekAt(t0.Add(s.after), s.n), "step %d, peek", i)
		require.Equal(t, want, l.TakeAt(t0.Add(s.after), s.n), "step %d", i)
	}
}

// windowBound is the most in a closed interval: rate.Events for each half-open window that it needs to
// be covered.
func windowBound(rate ratelimit.Rate) limittest.Bound {
	return func(length time.Duration) *big.Int {
		return big.NewInt(int64(rate.Events) * int64(1+length/rate.Per))
	}
}
