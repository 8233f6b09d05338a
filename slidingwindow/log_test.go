package slidingwindow_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/internal/proof/bounds"
	"github.com/seed-3506548a/ratelimit/limittest"
	"github.com/seed-3506548a/ratelimit/slidingwindow"
)

func logAt(t testing.TB, start time.Time, rate ratelimit.Rate) (*slidingwindow.Log, *limittest.Clock) {
	c := limittest.NewClock(start)
	l, err := slidingwindow.NewLog(rate, ratelimit.WithClock(c))
	require.NoError(t, err)
	return l, c
}

// 3 a second: an event counts for a second, to the nanosecond.
func TestLogStory(t *testing.T) {
	l, _ := logAt(t, t0, ratelimit.PerSecond(3))
	play(t, l, []step{
		{0, 0, true, 3, 0, 0},
		{200 * ms, 1, true, 2, 0, 1000 * ms},
		{700 * ms, 2, true, 0, 0, 1000 * ms},
		{1200*ms - 1, 1, false, 0, 1, 500*ms + 1},
		{1200 * ms, 2, false, 1, 500 * ms, 500 * ms},
		{1200 * ms, 1, true, 0, 0, 1000 * ms},
		{1200 * ms, 3, false, 0, 1000 * ms, 1000 * ms},
		{1200 * ms, 4, false, 0, ratelimit.Never, 1000 * ms},
		{1700 * ms, 0, true, 2, 0, 500 * ms},
		{1700 * ms, 2, true, 0, 0, 1000 * ms},
		{9000 * ms, 3, true, 0, 0, 1000 * ms},
	})
}

// A late caller sees what has expired at its own time, and is recorded at the newest.
func TestLogWithLateCallers(t *testing.T) {
	l, _ := logAt(t, t0, ratelimit.PerSecond(3))
	play(t, l, []step{
		{0, 1, true, 2, 0, 1000 * ms},
		{1500 * ms, 1, true, 2 - 0, 0, 1000 * ms},
		{900 * ms, 1, true, 0, 0, 1600 * ms}, // the event at 0 counts there, and so does that at 1500 ms
		{900 * ms, 1, false, 0, 100 * ms, 1600 * ms},
		{1000 * ms, 1, true, 0, 0, 1500 * ms},
		{2500*ms - 1, 1, false, 0, 1, 1},
		{2500 * ms, 3, true, 0, 0, 1000 * ms},
		{-time.Hour, 1, false, 0, time.Hour + 3500*ms, time.Hour + 3500*ms},
	})
}

// A late request may be refused though every window has room for it: after 2 events each at 0, 1
// and 12 s, no window of 10 s has more than 4 with 2 at 10 s.
func TestLogRefusesLateRequestsThatWouldFit(t *testing.T) {
	const s = 1000 * ms
	l, _ := logAt(t, t0, ratelimit.Per(5, 10*s))
	var grants []bounds.Grant
	for _, after := range []time.Duration{0, s, 12 * s} {
		require.True(t, l.TakeAt(t0.Add(after), 2).OK)
		grants = append(grants, bounds.Grant{At: t0.Add(after), N: 2})
	}
	require.Equal(t, ratelimit.Decision{Limit: 5, Remaining: 1, RetryAfter: s, ResetAfter: 12 * s}, l.TakeAt(t0.Add(10*s), 2))
	grants = append(grants, bounds.Grant{At: t0.Add(10 * s), N: 2})
	bounds.Require(t, grants, windowBound(ratelimit.Per(4, 10*s)))
}

func TestLogRefund(t *testing.T) {
	l, c := logAt(t, t0, ratelimit.PerSecond(4))
	used := func(want int) {
		t.Helper()
		require.Equal(t, 4-want, l.PeekAt(t0.Add(600*ms), 0).Remaining)
	}
	require.True(t, l.TakeAt(t0, 1).OK)
	require.True(t, l.TakeAt(t0.Add(500*ms), 2).OK)
	l.RefundAt(t0.Add(600*ms), 1, 600*ms)
	used(3) // something was granted later
	l.RefundAt(t0.Add(600*ms), 1, 100*ms+1)
	used(3) // likewise
	l.RefundAt(t0.Add(600*ms), 1, 100*ms-1)
	used(2) // the time of the grant was read a moment too late
	require.True(t, l.TakeAt(t0.Add(500*ms), 1).OK)
	l.RefundAt(t0.Add(600*ms), 3, 100*ms)
	used(1) // no more than was granted then
	require.True(t, l.TakeAt(t0.Add(500*ms), 1).OK)
	require.True(t, l.TakeAt(t0.Add(400*ms), 1).OK) // late, and recorded at 500 ms
	l.RefundAt(t0.Add(600*ms), 2, 100*ms)
	used(1)
	c.Set(t0.Add(1500 * ms))
	require.True(t, l.TakeAt(t0.Add(500*ms), 1).OK)
	l.RefundAt(t0.Add(600*ms), 1, 100*ms)
	used(2) // it has expired by the clock
}

func TestLogSetRate(t *testing.T) {
	l, c := logAt(t, t0, ratelimit.PerSecond(5))
	require.True(t, l.Take(4).OK)
	c.Set(t0.Add(100 * ms))
	require.True(t, l.Take(1).OK)
	require.NoError(t, l.SetRate(ratelimit.PerSecond(2)))
	require.Equal(t, ratelimit.Decision{Limit: 2, RetryAfter: 900 * ms, ResetAfter: 1000 * ms}, l.Peek(1))
	require.NoError(t, l.SetRateAt(t0.Add(300*ms), ratelimit.PerSecond(7)))
	require.Equal(t, ratelimit.PerSecond(7), l.Rate())
	require.Equal(t, ratelimit.Decision{Limit: 7, RetryAfter: 200 * ms, ResetAfter: 1000 * ms}, l.Peek(1),
		"nothing is granted before the change")
	c.Set(t0.Add(300 * ms))
	require.Equal(t, 2, l.Peek(0).Remaining, "what was granted keeps counting, also what the limit of 2 did not allow")
	l.RefundAt(c.Now(), 1, 200*ms)
	require.Equal(t, 2, l.Peek(0).Remaining, "and gives nothing back")
	require.True(t, l.Allow())
	l.RefundAt(c.Now(), 1, 0)
	require.Equal(t, 2, l.Peek(0).Remaining, "but what is granted later does")
	require.NoError(t, l.SetRate(ratelimit.PerSecond(0)))
	require.False(t, l.Allow())
	require.Equal(t, ratelimit.Never, l.Peek(1).RetryAfter)
	require.NoError(t, l.SetRate(ratelimit.PerSecond(1)))
	c.Set(t0.Add(1100*ms - 1))
	require.False(t, l.Allow())
	c.Set(t0.Add(1100 * ms))
	require.True(t, l.Allow())
	require.False(t, l.Allow())
	require.EqualError(t, l.SetRate(ratelimit.PerMinute(1)),
		"slidingwindow.Log.SetRate: rate.Per is 1m0s, want 1s, as the limiter was made: only Events can change")
	require.EqualError(t, l.SetRateAt(t0, ratelimit.PerSecond(-1)),
		"slidingwindow.Log.SetRateAt: rate.Events is -1, want 0 to 262143; a Counter can do more")
}

func TestLogBound(t *testing.T) {
	rate := ratelimit.PerSecond(20)
	require.NoError(t, limittest.TestBound(func(opts ...ratelimit.Option) (ratelimit.Limiter, error) {
		return slidingwindow.NewLog(rate, opts...)
	}, 50*ms, windowBound(rate).Int))
}

// It grants what the obvious limiter does, in order and out of it.
func TestLogIsExact(t *testing.T) {
	random := rand.New(rand.NewPCG(5, 6))
	for range 2000 {
		l, _ := logAt(t, t0, ratelimit.PerSecond(5))
		exact := &obvious{length: time.Second, limit: 5}
		now := time.Duration(0)
		for range 40 {
			n := 1 + random.IntN(3)
			ok := exact.take(now, n)
			require.Equal(t, ok, l.TakeAt(t0.Add(now), n).OK)
			if ok {
				exact.record(now, n)
			}
			now += time.Duration(random.Int64N(int64(400*ms))) - 100*ms
		}
	}
}

// Who asks all the time gets the limit in each window, and nothing is lost from one to the next.
func TestLogWithholdsNothing(t *testing.T) {
	for _, rate := range []ratelimit.Rate{ratelimit.PerSecond(7), ratelimit.PerMinute(90), ratelimit.Per(1000, 5*time.Minute),
		ratelimit.PerHour(50), ratelimit.PerDay(600)} {
		l, _ := logAt(t, t0, rate)
		now := time.Duration(0)
		for i := range 20 * rate.Events {
			d := l.TakeAt(t0.Add(now), 1)
			if !d.OK {
				now += d.RetryAfter
				require.True(t, l.TakeAt(t0.Add(now), 1).OK)
			}
			require.Equal(t, time.Duration(i/rate.Events)*rate.Per, now)
		}
	}
}

// With the greatest limit, the word counts 2^23 versions: callers see nothing of the next frame but
// its allocations.
func TestLogOutgrowsItsFrame(t *testing.T) {
	const limit, per = 1<<18 - 1, 1000
	l, _ := logAt(t, t0, ratelimit.Per(limit, per))
	at := 0
	grants := func() {
		for range 1000 {
			at++
			if d := l.TakeAt(t0.Add(time.Duration(at)), 1); d.Remaining != limit-min(at, per) || d.ResetAfter != per {
				t.Fatalf("grant %d: %+v", at, d)
			}
		}
	}
	grants() // so that the next frame begins in a run that counts: AllocsPerRun makes one before that
	frames := 0
	for at < 1<<23+10_000 {
		if testing.AllocsPerRun(1, grants) > 0 {
			frames++
		}
	}
	require.Equal(t, 1, frames)
}

func TestLogConforms(t *testing.T) {
	build := func(opts ...ratelimit.Option) (ratelimit.Limiter, error) {
		return slidingwindow.NewLog(ratelimit.PerSecond(10), opts...)
	}
	require.NoError(t, limittest.TestLimiter(build))
	require.NoError(t, limittest.TestAllocations(build))
}

func TestLogOfRateZeroRefusesEverything(t *testing.T) {
	l, _ := logAt(t, t0, ratelimit.PerSecond(0))
	require.False(t, l.Allow())
	require.Equal(t, ratelimit.Decision{RetryAfter: ratelimit.Never}, l.Take(1))
	require.Equal(t, ratelimit.Decision{OK: true}, l.Take(0))
}

// Callers at times of their own, in disorder, each a few events at a time, never get more than the
// limit of a window together; and those that are alone with the next window get all of that.
func TestLogUnderLoad(t *testing.T) {
	const n = 20_000
	l, _ := logAt(t, t0, ratelimit.PerSecond(n))
	for window := range 5 {
		begin := t0.Add(time.Duration(window) * time.Second)
		var granted atomic.Int64
		var wg sync.WaitGroup
		for caller := range 4 {
			wg.Go(func() {
				for i := 0; ; i++ {
					events := 1 + (i+caller)%3
					if !l.TakeAt(begin.Add(time.Duration(i%7)), events).OK {
						if events == 1 {
							return
						}
						continue
					}
					granted.Add(int64(events))
				}
			})
		}
		wg.Wait()
		got := granted.Load() + int64(l.PeekAt(begin.Add(7), 0).Remaining)
		require.LessOrEqual(t, granted.Load(), int64(n))
		require.EqualValues(t, n, got, fmt.Sprint("window ", window))
	}
}

func TestLogArguments(t *testing.T) {
	for _, row := range []struct {
		rate ratelimit.Rate
		want string
	}{
		{ratelimit.PerSecond(-1), "rate.Events is -1, want 0 to 262143; a Counter can do more"},
		{ratelimit.PerSecond(1 << 18), "rate.Events is 262144, want 0 to 262143; a Counter can do more"},
		{ratelimit.PerSecond(math.MaxInt), "rate.Events is " + fmt.Sprint(math.MaxInt) + ", want 0 to 262143; a Counter can do more"},
		{ratelimit.Per(1, 0), "rate.Per is 0s, want more than 0s"},
		{ratelimit.Per(1, -1), "rate.Per is -1ns, want more than 0s"},
		{ratelimit.Per(1, 1<<58+1), "rate.Per is 80063h59m36.151711745s, want at most 2^58 ns (9 years)"},
	} {
		_, err := slidingwindow.NewLog(row.rate)
		require.EqualError(t, err, "slidingwindow.NewLog: "+row.want)
	}
	for _, rate := range []ratelimit.Rate{ratelimit.Per(1<<18-1, 1<<58), ratelimit.Per(1<<18-1, 1), ratelimit.Every(1)} {
		l, err := slidingwindow.NewLog(rate)
		require.NoError(t, err)
		require.Equal(t, rate, l.Rate())
		require.True(t, l.Allow())
	}
}

// FitsAt and AllowAt, which All calls, say what PeekAt and TakeAt do: for any n, on the nanosecond
// at which an event expires, late, and before and after a change of rate.
func TestLogFitsAsPeekSays(t *testing.T) {
	const per = 10 // ns
	random := rand.New(rand.NewPCG(1, 0))
	for range 200 {
		limit := random.IntN(4)
		a, _ := logAt(t, t0, ratelimit.Per(limit, per))
		b, _ := logAt(t, t0, ratelimit.Per(limit, per))
		for range 60 {
			at := t0.Add(time.Duration(random.IntN(40)))
			for n := -1; n <= limit+1; n++ {
				require.Equal(t, a.PeekAt(at, n).OK, a.FitsAt(at, n), "%d of %d", n, limit)
			}
			require.Equal(t, b.TakeAt(at, 1).OK, a.AllowAt(at))
			if random.IntN(30) == 0 {
				limit = random.IntN(4)
				require.NoError(t, a.SetRateAt(at, ratelimit.Per(limit, per)))
				require.NoError(t, b.SetRateAt(at, ratelimit.Per(limit, per)))
			}
		}
	}
}
