package gcra_test

import (
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-3506548a/ratelimit"
)

func TestCharge(t *testing.T) {
	l, c := newAt(t, t0, ratelimit.PerSecond(10), 3)
	left := func(remaining int, retry, reset time.Duration) ratelimit.Decision {
		return ratelimit.Decision{OK: retry == 0, Limit: 3, Remaining: remaining, RetryAfter: retry, ResetAfter: reset}
	}
	require.Equal(t, left(2, 0, 100*ms), l.ChargeAt(t0, 1))
	require.Equal(t, left(2, 0, 100*ms), l.ChargeAt(t0, 0))
	require.Equal(t, left(0, 100*ms, 300*ms), l.ChargeAt(t0, 2))
	require.Equal(t, left(0, 1100*ms, 1300*ms), l.ChargeAt(t0, 10), "more than fits")
	require.False(t, l.TakeAt(t0.Add(1100*ms-1), 1).OK)
	require.Equal(t, left(0, 900*ms, 1100*ms), l.ChargeAt(t3, 1), "on top, as of then")
	require.Equal(t, left(0, 1300*ms, 1500*ms), l.ChargeAt(t0, 1), "an earlier time does not lower what is owed")
	c.Set(t0.Add(1300 * ms))
	require.True(t, l.Allow())
	require.False(t, l.Allow())
	require.Equal(t, ratelimit.Never, l.ChargeAt(t0, -1).RetryAfter)
}

// What is owed beyond the burst is no reason to wait with a change of rate, and can be given back.
func TestChargedAndChanged(t *testing.T) {
	l, _ := newAt(t, t0, ratelimit.PerSecond(1), 10)
	require.Equal(t, 91*time.Second, l.ChargeAt(t0, 100).RetryAfter)
	l.RefundAt(t0, 10, 0)
	require.Equal(t, 81*time.Second, l.PeekAt(t0, 1).RetryAfter)
	require.NoError(t, l.SetRate(ratelimit.PerSecond(90), 10))
	require.InDelta(t, 81*time.Second/90, l.PeekAt(t0, 1).RetryAfter, 1, "the 90 that are owed, at the new rate, rounded up by a tick")
	r, d := l.ReserveAt(t0, 1, time.Minute)
	require.True(t, d.OK)
	l.ChargeAt(t0, 90)
	r.Cancel()
	require.InDelta(t, (90+90+1-10)*time.Second/90, l.PeekAt(t0, 1).RetryAfter, 1, "a charge does not wait for its turn behind it")
}

// A charge does not keep the time of a reservation that is cancelled.
func TestChargedAndCancelled(t *testing.T) {
	for _, charges := range [][]int{{1}, {1, 3}, {1, -1, 3}, {30}} { // -1: a reservation in between
		l, _ := newAt(t, t0, ratelimit.PerSecond(1), 10)
		require.True(t, l.TakeAt(t0, 10).OK)
		r, _ := l.ReserveAt(t0, 10, time.Minute)
		owed := 10
		var between []ratelimit.Reservation
		for _, n := range charges {
			if n < 0 {
				later, d := l.ReserveAt(t0, 5, time.Minute)
				require.True(t, d.OK)
				between = append(between, later)
				continue
			}
			l.ChargeAt(t0, n)
			owed += n
		}
		for _, b := range between {
			b.CancelAt(t0)
		}
		r.CancelAt(t0)
		require.Equal(t, time.Duration(owed)*time.Second, l.PeekAt(t0, 1).ResetAfter)
		require.NoError(t, l.SetRateAt(t0, ratelimit.Per(1000, time.Second), 10))
		require.InDelta(t, time.Duration(owed)*ms, l.PeekAt(t0, 1).ResetAfter, 100, "the new rate holds at once")
	}

	l, _ := newAt(t, t0, ratelimit.PerSecond(1), 10)
	require.True(t, l.TakeAt(t0, 10).OK)
	r, _ := l.ReserveAt(t0, 10, time.Minute)
	l.ChargeAt(t0, 1)
	require.NoError(t, l.SetRateAt(t0, ratelimit.PerDay(1), 10))
	require.Equal(t, 10*time.Second, r.ActAt().Sub(t0))
	require.InDelta(t, 10*time.Second+48*time.Hour, l.PeekAt(t0, 1).RetryAfter, 1000, "11 are owed when it is acted on, and 10 fit")
}

// A charge that is given back does not make a reservation look as if it could be acted on sooner.
func TestChargedAndRefunded(t *testing.T) {
	l, _ := newAt(t, t0, ratelimit.PerSecond(1), 10)
	require.True(t, l.TakeAt(t0, 10).OK)
	_, d := l.ReserveAt(t0, 10, time.Minute)
	require.True(t, d.OK)
	l.ChargeAt(t0, 10)
	at := t0.Add(10 * time.Second)
	require.Equal(t, 20*time.Second, l.PeekAt(at, 1).ResetAfter)
	l.RefundAt(at, 5, 10*time.Second)
	require.Equal(t, 20*time.Second, l.PeekAt(at, 1).ResetAfter, "the time of the charge is before the reservation's")
}

// A charge is counted up to 2^61 ticks beyond the burst.
func TestChargeTooMuch(t *testing.T) {
	l, c := newAt(t, t0, ratelimit.PerSecond(1_000_000_007), 1)
	l.ChargeAt(t0, math.MaxInt) // enough, but for an int of 32 bits
	d := l.ChargeAt(t0, math.MaxInt)
	require.Equal(t, time.Duration((1<<61+1_000_000_000)/1_000_000_007+1), d.RetryAfter, "and the one event")
	require.Equal(t, d, l.ChargeAt(t0, math.MaxInt), "more is not counted")
	require.Equal(t, d, l.ChargeAt(t0, 1))
	c.Set(t0.Add(d.RetryAfter))
	require.True(t, l.Allow())

	daily, _ := newAt(t, t0, ratelimit.PerDay(1234567), 1234567)
	require.InDelta(t, 24*time.Hour, daily.ChargeAt(t0, 2*1234567).ResetAfter-24*time.Hour, float64(time.Millisecond), "at least another burst")
}

// A change to a rate at which what was charged would not drain in 73 years is an error.
func TestSetRateThatCannotHoldWhatIsOwed(t *testing.T) {
	l, _ := newAt(t, t0, ratelimit.PerSecond(1000), 10)
	l.ChargeAt(t0, 1_000_000)
	require.EqualError(t, l.SetRate(ratelimit.PerHour(1), 10),
		"gcra.Limiter.SetRate: rate is 1/hour, want one at which the 1000000 events that may be owed drain within 2^61 ns (73 years), or 0")
	require.NoError(t, l.SetRate(ratelimit.PerHour(2), 10))
}

// A time of the grant that was read a moment too late gives back what is owed.
func TestRefundWithHeldTooShort(t *testing.T) {
	for short := range time.Duration(3) {
		l, c := newAt(t, t0, ratelimit.PerSecond(10), 3)
		require.True(t, l.TakeAt(t0, 2).OK)
		c.Set(t0.Add(50 * ms))
		l.RefundAt(c.Now(), 2, 50*ms-short)
		require.Equal(t, 3, l.Peek(0).Remaining)
		require.Zero(t, l.Peek(0).ResetAfter, short)
	}
}
