package peers_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/time/rate"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/gcra"
	"github.com/seed-3506548a/ratelimit/limittest"
)

// Each row of the README's table about golang.org/x/time/rate, on both.
func TestMigration(t *testing.T) {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	c := limittest.NewClock(now)
	with := ratelimit.WithClock(c)

	there := rate.NewLimiter(rate.Every(time.Second), 5)
	here := ratelimit.Must(gcra.New(ratelimit.PerSecond(1), 5, with))
	require.True(t, there.AllowN(now, 3))
	require.True(t, here.TakeAt(now, 3).OK)
	require.InDelta(t, 2, there.TokensAt(now), 1e-9)
	require.Equal(t, 2, here.PeekAt(now, 0).Remaining)
	require.Equal(t, 5, there.Burst())
	require.Equal(t, 5, here.Burst())

	reserved := there.ReserveN(now, 4)
	require.True(t, reserved.OK())
	r, d := here.ReserveAt(now, 4, ratelimit.Never)
	require.True(t, d.OK)
	require.Equal(t, 2*time.Second, reserved.DelayFrom(now))
	require.Equal(t, 2*time.Second, r.ActAt().Sub(now))
	reserved.CancelAt(now)
	r.CancelAt(now)
	require.InDelta(t, 2, there.TokensAt(now), 1e-9)
	require.Equal(t, 2, here.PeekAt(now, 0).Remaining)
	require.False(t, there.ReserveN(now, 6).OK())
	_, d = here.ReserveAt(now, 6, ratelimit.Never)
	require.False(t, d.OK)

	reserved = there.ReserveN(now, 1)
	r, _ = here.ReserveAt(now, 1, ratelimit.Never)
	later := now.Add(time.Millisecond)
	reserved.CancelAt(later)
	r.CancelAt(later)
	require.InDelta(t, 1.001, there.TokensAt(later), 1e-9, "a deferred Cancel does nothing")
	require.Equal(t, 1, here.PeekAt(later, 0).Remaining)
	r.RefundAt(later)
	require.Equal(t, 2, here.PeekAt(later, 0).Remaining)

	there.SetLimitAt(later, 10)
	require.NoError(t, here.SetRateAt(later, ratelimit.PerSecond(10), here.Burst()))
	require.Equal(t, 5, there.Burst())
	require.Equal(t, 5, here.Burst())
	there.SetBurstAt(later, 100)
	require.NoError(t, here.SetRateAt(later, here.Rate(), 100))
	require.Less(t, there.TokensAt(later), 2.0, "what is left stays")
	require.Equal(t, 97, here.PeekAt(later, 0).Remaining, "and here the difference passes")

	require.True(t, rate.NewLimiter(rate.Inf, 0).AllowN(now, 1_000_000))
	require.Equal(t, rate.Inf, rate.Every(0))
	require.True(t, ratelimit.Unlimited().TakeAt(now, 1_000_000).OK)
	_, err := gcra.New(ratelimit.Every(0), 1)
	require.Error(t, err)

	none := rate.NewLimiter(0, 2)
	require.True(t, none.AllowN(now, 2), "the burst, once")
	require.False(t, none.AllowN(now.Add(time.Hour), 1))
	require.False(t, ratelimit.Must(gcra.New(ratelimit.PerSecond(0), 2, with)).Allow())

	half := rate.NewLimiter(0.5, 1)
	slow := ratelimit.Must(gcra.New(ratelimit.Per(1, 2*time.Second), 1, with))
	for second := range 9 {
		at := now.Add(time.Duration(second) * time.Second)
		require.Equal(t, half.AllowN(at, 1), slow.TakeAt(at, 1).OK)
	}

	did, sometimes := 0, ratelimit.Must(gcra.New(ratelimit.Every(time.Minute), 1, with))
	for range 10 {
		if sometimes.Allow() {
			did++
		}
	}
	require.Equal(t, 1, did)
}
