package slidingwindow_test

import (
	"fmt"
	"math"
	"math/big"
	"math/rand/v2"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/internal/proof/bounds"
	"github.com/seed-3506548a/ratelimit/internal/proof/model"
	"github.com/seed-3506548a/ratelimit/limittest"
	"github.com/seed-3506548a/ratelimit/slidingwindow"
)

// 3 a second in buckets of 250 ms: what is granted in a bucket counts until a second after its end.
func TestCounterStory(t *testing.T) {
	l, _ := counterAt(t, t0, ratelimit.PerSecond(3), 4)
	play(t, l, []step{
		{0, 0, true, 3, 0, 0},
		{200 * ms, 1, true, 2, 0, 1050 * ms},
		{700 * ms, 2, true, 0, 0, 1050 * ms},
		{1250*ms - 1, 1, false, 0, 1, 500*ms + 1}, // a window of a second has only 2
		{1250 * ms, 1, true, 0, 0, 1250 * ms},
		{1250 * ms, 3, false, 0, 1250 * ms, 1250 * ms},
		{1250 * ms, 4, false, 0, ratelimit.Never, 1250 * ms},
		{1250 * ms, 0, true, 0, 0, 1250 * ms},
		{1750 * ms, 2, true, 0, 0, 1250 * ms},
		{9000 * ms, 3, true, 0, 0, 1250 * ms},
	})
}

// A caller whose time is older than the newest grant's is counted with that, and refused if it lies
// too many buckets before it.
func TestCounterWithLateCallers(t *testing.T) {
	l, _ := counterAt(t, t0, ratelimit.PerSecond(4), 4)
	play(t, l, []step{
		{2000 * ms, 1, true, 3, 0, 1250 * ms},
		{1999 * ms, 1, true, 2, 0, 1251 * ms},
		{1000 * ms, 1, true, 1, 0, 2250 * ms},
		{1000*ms - 1, 1, false, 0, 1, 2250*ms + 1},
		{-time.Hour, 1, false, 0, time.Hour + 1000*ms, time.Hour + 3250*ms},
		{2000 * ms, 1, true, 0, 0, 1250 * ms},
		{2000 * ms, 1, false, 0, 1250 * ms, 1250 * ms},
	})
}

func TestCounterRefund(t *testing.T) {
	l, _ := counterAt(t, t0, ratelimit.PerSecond(4), 4)
	used := func(want int) {
		t.Helper()
		require.Equal(t, 4-want, l.PeekAt(t0.Add(600*ms), 0).Remaining)
	}
	require.True(t, l.TakeAt(t0, 1).OK)
	require.True(t, l.TakeAt(t0.Add(500*ms), 2).OK)
	l.RefundAt(t0.Add(600*ms), 1, 600*ms)
	used(3) // a later bucket has been granted in
	l.RefundAt(t0.Add(600*ms), 3, 100*ms)
	used(1) // no more than was granted there
	require.True(t, l.TakeAt(t0.Add(500*ms), 2).OK)
	l.RefundAt(t0.Add(800*ms), 1, 0)
	used(2)
	l.RefundAt(t0.Add(900*ms), 1, 400*ms)
	used(1) // the bucket is over, but still the newest
	l.RefundAt(t0.Add(600*ms), 1, 100*ms)
	used(1)
}

func TestCounterSetRate(t *testing.T) {
	l, c := counterAt(t, t0, ratelimit.PerSecond(5), 4)
	require.True(t, l.Take(4).OK)
	require.NoError(t, l.SetRate(ratelimit.PerSecond(2)))
	require.Equal(t, ratelimit.Decision{Limit: 2, RetryAfter: 1250 * ms, ResetAfter: 1250 * ms}, l.Peek(1))
	require.NoError(t, l.SetRateAt(t0.Add(300*ms), ratelimit.PerSecond(7)))
	require.Equal(t, ratelimit.PerSecond(7), l.Rate())
	require.Equal(t, ratelimit.Decision{Limit: 7, RetryAfter: 250 * ms, ResetAfter: 1250 * ms}, l.Peek(1),
		"nothing is granted before the bucket of the change")
	c.Set(t0.Add(250 * ms))
	require.Equal(t, 3, l.Peek(0).Remaining, "what was granted keeps counting")
	l.RefundAt(t0, 1, 0)
	require.Equal(t, 3, l.Peek(0).Remaining, "and gives nothing back")
	require.NoError(t, l.SetRate(ratelimit.PerSecond(0)))
	require.False(t, l.Allow())
	require.Equal(t, ratelimit.Never, l.Peek(1).RetryAfter)
	require.NoError(t, l.SetRate(ratelimit.PerSecond(1)))
	c.Set(t0.Add(1250*ms - 1))
	require.False(t, l.Allow())
	c.Set(t0.Add(1250 * ms))
	require.True(t, l.Allow())
	require.False(t, l.Allow())
	require.EqualError(t, l.SetRate(ratelimit.PerMinute(1)),
		"slidingwindow.Counter.SetRate: rate.Per is 1m0s, want 1s, as the limiter was made: only Events can change")
	require.EqualError(t, l.SetRateAt(t0, ratelimit.PerSecond(-1)),
		"slidingwindow.Counter.SetRateAt: rate.Events is -1, want 0 to 268435455 with 4 buckets")
}

func TestCounterBound(t *testing.T) {
	for _, buckets := range []int{1, 2, 7, 10, 1000} {
		rate := ratelimit.PerSecond(20)
		require.NoError(t, limittest.TestBound(func(opts ...ratelimit.Option) (ratelimit.Limiter, error) {
			return slidingwindow.NewCounter(rate, buckets, opts...)
		}, 50*ms, windowBound(rate).Int))
	}
}

// What fits into every window of length (buckets+1)*width is granted; and there are requests that a
// window of rate.Per has room for, and that are refused.
func TestCounterWithholdsNoMoreThanABucket(t *testing.T) {
	random := rand.New(rand.NewPCG(5, 6))
	granted, early := 0, 0
	for _, buckets := range []int{1, 2, 3, 7, 10, 100} {
		for range 300 {
			l, _ := counterAt(t, t0, ratelimit.PerSecond(5), buckets)
			width := (time.Second + time.Duration(buckets) - 1) / time.Duration(buckets)
			longer, exact := &obvious{length: time.Duration(buckets+1) * width, limit: 5}, &obvious{length: time.Second, limit: 5}
			now, newest := time.Duration(0), time.Duration(0)
			for range 40 {
				n := 1 + random.IntN(3)
				ok := l.TakeAt(t0.Add(now), n).OK
				if longer.take(now, n) && newest-now <= time.Second {
					require.True(t, ok, "%d buckets: withheld", buckets)
				}
				if ok {
					require.True(t, exact.take(now, n), "%d buckets: a window has more than its limit", buckets)
					longer.record(now, n)
					exact.record(now, n)
					newest = max(newest, now)
					granted++
				} else if exact.take(now, n) && now >= newest {
					early++
				}
				now += time.Duration(random.Int64N(int64(400*ms))) - 100*ms
			}
		}
	}
	require.Positive(t, granted)
	require.Positive(t, early)
}

// TestCounterShare computes the table in docs/choosing.md: what a client gets that asks all the
// time.
func TestCounterShare(t *testing.T) {
	table := "| buckets of a minute | refuses longer than a Log by up to | a client that asks all the time gets, of 100 a minute | bytes |\n|---|---|---|---|\n"
	for _, buckets := range []int{1, 2, 4, 6, 10, 20, 60} {
		l, _ := counterAt(t, t0, ratelimit.PerMinute(100), buckets)
		width := time.Minute / time.Duration(buckets)
		const minutes = 100_000
		granted := 0
		for now := time.Duration(0); now < minutes*time.Minute; {
			d := l.TakeAt(t0.Add(now), 100)
			if d.OK {
				granted += 100
			}
			now += max(d.RetryAfter, 1)
		}
		// The first of a minute's 100 are followed by the next after buckets+1 buckets.
		share := big.NewRat(int64(granted), minutes)
		want := big.NewRat(int64(100*buckets), int64(buckets+1))
		diff, _ := new(big.Rat).Sub(share, want).Float64()
		require.InDelta(t, 0, diff, 0.01)
		per, _ := share.Float64()
		table += fmt.Sprintf("| %d | %v | %.1f | %d |\n", buckets, width, per, 208+8*ring(buckets))
	}
	page, err := os.ReadFile("../docs/choosing.md")
	require.NoError(t, err)
	if !strings.Contains(string(page), table) {
		require.Fail(t, "docs/choosing.md has another table", table)
	}
}

func ring(buckets int) int {
	size := 1
	for size <= 2*buckets {
		size *= 2
	}
	return size
}

// weighted is the classic counter with two buckets: the last window's count, by the share of it
// that a window which ends now still covers, and the current one's.
type weighted struct {
	limit         float64
	per           time.Duration
	window        int64
	last, current float64
}

func (w *weighted) allow(t time.Duration) bool {
	if window := int64(t / w.per); window != w.window {
		w.last, w.current = w.current, 0
		if window != w.window+1 {
			w.last = 0
		}
		w.window = window
	}
	covered := 1 - float64(t%w.per)/float64(w.per)
	if float64(w.last*covered)+w.current+1 > w.limit { // rounded on all platforms
		return false
	}
	w.current++
	return true
}

// The control: on the same requests, the classic counter grants 2N-1 in less than a window, which
// the Counter does not.
func TestTheClassicCounterAdmitsTwice(t *testing.T) {
	const n = 100
	classic := &weighted{limit: n, per: time.Second}
	counter, _ := counterAt(t, t0, ratelimit.PerSecond(n), 10)
	var classics, counters []bounds.Grant
	ask := func(after time.Duration) {
		if classic.allow(after) {
			classics = append(classics, bounds.Grant{At: t0.Add(after), N: 1})
		}
		if counter.TakeAt(t0.Add(after), 1).OK {
			counters = append(counters, bounds.Grant{At: t0.Add(after), N: 1})
		}
	}
	for range n { // all of one window's at its end
		ask(999 * ms)
	}
	for i := range n { // and later, as the first window's weight falls, an event at a time
		ask(time.Second + time.Duration(i)*10*ms)
	}
	most := func(grants []bounds.Grant) (most int) {
		for i := range grants {
			for j := i; j < len(grants) && grants[j].At.Sub(grants[i].At) < time.Second; j++ {
				most = max(most, j-i+1)
			}
		}
		return most
	}
	require.Equal(t, 2*n-1, most(classics))
	require.Equal(t, n, most(counters))
}

// A limiter that has granted nothing is fresh before its origin too, and counts from there on.
func TestCounterBeforeItsOrigin(t *testing.T) {
	for _, buckets := range []int{1, 2, 3, 10} {
		for back := range 3 * ring(buckets) {
			rate := ratelimit.Per(3, time.Duration(buckets)*ms)
			l, _ := counterAt(t, t0, rate, buckets)
			model := model.NewCounter(rate, buckets)
			at := -time.Duration(back) * ms
			for range 8 * buckets {
				off := big.NewInt(int64(at))
				require.Equal(t, model.Take(off, 1), l.TakeAt(t0.Add(at), 1), "%d buckets, %d back, at %v", buckets, back, at)
				at += ms
			}
		}
	}
}

// With 2^25-1 events a window, a frame counts 2^12 buckets: callers see nothing of its replacement
// but the allocations, of which there are a few in the documented time.
func TestCounterOutgrowsItsFrame(t *testing.T) {
	rate := ratelimit.PerSecond(1<<25 - 1)
	for _, step := range []time.Duration{93 * ms, 3 * time.Second} {
		l, _ := counterAt(t, t0, rate, 10)
		model := model.NewCounter(rate, 10)
		for i := range 10_000 {
			at := time.Duration(i) * step
			require.Equal(t, model.Take(big.NewInt(int64(at)), 3_000_000), l.TakeAt(t0.Add(at), 3_000_000), "%v", at)
		}
	}
	l, _ := counterAt(t, t0, rate, 10)
	frames, now := 0, t0
	for range 500 {
		if testing.AllocsPerRun(1, func() { // runs twice, and counts once
			for range 100 { // buckets
				now = now.Add(100 * ms)
				l.TakeAt(now, 1)
			}
		}) > 0 {
			frames++
		}
	}
	require.InDelta(t, 50_000/(1<<12-32), frames, 12, "of twice as many, every other may be counted")
	require.Positive(t, frames)
}

func TestCounterConforms(t *testing.T) {
	for _, buckets := range []int{1, 2, 10} {
		t.Run(fmt.Sprint(buckets), func(t *testing.T) {
			build := func(opts ...ratelimit.Option) (ratelimit.Limiter, error) {
				return slidingwindow.NewCounter(ratelimit.PerSecond(10), buckets, opts...)
			}
			require.NoError(t, limittest.TestLimiter(build))
			require.NoError(t, limittest.TestAllocations(build))
		})
	}
}

func TestCounterOfRateZeroRefusesEverything(t *testing.T) {
	l, _ := counterAt(t, t0, ratelimit.PerSecond(0), 10)
	require.False(t, l.Allow())
	require.Equal(t, ratelimit.Decision{RetryAfter: ratelimit.Never}, l.Take(1))
	require.Equal(t, ratelimit.Decision{OK: true}, l.Take(0))
}

// The more buckets there are, the fewer events can be counted: buckets, and events twice, share 60
// bits.
func TestCounterOfAsMuchAsFits(t *testing.T) {
	for _, c := range []struct{ buckets, bits int }{
		{1, 29}, {2, 28}, {3, 28}, {4, 28}, {7, 28}, {8, 27}, {31, 27}, {32, 26}, {60, 26}, {127, 26}, {128, 25}, {1 << 14, 22}, {math.MaxUint16, 21},
	} {
		most := 1<<c.bits - 1
		l, err := slidingwindow.NewCounter(ratelimit.PerSecond(most), c.buckets, ratelimit.WithClock(limittest.NewClock(t0)))
		require.NoError(t, err, c.buckets)
		require.True(t, l.Take(most).OK)
		require.False(t, l.Allow())
		_, err = slidingwindow.NewCounter(ratelimit.PerSecond(most+1), c.buckets)
		require.ErrorContains(t, err, fmt.Sprintf("want 0 to %d with %d buckets", most, c.buckets))
	}
}

// Callers in two buckets that no window has both of, and in one between, get two windows' worth at
// most.
func TestCounterRolloverUnderLoad(t *testing.T) {
	const n = 50_000
	l, _ := counterAt(t, t0, ratelimit.PerSecond(n), 4)
	var granted atomic.Int64
	var wg sync.WaitGroup
	for _, at := range []time.Duration{0, time.Second, 1250 * ms, 1250 * ms} {
		wg.Go(func() {
			for l.TakeAt(t0.Add(at), 1).OK {
				granted.Add(1)
			}
		})
	}
	wg.Wait()
	require.LessOrEqual(t, granted.Load(), int64(2*n))
	require.GreaterOrEqual(t, granted.Load(), int64(n))
}

func TestCounterArguments(t *testing.T) {
	for _, row := range []struct {
		rate    ratelimit.Rate
		buckets int
		want    string
	}{
		{ratelimit.PerSecond(-1), 10, "rate.Events is -1, want 0 to 134217727 with 10 buckets"},
		{ratelimit.PerSecond(1 << 27), 10, "rate.Events is 134217728, want 0 to 134217727 with 10 buckets"},
		{ratelimit.PerSecond(math.MaxInt), 1, "rate.Events is " + fmt.Sprint(math.MaxInt) + ", want 0 to 536870911 with 1 buckets"},
		{ratelimit.Per(1, 0), 10, "rate.Per is 0s, want more than 0s"},
		{ratelimit.Per(1, -1), 10, "rate.Per is -1ns, want more than 0s"},
		{ratelimit.Per(1, 1<<58+1), 10, "rate.Per is 80063h59m36.151711745s, want at most 2^58 ns (9 years)"},
		{ratelimit.PerSecond(1), 0, "buckets is 0, want 1 to 65535"},
		{ratelimit.PerSecond(1), math.MinInt, "buckets is " + fmt.Sprint(math.MinInt) + ", want 1 to 65535"},
		{ratelimit.PerSecond(1), 65536, "buckets is 65536, want 1 to 65535"},
		{ratelimit.Per(1, 9), 10, "buckets is 10, want at most 9, the nanoseconds in rate.Per"},
	} {
		_, err := slidingwindow.NewCounter(row.rate, row.buckets)
		require.EqualError(t, err, "slidingwindow.NewCounter: "+row.want)
	}
	for _, row := range []struct {
		rate    ratelimit.Rate
		buckets int
	}{
		{ratelimit.Per(1<<29-1, 1<<58), 1}, {ratelimit.Per(1<<21-1, 1<<58), 65535}, {ratelimit.Every(1), 1}, {ratelimit.Every(3), 2},
	} {
		l, err := slidingwindow.NewCounter(row.rate, row.buckets)
		require.NoError(t, err)
		require.Equal(t, row.rate, l.Rate())
		require.Equal(t, row.buckets, l.Buckets())
		require.True(t, l.Allow())
	}
}

// A frame of so many events holds 16 buckets, and each is the last of one sooner or later.
func TestCounterGoesFromFrameToFrame(t *testing.T) {
	const limit = 1<<29 - 1
	l, err := slidingwindow.NewCounter(ratelimit.PerSecond(limit), 1, ratelimit.WithClock(limittest.NewClock(t0)))
	require.NoError(t, err)
	require.True(t, l.TakeAt(t0, 1).OK)
	for i := range 100 {
		d := l.TakeAt(t0.Add(time.Duration(i+1)*time.Second), 1)
		require.True(t, d.OK)
		require.Equal(t, limit-2, d.Remaining, "this event and that of the bucket before")
	}
}
