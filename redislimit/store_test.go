package redislimit_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/fixedwindow"
	"github.com/seed-3506548a/ratelimit/limittest"
	"github.com/seed-3506548a/ratelimit/redislimit"
)

// Err is that of the last answer, whatever the key.
func TestErrIsOfTheLastAnswer(t *testing.T) {
	gone := errors.New("gone")
	m := newMini(t)
	limit := hundred(t, m)
	require.NoError(t, limit.Err("k"))
	for range 2 {
		m.fault = gone
		limit.TakeAt(t0, "k", 1)
		require.EqualError(t, limit.Err("other"), "redislimit: test:{k}: not known, so refused: gone")
		require.ErrorIs(t, limit.Limiter("other", redislimit.FailClosed).(ratelimit.Failer).Err(), gone)
		m.fault = nil
		limit.TakeAt(t0, "k", 1)
		require.NoError(t, limit.Err("k"))
	}
}

// A caller that gives up says nothing of the engine, so health checks and those that wait are not
// told of it. A deadline that has passed may well be the engine's fault.
func TestACallerThatGivesUp(t *testing.T) {
	limit := hundred(t, engine{run: func(ctx context.Context) ([]int64, error) {
		return []int64{t0.UnixMicro(), 0, 0}, ctx.Err()
	}})
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := limit.Take(cancelled, "k", 1)
	require.ErrorIs(t, err, context.Canceled)
	require.NoError(t, limit.Err(""))
	late, cancel := context.WithTimeout(t.Context(), 0)
	defer cancel()
	_, err = limit.Take(late, "k", 1)
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.ErrorIs(t, limit.Err(""), context.DeadlineExceeded)
	_, err = limit.Take(cancelled, "k", 1)
	require.ErrorIs(t, err, context.Canceled)
	require.ErrorIs(t, limit.Err(""), context.DeadlineExceeded)
	_, err = limit.Take(t.Context(), "k", 1)
	require.NoError(t, err)
	require.NoError(t, limit.Err(""))
}

// A refund of what cannot have been granted asks nobody.
func TestRefundsThatAskNobody(t *testing.T) {
	m := newMini(t)
	limit := hundred(t, m)
	for _, row := range []struct {
		n     int
		held  time.Duration
		trips int
	}{{0, 0, 0}, {-1, 0, 0}, {101, 0, 0}, {1, -1, 0}, {100, -1, 0}, {1, 0, 1}, {100, 0, 1}} {
		before := m.trips
		require.NoError(t, limit.Refund(t.Context(), "k", row.n, row.held))
		require.Equal(t, row.trips, m.trips-before, "%+v", row)
	}
}

// How long events were held is rounded up to microseconds: what drained meanwhile is not given
// back.
func TestHeldIsRoundedUp(t *testing.T) {
	for held, remaining := range map[time.Duration]int{0: 10, 1: 9, 999: 9, 1000: 9, 1001: 8, 1999: 8, 2000: 8, 2001: 7, time.Hour: 7} {
		limit := ratelimit.Must(redislimit.NewGCRA(newMini(t), "test", ratelimit.PerSecond(1_000_000), 10))
		_, err := limit.Take(t.Context(), "k", 3)
		require.NoError(t, err)
		require.NoError(t, limit.Refund(t.Context(), "k", 3, held))
		d, err := limit.Peek(t.Context(), "k", 0)
		require.NoError(t, err)
		require.Equal(t, remaining, d.Remaining, "%v", held)
	}
}

// Windows are of whole microseconds, from one to 2^51.
func TestLengthsOfWindows(t *testing.T) {
	m := newMini(t)
	for per, ok := range map[time.Duration]bool{
		-us: false, -1: false, 0: false, 1: false, us - 1: false, us: true, us + 1: false, 2 * us: true,
		1 << 51 * us: true, 1<<51*us - us: true, 1<<51*us + us: false, 1<<51*us + 1: false,
	} {
		_, window := redislimit.NewAlignedWindow(m, "test", ratelimit.Per(1, per))
		_, log := redislimit.NewLog(m, "test", ratelimit.Per(1, per))
		for fn, err := range map[string]error{"redislimit.NewAlignedWindow": window, "redislimit.NewLog": log} {
			if ok {
				require.NoError(t, err)
			} else {
				require.EqualError(t, err, fn+": rate.Per is "+per.String()+", want a whole number of microseconds, at most 2^51 of them (71 years)")
			}
		}
	}
}

// If the engine's clock is set back behind a window of which all was given back, nothing is granted
// until it begins again, as by a fixedwindow.
func TestWindowOfTheFuture(t *testing.T) {
	m, clock := newMini(t), limittest.NewClock(t0)
	far := ratelimit.Must(redislimit.NewAlignedWindow(m, "test", ratelimit.PerMinute(5), redislimit.Remember(0)))
	near := ratelimit.Must(fixedwindow.NewAligned(ratelimit.PerMinute(5), ratelimit.WithClock(clock)))
	set := func(at time.Time) {
		clock.Set(at)
		m.SetTime(at)
	}
	set(t0.Add(time.Hour))
	for _, n := range []int{2, 1} {
		d, err := far.Take(t.Context(), "k", n)
		require.NoError(t, err)
		require.Equal(t, near.Take(n), d)
	}
	for _, back := range []int{1, 2} {
		set(t0.Add(time.Hour))
		require.NoError(t, far.Refund(t.Context(), "k", back, 0))
		near.RefundAt(clock.Now(), back, 0)
		for _, at := range []time.Duration{time.Hour, time.Hour - us, time.Hour - 7*time.Second, 59 * time.Minute} {
			set(t0.Add(at))
			for _, n := range []int{0, 1, 5, 6, -1} {
				d, err := far.Peek(t.Context(), "k", n)
				require.NoError(t, err)
				require.Equal(t, near.Peek(n), d, "%d after %v", n, at)
			}
		}
	}
}

// What was granted in a window that is over, by whatever an engine replies, does not count.
func TestWindowThatIsOver(t *testing.T) {
	for _, ago := range []time.Duration{time.Minute, time.Minute + us, time.Hour} {
		limit := ratelimit.Must(redislimit.NewAlignedWindow(told(t0.UnixMicro(), t0.Add(-ago).UnixMicro(), 5), "test", ratelimit.PerMinute(5)))
		d, err := limit.Peek(context.Background(), "k", 1)
		require.NoError(t, err)
		require.Equal(t, ratelimit.Decision{OK: true, Limit: 5, Remaining: 5}, d)
	}
}
