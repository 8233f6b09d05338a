package tokenbucket_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-3506548a/ratelimit"
)

// What a reader who tried to break the buckets found. Each was a breach of the bound.

func TestCancellingBeforeAPendingReservationGivesNothingBack(t *testing.T) {
	for name, again := range map[string]func(l bucket){
		"and a refund":         func(l bucket) { l.RefundAt(t0, 10, 0) },
		"and a change of rate": func(l bucket) { require.NoError(t, l.SetRate(ratelimit.PerSecond(10), 10)) },
	} {
		l, c := newAt(t, continuous, t0, ratelimit.PerSecond(1), 10)
		require.True(t, l.Take(10).OK)
		first, _ := l.ReserveAt(t0, 5, time.Hour)
		second, _ := l.ReserveAt(t0, 1, time.Hour)
		first.Cancel()
		again(l)
		c.Set(second.ActAt())
		require.False(t, l.Take(10).OK, "%s: 11 events at the instant at which the second may act", name)
	}
	for name, construct := range kinds {
		l, c := newAt(t, construct, t0, ratelimit.PerSecond(1), 10)
		require.True(t, l.Take(10).OK)
		var reservations []ratelimit.Reservation
		for _, n := range []int{10, 10, 10, 1} {
			r, d := l.ReserveAt(t0, n, time.Hour)
			require.True(t, d.OK)
			reservations = append(reservations, r)
		}
		for i := 2; i >= 0; i-- {
			reservations[i].CancelAt(t0)
		}
		c.Set(reservations[3].ActAt())
		require.False(t, l.Take(10).OK, name)
	}
}

// The last reservation lies at the end of what the word can count, and is given back as late as can
// be, as what was granted then: the start of its interval moves on.
func TestARefundAtTheEndOfTheWord(t *testing.T) {
	const length, n = time.Duration(1) << 39, 1<<20 - 1
	for back := range time.Duration(4) {
		l, c := newAt(t, interval, t0, ratelimit.Per(n, length), n)
		at := t0.Add(8*length - back)
		require.True(t, l.TakeAt(at, n).OK)
		var last ratelimit.Reservation
		for range 6 {
			if r, d := l.ReserveAt(at, n, ratelimit.Never); d.OK {
				last = r
			}
		}
		c.Set(last.ActAt().Add(length - 1))
		l.RefundAt(c.Now(), n, length-1)
		require.True(t, l.Take(n).OK)
		require.False(t, l.Take(1).OK)
	}
}

func TestASlowerRateDoesNotRefillTheTimeBefore(t *testing.T) {
	l, _ := newAt(t, interval, t0, ratelimit.PerSecond(8), 8)
	require.True(t, l.Take(8).OK)
	_, d := l.ReserveAt(t0, 1, time.Hour)
	require.True(t, d.OK)
	require.NoError(t, l.SetRate(ratelimit.PerSecond(1), 8))
	require.False(t, l.Take(6).OK)

	for name, construct := range kinds {
		l, _ := newAt(t, construct, t0, ratelimit.Per(5, 10*time.Second), 10)
		require.True(t, l.Take(10).OK)
		for range 5 {
			require.NoError(t, l.SetRateAt(t0.Add(25*time.Second), ratelimit.Per(1, 10*time.Second), 10))
			require.Zero(t, l.Tokens(), name)
			require.NoError(t, l.SetRateAt(t0.Add(25*time.Second), ratelimit.Per(5, 10*time.Second), 10))
			require.Zero(t, l.Tokens(), name)
		}
	}
}

func TestAVerySlowRateKeepsWhatIsOwed(t *testing.T) {
	l, _ := newAt(t, continuous, t0, ratelimit.PerSecond(100), 1000)
	require.True(t, l.Take(1000).OK)
	require.EqualError(t, l.SetRate(ratelimit.Every(365*24*time.Hour), 1),
		"tokenbucket.Limiter.SetRate: rate is 1/8760h, want one at which the 1000 events that may be owed drain within 2^61 ns (73 years), or 0")
	require.NoError(t, l.SetRate(ratelimit.Every(24*time.Hour), 1))
	require.NoError(t, l.SetRate(ratelimit.PerSecond(100), 1000))
	require.Zero(t, l.Tokens())
}

// A capacity of 1.6e9 has a grid of 262 µs, and one of 3000 has none.
func TestACoarserGridAndBackDoesNotBringABatchEarly(t *testing.T) {
	rate := ratelimit.PerSecond(3000)
	l, c := newAt(t, interval, t0, rate, 3000)
	start := t0.Add(1<<19 - 1)
	c.Set(start)
	require.True(t, l.Take(3000).OK)
	for range 3 {
		require.NoError(t, l.SetRate(rate, 1_600_000_000))
		require.NoError(t, l.SetRate(rate, 3000))
	}
	c.Set(start.Add(time.Second - 1))
	require.False(t, l.Allow())
}
