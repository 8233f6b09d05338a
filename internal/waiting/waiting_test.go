package waiting_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-3506548a/ratelimit/internal/waiting"
)

// A change notifies all who wait for the limiter, and nobody who waits for another or has ended it,
// in whatever order they end.
func TestChanged(t *testing.T) {
	type limiter struct{ name string }
	for leaves := range 3 {
		all := make([]chan struct{}, 3)
		for i := range all {
			all[i] = make(chan struct{}, 1)
			waiting.Watch(limiter{"a"}, all[i])
		}
		notified := func() (who []int) {
			for i, c := range all {
				select {
				case <-c:
					who = append(who, i)
				default:
				}
			}
			return who
		}
		waiting.Changed(limiter{"b"})
		require.Empty(t, notified())
		waiting.Changed(limiter{"a"})
		waiting.Changed(limiter{"a"})
		require.Equal(t, []int{0, 1, 2}, notified())
		require.Empty(t, notified(), "once for all changes that nobody has seen")
		waiting.Unwatch(limiter{"a"}, all[leaves])
		waiting.Unwatch(limiter{"a"}, make(chan struct{}))
		waiting.Changed(limiter{"a"})
		want := [][]int{{1, 2}, {0, 2}, {0, 1}}[leaves]
		require.Equal(t, want, notified())
		for _, i := range want {
			waiting.Unwatch(limiter{"a"}, all[i])
		}
		waiting.Changed(limiter{"a"})
		require.Empty(t, notified())
	}
}
