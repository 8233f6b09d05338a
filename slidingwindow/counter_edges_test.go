package slidingwindow_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/limittest"
	"github.com/seed-3506548a/ratelimit/slidingwindow"
)

// A product of what has passed and a bucket's width would be 2^64 here.
func TestAllowOfACounterWhoseBucketsAre4Seconds(t *testing.T) {
	start := time.Unix(1000, 0)
	for _, buckets := range []int{1, 10} {
		clock := limittest.NewClock(start)
		l := ratelimit.Must(slidingwindow.NewCounter(ratelimit.Per(1, time.Duration(buckets)<<32), buckets, ratelimit.WithClock(clock)))
		require.True(t, l.Allow())
		clock.Set(start.Add(time.Duration(buckets+1)<<32 - 1))
		require.False(t, l.Allow())
		clock.Set(start.Add(time.Duration(buckets+1) << 32))
		require.True(t, l.Allow())
	}
}

// Allow, on a clock that runs back to before the limiter's origin.
func TestAllowOfACounterBeforeItsOrigin(t *testing.T) {
	start := time.Unix(1000, 0)
	clock := limittest.NewClock(start)
	l := ratelimit.Must(slidingwindow.NewCounter(ratelimit.Per(2, time.Second), 1, ratelimit.WithClock(clock)))
	grants := 0
	clock.Set(start.Add(-time.Second)) // bucket -1
	for range 3 {
		if l.Allow() {
			grants++
		}
	}
	require.Equal(t, 2, grants)
	clock.Set(start.Add(time.Second)) // bucket 1
	require.True(t, l.Allow())
	clock.Set(start.Add(-time.Second))
	for range 3 {
		require.False(t, l.Allow(), "2 were granted in this very instant before")
	}
}

// At the bottom of time, in buckets of a nanosecond, nothing is earlier.
func TestACounterAtTheBottomOfTime(t *testing.T) {
	start := time.Unix(1000, 0)
	for _, ahead := range []time.Duration{0, 1, 2} {
		l := ratelimit.Must(slidingwindow.NewCounter(ratelimit.Per(2, 1), 1, ratelimit.WithClock(limittest.NewClock(start))))
		at := start.Add(-1 << 62).Add(ahead)
		require.True(t, l.TakeAt(at, 1).OK)
		require.True(t, l.TakeAt(at, 1).OK)
		require.False(t, l.TakeAt(at, 1).OK)
	}
}

// A limit whose word has no bit to spare, under which what is counted keeps counting when the rate
// changes.
func TestSetRateOfACounterWithNoBitToSpare(t *testing.T) {
	const limit, buckets = 1<<27 - 1, 16
	start := time.Unix(1000, 0)
	for _, second := range []int{2 * buckets, buckets + 1} {
		at := func(bucket int) time.Time { return start.Add(time.Duration(bucket) * time.Second) }
		l := ratelimit.Must(slidingwindow.NewCounter(ratelimit.Per(limit, buckets*time.Second), buckets, ratelimit.WithClock(limittest.NewClock(start))))
		require.True(t, l.TakeAt(at(0), limit).OK)
		require.True(t, l.TakeAt(at(second), limit).OK)
		require.NoError(t, l.SetRateAt(at(second), ratelimit.Per(limit-1, buckets*time.Second)))
		require.False(t, l.TakeAt(at(second), 1).OK)
		require.False(t, l.TakeAt(at(second+buckets), 1).OK)
		require.True(t, l.TakeAt(at(second+buckets+1), limit-1).OK)
	}
}

// No decision of a new limiter allocates, from its origin on; nor while a frame lasts.
func TestACounterAllocatesNoFrameBeforeItMust(t *testing.T) {
	const limit, buckets = 1<<27 - 1, 16
	start := time.Unix(1000, 0)
	var ls []*slidingwindow.Counter
	for range 12 {
		ls = append(ls, ratelimit.Must(slidingwindow.NewCounter(ratelimit.Per(limit, buckets*time.Second), buckets, ratelimit.WithClock(limittest.NewClock(start)))))
	}
	i := 0
	require.Zero(t, testing.AllocsPerRun(10, func() {
		l := ls[i]
		i++
		for _, bucket := range []int{0, 1, 191} { // 191 = 3/4 * 2^(62-2*27) - 1
			if !l.TakeAt(start.Add(time.Duration(bucket)*time.Second), 1).OK {
				panic("refused")
			}
		}
	}))
}
