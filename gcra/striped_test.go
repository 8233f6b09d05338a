package gcra_test

import (
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/gcra"
	"github.com/seed-3506548a/ratelimit/internal/proof/bounds"
	"github.com/seed-3506548a/ratelimit/internal/proof/compare"
	"github.com/seed-3506548a/ratelimit/internal/proof/model"
	"github.com/seed-3506548a/ratelimit/limittest"
)

// leases reports whether a Striped of that rate and burst ever leases, by its documentation.
func leases(rate ratelimit.Rate, burst int) bool {
	const length = 131072
	brought := float64(rate.Events) / float64(rate.Per) * length
	return brought >= 8 && float64(burst) > 32*float64(runtime.GOMAXPROCS(0))+brought
}

// sparing is a Striped that refuses limits at which it would lease.
type sparing struct{ *gcra.Striped }

func (l sparing) SetRateAt(t time.Time, rate ratelimit.Rate, burst int) error {
	if leases(rate, burst) {
		return &ratelimit.ArgumentError{Func: "sparing.SetRateAt"}
	}
	return l.Striped.SetRateAt(t, rate, burst)
}

// Where it does not lease, a Striped does the same as a Limiter.
func TestModelStriped(t *testing.T) {
	compare.Random(t, func(rate ratelimit.Rate, burst int, c ratelimit.Clock) (ratelimit.Limiter, model.Limiter, error) {
		l, err := gcra.NewStriped(rate, burst, ratelimit.WithClock(c))
		if err == nil && leases(rate, burst) {
			err = &ratelimit.ArgumentError{Func: "sparing.New"}
		}
		return sparing{l}, model.NewBucket(rate, burst), err
	})
}

// One event in 73 years is the most ticks there are, and no rate to lease at.
func TestSlowestStriped(t *testing.T) {
	l, err := gcra.NewStriped(ratelimit.Per(1, 1<<61), 1)
	require.NoError(t, err)
	require.True(t, l.Allow())
	require.False(t, l.Allow())
	require.False(t, l.Take(1).OK)
}

// onOneStack calls f on a stack that stays where it is, so that all calls of f use one stripe. The
// stack does not grow under f, as it has much room, and is not shrunk, as half of it is in use.
//
//go:noinline
func onOneStack(f func() error) error {
	var inUse [64 << 10]byte
	err := f()
	runtime.KeepAlive(&inUse)
	return err
}

// A Striped conforms. Only where it leases, simultaneous callers may get less than there is
// together.
func TestConformStriped(t *testing.T) {
	slow := func(opts ...ratelimit.Option) (ratelimit.Limiter, error) {
		return gcra.NewStriped(ratelimit.PerSecond(10), 5, opts...)
	}
	require.NoError(t, limittest.TestLimiter(slow))
	require.NoError(t, limittest.TestAllocations(slow))
	fast := func(opts ...ratelimit.Option) (ratelimit.Limiter, error) {
		return gcra.NewStriped(ratelimit.PerSecond(100_000), 500, opts...)
	}
	if err := onOneStack(func() error { return limittest.TestLimiter(fast) }); err != nil {
		for line := range strings.Lines(err.Error()) {
			require.True(t, strings.HasPrefix(line, "Conservation: "), err.Error())
		}
	}
	require.NoError(t, limittest.TestAllocations(fast))
}

func TestBoundStriped(t *testing.T) {
	for _, rate := range []ratelimit.Rate{ratelimit.PerSecond(100_000), ratelimit.PerSecond(12_345_678), ratelimit.PerSecond(1_000_000_007)} {
		const burst = 1000
		require.NoError(t, limittest.TestBound(func(opts ...ratelimit.Option) (ratelimit.Limiter, error) {
			return gcra.NewStriped(rate, burst, opts...)
		}, max(4, rate.Per/time.Duration(rate.Events)), bounds.Bucket(rate, burst).Int))
	}
}

// Simultaneous callers at one time get no more than a burst. They lease, as there is room for it.
func TestStripedUnderContention(t *testing.T) {
	const burst = 50_000
	for range 4 {
		l, err := gcra.NewStriped(ratelimit.PerSecond(1_000_000), burst, ratelimit.WithClock(limittest.NewClock(t0)))
		require.NoError(t, err)
		var granted atomic.Int64
		var group sync.WaitGroup
		for range 8 {
			group.Go(func() {
				for range 2 * burst {
					if l.Allow() {
						granted.Add(1)
					}
				}
			})
		}
		group.Wait()
		require.LessOrEqual(t, granted.Load(), int64(burst))
		require.Greater(t, granted.Load(), int64(burst*9/10))
	}
}

func TestStripedArguments(t *testing.T) {
	_, err := gcra.NewStriped(ratelimit.PerSecond(1), 0)
	require.EqualError(t, err, "gcra.NewStriped: burst is 0, want 1 to 2147483647")
	l, err := gcra.NewStriped(ratelimit.PerSecond(1), 3)
	require.NoError(t, err)
	require.EqualError(t, l.SetRate(ratelimit.PerSecond(-1), 5), "gcra.Striped.SetRate: rate.Events is -1, want 0 to 2147483647")
	require.EqualError(t, l.SetRateAt(t0, ratelimit.PerSecond(1), 0), "gcra.Striped.SetRateAt: burst is 0, want 1 to 2147483647")
	require.Equal(t, ratelimit.PerSecond(1), l.Rate())
	require.Equal(t, 3, l.Burst())
	require.NoError(t, l.SetRate(ratelimit.PerSecond(2), 4))
	require.Equal(t, ratelimit.PerSecond(2), l.Rate())
	require.Equal(t, 4, l.Burst())
}
