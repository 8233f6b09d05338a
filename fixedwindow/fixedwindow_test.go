package fixedwindow_test

import (
	"math"
	"math/big"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
	_ "time/tzdata"
	"unsafe"

	"github.com/stretchr/testify/require"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/fixedwindow"
	"github.com/seed-3506548a/ratelimit/internal/proof/bounds"
	"github.com/seed-3506548a/ratelimit/internal/proof/model"
	"github.com/seed-3506548a/ratelimit/limittest"
)

const ms = time.Millisecond

// t0 is a full minute.
var t0 = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

type construct func(ratelimit.Rate, ...ratelimit.Option) (*fixedwindow.Limiter, error)

// kinds are the ways to place windows.
var kinds = map[string]construct{
	"NewAnchored": fixedwindow.NewAnchored, "NewAligned": fixedwindow.NewAligned,
	"NewAlignedTo": func(rate ratelimit.Rate, opts ...ratelimit.Option) (*fixedwindow.Limiter, error) {
		return fixedwindow.NewAlignedTo(rate, time.Date(9999, 12, 31, 23, 0, 0, 0, time.UTC), opts...)
	},
}

func newAt(t testing.TB, construct construct, start time.Time, rate ratelimit.Rate) (*fixedwindow.Limiter, *limittest.Clock) {
	c := limittest.NewClock(start)
	l, err := construct(rate, ratelimit.WithClock(c))
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

func play(t *testing.T, l *fixedwindow.Limiter, steps []step) {
	t.Helper()
	for i, s := range steps {
		want := ratelimit.Decision{
			OK: s.ok, Limit: l.Rate().Events, Remaining: s.remaining, RetryAfter: s.retryAfter, ResetAfter: s.resetAfter}
		require.Equal(t, want, l.PeekAt(t0.Add(s.after), s.n), "step %d, peek", i)
		require.Equal(t, want, l.TakeAt(t0.Add(s.after), s.n), "step %d", i)
	}
}

func TestAnAnchoredWindowOpensWithAnEvent(t *testing.T) {
	l, _ := newAt(t, fixedwindow.NewAnchored, t0, ratelimit.PerSecond(3))
	play(t, l, []step{
		{0, 0, true, 3, 0, 0},
		{200 * ms, 1, true, 2, 0, 1000 * ms},
		{700 * ms, 2, true, 0, 0, 500 * ms},
		{1200*ms - 1, 1, false, 0, 1, 1},
		{1200 * ms, 1, true, 2, 0, 1000 * ms},
		{1200 * ms, 3, false, 2, 1000 * ms, 1000 * ms},
		{1200 * ms, 4, false, 2, ratelimit.Never, 1000 * ms},
		{1199 * ms, 1, false, 0, 1 * ms, 1001 * ms}, // a stale time
		{5000 * ms, 3, true, 0, 0, 1000 * ms},
	})
}

func TestAnAlignedWindowIsCutByTheClock(t *testing.T) {
	l, _ := newAt(t, fixedwindow.NewAligned, t0.Add(123*ms), ratelimit.PerMinute(3))
	play(t, l, []step{
		{59 * time.Second, 3, true, 0, 0, time.Second},
		{60*time.Second - 1, 1, false, 0, 1, 1},
		{60 * time.Second, 2, true, 1, 0, time.Minute}, // the boundary lets 5 pass in a second
		{90 * time.Second, 1, true, 0, 0, 30 * time.Second},
		{59 * time.Second, 1, false, 0, 61 * time.Second, 61 * time.Second}, // never opened again
		{300 * time.Second, 0, true, 3, 0, 0},
	})
}

// An aligned window follows the wall clock also where it steps: forwards it opens the next window,
// and after a step back it refuses until the clock has caught up.
func TestAnAlignedWindowFollowsTheWallClock(t *testing.T) {
	now := time.Now() // with a monotonic reading, which must not matter
	wall := now.Round(0).Truncate(time.Minute)
	l, c := newAt(t, fixedwindow.NewAligned, now, ratelimit.PerMinute(1))
	c.Set(wall)
	require.True(t, l.Allow())
	require.False(t, l.Allow())
	c.Set(wall.Add(61 * time.Minute))
	require.True(t, l.Allow(), "a step of an hour forwards, into the second minute")
	c.Set(wall.Add(2 * time.Minute))
	d := l.Take(1)
	require.False(t, d.OK, "and back")
	require.Equal(t, 60*time.Minute, d.RetryAfter)
	c.Set(wall.Add(62 * time.Minute))
	require.True(t, l.Allow())
	require.False(t, l.TakeAt(now, 1).OK, "a time with a monotonic reading is taken by its wall clock")
}

// stepped returns t after the wall clock was set forward: what the monotonic one reads is the same.
func stepped(t *testing.T, before time.Time, by time.Duration) time.Time {
	after := before.Add(by)
	(*struct { // of time.Time
		wall uint64
		ext  int64
		loc  *time.Location
	})(unsafe.Pointer(&after)).ext -= int64(by)
	require.Zero(t, after.Sub(before), "by the monotonic clock")
	require.Equal(t, by, after.Round(0).Sub(before.Round(0)), "by the wall clock")
	return after
}

func TestAnAlignedWindowIsNotOneOfTheMonotonicClock(t *testing.T) {
	now := time.Now()
	l, c := newAt(t, fixedwindow.NewAligned, now, ratelimit.PerHour(1))
	require.True(t, l.Allow())
	c.Set(stepped(t, now, time.Hour))
	require.True(t, l.Allow(), "the wall clock was set to the next hour")
	require.False(t, l.Allow())
	c.Set(stepped(t, now, 2*time.Hour))
	require.True(t, l.Take(1).OK)
	require.False(t, l.TakeAt(now, 1).OK)
}

// On the system's clock, too, a window ends, and the next is another.
func TestAWindowEndsOnTheSystemsClock(t *testing.T) {
	for name, construct := range kinds {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l, err := construct(ratelimit.PerSecond(2))
				require.NoError(t, err)
				for range 3 {
					require.True(t, l.Allow())
					require.True(t, l.Allow())
					require.False(t, l.Allow())
					time.Sleep(time.Second - 1)
					require.False(t, l.Allow())
					time.Sleep(time.Nanosecond)
				}
			})
		})
	}
}

// The grid is the finest that fits: here, exactly, that of nanoseconds.
func TestTimeIsExactAsLongAsItFits(t *testing.T) {
	const per = 1 << 50 // with 10 bits of a count, 2*per = 2^(61-10)
	l, _ := newAt(t, fixedwindow.NewAnchored, t0, ratelimit.Per(1000, per))
	opened := t0.Add(3)
	require.True(t, l.TakeAt(opened, 1000).OK)
	require.Equal(t, time.Duration(per), l.PeekAt(opened, 1).RetryAfter)
}

// All methods read the same clock: in windows of 9 years, these calls are in one.
func TestAlignedOnTheSystemsClock(t *testing.T) {
	l, err := fixedwindow.NewAligned(ratelimit.Per(3, 1<<58))
	require.NoError(t, err)
	require.True(t, l.Allow())
	require.True(t, l.Take(1).OK)
	require.True(t, l.Allow())
	require.False(t, l.Allow())
	d := l.TakeAt(time.Now(), 1)
	require.False(t, d.OK)
	require.Less(t, d.RetryAfter, time.Duration(1<<58))
}

func TestAlignedToTheEpochWhateverTheOrigin(t *testing.T) {
	for _, origin := range []time.Time{
		{}, time.Unix(0, 1), time.Unix(-1, 0), time.Date(2157, 6, 1, 1, 2, 3, 4, time.UTC), time.Date(1601, 1, 1, 0, 0, 0, 1, time.UTC),
	} {
		for _, per := range []time.Duration{7 * time.Second, time.Minute, 36 * time.Hour, 999_999_937} {
			l, c := newAt(t, fixedwindow.NewAligned, origin, ratelimit.Per(1, per))
			d := l.Take(1)
			require.True(t, d.OK)
			end := model.Offset(time.Unix(0, 0), c.Now().Add(d.ResetAfter))
			require.Zero(t, new(big.Int).Mod(end, big.NewInt(int64(per))).Sign(), "a window from %v ends at %v", origin, end)
			require.LessOrEqual(t, d.ResetAfter, per)
		}
	}
}

// Windows begin at whole multiples of their length from any instant, before it and after it.
func TestAlignedToAnyInstant(t *testing.T) {
	for _, at := range []time.Time{
		{}, time.Unix(0, 0), time.Unix(0, 1), time.Unix(-1, 999_999_999), time.Now(), t0.Add(123 * ms),
		time.Date(9999, 12, 31, 23, 59, 59, 999_999_999, time.UTC), time.Unix(1<<62, 7), time.Unix(-1<<62, 7),
	} {
		for _, origin := range []time.Time{t0, {}, time.Unix(0, 0), time.Now(), time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)} {
			for _, per := range []time.Duration{1, 7 * time.Second, 7 * 24 * time.Hour, 999_999_937, 1 << 58} {
				c := limittest.NewClock(origin)
				l, err := fixedwindow.NewAlignedTo(ratelimit.Per(1, per), at, ratelimit.WithClock(c))
				require.NoError(t, err)
				d := l.Take(1)
				require.True(t, d.OK)
				require.Positive(t, d.ResetAfter)
				require.LessOrEqual(t, d.ResetAfter, per)
				end := model.Offset(at, origin.Add(d.ResetAfter))
				require.Zero(t, new(big.Int).Mod(end, big.NewInt(int64(per))).Sign(), "a window of %v from %v ends %v after %v", per, origin, end, at)
			}
		}
	}
}

// On the system's clock, too.
func TestAlignedToOnTheSystemsClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // which begins at midnight
		l, err := fixedwindow.NewAlignedTo(ratelimit.PerMinute(1), time.Now().Add(-20*time.Second))
		require.NoError(t, err)
		require.True(t, l.Allow())
		time.Sleep(40*time.Second - 1)
		require.False(t, l.Allow())
		time.Sleep(time.Nanosecond)
		require.True(t, l.Allow())
		require.Equal(t, time.Minute, l.Take(1).RetryAfter)
	})
}

// Days that begin at midnight in Los Angeles in winter begin at one o'clock in summer; a limiter
// that is made at the first midnight of summer follows the clock of the wall.
func TestAlignedToDaysOfLosAngeles(t *testing.T) {
	losAngeles, err := time.LoadLocation("America/Los_Angeles")
	require.NoError(t, err)
	midnight := func(month time.Month, day int) time.Time { return time.Date(2026, month, day, 0, 0, 0, 0, losAngeles) }
	made := func(at time.Time) *fixedwindow.Limiter {
		return ratelimit.Must(fixedwindow.NewAlignedTo(ratelimit.PerDay(1), at, ratelimit.WithClock(limittest.NewClock(at))))
	}
	winter, summer := made(midnight(1, 1)), made(midnight(3, 9))
	end := func(l *fixedwindow.Limiter, now time.Time) string {
		d := l.TakeAt(now, 1)
		require.True(t, d.OK)
		return now.Add(d.ResetAfter).Format("2 Jan 15:04 MST")
	}
	require.Equal(t, "15 Jan 00:00 PST", end(winter, midnight(1, 14).Add(12*time.Hour)))
	require.Equal(t, "9 Mar 01:00 PDT", end(winter, midnight(3, 8).Add(12*time.Hour)), "the clock was set at two")
	require.Equal(t, "10 Mar 00:00 PDT", end(summer, midnight(3, 9).Add(12*time.Hour)))
}

func TestRefund(t *testing.T) {
	l, c := newAt(t, fixedwindow.NewAnchored, t0, ratelimit.PerSecond(3))
	require.True(t, l.Take(1).OK)
	c.Set(t0.Add(400 * ms))
	require.True(t, l.Take(1).OK)
	c.Set(t0.Add(500 * ms))
	l.RefundAt(c.Now(), 1, 100*ms)
	require.Equal(t, ratelimit.Decision{OK: true, Limit: 3, Remaining: 2, ResetAfter: 500 * ms}, l.Peek(0))
	l.RefundAt(c.Now(), 1, 500*ms)
	require.Equal(t, ratelimit.Decision{OK: true, Limit: 3, Remaining: 2, ResetAfter: time.Second}, l.Peek(1),
		"the event that opened the window: it opens anew")

	l, c = newAt(t, fixedwindow.NewAligned, t0, ratelimit.PerSecond(3))
	require.True(t, l.Take(3).OK)
	c.Set(t0.Add(500 * ms))
	l.RefundAt(c.Now(), 2, 500*ms)
	require.Equal(t, ratelimit.Decision{OK: true, Limit: 3, Remaining: 2, ResetAfter: 500 * ms}, l.Peek(0))
	c.Set(t0.Add(time.Second))
	require.True(t, l.Take(1).OK)
	l.RefundAt(c.Now(), 1, time.Second)
	require.Equal(t, 2, l.Peek(0).Remaining, "its window is over")
}

// A window that opens again at a refund does not take back what was granted with it, and ends later
// than without the refunded events: others follow it. The limit holds in each.
func TestRefundOfAPartOfTheFirst(t *testing.T) {
	l, c := newAt(t, fixedwindow.NewAnchored, t0, ratelimit.PerSecond(5))
	without, _ := newAt(t, fixedwindow.NewAnchored, t0, ratelimit.PerSecond(5))
	require.True(t, l.Take(2).OK)
	require.True(t, without.TakeAt(t0, 1).OK)
	c.Set(t0.Add(500 * ms))
	l.RefundAt(c.Now(), 1, 500*ms)
	require.Equal(t, ratelimit.Decision{OK: true, Limit: 5, Remaining: 4, ResetAfter: time.Second}, l.Peek(0))
	c.Advance(100 * ms)
	l.RefundAt(c.Now(), 1, 600*ms)
	require.Equal(t, ratelimit.Decision{OK: true, Limit: 5, Remaining: 4, ResetAfter: 900 * ms}, l.Peek(0))

	c.Set(t0.Add(1200 * ms))
	require.True(t, l.Take(3).OK)
	require.True(t, without.TakeAt(c.Now(), 3).OK, "its window is over, and this opens the next one")
	c.Set(t0.Add(1500 * ms))
	require.True(t, l.Take(5).OK)
	require.False(t, without.TakeAt(c.Now(), 5).OK)
}

// Times before the range count as its beginning, which lies inside of an aligned window.
func TestRefundBeforeTheRangeOfTime(t *testing.T) {
	l, c := newAt(t, fixedwindow.NewAligned, t0, ratelimit.Per(2, 3<<55))
	c.Set(time.Time{})
	require.True(t, l.Take(2).OK)
	l.RefundAt(c.Now(), 1, 1)
	require.Equal(t, 1, l.Peek(0).Remaining)
}

func TestSetRate(t *testing.T) {
	for name, construct := range kinds {
		t.Run(name, func(t *testing.T) {
			l, c := newAt(t, construct, t0, ratelimit.PerSecond(5))
			require.True(t, l.Take(4).OK)
			require.NoError(t, l.SetRate(ratelimit.PerSecond(2)))
			require.Equal(t, ratelimit.Decision{Limit: 2, RetryAfter: time.Second, ResetAfter: time.Second}, l.Peek(1))
			require.NoError(t, l.SetRate(ratelimit.PerSecond(6)))
			require.Equal(t, 2, l.Peek(0).Remaining, "what was granted in this window keeps counting")
			l.RefundAt(t0, 1, 0)
			require.Equal(t, 2, l.Peek(0).Remaining, "and gives nothing back")
			require.NoError(t, l.SetRateAt(t0, ratelimit.PerSecond(0)))
			require.False(t, l.Allow())
			require.NoError(t, l.SetRate(ratelimit.PerSecond(1)))
			c.Set(t0.Add(time.Second))
			require.True(t, l.Allow())
			require.False(t, l.Allow())
			require.EqualError(t, l.SetRate(ratelimit.PerMinute(1)),
				"fixedwindow.Limiter.SetRate: rate.Per is 1m0s, want 1s, as the limiter was made: only Events can change")
			require.EqualError(t, l.SetRateAt(t0, ratelimit.PerSecond(-1)),
				"fixedwindow.Limiter.SetRateAt: rate.Events is -1, want 0 to 2147483647")
		})
	}
}

// In every window at most rate.Events, whatever the order of times; and so many at most in any two.
func TestBound(t *testing.T) {
	const n, per = 5, time.Second
	for name, construct := range kinds {
		t.Run(name, func(t *testing.T) {
			random := rand.New(rand.NewPCG(7, 8))
			l, _ := newAt(t, construct, t0, ratelimit.Per(n, per))
			aligned := map[time.Time]int{}
			var grants []bounds.Grant
			now := t0
			for range 5000 {
				if l.TakeAt(now, 1).OK {
					aligned[now.Truncate(per)]++
					grants = append(grants, bounds.Grant{At: now, N: 1})
				}
				now = now.Add(time.Duration(random.Int64N(int64(300*ms))) - 120*ms)
			}
			if name != "NewAnchored" {
				for window, granted := range aligned {
					require.LessOrEqual(t, granted, n, "%v", window)
				}
			}
			// Windows of a length do not overlap, so a closed interval shorter than two meets
			// three.
			bounds.Require(t, grants[:min(len(grants), 1500)], func(length time.Duration) *big.Int {
				return big.NewInt(n * (2 + int64(length/per)))
			})
		})
	}
}

func TestConform(t *testing.T) {
	for name, construct := range kinds {
		t.Run(name, func(t *testing.T) {
			build := func(opts ...ratelimit.Option) (ratelimit.Limiter, error) {
				return construct(ratelimit.PerSecond(10), opts...)
			}
			require.NoError(t, limittest.TestLimiter(build))
			require.NoError(t, limittest.TestAllocations(build))
		})
	}
}

func TestRateZeroRefusesEverything(t *testing.T) {
	for name, construct := range kinds {
		t.Run(name, func(t *testing.T) {
			l, _ := newAt(t, construct, t0, ratelimit.PerSecond(0))
			require.False(t, l.Allow())
			require.Equal(t, ratelimit.Decision{RetryAfter: ratelimit.Never}, l.Take(1))
			require.Equal(t, ratelimit.Decision{OK: true}, l.Take(0))
		})
	}
}

// Callers at two times, before and after a boundary, get no more than two windows' worth.
func TestRolloverUnderLoad(t *testing.T) {
	const n = 50_000
	for name, construct := range kinds {
		t.Run(name, func(t *testing.T) {
			l, _ := newAt(t, construct, t0, ratelimit.PerSecond(n))
			var before, after atomic.Int64
			var wg sync.WaitGroup
			require.True(t, l.TakeAt(t0, 1).OK)
			for range 2 {
				wg.Go(func() {
					for l.TakeAt(t0.Add(time.Second-1), 1).OK {
						before.Add(1)
					}
				})
				wg.Go(func() {
					for l.TakeAt(t0.Add(time.Second), 1).OK {
						after.Add(1)
					}
				})
			}
			wg.Wait()
			require.LessOrEqual(t, before.Load(), int64(n-1))
			require.EqualValues(t, n, after.Load())
		})
	}
}

func TestArguments(t *testing.T) {
	for _, row := range []struct {
		construct construct
		rate      ratelimit.Rate
		want      string
	}{
		{fixedwindow.NewAnchored, ratelimit.PerSecond(-1), "fixedwindow.NewAnchored: rate.Events is -1, want 0 to 2147483647"},
		{fixedwindow.NewAligned, ratelimit.PerSecond(-1), "fixedwindow.NewAligned: rate.Events is -1, want 0 to 2147483647"},
		{fixedwindow.NewAnchored, ratelimit.Per(1, 0), "fixedwindow.NewAnchored: rate.Per is 0s, want more than 0s"},
		{fixedwindow.NewAligned, ratelimit.Per(1, -1), "fixedwindow.NewAligned: rate.Per is -1ns, want more than 0s"},
		{kinds["NewAlignedTo"], ratelimit.Per(1, 0), "fixedwindow.NewAlignedTo: rate.Per is 0s, want more than 0s"},
		{fixedwindow.NewAnchored, ratelimit.Per(1, 1<<58+1),
			"fixedwindow.NewAnchored: rate.Per is 80063h59m36.151711745s, want at most 2^58 ns (9 years)"},
	} {
		_, err := row.construct(row.rate)
		require.EqualError(t, err, row.want)
	}
	for name, construct := range kinds {
		for _, rate := range []ratelimit.Rate{
			ratelimit.Per(math.MaxInt32, 1<<58), ratelimit.PerSecond(math.MaxInt32), ratelimit.Per(math.MaxInt32, 1), ratelimit.Every(1),
		} {
			l, err := construct(rate)
			require.NoError(t, err, "%s %v", name, rate)
			require.Equal(t, rate, l.Rate())
			require.True(t, l.Allow())
		}
	}
}

// What a limiter costs is in the package documentation.
func TestSize(t *testing.T) {
	if unsafe.Sizeof(uintptr(0)) != 8 {
		t.Skip("counted on 64-bit platforms")
	}
	require.EqualValues(t, 128, unsafe.Sizeof(fixedwindow.Limiter{}))
}
