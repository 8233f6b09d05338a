package tokenbucket_test

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-3506548a/ratelimit"
)

// What is cancelled in reverse order is as if it had never been reserved, at any rate: also if the
// capacity is 1, and if all of it is reserved, where the time to act is rounded up to a nanosecond.
func TestCancelInReverseOrder(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for name, construct := range kinds {
		for range 4000 {
			rate := ratelimit.Per(1+random.IntN(1000), time.Duration(1+random.Int64N(int64(time.Hour))))
			capacity := []int{1, 1, 2, 10, 1 + random.IntN(1000)}[random.IntN(5)]
			l, _ := newAt(t, construct, t0, rate, capacity)
			l.Take(random.IntN(capacity + 1))
			var before []ratelimit.Decision
			look := func() (all []ratelimit.Decision) {
				for _, after := range []time.Duration{0, 1, time.Millisecond, time.Second, time.Minute, time.Hour} {
					all = append(all, l.PeekAt(t0.Add(after), 1))
				}
				return all
			}
			before = look()
			var all []ratelimit.Reservation
			for range 1 + random.IntN(5) {
				n := []int{1, capacity, 1 + random.IntN(capacity)}[random.IntN(3)]
				if r, d := l.ReserveAt(t0, n, ratelimit.Never); d.OK {
					all = append(all, r)
				}
			}
			for _, r := range slices.Backward(all) {
				r.CancelAt(t0)
			}
			require.Equal(t, before, look(), "%s of %v, capacity %d, %d reservations", name, rate, capacity, len(all))
		}
	}
}

// A reservation is cancelled until its time to act, that instant included, and not afterwards: so
// that it can be deferred.
func TestCancelUntilItsTime(t *testing.T) {
	for name, construct := range kinds {
		for _, row := range []struct {
			after time.Duration
			left  int
		}{{-1, 1}, {0, 1}, {1, 0}} {
			l, c := newAt(t, construct, t0, ratelimit.PerSecond(10), 10)
			require.True(t, l.Take(10).OK)
			r, d := l.ReserveAt(t0, 10, time.Second)
			require.True(t, d.OK)
			at := r.ActAt().Add(row.after)
			c.Set(at)
			r.CancelAt(t0) // by the clock, it is later than that
			back := l.PeekAt(r.ActAt(), 10).OK
			require.Equal(t, row.left == 1, back, "%s, %v after its time", name, row.after)
			r.Refund()
			require.True(t, l.PeekAt(r.ActAt().Add(1), 9).OK, "%s: what did not happen is given back at any time", name)
		}
	}
}

// To defer Cancel is an idiom, which must cost the limit nothing.
func TestDeferredCancel(t *testing.T) {
	for name, construct := range kinds {
		l, c := newAt(t, construct, t0, ratelimit.PerSecond(10), 10)
		served := 0
		serve := func() {
			r, d := l.ReserveAt(c.Now(), 1, 0)
			if !d.OK {
				return
			}
			defer r.Cancel()
			served++
			c.Advance(ms) // it takes a while
		}
		for range 10_000 {
			serve()
			c.Advance(ms)
		}
		require.LessOrEqual(t, served, 10+int(c.Now().Sub(t0)*10/time.Second), name)
		require.Greater(t, served, 100, name)
	}
}

// An immediate grant that did not happen is undone exactly, once.
func TestRefundOfAnImmediateGrant(t *testing.T) {
	for name, construct := range kinds {
		l, _ := newAt(t, construct, t0, ratelimit.PerSecond(10), 10)
		require.True(t, l.Take(3).OK)
		before := l.Peek(0)
		r, _ := l.ReserveAt(t0, 5, 0)
		r.Refund()
		require.Equal(t, before, l.Peek(0), name)
		r.Refund()
		r.Cancel()
		require.Equal(t, before, l.Peek(0), "%s: once", name)
	}
}

// A change of rate waits for reservations that are yet to be acted on, and no longer than until
// they are cancelled.
func TestSetRateBehindReservations(t *testing.T) {
	for name, construct := range kinds {
		l, _ := newAt(t, construct, t0, ratelimit.PerHour(1), 1)
		require.True(t, l.Allow())
		var all []ratelimit.Reservation
		for range 3 {
			r, d := l.ReserveAt(t0, 1, 10*time.Hour)
			require.True(t, d.OK)
			all = append(all, r)
		}
		faster := ratelimit.PerHour(1_000_000)
		require.NoError(t, l.SetRate(faster, 1000))
		require.Equal(t, 3*time.Hour, l.PeekAt(t0, 1).RetryAfter, name)
		middle := ratelimit.PerHour(2_000_000)
		require.NoError(t, l.SetRate(middle, 500))
		require.Equal(t, 3*time.Hour, l.PeekAt(t0, 1).RetryAfter, name)
		at := t0.Add(time.Second)
		all[0].CancelAt(at)
		require.Equal(t, 3*time.Hour-time.Second, l.PeekAt(at, 1).RetryAfter, "%s: others reserved behind it", name)
		for i, left := range []time.Duration{2 * time.Hour, time.Hour} {
			all[2-i].CancelAt(at)
			require.Equal(t, left-time.Second, l.PeekAt(at, 1).RetryAfter, name)
		}
	}
}

// If all that was reserved is cancelled, changes of rate meanwhile are as if it had never been
// reserved.
func TestSetRateBehindWhatIsCancelled(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	for name, construct := range kinds {
		for range 2000 {
			rate := ratelimit.Per(1+random.IntN(100), time.Duration(1+random.Int64N(int64(time.Hour))))
			capacity := 1 + random.IntN(3)
			l, _ := newAt(t, construct, t0, rate, capacity)
			twin, _ := newAt(t, construct, t0, rate, capacity)
			require.True(t, l.Take(capacity).OK)
			require.True(t, twin.Take(capacity).OK)
			var all []ratelimit.Reservation
			for range 1 + random.IntN(3) {
				r, d := l.ReserveAt(t0, 1, ratelimit.Never)
				require.True(t, d.OK)
				all = append(all, r)
			}
			for range 1 + random.IntN(16) {
				other, size := ratelimit.Per(1+random.IntN(100), rate.Per), 1+random.IntN(5)
				require.NoError(t, l.SetRate(other, size))
				require.NoError(t, twin.SetRate(other, size))
			}
			at := t0.Add(time.Duration(random.Int64N(1 + int64(all[0].ActAt().Sub(t0)))))
			for _, r := range slices.Backward(all) {
				r.CancelAt(at)
			}
			for _, after := range []time.Duration{0, 1, time.Second, time.Hour} {
				require.Equal(t, twin.PeekAt(at.Add(after), 1), l.PeekAt(at.Add(after), 1), "%s of %v", name, rate)
			}
		}
	}
}

// What was reserved more than 16 changes of rate ago is not given back any more, so that memory
// does not grow.
func TestManyChangesBehindAReservation(t *testing.T) {
	for name, construct := range kinds {
		l, _ := newAt(t, construct, t0, ratelimit.PerHour(1), 1)
		require.True(t, l.Allow())
		r, d := l.ReserveAt(t0, 1, 10*time.Hour)
		require.True(t, d.OK)
		for i := range 16 {
			require.NoError(t, l.SetRate(ratelimit.PerHour(10+i), 10))
		}
		require.NoError(t, l.SetRate(ratelimit.PerHour(100), 10))
		r.CancelAt(t0)
		require.Equal(t, time.Hour, l.PeekAt(t0, 1).RetryAfter, "%s: too many changes ago", name)
	}
}

// What is charged beyond the capacity comes back in batches, as all else.
func TestChargeOfAnInterval(t *testing.T) {
	l, c := newAt(t, interval, t0, ratelimit.Per(10, time.Second), 20)
	require.Equal(t, ratelimit.Decision{Limit: 20, RetryAfter: 9 * time.Second, ResetAfter: 10 * time.Second}, l.ChargeAt(t0, 100))
	r, d := l.ReserveAt(t0, 20, time.Minute)
	require.True(t, d.OK)
	require.Equal(t, 10*time.Second, r.ActAt().Sub(t0))
	r.Cancel()
	require.NoError(t, l.SetRate(ratelimit.Per(50, time.Second), 20))
	require.Equal(t, 2*time.Second, l.PeekAt(t0, 1).RetryAfter, "80 are missing, and 50 come back at once")
	c.Set(t0.Add(2 * time.Second))
	require.True(t, l.Take(20).OK)
	d = l.ChargeAt(c.Now(), 1<<31-1)
	require.Equal(t, (1<<31-1+49)/50, int(d.ResetAfter/time.Second), "2^31-1 are counted")
	require.Equal(t, d, l.ChargeAt(c.Now(), 1))
}

// A reservation that is due at the time of a change of rate is not pending any more: it is not
// given back.
func TestSetRateWhenAReservationIsDue(t *testing.T) {
	due := t0.Add(time.Hour)
	for _, last := range []time.Time{due.Add(-1), due} {
		l, _ := newAt(t, interval, t0, ratelimit.PerHour(1), 1)
		require.True(t, l.Allow())
		r, d := l.ReserveAt(t0, 1, 10*time.Hour)
		require.True(t, d.OK)
		require.Equal(t, due, r.ActAt())
		require.NoError(t, l.SetRateAt(t0, ratelimit.PerHour(2), 2))
		require.NoError(t, l.SetRateAt(last, ratelimit.PerHour(3), 3))
		before := l.PeekAt(due, 1)
		r.CancelAt(due)
		if last.Before(due) {
			require.Greater(t, l.PeekAt(due, 1).Remaining, before.Remaining)
		} else {
			require.Equal(t, before, l.PeekAt(due, 1))
		}
	}
}

// After so many changes of rate that what was before them is forgotten, 15 later ones are
// remembered.
func TestManyChangesTwice(t *testing.T) {
	for _, more := range []int{15, 16} {
		l, _ := newAt(t, interval, t0, ratelimit.PerHour(1), 1)
		require.True(t, l.Allow())
		changes := 0
		change := func(n int) {
			for range n {
				changes++
				require.NoError(t, l.SetRate(ratelimit.PerHour(1+changes%2), 1))
			}
		}
		_, d := l.ReserveAt(t0, 1, 100*time.Hour)
		require.True(t, d.OK)
		change(17) // the last one forgets
		r, d := l.ReserveAt(t0, 1, 100*time.Hour)
		require.True(t, d.OK)
		change(more)
		require.Equal(t, 3*time.Hour, l.PeekAt(t0, 1).RetryAfter)
		r.CancelAt(t0)
		want := 2 * time.Hour
		if more == 16 {
			want = 3 * time.Hour
		}
		require.Equal(t, want, l.PeekAt(t0, 1).RetryAfter)
	}
}
