package gcra_test

import (
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-3506548a/ratelimit"
)

func TestReservations(t *testing.T) {
	l, c := newAt(t, t0, ratelimit.PerSecond(10), 2)
	reserve := func(at time.Time, n int, within time.Duration, want ratelimit.Decision, act time.Time) ratelimit.Reservation {
		t.Helper()
		r, d := l.ReserveAt(at, n, within)
		require.Equal(t, want, d)
		if !d.OK {
			require.Nil(t, r)
			return nil
		}
		require.Equal(t, act, r.ActAt())
		return r
	}
	granted := func(remaining int, reset time.Duration) ratelimit.Decision {
		return ratelimit.Decision{OK: true, Limit: 2, Remaining: remaining, ResetAfter: reset}
	}
	refused := func(retry, reset time.Duration) ratelimit.Decision {
		return ratelimit.Decision{Limit: 2, RetryAfter: retry, ResetAfter: reset}
	}
	reserve(t0, 0, 0, granted(2, 0), t0)
	reserve(t0, 2, 0, granted(0, 200*ms), t0)                     // at once
	reserve(t0, 1, 100*ms, granted(0, 300*ms), t1)                // when it fits
	reserve(t0, 1, 199*ms, refused(1*ms, 300*ms), t0)             // not soon enough
	second := reserve(t0, 2, time.Second, granted(0, 500*ms), t3) // behind the first
	third := reserve(t0, 1, time.Second, granted(0, 600*ms), t4)  // in the order of asking
	require.False(t, l.TakeAt(t3, 1).OK, "what is reserved is gone")
	reserve(t0, 3, ratelimit.Never, refused(ratelimit.Never, 600*ms), t0)
	reserve(t0, -1, ratelimit.Never, refused(ratelimit.Never, 600*ms), t0)
	reserve(t0, 1, -1, refused(ratelimit.Never, 600*ms), t0)

	second.Cancel()
	require.Equal(t, 600*ms, l.Peek(0).ResetAfter, "with somebody behind, nothing")
	third.CancelAt(t0)
	third.Cancel()
	require.Equal(t, 500*ms, l.Peek(0).ResetAfter, "with nobody behind, all of it, once")
	c.Set(t9)
	require.Equal(t, granted(2, 0), l.Peek(0))

	alone, _ := l.ReserveAt(t9, 2, 0)
	behind, _ := l.ReserveAt(t9, 2, time.Second)
	behind.Cancel()
	require.Equal(t, granted(0, 200*ms), l.Peek(0), "with nobody behind, all of it")
	c.Set(t9.Add(150 * ms))
	alone.Cancel()
	require.Equal(t, granted(1, 50*ms), l.Peek(0), "after its time, nothing is cancelled")
	alone.Refund()
	require.Equal(t, granted(2, 0), l.Peek(0), "but what has not drained can be given back")
}

// The package documentation says that a reservation is one allocation.
func TestReservationAllocatesOnce(t *testing.T) {
	l, _ := newAt(t, t0, ratelimit.PerSecond(10), 2)
	// AllocsPerRun counts what the runtime allocates meanwhile, too.
	require.InDelta(t, 1000, testing.AllocsPerRun(1, func() {
		for range 1000 {
			r, _ := l.ReserveAt(t0, 1, 0)
			r.CancelAt(t0)
		}
	}), 10)
}

// At 2^31-1 a second, reservations reach 2^61/(2^31-1) ns ahead.
func TestReservationsReachSoFar(t *testing.T) {
	l, _ := newAt(t, t0, ratelimit.PerSecond(math.MaxInt32), math.MaxInt32)
	const reach = time.Duration(1 << 61 / math.MaxInt32)
	require.True(t, l.Take(math.MaxInt32).OK)
	r, d := l.ReserveAt(t0, math.MaxInt32, ratelimit.Never)
	require.True(t, d.OK)
	require.Equal(t, t0.Add(time.Second), r.ActAt())
	_, d = l.ReserveAt(t0, math.MaxInt32, ratelimit.Never)
	require.Equal(t, 2*time.Second-reach, d.RetryAfter, "as if 2^61/(2^31-1) ns had been asked for")
	_, d = l.ReserveAt(t0.Add(d.RetryAfter-1), math.MaxInt32, ratelimit.Never)
	require.False(t, d.OK)
	_, d = l.ReserveAt(t0.Add(2*time.Second-reach), math.MaxInt32, ratelimit.Never)
	require.True(t, d.OK)
}
