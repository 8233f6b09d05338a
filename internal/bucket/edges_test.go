package bucket

import (
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/limittest"
)

// Allow meets a word that has just been frozen, near the end of the longest frame: adding to it
// must not wrap around.
func TestFrozenAtTheEndOfAFrame(t *testing.T) {
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	clock := limittest.NewClock(start)
	var b Bucket
	require.NoError(t, b.Init("f", "burst", ratelimit.Rate{Events: 2, Per: 1<<61 - 1}, 1, []ratelimit.Option{ratelimit.WithClock(clock)}))
	f := b.current.Load()
	off := f.Scale.start + int64(f.Scale.span) // the end
	var d ratelimit.Decision
	b.TakeAt(&d, start.Add(time.Duration(off)), 1)
	require.True(t, d.OK)
	require.Same(t, f, b.current.Load())
	clock.Set(start.Add(-time.Second))
	asked, granted := false, false
	require.True(t, b.current.Replace(f, &plan{Successor: func(f *bucketFrame, word uint64) *bucketFrame {
		if !asked {
			asked = true
			granted = b.Allow()
		}
		return state{f.Scale, word}.frame()
	}}))
	require.False(t, granted)
}

func TestMulDivCeil(t *testing.T) {
	require.Equal(t, uint64(math.MaxUint64), mulDivCeil(1<<32, 1<<32, 1))
}
