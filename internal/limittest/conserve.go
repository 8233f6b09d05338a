package limittest

import (
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-3506548a/ratelimit"
)

// NewSize builds a limiter that grants size events at once when fresh, and less than one a second
// from then on.
type NewSize func(size int, c ratelimit.Clock) (ratelimit.Limiter, error)

const conserved = 200_000

// Conserve has goroutines take a great many events at a frozen time, as fast as they can: together
// they get exactly what there is.
func Conserve(t *testing.T, build NewSize) {
	l, err := build(conserved, NewClock(time.Unix(1e9, 0)))
	require.NoError(t, err)
	require.Equal(t, conserved, together(func(int) (own int) {
		for l.Allow() {
			own++
		}
		return own
	}), "Allow")

	l, err = build(conserved, NewClock(time.Unix(1e9, 0)))
	require.NoError(t, err)
	now := l.Clock().Now()
	sum := together(func(caller int) (own int) {
		random := rand.New(rand.NewPCG(1, uint64(caller)))
		for refused := 0; refused < 3; {
			n := 1 + random.IntN(5)
			switch {
			case !l.TakeAt(now, n).OK:
				refused++
			case random.IntN(3) == 0:
				l.RefundAt(now, n, 0)
			default:
				own += n
			}
		}
		return own
	})
	require.Equal(t, conserved, sum+l.PeekAt(now, 0).Remaining, "TakeAt and RefundAt")
}

// ConserveUnderContention repeats Conserve until lost, a counter of failed CASes, has moved. It
// gives up after a number of rounds, and says so.
func ConserveUnderContention(t *testing.T, build NewSize, lost *atomic.Int64) {
	const rounds = 50
	before := lost.Load()
	for round := range rounds {
		Conserve(t, build)
		if n := lost.Load() - before; n > 0 {
			t.Logf("%d races were lost in %d rounds", n, round+1)
			return
		}
	}
	t.Logf("no race was lost in %d rounds", rounds)
}

// together runs f in a few goroutines and returns the sum of what they return.
func together(f func(caller int) int) int {
	var sum atomic.Int64
	var wg sync.WaitGroup
	for caller := range 4 {
		wg.Go(func() { sum.Add(int64(f(caller))) })
	}
	wg.Wait()
	return int(sum.Load())
}
