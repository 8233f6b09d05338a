package limittest

import (
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-3506548a/ratelimit"
)

// NewBurst builds a limiter on a clock that grants burst events at once, and later at most the rate.
type NewBurst func(rate ratelimit.Rate, burst int, c ratelimit.Clock) (ratelimit.Limiter, error)

// KnownBugs puts a limiter through what has gone wrong in other limiters. The subtests are named after
// where it did.
func KnownBugs(t *testing.T, build NewBurst) {
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	at := func(t *testing.T, origin time.Time, rate ratelimit.Rate, burst int) (ratelimit.Limiter, *Clock) {
		c := NewClock(origin)
		l, err := build(rate, burst, c)
		require.NoError(t, err)
		return l, c
	}

	t.Run("x/time/rate: a time that goes back mints tokens", func(t *testing.T) {
		l, _ := at(t, start, ratelimit.PerSecond(1000), 100)
		granted := 0
		for i := range 10_000 {
			if l.TakeAt(start.Add(time.Duration(i%2)*2*time.Millisecond), 1).OK {
				granted++
			}
		}
		require.LessOrEqual(t, granted, 102)
	})
	t.Run("x/time/rate: a negative n refills", func(t *testing.T) {
		l, _ := at(t, start, ratelimit.PerSecond(1), 2)
		require.True(t, l.Take(2).OK)
		for _, n := range []int{-1, -1000, math.MinInt} {
			require.False(t, l.Take(n).OK)
			l.RefundAt(start, n, 0)
		}
		require.False(t, l.Allow())
	})
	t.Run("x/time/rate: the longest interval grants twice", func(t *testing.T) {
		l, c := at(t, start, ratelimit.Every(1<<58), 1)
		require.True(t, l.Allow())
		c.Set(start.Add(1<<58 - 1))
		require.False(t, l.Allow())
		c.Set(start.Add(1 << 58))
		require.True(t, l.Allow())
		require.False(t, l.Allow())
	})
	t.Run("x/time/rate: to cancel twice mints", func(t *testing.T) {
		l, _ := at(t, start, ratelimit.PerSecond(1), 3)
		require.True(t, l.Take(2).OK)
		r, d := l.(ratelimit.Reserver).ReserveAt(start, 1, 0)
		require.True(t, d.OK)
		r.Cancel()
		r.Cancel()
		r.CancelAt(start)
		require.Equal(t, 1, l.Take(0).Remaining)
	})
	t.Run("x/time/rate: a reservation for now cannot be cancelled", func(t *testing.T) {
		l, _ := at(t, start, ratelimit.PerSecond(1), 1)
		r, d := l.(ratelimit.Reserver).ReserveAt(start, 1, 0)
		require.True(t, d.OK)
		require.Equal(t, start, r.ActAt())
		r.Cancel()
		require.True(t, l.Allow())
	})
	t.Run("uber-go/ratelimit: the epoch counts as never called", func(t *testing.T) {
		l, c := at(t, time.Unix(0, 0), ratelimit.PerSecond(1), 1)
		require.True(t, l.Allow())
		require.False(t, l.Allow())
		c.Set(time.Unix(0, 0).Add(time.Second - 1))
		require.False(t, l.Allow())
	})
	t.Run("uber-go/ratelimit: slack is granted again after each pause", func(t *testing.T) {
		l, c := at(t, start, ratelimit.PerSecond(10), 3)
		c.Set(start.Add(time.Hour))
		for range 3 {
			require.True(t, l.Allow())
		}
		require.False(t, l.Allow())
	})
	t.Run("throttled: n times the interval wraps", func(t *testing.T) {
		l, _ := at(t, start, ratelimit.PerMinute(1), 1)
		for shift := range 62 {
			n := math.MaxInt >> shift
			require.Equal(t, n <= 1, l.PeekAt(start, n).OK, "n = %d", n)
		}
	})
	t.Run("sethvargo/go-limiter: a nanosecond back underflows", func(t *testing.T) {
		l, _ := at(t, start, ratelimit.PerSecond(1), 2)
		require.True(t, l.TakeAt(start, 2).OK)
		d := l.TakeAt(start.Add(-1), 1)
		require.False(t, d.OK)
		require.Equal(t, time.Second+1, d.RetryAfter)
	})
	t.Run("bucket4j: long idling overflows", func(t *testing.T) {
		l, c := at(t, start, ratelimit.PerSecond(1_000_000), 1_000_000)
		require.True(t, l.Take(1_000_000).OK)
		c.Set(start.AddDate(100, 0, 0))
		require.Equal(t, 1_000_000, l.Take(0).Remaining)
		require.True(t, l.Take(1_000_000).OK)
		require.False(t, l.Allow())
	})
	t.Run("bucket4j: the wait forgets a partial token", func(t *testing.T) {
		l, c := at(t, start, ratelimit.PerSecond(1), 1)
		require.True(t, l.Allow())
		c.Set(start.Add(400 * time.Millisecond))
		require.Equal(t, 600*time.Millisecond, l.Take(1).RetryAfter)
	})
	t.Run("governor: the burst is one too many or too few", func(t *testing.T) {
		for burst := 1; burst < 6; burst++ {
			l, _ := at(t, start, ratelimit.PerSecond(1), burst)
			granted := 0
			for l.Allow() {
				granted++
			}
			require.Equal(t, burst, granted)
		}
	})
	t.Run("governor: 600 million a second become a billion", func(t *testing.T) {
		l, _ := at(t, start, ratelimit.PerSecond(600_000_000), 1000)
		require.True(t, l.Take(1000).OK)
		granted := 0
		for ns := range 30_000 {
			for l.TakeAt(start.Add(time.Duration(ns)), 1).OK {
				granted++
			}
		}
		require.LessOrEqual(t, granted, 18_000)
	})
	t.Run("go-chi/httprate: a late caller clears the new window", func(t *testing.T) {
		l, _ := at(t, start, ratelimit.PerSecond(1), 1)
		require.True(t, l.TakeAt(start, 1).OK)
		require.True(t, l.TakeAt(start.Add(time.Second), 1).OK)
		require.False(t, l.TakeAt(start.Add(time.Second-1), 1).OK)
		require.False(t, l.TakeAt(start.Add(time.Second), 1).OK)
	})
	t.Run("resilience4j: cycles of a rounded length admit extra", func(t *testing.T) {
		l, _ := at(t, start, ratelimit.PerSecond(7), 7)
		var grants []Grant
		for i := range 50_000 {
			now := start.Add(time.Duration(i) * 100 * time.Microsecond)
			if l.TakeAt(now, 1).OK {
				grants = append(grants, Grant{now, 1})
			}
		}
		RequireBound(t, grants, IntervalBound(ratelimit.PerSecond(7), 7))
	})
	t.Run("failsafe-go: a cancelled wait leaks permits", func(t *testing.T) {
		l, _ := at(t, start, ratelimit.PerSecond(1), 1)
		require.True(t, l.Allow())
		before := l.Take(0)
		for range 100 {
			r, d := l.(ratelimit.Reserver).ReserveAt(start, 1, time.Minute)
			require.True(t, d.OK)
			r.Cancel()
		}
		require.Equal(t, before, l.Take(0))
	})
}
