package window

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/limittest"
)

// Allow meets a word that has just been frozen. Of a whole second a large power of two is a factor,
// so the frozen bit may not move the window's start at all.
func TestFrozenWindow(t *testing.T) {
	clock := limittest.NewClock(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC))
	var w Window
	require.NoError(t, w.Init(Aligned, "f", "n", ratelimit.PerSecond(2), 2, []ratelimit.Option{ratelimit.WithClock(clock)}))
	require.True(t, w.Allow())
	f := w.current.Load()
	asked := false
	w.current.Replace(f, &plan{Successor: func(f *windowFrame, word uint64) *windowFrame {
		next := newFrame(f.Scale.spec, 0, f.Scale.state(word))
		if !asked {
			asked = true
			require.True(t, w.Allow())
		}
		return next
	}})
	require.True(t, asked)
	require.False(t, w.Allow())
}
