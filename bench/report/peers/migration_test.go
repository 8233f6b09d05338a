package peers_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/time/rate"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/gcra"
	"github.com/seed-3506548a/ratelimit/limittest"
)

// These tests hold docs/migrating.md's table of what to write instead of golang.org/x/time/rate:
// its limiter and this module's are asked the same, and what one of them answers differently is
// said.

var t0 = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// pair is a limiter of either kind. Both are asked at the same times.
type pair struct {
	theirs *rate.Limiter
	ours   *gcra.Limiter
	clock  *limittest.Clock
}

func newPair(limit rate.Limit, r ratelimit.Rate, burst int) pair {
	c := limittest.NewClock(t0)
	return pair{rate.NewLimiter(limit, burst), ratelimit.Must(gcra.New(r, burst, ratelimit.WithClock(c))), c}
}

// requireSame asks both for one event at each of so many seconds after t0, and requires the same
// answers.
func (p pair) requireSame(t *testing.T, want ...bool) {
	t.Helper()
	for second, ok := range want {
		at := t0.Add(time.Duration(second) * time.Second)
		require.Equal(t, ok, p.theirs.AllowN(at, 1), "theirs, %d s", second)
		require.Equal(t, ok, p.ours.TakeAt(at, 1).OK, "ours, %d s", second)
	}
}

func TestMigrationTokens(t *testing.T) {
	p := newPair(rate.Every(2*time.Second), ratelimit.Every(2*time.Second), 5)
	require.True(t, p.theirs.AllowN(t0, 3))
	require.True(t, p.ours.TakeAt(t0, 3).OK)
	for _, after := range []time.Duration{0, time.Second, 2 * time.Second, 3 * time.Second, time.Hour} {
		require.Equal(t, int(p.theirs.TokensAt(t0.Add(after))), p.ours.PeekAt(t0.Add(after), 0).Remaining)
	}
	require.Equal(t, p.theirs.Burst(), p.ours.Burst())
}

// Every(0) is without a limit there. Here it is an error, and not to be limited has a name.
func TestMigrationInf(t *testing.T) {
	require.InDelta(t, float64(rate.Inf), float64(rate.Every(0)), 0)
	theirs, ours := rate.NewLimiter(rate.Inf, 0), ratelimit.Unlimited()
	for range 1000 {
		require.True(t, theirs.AllowN(t0, 1000))
		require.True(t, ours.TakeAt(t0, 1000).OK)
	}
	_, err := gcra.New(ratelimit.Every(0), 1)
	require.EqualError(t, err, "gcra.New: rate.Per is 0s, want more than 0s")
}

// A rate of 0 grants a burst there, once and for all. Here it grants nothing; the slowest rate
// there is grants a burst and, for years, nothing more.
func TestMigrationRateZero(t *testing.T) {
	burst := 3
	p := newPair(0, ratelimit.Every(1<<61/time.Duration(burst)), burst)
	p.requireSame(t, true, true, true, false, false)
	year := t0.Add(365 * 24 * time.Hour)
	require.False(t, p.theirs.AllowN(year, 1))
	require.False(t, p.ours.TakeAt(year, 1).OK)
	require.False(t, ratelimit.Must(gcra.New(ratelimit.PerSecond(0), burst)).Allow())
}

func TestMigrationFractionalRates(t *testing.T) {
	newPair(0.5, ratelimit.Per(1, 2*time.Second), 1).requireSame(t, true, false, true, false, true)
	newPair(1.5, ratelimit.Per(3, 2*time.Second), 1).requireSame(t, true, true, true, true)
	newPair(0.25, ratelimit.Every(4*time.Second), 2).requireSame(t, true, true, false, false, true, false, false, false, true)
}

func TestMigrationReserve(t *testing.T) {
	p := newPair(1, ratelimit.PerSecond(1), 2)
	for range 5 {
		theirs := p.theirs.ReserveN(t0, 1)
		ours, d := p.ours.ReserveAt(t0, 1, ratelimit.Never)
		require.Equal(t, theirs.OK(), d.OK)
		require.Equal(t, theirs.DelayFrom(t0), ours.ActAt().Sub(t0))
	}
	require.False(t, p.theirs.ReserveN(t0, 3).OK())
	ours, d := p.ours.ReserveAt(t0, 3, ratelimit.Never)
	require.False(t, d.OK)
	require.Nil(t, ours)
}

// Cancel gives up a reservation in both, and does nothing in both after its time. What did not
// happen is given back only here.
func TestMigrationCancel(t *testing.T) {
	p := newPair(1, ratelimit.PerSecond(1), 1)
	reserve := func() (*rate.Reservation, ratelimit.Reservation) {
		p.theirs.ReserveN(t0, 1)
		p.ours.TakeAt(t0, 1)
		theirs := p.theirs.ReserveN(t0, 1)
		ours, d := p.ours.ReserveAt(t0, 1, ratelimit.Never)
		require.True(t, theirs.OK() && d.OK)
		return theirs, ours
	}
	theirs, ours := reserve()
	theirs.CancelAt(t0)
	ours.CancelAt(t0)
	p.requireSame(t, false, true, true)

	p = newPair(1, ratelimit.PerSecond(1), 1)
	theirs, ours = reserve()
	late := t0.Add(time.Second + time.Nanosecond)
	p.clock.Set(late)
	theirs.CancelAt(late)
	ours.CancelAt(late)
	require.False(t, p.theirs.AllowN(late, 1))
	require.False(t, p.ours.TakeAt(late, 1).OK)
	ours.RefundAt(late)
	require.True(t, p.ours.TakeAt(late, 1).OK)
}

func TestMigrationSetLimit(t *testing.T) {
	p := newPair(1, ratelimit.PerSecond(1), 3)
	p.theirs.AllowN(t0, 3)
	p.ours.TakeAt(t0, 3)
	p.theirs.SetLimitAt(t0, 0.5)
	require.NoError(t, p.ours.SetRateAt(t0, ratelimit.Every(2*time.Second), p.ours.Burst()))
	p.requireSame(t, false, false, true, false, true, false, true)
}

// Tokens are kept there, up to the new burst, and what is owed is kept here: of a greater burst the
// difference passes at once, and of a smaller one it is missing.
func TestMigrationSetBurst(t *testing.T) {
	for _, row := range []struct{ burst, theirs, ours int }{{5, 2, 4}, {3, 2, 2}, {2, 2, 1}, {1, 1, 0}} {
		p := newPair(1, ratelimit.PerSecond(1), 3)
		p.theirs.AllowN(t0, 1)
		p.ours.TakeAt(t0, 1)
		p.theirs.SetBurstAt(t0, row.burst)
		require.NoError(t, p.ours.SetRateAt(t0, p.ours.Rate(), row.burst))
		require.Equal(t, row.theirs, int(p.theirs.TokensAt(t0)))
		require.Equal(t, row.ours, p.ours.PeekAt(t0, 0).Remaining)
	}
}

// Sometimes with an interval, of a function that takes no time: for longer ones, the interval
// begins with the call here.
func TestMigrationSometimes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		theirs := rate.Sometimes{Interval: time.Second}
		ours := ratelimit.Must(gcra.New(ratelimit.Every(time.Second), 1))
		theirsRan, oursRan := 0, 0
		for range 100 {
			theirs.Do(func() { theirsRan++ })
			if ours.Allow() {
				oursRan++
			}
			require.Equal(t, theirsRan, oursRan)
			time.Sleep(300 * time.Millisecond)
		}
		require.Equal(t, 25, oursRan)
	})
}

// Both serve those who wait at the rate, and refuse at once what cannot be had before the deadline.
func TestMigrationWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		theirs, ours := rate.NewLimiter(1, 2), ratelimit.Must(gcra.New(ratelimit.PerSecond(1), 2))
		start := time.Now()
		for i := range 4 {
			require.NoError(t, theirs.Wait(t.Context()))
			require.Equal(t, time.Duration(max(0, i-1))*time.Second, time.Since(start))
			require.NoError(t, ratelimit.Wait(t.Context(), ours, 1))
			require.Equal(t, time.Duration(max(0, i-1))*time.Second, time.Since(start))
		}
		soon, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		before := time.Now()
		require.Error(t, theirs.WaitN(soon, 2))
		require.ErrorIs(t, ratelimit.Wait(soon, ours, 2), context.DeadlineExceeded)
		require.Equal(t, before, time.Now())
		require.Error(t, theirs.WaitN(t.Context(), 3), "more than the burst")
		require.ErrorIs(t, ratelimit.Wait(t.Context(), ours, 3), ratelimit.ErrNever)
	})
}

// A time that is earlier than the last one mints tokens there, and a negative n refills the bucket.
// Here neither does.
func TestMigrationOddArguments(t *testing.T) {
	p := newPair(1, ratelimit.PerSecond(1), 10)
	p.theirs.AllowN(t0, 10)
	p.ours.TakeAt(t0, 10)
	p.theirs.AllowN(t0, -10)
	require.Equal(t, ratelimit.Never, p.ours.TakeAt(t0, -10).RetryAfter)
	require.True(t, p.theirs.AllowN(t0, 10))
	require.False(t, p.ours.TakeAt(t0, 1).OK)
	p.theirs.AllowN(t0.Add(-5*time.Second), 0)
	p.ours.TakeAt(t0.Add(-5*time.Second), 0)
	require.True(t, p.theirs.AllowN(t0, 5))
	require.False(t, p.ours.TakeAt(t0, 1).OK)
}
