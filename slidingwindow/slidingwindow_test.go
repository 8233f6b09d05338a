package slidingwindow_test

import (
	"math/big"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/internal/proof/bounds"
	"github.com/seed-3506548a/ratelimit/limittest"
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

// windowBound is the most in a closed interval: rate.Events for each half-open window that it needs
// to be covered.
func windowBound(rate ratelimit.Rate) bounds.Bound {
	return func(length time.Duration) *big.Int {
		return big.NewInt(int64(rate.Events) * int64(1+length/rate.Per))
	}
}

// obvious is the obvious limiter of a window that moves by nanoseconds: it counts, at t, what was
// granted at times after t-length, and records a late grant at the time of the newest.
type obvious struct {
	length time.Duration
	limit  int
	times  []time.Duration
}

func (l *obvious) take(t time.Duration, n int) bool {
	for _, at := range l.times {
		if at > t-l.length {
			n++
		}
	}
	return n <= l.limit
}

func (l *obvious) record(t time.Duration, n int) {
	for _, at := range l.times {
		t = max(t, at)
	}
	for range n {
		l.times = append(l.times, t)
	}
}

// limiters are both, of 5 a second.
var limiters = map[string]func(c ratelimit.Clock) (ratelimit.Limiter, error){
	"Log": func(c ratelimit.Clock) (ratelimit.Limiter, error) {
		return slidingwindow.NewLog(ratelimit.PerSecond(5), ratelimit.WithClock(c))
	},
	"Counter": func(c ratelimit.Clock) (ratelimit.Limiter, error) {
		return slidingwindow.NewCounter(ratelimit.PerSecond(5), 4, ratelimit.WithClock(c))
	},
}

// Whatever was refunded, a limiter grants no more than one that never granted it.
func TestRefundIsAtMostAsIfNeverGranted(t *testing.T) {
	for name, build := range limiters {
		t.Run(name, func(t *testing.T) {
			random := rand.New(rand.NewPCG(3, 4))
			refunds := 0
			for range 3000 {
				c := limittest.NewClock(t0)
				with := ratelimit.Must(build(c))
				without := ratelimit.Must(build(c))
				now := t0
				for range 20 {
					n := 1 + random.IntN(3)
					if random.IntN(3) == 0 && with.TakeAt(now, n).OK {
						later := now.Add(time.Duration(random.Int64N(int64(400 * ms))))
						before := with.PeekAt(later, 0)
						with.RefundAt(later, n, later.Sub(now))
						if with.PeekAt(later, 0) != before {
							refunds++
						}
						now = later
						continue
					}
					if with.TakeAt(now, n).OK {
						require.True(t, without.TakeAt(now, n).OK)
					}
					now = now.Add(time.Duration(random.Int64N(int64(400 * ms))))
				}
			}
			require.Positive(t, refunds)
		})
	}
}
